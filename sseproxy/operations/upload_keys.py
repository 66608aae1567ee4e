"""The keys of an upload: its data key for parts, and what lists and completes it.

An upload under a customer's key gets that key with every part; Complete and ListParts may come without it and work with
the closing keys, which open no part (docs/format.md, "Multipart"; S3 dossier §1.2, §1.4, §7.3).
"""

from sseproxy.errors import CustomerKeyNeeded, InvalidRequest, StateRejected, WrongCustomerKey
from sseproxy.exchange import Request
from sseproxy.format import ClosingKeys, DataKey
from sseproxy.model import Algorithm, WrappedKey
from sseproxy.operations.context import Services
from sseproxy.operations.customer_keys import customer_key_of
from sseproxy.operations.deciding import default_for
from sseproxy.operations.uploads import Upload
from sseproxy.policy.encryption import EncryptionDecision

_UNLIKE = (
    "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate "
    "encryption parameters."
)
_ANOTHER = "The provided encryption parameters did not match the ones used originally."


async def closing_keys_for(
    services: Services, key: DataKey, decision: EncryptionDecision, upload: Upload
) -> WrappedKey | None:
    """Return what is kept of a new upload so that it can be completed without its customer's key; else None."""
    if decision.customer_key is None:
        return None
    default = await default_for(services, upload.ref.bucket)
    return await services.keyring.wrap_closing(key.closing_keys, default, upload.ref)


async def open_upload(services: Services, request: Request, upload: Upload) -> DataKey:
    """Return the data key that a part is sealed under.

    Raises `InvalidRequest` where the part comes with another customer's key than the upload, or only one of the two
    has any.
    """
    customer_key = customer_key_of(services, request)
    if (customer_key is not None) is not (upload.envelope.algorithm is Algorithm.CUSTOMER):
        raise InvalidRequest(_UNLIKE)
    try:
        return await services.keyring.open(upload.envelope, upload.ref, customer_key)
    except WrongCustomerKey:
        raise InvalidRequest(_ANOTHER) from None


async def open_for_closing(
    services: Services, request: Request, upload: Upload, *, completes: bool = False
) -> DataKey | ClosingKeys:
    """Return what lists and completes an upload.

    Without the customer's key this is less than the data key, and only for uploads without a checksum algorithm: for
    others the service demands the key. Raises as `open_upload` does.
    """
    is_closed = upload.envelope.algorithm is Algorithm.CUSTOMER and customer_key_of(services, request) is None
    if not is_closed:
        return await open_upload(services, request, upload)
    if upload.checksum_algorithm is not None or (completes and services.dialect.sse.is_customer_key_completing):
        raise CustomerKeyNeeded
    if upload.closing_keys is None:
        raise StateRejected("The state of this upload cannot be read; abort it and begin again.")
    return await services.keyring.open_closing(upload.closing_keys, upload.ref)
