"""What a wrapped key is bound to (docs/format.md, "Wrap context")."""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Literal

from sseproxy.errors import InvalidArgument
from sseproxy.format.framing import lp
from sseproxy.format.layout import VERSION
from sseproxy.model import Binding, WrapContext, name_bytes

MOST_CALLER_CONTEXT = 256  # bytes, docs/format.md, "Wrap context"

_DIGEST_PAIR = "sseproxy"
_BUCKET_PAIR = "bucket"


def wrap_context(
    *,
    purpose: Literal["dek", "kek", "state"],
    algorithm: str,
    layout: str,
    binding: Binding,
    bucket: str,
    key: str,
    caller: bytes = b"",
) -> WrapContext:
    """Return the context of a wrap: byte AAD, and pairs for providers that take a string map.

    Which names go in is decided by `binding`. A KEK serves many objects, so its context never has key, layout or
    caller's context, whatever is given. Raises `InvalidArgument` where `caller` is no legal encryption context.
    """
    is_kek = purpose == "kek"
    bound_bucket = bucket if binding is Binding.BUCKET_KEY else ""
    bound_key = "" if is_kek or binding is Binding.NONE else key
    bound_caller = b"" if is_kek else caller
    fields = (
        b"sseproxy",
        bytes([VERSION]),
        purpose.encode(),
        algorithm.encode(),
        b"" if is_kek else layout.encode(),
        binding.value.encode(),
        name_bytes(bound_bucket),
        name_bytes(bound_key),
        bound_caller,
    )
    aad = b"".join(map(lp, fields))
    digest = urlsafe_b64encode(sha256(aad).digest()).rstrip(b"=").decode()
    pairs = [(_DIGEST_PAIR, digest)]
    if bound_bucket:
        pairs.append((_BUCKET_PAIR, bound_bucket))
    try:
        pairs += caller_pairs(bound_caller)
    except ValueError as cause:
        raise InvalidArgument(str(cause)) from cause
    return WrapContext(aad=aad, pairs=tuple(pairs))


def caller_pairs(caller: bytes) -> list[tuple[str, str]]:
    """Return the name-value pairs of a caller's own encryption context: none, or one JSON object of strings.

    Raises `ValueError` where it is longer than 256 bytes, is no such object, repeats a name, or uses one of ours.
    """
    if not caller:
        return []
    if len(caller) > MOST_CALLER_CONTEXT:
        raise ValueError(f"The encryption context is longer than {MOST_CALLER_CONTEXT} bytes.")
    try:
        pairs = json.loads(caller.decode(), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as cause:
        raise ValueError("The encryption context is not a JSON object.") from cause
    if not isinstance(pairs, _Pairs) or not all(isinstance(value, str) for _, value in pairs):
        raise ValueError("The encryption context is not a JSON object of strings.")
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names) or {_DIGEST_PAIR, _BUCKET_PAIR} & set(names):
        raise ValueError("The encryption context repeats a name, or uses a reserved one.")
    return list(pairs)


class _Pairs(list[tuple[str, str]]):
    """A JSON object, kept apart from a JSON array."""
