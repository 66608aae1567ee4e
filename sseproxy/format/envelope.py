"""The envelope: what an object's metadata says about its key (docs/format.md, "Envelope").

The envelope is not authenticated by itself. Every field is either checked through the wrap and the commitment,
must agree with the sealed footer, or only explains an error or a response header.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from types import MappingProxyType
from typing import Final

from sseproxy.errors import EnvelopeRejected, MetadataTooLarge
from sseproxy.format.codes import ALGORITHMS, BINDINGS, LAYOUTS, SUITES
from sseproxy.format.context import MOST_CALLER_CONTEXT, caller_pairs
from sseproxy.format.customer import CUSTOMER_KEY_ID
from sseproxy.format.framing import lp
from sseproxy.format.keys import COMMITMENT
from sseproxy.format.layout import TAIL, VERSION
from sseproxy.format.packing import Fields, pack_map
from sseproxy.model import Algorithm, Binding, Layout, Suite, name_bytes

MOST_ENVELOPE: Final = 1_300  # characters without the footer's copy, docs/format.md, "Envelope"
MOST_ENVELOPE_READ: Final = 8_192  # characters that a reader looks at, docs/format.md, "Envelope"
PLACE: Final = 8  # bytes, docs/format.md, "Envelope"
KEK_ID: Final = 16  # bytes, docs/format.md, "Envelope"

# docs/format.md, "Versions": which suites an object can be sealed with, by what its client asked for.
_SUITES_OF: Final[Mapping[Algorithm, frozenset[Suite]]] = MappingProxyType(
    {
        Algorithm.AES256: frozenset({Suite.AES_256_GCM}),
        Algorithm.KMS: frozenset(Suite),
        Algorithm.SM4: frozenset({Suite.SM4_GCM}),
        Algorithm.CUSTOMER: frozenset({Suite.AES_256_GCM}),
    }
)
_LONGEST = 4_096  # of any byte string or text in it; the whole is bounded anyway
_MOST_FOOTER_COPY = 512  # bytes; a single object's footer and tail have less than 450

# Field numbers: docs/format.md, "Envelope".
_VERSION, _SUITE, _ALGORITHM, _KEY_ID, _KEY_VERSION, _KEK_ID, _WRAPPED_KEK, _WRAPPED_KEY = 1, 2, 3, 4, 5, 6, 7, 8
_BINDING, _PLACE, _CALLER_CONTEXT, _BUCKET_KEY, _LAYOUT, _COMMITMENT, _FOOTER = 9, 10, 11, 12, 13, 14, 15


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Envelope:
    """How to get from an object to its key.

    `key_id` is the CMK; `key_version` its version where the wrapped blob does not carry it. `kek_id` and
    `wrapped_kek` come together. `footer` is a copy of footer and tail, in layout `single` alone.
    """

    suite: Suite
    algorithm: Algorithm
    key_id: str
    wrapped_key: bytes
    binding: Binding
    place: bytes
    layout: Layout
    commitment: bytes
    kek_id: bytes | None = None
    wrapped_kek: bytes | None = None
    key_version: str | None = None
    caller_context: bytes = b""
    bucket_key: bool = False
    footer: bytes | None = None


def place_of(bucket: str, key: str) -> bytes:
    """Return the 8 bytes by which an error can tell that an object was moved."""
    return sha256(lp(name_bytes(bucket)) + lp(name_bytes(key))).digest()[:PLACE]


def encode_envelope(envelope: Envelope) -> str:
    """Return the header's text, the footer's copy included where there is one.

    Raises `MetadataTooLarge` where it would be longer than 1,300 characters without that copy, and `ValueError`
    where the envelope is one that no reader would take.
    """
    text = _encode(envelope)
    try:
        decode_envelope(text)
    except EnvelopeRejected as cause:
        raise ValueError(cause.message) from cause
    bare = _encode(replace(envelope, footer=None)) if envelope.footer is not None else text
    if len(bare) > MOST_ENVELOPE:
        raise MetadataTooLarge("The encryption envelope would be too large: key id or encryption context are too long.")
    return text


def encode_envelope_within(envelope: Envelope, budget: int) -> str:
    """Return the header's text in at most `budget` characters: without the footer's copy where that is too much.

    Raises `MetadataTooLarge` where even that does not fit.
    """
    text = encode_envelope(envelope)
    if len(text) > budget and envelope.footer is not None:
        text = encode_envelope(replace(envelope, footer=None))
    if len(text) > budget:
        raise MetadataTooLarge
    return text


def recovery_bytes(envelope: Envelope) -> bytes:
    """Return what the body's recovery record holds: the envelope's map without the footer's copy."""
    return _pack(replace(envelope, footer=None))


