"""Numbers that nobody can mean: refused like others that are wrong, never an internal error."""

import pytest

from tests.store.wire import Wire

_LONG = "9" * 5000


@pytest.mark.parametrize("number", ["0", "10001", "-1", "1e3", "%C2%B2", _LONG])
def test_part_numbers(wire: Wire, bucket: str, number: str) -> None:
    wire.s3("PUT", f"/{bucket}/k", body=b"x")
    upload = wire.s3("POST", f"/{bucket}/p?uploads").text("UploadId")
    listed = f"<Part><PartNumber>{number}</PartNumber><ETag>x</ETag></Part>"
    document = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()

    assert wire.s3("PUT", f"/{bucket}/p?partNumber={number}&uploadId={upload}", body=b"x").outcome == (
        400,
        "InvalidArgument",
    )
    assert wire.s3("GET", f"/{bucket}/k?partNumber={number}").outcome == (400, "InvalidArgument")
    assert wire.s3("POST", f"/{bucket}/p?uploadId={upload}", body=document).status == 400


def test_positions_and_ranges(wire: Wire, bucket: str) -> None:
    wire.s3("PUT", f"/{bucket}/k", body=b"0123456789")

    assert wire.oss("POST", f"/{bucket}/log?append&position={_LONG}", body=b"x").outcome == (400, "InvalidArgument")
    for value in (f"bytes=0-{_LONG}", f"bytes={_LONG}-", f"bytes=-{_LONG}"):
        assert wire.s3("GET", f"/{bucket}/k", headers={"Range": value}).body == b"0123456789"
    upload = wire.s3("POST", f"/{bucket}/p?uploads").text("UploadId")
    copied = {"x-amz-copy-source": f"/{bucket}/k", "x-amz-copy-source-range": f"bytes=0-{_LONG}"}
    assert wire.s3("PUT", f"/{bucket}/p?partNumber=1&uploadId={upload}", headers=copied).outcome == (
        400,
        "InvalidArgument",
    )
