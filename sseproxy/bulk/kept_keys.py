"""The wrapped keys that the state bucket keeps: wrapped again under the newest version of their CMK."""

from sseproxy.bulk.context import Tools


async def rewrap_kept_keys(tools: Tools, key_id: str, bucket: str | None) -> int:
    """Wrap the bucket keys under a CMK again, of one bucket or of all; with all, the state bucket's own key as well.

    Returns how many bucket keys were not yet under the newest version. No object is touched. Raises
    `KeyServiceError`s, `UpstreamUnavailable`, and `StateRejected` where a record is damaged.
    """
    renewed = await tools.services.keyring.rewrap_keks(key_id, bucket)
    if bucket is None:
        await _rewrap_state_key(tools, key_id)
    return renewed


async def _rewrap_state_key(tools: Tools, key_id: str) -> None:
    state, described = tools.services.state, await tools.describe_key(key_id)
    wrapped = await state.wrapped_key()
    if wrapped is None or wrapped.key_id != described.key_id:
        return
    if tools.wrap_version(wrapped) != str(described.current_version):
        await state.rewrap_key()
