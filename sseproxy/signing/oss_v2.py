"""OSS signature version 2, header and URL form (OSS dossier §4.4)."""

import hmac
from base64 import b64encode

from sseproxy.signing.canonical import canonical_query, encode_value, header, parse_query, to_bytes
from sseproxy.signing.claims import Claim, SignedRequest, Verified
from sseproxy.signing.mismatch import mismatch
from sseproxy.signing.oss_v1 import resource_path


def verify_oss_v2(claim: Claim, request: SignedRequest, secret: str) -> Verified:
    """Verify a signature; time is the caller's to check. Raises `SignatureMismatch`."""
    text = string_to_sign(claim, request)
    expected = b64encode(hmac.digest(secret.encode(), to_bytes(text), "sha256"))
    if not hmac.compare_digest(expected, claim.signature.encode("utf-8", "replace")):
        raise mismatch(claim, "OSSAccessKeyId", text)
    return Verified(claim=claim, seed_signature="", signing_key=b"")


def string_to_sign(claim: Claim, request: SignedRequest) -> str:
    """Return the string to sign; the additional headers are the claim's."""
    present = {name.lower() for name, _ in request.headers}
    names = sorted(name for name in present if name.startswith("x-oss-") or name in claim.signed_headers)
    lines = "".join(f"{name}:{(header(request.headers, name) or '').strip()}\n" for name in names)
    pairs = [(name, value) for name, value in parse_query(request.raw_query) if name != "x-oss-signature"]
    query = canonical_query(pairs, bare_empty=True)
    path = encode_value(resource_path(request))
    return "\n".join(
        [
            request.method,
            header(request.headers, "content-md5") or "",
            header(request.headers, "content-type") or "",
            claim.timestamp,
            lines + ";".join(claim.signed_headers),
            f"{path}?{query}" if query else path,
        ]
    )
