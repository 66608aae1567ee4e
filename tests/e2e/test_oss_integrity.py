"""Promise: each answer carries the ETag, Content-MD5 and CRC-64 of the plaintext that OSS has there (OSS dossier §5)."""

import base64
import hashlib
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest

from tests.support.oss_clients import oss2_refusal, v2_client, v2_refusal
from tests.support.raw_http import Answer, signed
from tests.support.servers import Server

_MIB = 1024 * 1024
_CRC = "x-oss-hash-crc64ecma"
_TYPE = "x-oss-object-type"
_OTHER_MD5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
_SMALL, _LARGE = random.Random(1).randbytes(1000), random.Random(2).randbytes(2 * _MIB + 3)
_PARTS = (random.Random(3).randbytes(100 * 1024), b"the last part")


def _crc(body: bytes) -> str:
    crc = oss2.utils.Crc64(0)
    crc.update(body)
    return str(crc.crc)


def _md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest().upper()}"'


# ---- which object has what ----


@dataclass(frozen=True)
class Kind:
    """A way to make the object `k`; returns the answer that told of it. `etag` None: the MD5 of the whole."""

    make: Callable[[Any], Any]
    body: bytes
    type: str
    etag: str | None = None

    @property
    def is_normal(self) -> bool:
        return self.type == "Normal"


def _in_parts(bucket: Any) -> Any:
    upload = bucket.init_multipart_upload("k").upload_id
    sent = [
        oss2.models.PartInfo(number, result.etag, size=len(part), part_crc=result.crc)  # so oss2 checks the whole's CRC
        for number, part in enumerate(_PARTS, 1)
        for result in [bucket.upload_part("k", upload, number, part)]
    ]
    return bucket.complete_multipart_upload("k", upload, sent)


def _appended(bucket: Any) -> Any:
    first = bucket.append_object("k", 0, _PARTS[0], init_crc=0)
    return bucket.append_object("k", first.next_position, _PARTS[1], init_crc=first.crc)


def _copied(bucket: Any) -> Any:
    bucket.put_object("source", _LARGE)
    return bucket.copy_object(bucket.bucket_name, "source", "k")


