"""Promise: nothing that a client sends is readable in the backend's files, nor what would confirm a guess of it."""

import base64
import hashlib
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import fastcrc
import oss2
import pytest
from awscrt.checksums import crc64nvme

from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Launcher, Server, s3_client

_MIB = 1024 * 1024
_MARKER_BYTES = 32


def _files_with(root: Path, wanted: Iterable[bytes]) -> list[tuple[str, bytes]]:
    """Every file below `root` that holds one of the byte strings in its content or its path, with that one."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()]
    found = []
    for path in files:
        data = path.read_bytes() + b"\0" + str(path.relative_to(root)).encode()
        found += [(path.name, one) for one in wanted if one in data]
    return found


def _body(marker: bytes, size: int) -> bytes:
    """Random, so that no backend can compress it, with the marker at the start, the end and in between."""
    filler = secrets.token_bytes(size)
    middle = size // 2
    return marker + filler[:middle] + marker + filler[middle:] + marker


def _digests(body: bytes) -> Iterator[bytes]:
    """What confirms a guess of a body, in every spelling that a store might keep."""
    crc64 = fastcrc.crc64.xz(body)
    nvme = crc64nvme(body)
    for digest in (
        hashlib.md5(body).digest(), hashlib.sha1(body).digest(), hashlib.sha256(body).digest(),
        crc64.to_bytes(8, "big"), crc64.to_bytes(8, "little"), nvme.to_bytes(8, "big"),
    ):  # fmt: skip
        yield from (digest, digest.hex().encode(), digest.hex().upper().encode(), base64.b64encode(digest))
    yield str(crc64).encode()


class _Writer:
    """Writes bodies in every way that there is, and remembers them."""

    def __init__(self, bucket: str) -> None:
        self.marker = secrets.token_bytes(_MARKER_BYTES)
        self.bodies: list[bytes] = []
        self._bucket = bucket

    def body(self, size: int) -> bytes:
        self.bodies.append(_body(self.marker, size))
        return self.bodies[-1]

    @property
    def wanted(self) -> list[bytes]:
        """What must not be found."""
        return [self.marker, *(digest for body in self.bodies for digest in _digests(body))]

    def use_s3(self, server: Server) -> None:
        client, named = s3_client(server), {"Bucket": self._bucket}
        client.create_bucket(**named)
        client.put_object(**named, Key="small", Body=self.body(100))
        client.put_object(**named, Key="large", Body=self.body(3 * _MIB), ServerSideEncryption="aws:kms")
        client.put_object(**named, Key="sha", Body=self.body(70_000), ChecksumAlgorithm="SHA256")
        client.copy_object(**named, Key="copy", CopySource={"Bucket": self._bucket, "Key": "large"})
        pending = client.create_multipart_upload(**named, Key="pending")["UploadId"]
        for number, size in ((1, 100), (2, 5 * _MIB)):
            client.upload_part(**named, Key="pending", PartNumber=number, Body=self.body(size), UploadId=pending)
        upload = client.create_multipart_upload(**named, Key="parts")["UploadId"]
        etags = [
            client.upload_part(**named, Key="parts", UploadId=upload, PartNumber=number, Body=self.body(size))["ETag"]
            for number, size in ((1, 5 * _MIB), (2, 10))
        ]
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        client.complete_multipart_upload(**named, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})

    def use_oss(self, server: Server) -> None:
        auth: Any = oss2.Auth(ACCESS_KEY, SECRET_KEY)
        bucket = oss2.Bucket(auth, server.url, self._bucket, region=REGION)
        bucket.put_object("oss", self.body(1000))
        bucket.put_object("chunked", iter([self.body(2 * _MIB)]))


def test_nothing_is_readable_in_the_embedded_stores_files(launcher: Launcher) -> None:
    sealed, plain = _Writer("at-rest"), _Writer("at-rest")
    store = launcher.store()
    proxy = launcher.proxy(store)
    through_oss = launcher.proxy(store, proxy.data, dialect="oss")
    sealed.use_s3(proxy)
    sealed.use_oss(through_oss)

    s3_client(store).create_bucket(Bucket="found")
    s3_client(store).put_object(Bucket="found", Key="seeded", Body=plain.body(1000))

    assert _files_with(store.data, sealed.wanted) == []
    assert _files_with(proxy.data, sealed.wanted) == []
    assert [one for log in (proxy, through_oss) for one in sealed.wanted if one in log.output().encode()] == []
    found = {one for _, one in _files_with(store.data, plain.wanted)}  # the search does find what lies in the clear
    assert {plain.marker, hashlib.md5(plain.bodies[0]).hexdigest().encode()} <= found
    assert s3_client(proxy).get_object(Bucket="found", Key="seeded")["Body"].read() == plain.bodies[0]


def test_nothing_is_readable_below_the_directory_of_dev(dev: Server) -> None:
    sealed = _Writer("at-rest-dev")
    sealed.use_s3(dev)
    sealed.use_oss(dev)

    assert len([path for path in dev.data.rglob("*.body") if path.stat().st_size > _MIB]) > 2
    assert _files_with(dev.data, sealed.wanted) == []


@pytest.mark.timeout(120)
def test_nothing_is_readable_in_seaweedfs_files(weed: Server, on_weed: Server) -> None:
    sealed, plain = _Writer("at-rest"), _Writer("at-rest")
    sealed.use_s3(on_weed)
    s3_client(weed).put_object(Bucket="at-rest", Key="seeded", Body=plain.body(100_000))

    assert _files_with(weed.data, sealed.wanted) == []
    assert plain.marker in {one for _, one in _files_with(weed.data, plain.wanted)}
