"""What lenders answer, as credentials."""

from sseproxy.credentials.held import Credentials, parse_end
from sseproxy.credentials.http import Document, HttpAnswer
from sseproxy.errors import KeyServiceUnavailable


def lent(answer: HttpAnswer, lender: str) -> HttpAnswer:
    """Return an answer that is a 200. Raises `KeyServiceUnavailable`."""
    if answer.status != 200:
        raise KeyServiceUnavailable(f"{lender} lends the proxy no credentials ({answer.status}).")
    return answer


def text_of(answer: HttpAnswer) -> str:
    """Return a short text."""
    return answer.body.decode("ascii", "replace").strip()


def credentials_of(document: Document, *, secret_key: str, token: str) -> Credentials:
    """Return the credentials of a JSON object; `secret_key` and `token` are what the cloud calls them.

    Raises a `KeyServiceError`, whose message shows nothing of the answer.
    """
    return Credentials(
        access_key=document.text("AccessKeyId"),
        secret_key=document.text(secret_key),
        token=document.text(token),
        ends=parse_end(document.text("Expiration")),
    )
