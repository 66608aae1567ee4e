"""The keyring with every use of a key written down: what for, on which object, under which CMK, and how it ended."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from sseproxy.errors import SseProxyError
from sseproxy.format import CUSTOMER_KEY_ID, ClosingKeys, DataKey, Envelope
from sseproxy.model import CustomerKey, Layout, ObjectRef, WrappedKey
from sseproxy.operations.keyring import Keyring
from sseproxy.policy.encryption import EncryptionDecision
from sseproxy.ports import Auditor, KeyAccess


class AuditedKeyring(Keyring):
    """As `Keyring`. Kept keys are told like those that the KMS is asked for: a CMK stands above them all the same."""

    def __init__(self, keyring: Keyring, auditor: Auditor) -> None:
        vars(self).update(vars(keyring))  # what that one keeps, and whom it asks; it goes on as this one
        self._auditor = auditor

    async def draw(self, decision: EncryptionDecision, ref: ObjectRef, layout: Layout) -> tuple[DataKey, Envelope]:
        """As of `Keyring`."""
        with self._told("encrypt", ref, decision.key_id) as tell:
            key, envelope = await super().draw(decision, ref, layout)
            tell(self._of_envelope(envelope))
        return key, envelope

    async def rewrap(self, key: DataKey, envelope: Envelope, decision: EncryptionDecision, ref: ObjectRef) -> Envelope:
        """As of `Keyring`."""
        with self._told("rewrap", ref, decision.key_id) as tell:
            rewrapped = await super().rewrap(key, envelope, decision, ref)
            tell(self._of_envelope(rewrapped))
        return rewrapped

    async def open(self, envelope: Envelope, ref: ObjectRef, customer_key: CustomerKey | None = None) -> DataKey:
        """As of `Keyring`."""
        with self._told("decrypt", ref, envelope.key_id) as tell:
            tell(self._of_envelope(envelope))
            return await super().open(envelope, ref, customer_key)

    async def wrap_closing(self, keys: ClosingKeys, decision: EncryptionDecision, ref: ObjectRef) -> WrappedKey:
        """As of `Keyring`."""
        with self._told("encrypt", ref, decision.key_id) as tell:
            wrapped = await super().wrap_closing(keys, decision, ref)
            tell(wrapped)
        return wrapped

    async def open_closing(self, wrapped: WrappedKey, ref: ObjectRef) -> ClosingKeys:
        """As of `Keyring`."""
        with self._told("decrypt", ref, wrapped.key_id) as tell:
            tell(wrapped)
            return await super().open_closing(wrapped, ref)

    async def check_client_key(self, key_id: str, ref: ObjectRef) -> None:
        """As of `Keyring`."""
        with self._told("decrypt", ref, key_id):
            await super().check_client_key(key_id, ref)

    @contextmanager
    def _told(self, use: str, ref: ObjectRef, key_id: str) -> Iterator[Callable[[WrappedKey], None]]:
        """Write the use down when the context is left. What is yielded takes the wrap, once it is known."""
        key = ref.key.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        access = KeyAccess(use=use, bucket=ref.bucket, key=key, cmk=key_id, cmk_version=None, result="ok")

        def tell(wrapped: WrappedKey) -> None:
            nonlocal access
            is_customers = wrapped.key_id == CUSTOMER_KEY_ID
            version = None if is_customers else self._kms.version_of(wrapped)
            access = replace(access, cmk=wrapped.key_id, cmk_version=version)

        try:
            yield tell
        except SseProxyError as error:
            self._auditor.key_used(replace(access, result=type(error).__name__))
            raise
        except Exception:
            self._auditor.key_used(replace(access, result="InternalError"))
            raise
        self._auditor.key_used(access)

    def _of_envelope(self, envelope: Envelope) -> WrappedKey:
        blob = envelope.wrapped_key if envelope.wrapped_kek is None else envelope.wrapped_kek
        return WrappedKey(key_id=envelope.key_id, blob=blob)
