"""Numbers in requests that are none, or too long for anybody to read: refused before anything is asked."""

import pytest

from sseproxy.errors import InvalidArgument, InvalidPartNumber
from tests.operations.world import World

_NO_PARTS = ["", "0", "10001", "-1", "1e3", "²", "9" * 5000]


@pytest.mark.parametrize("number", _NO_PARTS)
async def test_a_part_that_cannot_be_is_refused(world: World, number: str) -> None:
    with pytest.raises(InvalidPartNumber) as refused:
        await world.do("PUT", f"/bucket/k?partNumber={number}&uploadId=x", b"x")

    assert refused.value.details == {"ArgumentName": "partNumber", "ArgumentValue": number}
    assert world.journal.sent == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("number", _NO_PARTS)
async def test_a_part_that_cannot_be_is_not_read(s3: World, method: str, number: str) -> None:
    await s3.put("k", b"x")

    with pytest.raises(InvalidPartNumber) as refused:
        await s3.do(method, f"/bucket/k?partNumber={number}")

    assert refused.value.details == {"ArgumentName": "partNumber", "ArgumentValue": number}


@pytest.mark.parametrize("name", ["max-parts", "part-number-marker"])
@pytest.mark.parametrize("number", ["-1", "x", "9" * 10, "9" * 5000])
async def test_a_page_of_parts_that_cannot_be_is_refused(world: World, name: str, number: str) -> None:
    created = await world.do("POST", "/bucket/k?uploads")
    upload = created.body.partition(b"<UploadId>")[2].partition(b"<")[0].decode()

    with pytest.raises(InvalidArgument) as refused:
        await world.do("GET", f"/bucket/k?uploadId={upload}&{name}={number}")

    assert refused.value.message == f"Provided {name} not an integer or within integer range"
    assert refused.value.details == {"ArgumentName": name, "ArgumentValue": number}
