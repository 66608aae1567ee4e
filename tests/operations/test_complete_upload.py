"""Complete answers soon, whatever it completes: clients of OSS wait 20 s for the first byte (OSS dossier §9.8).

And its document is what its digest says (OSS dossier §5.2).
"""

import re
from base64 import b64encode
from hashlib import md5

import pytest

from sseproxy.errors import DigestMismatch, InvalidDigest
from tests.operations.world import World

_UPLOAD = re.compile(rb"<UploadId>([^<]+)</UploadId>")
_PART = bytes(100 * 1024)  # the least that a part may have


async def _listed(world: World, key: str, parts: int) -> tuple[str, bytes]:
    """Upload parts; return the target and the document of their Complete."""
    created = await world.do("POST", f"/bucket/{key}?uploads")
    found = _UPLOAD.search(created.body)
    assert found is not None
    upload = found[1].decode()
    listed = ""
    for number in range(1, parts + 1):
        answer = await world.do("PUT", f"/bucket/{key}?partNumber={number}&uploadId={upload}", _PART)
        listed += f"<Part><PartNumber>{number}</PartNumber><ETag>{answer['ETag']}</ETag></Part>"
    document = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    return f"/bucket/{key}?uploadId={upload}", document


async def _requests_of_complete(world: World, key: str, parts: int) -> list[str]:
    target, document = await _listed(world, key, parts)
    world.journal.sent.clear()

    assert (await world.do("POST", target, document)).status == 200
    return [sent.method for sent in world.journal.sent]


async def test_complete_asks_the_store_as_often_for_forty_parts_as_for_two(oss: World) -> None:
    few = await _requests_of_complete(oss, "few", 2)
    many = await _requests_of_complete(oss, "many", 40)

    assert many == few


async def test_a_list_that_is_not_what_its_digest_says_completes_nothing(world: World) -> None:
    target, document = await _listed(world, "k", 1)
    world.journal.sent.clear()

    with pytest.raises(DigestMismatch):
        await world.do("POST", target, document, {"Content-MD5": b64encode(md5(b"other").digest()).decode()})
    with pytest.raises(InvalidDigest):
        await world.do("POST", target, document, {"Content-MD5": "none"})

    assert world.journal.sent == []
    right = {"Content-MD5": b64encode(md5(document).digest()).decode()}
    assert (await world.do("POST", target, document, right)).status == 200
    assert (await world.get("k")).body == _PART
