"""Telling from the store's answer that it does not take the proxy's credentials (any more)."""

from base64 import b64decode
from binascii import Error as Base64Error

import aiohttp

from sseproxy.dialect.base import Dialect
from sseproxy.upstream.answer import TRANSPORT_ERRORS
from sseproxy.upstream.pieces import next_piece

# Of both dialects (S3 dossier §3.7, OSS dossier §3.4); a wrong signature or clock is not cured by other credentials.
_CODES = frozenset(
    {
        "AccessKeyIdAndSecurityTokenNotMatch",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidSecurityToken",
        "InvalidToken",
        "SecurityTokenExpired",
        "TokenRefreshRequired",
    }
)
_STATUSES = frozenset({400, 403})
_MOST = 16 * 1024  # bytes of an error document


async def beginning(response: aiohttp.ClientResponse) -> bytes:
    """Return the beginning of an answer that could be about credentials, b"" of any other, which is not touched."""
    said = bytearray()
    try:
        while response.status in _STATUSES and len(said) < _MOST and (piece := await next_piece(response.content)):
            said += piece
    except TRANSPORT_ERRORS:
        pass  # whoever reads on is told
    return bytes(said)


def refused_code(dialect: Dialect, response: aiohttp.ClientResponse, said: bytes) -> str:
    """Return the code with which credentials were refused, "" where they were not.

    S3 says nothing to a HEAD: its 400 there is that of an expired token, or of a request that no other cures.
    """
    if response.status not in _STATUSES:
        return ""
    header = dialect.error_in_head_header
    if header is not None and header in response.headers:
        try:
            said = b64decode(response.headers[header])
        except (Base64Error, ValueError):
            return ""
    code = dialect.xml.parse_error(said)[0]
    if not code and response.method == "HEAD" and response.status == 400:
        return "BadRequest"
    return code if code in _CODES else ""
