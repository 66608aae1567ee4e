"""Complete answers soon, whatever it completes: clients of OSS wait 20 s for the first byte (OSS dossier §9.8)."""

import re

from tests.operations.world import World

_UPLOAD = re.compile(rb"<UploadId>([^<]+)</UploadId>")
_PART = bytes(100 * 1024)  # the least that a part may have


async def _requests_of_complete(world: World, key: str, parts: int) -> list[str]:
    created = await world.do("POST", f"/bucket/{key}?uploads")
    found = _UPLOAD.search(created.body)
    assert found is not None
    upload = found[1].decode()
    listed = ""
    for number in range(1, parts + 1):
        answer = await world.do("PUT", f"/bucket/{key}?partNumber={number}&uploadId={upload}", _PART)
        listed += f"<Part><PartNumber>{number}</PartNumber><ETag>{answer['ETag']}</ETag></Part>"
    world.journal.sent.clear()
    document = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()

    assert (await world.do("POST", f"/bucket/{key}?uploadId={upload}", document)).status == 200
    return [sent.method for sent in world.journal.sent]


async def test_complete_asks_the_store_as_often_for_forty_parts_as_for_two(oss: World) -> None:
    few = await _requests_of_complete(oss, "few", 2)
    many = await _requests_of_complete(oss, "many", 40)

    assert many == few
