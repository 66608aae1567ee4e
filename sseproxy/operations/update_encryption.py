"""UpdateObjectEncryption: the same bytes under another CMK (S3 dossier §1.7).

The data key is wrapped anew and the object copied onto itself with the new envelope; where the storage's copies replace
whatever is there, it is sealed anew and put on condition that it still is the same. Unlike at the service that gives a
new Last-Modified, and a new version where the bucket keeps versions: a storage changes metadata in no other way.
"""

from dataclasses import replace

from sseproxy.errors import (
    AccessRefused,
    CustomerKeyNotApplicable,
    InvalidRequest,
    MethodNotAllowed,
    UnsupportedFeature,
)
from sseproxy.exchange import Request, Response
from sseproxy.model import Algorithm, ObjectRef
from sseproxy.operations.attributes import Closed, Found, Opened, glance, settled
from sseproxy.operations.backend import Address, address_of
from sseproxy.operations.context import Services
from sseproxy.operations.in_place import replace_envelope, replaces_if_match, reseal_in_place
from sseproxy.operations.passthrough import verified_document
from sseproxy.policy.encryption import EncryptionDecision, check_algorithm, decide, rule_for

_LOCKED = ("object-lock-mode", "object-lock-legal-hold")
_NOT_SEALED = "Only objects that are encrypted with SSE-S3 or SSE-KMS can be updated."
_OLD_VERSION = "Only the current version of an object can be updated here: the storage would make it the current one."


async def update_encryption(services: Services, request: Request) -> Response:
    """Serve UpdateObjectEncryption. Raises `InvalidRequest` for objects that it is not for, `AccessRefused`."""
    parse = services.dialect.xml.parse_object_encryption
    if parse is None:
        raise MethodNotAllowed
    asked = parse(await verified_document(services, request, digest_needed=True))
    address = address_of(request)
    rule = rule_for(services.encryption, address.ref.bucket)
    check_algorithm(asked.algorithm, rule)
    decision = decide(asked, None, rule, services.dialect)
    await settled(services, lambda: _update(services, address, decision))
    return Response(status=200)


async def _update(services: Services, address: Address, decision: EncryptionDecision) -> None:
    opened = await _updatable(services, address)
    ref = ObjectRef(address.ref.bucket, address.ref.key)
    if not await replaces_if_match(services):
        await reseal_in_place(services, opened, decision)
        return
    decision = replace(decision, suite=opened.envelope.suite)  # the data stay as they are, and so does their cipher
    envelope = await services.keyring.rewrap(opened.key, opened.envelope, decision, ref)
    await replace_envelope(services, opened.found, envelope)


async def _updatable(services: Services, address: Address) -> Opened:
    """Return the object, opened. Raises where it may not or cannot be updated."""
    subject = await glance(services, address)
    if isinstance(subject, Closed):
        raise CustomerKeyNotApplicable(_NOT_SEALED)
    if not isinstance(subject, Opened) or subject.envelope.algorithm not in {Algorithm.AES256, Algorithm.KMS}:
        raise InvalidRequest(_NOT_SEALED)
    lock = {name: subject.found.headers.get(services.dialect.header(name), "") for name in _LOCKED}
    if lock["object-lock-mode"] or lock["object-lock-legal-hold"].upper() == "ON":
        raise AccessRefused
    await _check_current(services, address, subject.found)
    return subject


async def _check_current(services: Services, address: Address, found: Found) -> None:
    if address.ref.version_id is None:
        return
    current = await glance(services, Address(ObjectRef(address.ref.bucket, address.ref.key), address.raw_key))
    name = services.dialect.header("version-id")
    if current.found.headers.get(name) != found.headers.get(name):
        raise UnsupportedFeature(_OLD_VERSION)