_OPAQUE = r'"[0-9A-F]{32}(-\d+)?"'
KINDS: Mapping[str, Kind] = {
    "put": Kind(lambda b: b.put_object("k", _SMALL), _SMALL, "Normal"),
    "put empty": Kind(lambda b: b.put_object("k", b""), b"", "Normal"),
    "put large": Kind(lambda b: b.put_object("k", _LARGE), _LARGE, "Normal"),
    "put without a length": Kind(lambda b: b.put_object("k", iter([_LARGE, b"x"])), _LARGE + b"x", "Normal"),
    "put by a signed URL": Kind(
        lambda b: b.put_object_with_url(b.sign_url("PUT", "k", 60), _SMALL), _SMALL, "Normal"
    ),
    "in parts": Kind(_in_parts, b"".join(_PARTS), "Multipart", r'"[0-9A-F]{32}-2"'),
    "appended": Kind(_appended, b"".join(_PARTS), "Appendable", _OPAQUE),
    "copied": Kind(_copied, _LARGE, "Normal"),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_every_answer_about_an_object_tells_of_its_plaintext(dev_or_store: Server, bucket: Any, name: str) -> None:
    kind, target = KINDS[name], f"/{bucket.bucket_name}/k"

    made = {key.lower(): value for key, value in kind.make(bucket).headers.items()}
    got, head, meta = (
        signed(dev_or_store, method, f"{target}{query}", dialect="oss")
        for method, query in (("GET", ""), ("HEAD", ""), ("HEAD", "?objectMeta"))
    )
    told = {"GET": got.headers, "HEAD": head.headers}

    assert got.body == kind.body
    assert re.fullmatch(_etag(kind.body) if kind.etag is None else kind.etag, head.headers["etag"])
    for headers in (made, got.headers, head.headers, meta.headers):
        assert (headers["etag"], headers[_CRC]) == (head.headers["etag"], _crc(kind.body))
    for headers in told.values():
        assert headers["content-length"] == str(len(kind.body))
        assert headers["accept-ranges"] == "bytes"
        assert headers[_TYPE] == kind.type
        assert headers.get("content-md5") == (_md5(kind.body) if kind.is_normal else None)
        assert re.fullmatch(r"\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT", headers["last-modified"])
        assert headers["x-oss-storage-class"] == "Standard"
    if kind.is_normal and name != "copied":
        assert made["content-md5"] == _md5(kind.body)
    assert meta.headers["content-length"] == str(len(kind.body))
    assert _own(meta) == {"content-length", "etag", "last-modified", _CRC}


def _own(answer: Answer) -> set[str]:
    """Return the headers that are not about the exchange."""
    of_the_exchange = {"date", "server", "connection", "x-oss-request-id", "x-oss-server-time", "content-type"}
    return set(answer.headers) - of_the_exchange


@pytest.mark.parametrize("name", ["put", "put large", "in parts", "appended"])
def test_a_range_is_told_with_the_digests_of_the_whole(dev_or_store: Server, bucket: Any, name: str) -> None:
    kind = KINDS[name]
    kind.make(bucket)
    whole = signed(dev_or_store, "HEAD", f"/{bucket.bucket_name}/k", dialect="oss")

    for method in ("GET", "HEAD"):
        part = signed(dev_or_store, method, f"/{bucket.bucket_name}/k", {"Range": "bytes=10-19"}, dialect="oss")
        assert (part.status, part.headers["content-range"]) == (206, f"bytes 10-19/{len(kind.body)}")
        assert part.headers["content-length"] == "10"
        assert part.body == (kind.body[10:20] if method == "GET" else b"")
        for told in ("etag", _CRC, _TYPE, "last-modified"):
            assert part.headers[told] == whole.headers[told]


def test_a_part_is_told_with_its_own_digests(dev_or_store: Server, bucket: Any) -> None:
    upload = bucket.init_multipart_upload("k").upload_id

    sent = signed(
        dev_or_store, "PUT", f"/{bucket.bucket_name}/k?partNumber=1&uploadId={upload}", {}, _PARTS[0], dialect="oss"
    )
    listed = signed(dev_or_store, "GET", f"/{bucket.bucket_name}/k?uploadId={upload}", dialect="oss")

    assert (sent.headers["etag"], sent.headers[_CRC]) == (_etag(_PARTS[0]), _crc(_PARTS[0]))
    assert sent.headers["content-md5"] == _md5(_PARTS[0])
    assert listed.text("ETag").replace("&quot;", '"') == _etag(_PARTS[0])
    assert (listed.text("Size"), listed.text("HashCrc64ecma")) == (str(len(_PARTS[0])), _crc(_PARTS[0]))


# ---- what clients assert ----

_BAD_DIGEST = (400, "InvalidDigest", "The Content-MD5 you specified was invalid.")
_BAD_CRC = (400, "InvalidCRC64", "The x-oss-hash-crc64ecma you specified does not match what we calculated.")
Upload = Callable[[Any, bytes, dict[str, str]], Any]


def _part(bucket: Any, body: bytes, headers: dict[str, str]) -> Any:
    return bucket.upload_part("new", bucket.init_multipart_upload("new").upload_id, 1, body, headers=headers)


UPLOADS: Mapping[str, Upload] = {
    "PutObject": lambda b, body, h: b.put_object("new", body, headers=h),
    "UploadPart": _part,
    "AppendObject": lambda b, body, h: b.append_object("new", 0, body, headers=h),
}


@pytest.mark.parametrize("upload", UPLOADS)
@pytest.mark.parametrize("body", [_SMALL, _LARGE], ids=["small", "large"])
def test_what_is_asserted_of_a_body_is_verified(bucket: Any, upload: str, body: bytes) -> None:
    send = UPLOADS[upload]

    assert oss2_refusal(send, bucket, body, {"Content-MD5": _OTHER_MD5}) == _BAD_DIGEST
    assert oss2_refusal(send, bucket, body, {"Content-MD5": "nonsense"}) == _BAD_DIGEST
    assert oss2_refusal(send, bucket, body, {_CRC: _crc(b"other")}) == _BAD_CRC
    assert not bucket.object_exists("new")
    assert all(not bucket.list_parts("new", one.upload_id).parts for one in bucket.list_multipart_uploads().upload_list)
    assert send(bucket, body, {"Content-MD5": _md5(body), _CRC: _crc(body)}).headers[_CRC] == _crc(body)


@pytest.mark.parametrize("said", [{"Content-MD5": _OTHER_MD5}, {_CRC: "1"}], ids=["MD5", "CRC"])
def test_what_is_asserted_of_a_body_without_a_length_is_verified(bucket: Any, said: dict[str, str]) -> None:
    refusal = _BAD_DIGEST if "Content-MD5" in said else _BAD_CRC

    for pieces in ([b"a", b"b"], [_LARGE, b"x", _LARGE]):
        assert oss2_refusal(bucket.put_object, "new", iter(pieces), headers=said) == refusal
    assert not bucket.object_exists("new")
    assert bucket.list_multipart_uploads().upload_list == []


def test_a_digest_of_a_document_is_of_the_document(bucket: Any) -> None:
    upload = bucket.init_multipart_upload("k").upload_id
    part = oss2.models.PartInfo(1, bucket.upload_part("k", upload, 1, _SMALL).etag)
    wrong = {"Content-MD5": _OTHER_MD5}
    tags = oss2.models.Tagging(oss2.models.TaggingRule())

    assert oss2_refusal(bucket.complete_multipart_upload, "k", upload, [part], headers=wrong) == _BAD_DIGEST
    assert bucket.complete_multipart_upload("k", upload, [part]).status == 200
    assert oss2_refusal(bucket.put_object_tagging, "k", tags, headers=wrong) == _BAD_DIGEST
    document = b"<Delete><Object><Key>k</Key></Object></Delete>"
    delete = ("POST", bucket.bucket_name, "")
    assert oss2_refusal(bucket._do, *delete, params={"delete": ""}, data=document, headers=wrong) == _BAD_DIGEST
    assert bucket.get_object("k").read() == _SMALL


def test_the_v2_sdk_is_told_the_same_of_its_assertions(dev_or_store: Server, bucket: Any) -> None:
    client, place = v2_client(dev_or_store), {"bucket": bucket.bucket_name, "key": "new"}

    wrong = oss_v2.PutObjectRequest(**place, body=_SMALL, content_md5=_OTHER_MD5)
    assert v2_refusal(client.put_object, wrong) == _BAD_DIGEST
    right = client.put_object(oss_v2.PutObjectRequest(**place, body=_SMALL, content_md5=_md5(_SMALL)))
    head = client.head_object(oss_v2.HeadObjectRequest(**place))

    assert (right.etag, right.hash_crc64, right.content_md5) == (_etag(_SMALL), _crc(_SMALL), _md5(_SMALL))
    assert (head.etag, head.hash_crc64, head.content_md5) == (_etag(_SMALL), _crc(_SMALL), _md5(_SMALL))
