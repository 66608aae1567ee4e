"""Requests of OSS clients in the form in which they go over the wire, and the documents that answer them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, fromstring

ETAG_OF_X = "9DD4E461268C8034F5C8564E155C67A6"
"""The ETag of the object `x`."""
CRC_OF_X = "727031140999736901"


Headers = Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Headers
    body: bytes


def ask(  # the parts of a request
    bucket: Any, method: str, key: str, query: Mapping[str, str], data: bytes = b"", headers: Headers | None = None
) -> Answer:
    """Send a request of an oss2 bucket and read the whole answer."""
    answer = bucket._do(method, bucket.bucket_name, key, params=dict(query), headers=dict(headers or {}), data=data)
    return Answer(answer.status, answer.headers, answer.read())


def document_of(answer: Answer) -> Element:
    """Return the document of an answer."""
    return fromstring(answer.body)


def texts(root: Element) -> list[tuple[str, str]]:
    """Return the names and texts of a document's elements, in order."""
    return [(child.tag, child.text or "") for child in root]


def complete(
    bucket: Any, upload: str, *parts: tuple[int | str, str], key: str = "k", headers: Headers | None = None
) -> Any:
    """Complete an upload with a list of numbers and ETags, written as they are."""
    lines = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>" for n, etag in parts)
    document = f"<CompleteMultipartUpload>{lines}</CompleteMultipartUpload>".encode()
    return ask(bucket, "POST", key, {"uploadId": upload}, document, headers)


def send_part(bucket: Any, upload: str, number: int, body: bytes = b"x", key: str = "k") -> str:
    """Upload a part and return its ETag."""
    return str(bucket.upload_part(key, upload, number, body).etag)