def decode_envelope(text: str) -> Envelope:
    """Understand an envelope header. Raises `EnvelopeRejected` where anything about it is not as it must be."""
    if len(text) > MOST_ENVELOPE_READ:
        raise EnvelopeRejected("The object's encryption envelope is too long.")
    try:
        return _checked(_unpack(_from_base64(text)))
    except ValueError as cause:
        raise EnvelopeRejected(f"The object's encryption envelope is not valid: {cause}") from cause


def decode_recovery(data: bytes) -> Envelope:
    """Understand a recovery record. Raises `EnvelopeRejected`."""
    return decode_envelope(_to_base64(data))


def _encode(envelope: Envelope) -> str:
    return _to_base64(_pack(envelope))


def _pack(envelope: Envelope) -> bytes:
    return pack_map(
        {
            _VERSION: VERSION,
            _SUITE: SUITES.number(envelope.suite),
            _ALGORITHM: ALGORITHMS.number(envelope.algorithm),
            _KEY_ID: envelope.key_id,
            _KEY_VERSION: envelope.key_version,
            _KEK_ID: envelope.kek_id,
            _WRAPPED_KEK: envelope.wrapped_kek,
            _WRAPPED_KEY: envelope.wrapped_key,
            _BINDING: BINDINGS.number(envelope.binding),
            _PLACE: envelope.place,
            _CALLER_CONTEXT: envelope.caller_context or None,
            _BUCKET_KEY: envelope.bucket_key or None,
            _LAYOUT: LAYOUTS.number(envelope.layout),
            _COMMITMENT: envelope.commitment,
            _FOOTER: envelope.footer,
        }
    )


def _unpack(data: bytes) -> Envelope:
    fields = Fields(data)
    fields.integer(_VERSION, least=VERSION, most=VERSION)
    envelope = Envelope(
        suite=SUITES.member(fields.integer(_SUITE, most=0xFF)),
        algorithm=ALGORITHMS.member(fields.integer(_ALGORITHM, most=0xFF)),
        key_id=fields.text(_KEY_ID, least=1, most=_LONGEST),
        key_version=fields.text(_KEY_VERSION, least=1, most=_LONGEST) if _KEY_VERSION in fields else None,
        kek_id=fields.fixed(_KEK_ID, KEK_ID) if _KEK_ID in fields else None,
        wrapped_kek=fields.binary(_WRAPPED_KEK, least=1, most=_LONGEST) if _WRAPPED_KEK in fields else None,
        wrapped_key=fields.binary(_WRAPPED_KEY, least=1, most=_LONGEST),
        binding=BINDINGS.member(fields.integer(_BINDING, most=0xFF)),
        place=fields.fixed(_PLACE, PLACE),
        caller_context=(
            fields.binary(_CALLER_CONTEXT, least=1, most=MOST_CALLER_CONTEXT) if _CALLER_CONTEXT in fields else b""
        ),
        bucket_key=fields.flag(_BUCKET_KEY),
        layout=LAYOUTS.member(fields.integer(_LAYOUT, most=0xFF)),
        commitment=fields.fixed(_COMMITMENT, COMMITMENT),
        footer=fields.binary(_FOOTER, least=TAIL, most=_MOST_FOOTER_COPY) if _FOOTER in fields else None,
    )
    fields.close()
    return envelope


def _checked(envelope: Envelope) -> Envelope:
    if envelope.suite not in _SUITES_OF[envelope.algorithm]:
        raise ValueError("its suite is not one of the algorithm's.")
    if (envelope.kek_id is None) != (envelope.wrapped_kek is None):
        raise ValueError("a wrapped KEK and its id come together.")
    if envelope.algorithm is Algorithm.CUSTOMER and (envelope.key_id != CUSTOMER_KEY_ID or envelope.kek_id is not None):
        raise ValueError("a customer's key stands above the data key, and nothing else.")
    if envelope.footer is not None and envelope.layout is not Layout.SINGLE:
        raise ValueError("only a single object's envelope has a copy of the footer.")
    caller_pairs(envelope.caller_context)
    return envelope


def _to_base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_base64(text: str) -> bytes:
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (Base64Error, ValueError) as cause:
        raise ValueError("it is not base64url.") from cause
    if _to_base64(data) != text:  # the decoder skips foreign characters and stray bits; a second spelling is none
        raise ValueError("it is not base64url.")
    return data
