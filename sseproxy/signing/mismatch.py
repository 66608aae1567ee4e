"""The error of a wrong signature, and what of it helps to find the mistake (S3 dossier §3.8; OSS dossier §3.1)."""

from sseproxy.errors import SignatureMismatch
from sseproxy.signing.canonical import redact, to_bytes
from sseproxy.signing.claims import Claim


def mismatch(claim: Claim, owner: str, string_to_sign: str, canonical_request: str | None = None) -> SignatureMismatch:
    """Return the error; `owner` names the element with the access key.

    The services show the signature as well. We do not, nor tokens or customers' keys: error documents get logged.
    """
    details = {owner: claim.access_key}
    details |= _with_bytes("StringToSign", string_to_sign)
    if canonical_request is not None:
        details |= _with_bytes("CanonicalRequest", canonical_request)
    return SignatureMismatch(**details)


def _with_bytes(name: str, text: str) -> dict[str, str]:
    shown = redact(text)
    return {name: shown, f"{name}Bytes": to_bytes(shown).hex(" ")}
