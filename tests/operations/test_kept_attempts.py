"""Parts that wait in the state bucket: of several attempts, whose records come in any order, the last is the part."""

import re

from tests.operations.world import World

_UPLOAD = re.compile(rb"<UploadId>([^<]+)</UploadId>")
_SIZE = re.compile(rb"<Size>(\d+)</Size>")


async def test_of_many_attempts_of_a_kept_part_the_last_is_listed_and_completed(world: World) -> None:
    created = await world.do("POST", "/bucket/k?uploads")
    found = _UPLOAD.search(created.body)
    assert found is not None
    upload = found[1].decode()

    target = f"/bucket/k?partNumber=1&uploadId={upload}"
    etags = [(await world.do("PUT", target, bytes(size)))["ETag"] for size in range(1, 9)]
    listed = await world.do("GET", f"/bucket/k?uploadId={upload}")
    body = f"<Part><PartNumber>1</PartNumber><ETag>{etags[-1]}</ETag></Part>"
    document = f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode()
    await world.do("POST", f"/bucket/k?uploadId={upload}", document)

    assert _SIZE.findall(listed.body) == [b"8"]
    assert (await world.get("k")).body == bytes(8)
