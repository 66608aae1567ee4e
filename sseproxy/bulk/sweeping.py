"""`sweep`: remove what dead uploads left in the state bucket.

An upload's state goes only when the storage itself says that there is no such upload, and nothing has been added to it
for a while (docs/format.md, "Multipart"). Sealed objects are never touched.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta

from sseproxy.bulk.context import Tools
from sseproxy.bulk.finding import Listed, Scope, address_in
from sseproxy.bulk.job import SimpleJob
from sseproxy.bulk.outcome import Outcome
from sseproxy.errors import UpstreamAnswered
from sseproxy.operations.backend import expect, object_request
from sseproxy.operations.condition_probe import PROBES
from sseproxy.operations.context import Services
from sseproxy.operations.state_store import StateEntry
from sseproxy.operations.uploads import UPLOADS, Upload, find_upload, forget_folder, upload_query

_GONE = frozenset({"NoSuchUpload", "NoSuchBucket", "NoSuchKey"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepWishes:
    """How long state must have been left alone, and whether it is only looked at."""

    older_than: timedelta = timedelta(hours=24)
    dry_run: bool = False


class Sweep(SimpleJob):
    """Works on the folders of the state bucket; a scope's bucket, where it has one, limits it to uploads there."""

    name = "sweep"

    def __init__(self, wishes: SweepWishes) -> None:
        self._wishes = wishes

    async def items(self, tools: Tools, scope: Scope) -> AsyncGenerator[Listed]:
        """Yield a folder per upload, with the size of its state and the time of its youngest part; and old probes."""
        state = tools.services.state
        if not scope.bucket:
            async with aclosing(state.list(PROBES, start_after=scope.start_after)) as probes:
                async for entry in probes:
                    yield Listed(entry.key, entry.size, entry.last_modified)
        folder: Listed | None = None
        async with aclosing(state.list(UPLOADS, start_after=_behind(scope.start_after))) as entries:
            async for entry in entries:
                name = _folder_of(entry)
                if folder is not None and folder.key != name:
                    yield folder
                    folder = None
                folder = _with(folder or Listed(name, 0, entry.last_modified), entry)
        if folder is not None:
            yield folder

    async def work(self, tools: Tools, scope: Scope, item: Listed) -> Outcome:
        """Remove one upload's state if the upload is dead."""
        services = tools.services
        upload = None if item.key.startswith(PROBES) else await find_upload(services.state, item.key)
        details = {} if upload is None else _names(upload)
        if scope.bucket and (upload is None or upload.ref.bucket != scope.bucket):
            return Outcome(key=item.key, outcome="of another bucket", details=details)
        if services.clock.now() - item.last_modified < self._wishes.older_than:
            return Outcome(key=item.key, outcome="recent", details=details)
        if upload is not None and await _is_alive(services, upload):
            return Outcome(key=item.key, outcome="alive", details=details)
        if self._wishes.dry_run:
            return Outcome(key=item.key, outcome="would be removed", size=item.stored_size, details=details)
        if item.key.startswith(PROBES):
            await services.state.delete([item.key])
        else:
            await forget_folder(services.state, item.key)
        return Outcome(key=item.key, outcome="removed", size=item.stored_size, details=details)


def _folder_of(entry: StateEntry) -> str:
    digest = entry.key.removeprefix(UPLOADS).partition("/")[0]
    return f"{UPLOADS}{digest}/"


def _with(folder: Listed, entry: StateEntry) -> Listed:
    return replace(
        folder,
        stored_size=folder.stored_size + entry.size,
        last_modified=max(folder.last_modified, entry.last_modified),
    )


def _behind(start_after: str) -> str:
    """Return what sorts behind everything in a folder that was done."""
    return start_after + "\U0010ffff" if start_after.startswith(UPLOADS) else ""


def _names(upload: Upload) -> dict[str, str]:
    return {"bucket": upload.ref.bucket, "object": upload.ref.key, "upload_id": upload.upload_id}


async def _is_alive(services: Services, upload: Upload) -> bool:
    """Ask the storage for that very upload."""
    request = replace(
        object_request(services, "GET", address_in(upload.ref.bucket, upload.ref.key)),
        raw_query=f"{upload_query(upload.upload_id)}&max-parts=1",
    )
    try:
        async with services.upstream.send(request) as response:
            await expect(services, response, 200)
            return True
    except UpstreamAnswered as error:
        if error.status == 404 and error.code in _GONE:
            return False
        raise
