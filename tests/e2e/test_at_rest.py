"""Promise: nothing that a client sends is readable in the backend's files."""

import secrets
from pathlib import Path

import oss2

from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Launcher, Server, s3_client

_MIB = 1024 * 1024
_MARKER_BYTES = 32


def _files_with(root: Path, marker: bytes) -> list[Path]:
    """Every file below `root` that holds `marker`, also where it lies across the borders of what is read at once."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink())
    return [path for path in files if marker in path.read_bytes()]


def _body(marker: bytes, size: int) -> bytes:
    """Random, so that no backend can compress it, with the marker at the start, the end and in between."""
    filler = secrets.token_bytes(size)
    middle = size // 2
    return marker + filler[:middle] + marker + filler[middle:] + marker


def _use_s3(server: Server, bucket: str, marker: bytes) -> None:
    client = s3_client(server)
    client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key="small", Body=_body(marker, 100))
    client.put_object(Bucket=bucket, Key="large", Body=_body(marker, 3 * _MIB), ServerSideEncryption="aws:kms")
    client.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "large"})
    client.upload_part(
        Bucket=bucket, Key="pending", PartNumber=1, Body=_body(marker, 100),
        UploadId=client.create_multipart_upload(Bucket=bucket, Key="pending")["UploadId"],
    )  # fmt: skip
    upload = client.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    parts = [
        client.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=number, Body=_body(marker, size))
        for number, size in ((1, 5 * _MIB), (2, 10))
    ]
    client.complete_multipart_upload(
        Bucket=bucket, Key="parts", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": n, "ETag": part["ETag"]} for n, part in enumerate(parts, 1)]},
    )  # fmt: skip


def test_no_body_is_readable_in_the_embedded_stores_files(launcher: Launcher) -> None:
    marker, plain = secrets.token_bytes(_MARKER_BYTES), secrets.token_bytes(_MARKER_BYTES)
    store = launcher.store()
    proxy = launcher.proxy(store)
    through_oss = launcher.proxy(store, proxy.data, dialect="oss")
    _use_s3(proxy, "at-rest", marker)
    bucket = oss2.Bucket(oss2.Auth(ACCESS_KEY, SECRET_KEY), through_oss.url, "at-rest", region=REGION)
    bucket.put_object("oss", _body(marker, 1000))
    bucket.put_object("chunked", iter([_body(marker, 2 * _MIB)]))

    direct = s3_client(store)
    direct.put_object(Bucket="at-rest", Key="seeded", Body=_body(plain, 1000))

    assert _files_with(store.data, marker) == []
    assert _files_with(proxy.data, marker) == []
    assert len(_files_with(store.data, plain)) == 1  # the search does find what lies there in the clear
    assert s3_client(proxy).get_object(Bucket="at-rest", Key="seeded")["Body"].read().startswith(plain)


def test_no_body_is_readable_in_seaweedfs_files(launcher: Launcher) -> None:
    marker, plain = secrets.token_bytes(_MARKER_BYTES), secrets.token_bytes(_MARKER_BYTES)
    weed = launcher.weed()
    proxy = launcher.proxy(weed)
    _use_s3(proxy, "at-rest", marker)
    s3_client(weed).put_object(Bucket="at-rest", Key="seeded", Body=_body(plain, 100_000))

    weed.stop()

    assert _files_with(weed.data, marker) == []
    assert len(_files_with(weed.data, plain)) >= 1
