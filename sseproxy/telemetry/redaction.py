"""Nothing secret reaches a log: the last line of defence behind code that does not log secrets in the first place.

Names decide first (a field called `authorization` is replaced whatever it holds), then the look of the text
(a presigned URL inside a message loses its signature).
"""

import re
from collections.abc import Mapping

REDACTED = "[redacted]"

_SECRET_NAMES = (
    "authorization",
    "signature",
    "security-token",
    "session-token",
    "customer-key",
    "secret",
    "password",
    "plaintext-key",
    "data-key",
)
# `x-amz-signature=…`, `X-Amz-Security-Token: …`, `"secret_key": "…"`, `Signature=…` of URLs, headers and dumps.
_ASSIGNED = re.compile(
    r"""(?ix) ( (?: signature | (?:security|session)[-_]token | customer-key(?:-md5)? | secret(?:[-_]\w+)* | password )
        ["']? \s* (?: = | : | %3d ) \s* ["']? ) [^\s&,;"'}]+"""
)
# `Authorization: AWS4-HMAC-SHA256 Credential=…`, the value alone, and the short forms `AWS id:sig`, `OSS id:sig`.
_AUTHORIZATION = re.compile(
    r"""(?ix) \b(authorization["']?\s*[:=]\s*)[^\r\n]+
        | \b((?:AWS4|OSS4)-[\w-]+\x20)[^\r\n]*=[^\r\n]*
        | \b((?:AWS|OSS)\x20)[^\s:]+:[\w+/=-]+"""
)


def is_secret_name(name: str) -> bool:
    """Tell whether a field, header or parameter of this name holds something that must not be logged."""
    plain = name.lower().replace("_", "-")
    return any(part in plain for part in _SECRET_NAMES)


def redact_text(text: str) -> str:
    """Return `text` with every authorization, signature, token and customer key in it replaced."""
    text = _AUTHORIZATION.sub(lambda found: (found[1] or found[2] or found[3]) + REDACTED, text)
    return _ASSIGNED.sub(lambda found: found[1] + REDACTED, text)


def redact(value: object, name: str = "") -> object:
    """Return `value` fit for a log: by its name, by its text, and likewise for everything inside it.

    Bytes never belong in a log and are replaced by their length.
    """
    if value is None or isinstance(value, bool | int | float):
        return REDACTED if name and value is not None and is_secret_name(name) else value
    if name and is_secret_name(name):
        return REDACTED
    if isinstance(value, Mapping):
        return {str(key): redact(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    return redact_text(str(value))
