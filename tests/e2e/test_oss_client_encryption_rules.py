"""Promise: client-side-encryption metadata that could not be decrypted by is refused as OSS documents it (dossier §8.6)."""

import hmac
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest
import requests
from alibabacloud_oss_v2.crypto import MasterRsaCipher
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from oss2.crypto import RsaProvider

from tests.support.oss_clients import created_bucket, v2_client, v2_refusal
from tests.support.raw_http import Answer, signed
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Server

pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated")  # the SDK's own

_BUCKET = "client-encryption-rules"
_MARK = "x-oss-meta-client-side-encryption-"
_PART = 102_400
_SIZE = 2 * _PART + 26
_BODY = bytes(range(256)) * 801  # longer than that

_SET = {"key": "a2V5", "start": "c3RhcnQ=", "cek-alg": "AES/CTR/NoPadding", "wrap-alg": "RSA/NONE/PKCS1Padding"}
_UPLOAD = _SET | {"data-size": str(_SIZE), "part-size": str(_PART)}
_OLD_RSA = {"wrap-alg": "rsa", "magic-number-hmac": "h"}

_MISSING = "Miss some necessary client encryption meta parameters."
_SIZE_INVALID = "The client encryption meta data_size or part_size is invalid."
_TOO_MANY = "The parts count calculated by client encryption meta is too large."
_OTHER_META = "The client encryption meta is inconsistent with init_multipart setted."
_OTHER_LIST = "The client encryption part list is unexpected with init_multipart setted."
_NUMBER = "The partId must less or equal to expectedPartNumber."
_OTHER_PART_SIZE = "The partSize must same with init_multipart setted except last part."
_OTHER_LAST_SIZE = "The last partSize must same with init_multipart setted."
_SET_ONCE = "The parameters of client encryption are allowed to be set once."
_NO_PART_COPY = "Client encryption doesn't support upload part copy."


def _headers(said: Mapping[str, str | None]) -> dict[str, str]:
    return {_MARK + name: value for name, value in said.items() if value is not None}


def _refused(message: str) -> tuple[int, str, str]:
    return 400, "InvalidEncryptionRequest", message


@pytest.fixture(scope="module")
def bucket(dev: Server) -> Iterator[Any]:
    with created_bucket(dev, _BUCKET) as bucket:
        yield bucket


@pytest.fixture(scope="module")
def private() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def pair(private: rsa.RSAPrivateKey) -> dict[str, str]:
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return {"private_key": secret.decode(), "public_key": public.decode()}


@pytest.fixture(scope="module")
def crypto_bucket(dev: Server, bucket: Any, pair: dict[str, str]) -> Any:
    auth = oss2.AuthV4(ACCESS_KEY, SECRET_KEY)
    return oss2.CryptoBucket(auth, dev.url, _BUCKET, RsaProvider(pair, mat_desc={"team": "a"}), region=REGION)


@pytest.fixture(scope="module")
def encryption_client(dev: Server, bucket: Any, pair: dict[str, str]) -> Any:
    return oss_v2.EncryptionClient(v2_client(dev), MasterRsaCipher(**pair, mat_desc={"team": "a"}))


def _put(dev: Server, target: str, said: Mapping[str, str | None], body: bytes = b"x", method: str = "PUT") -> Answer:
    return signed(dev, method, f"/{_BUCKET}/{target}", _headers(said), body, dialect="oss")


def _begun(bucket: Any, key: str, said: Mapping[str, str | None]) -> str:
    upload: str = bucket.init_multipart_upload(key, headers=_headers(said)).upload_id
    return upload


# ---- what is written in one request ----


@pytest.mark.parametrize("target", ["whole", "appended?append&position=0"], ids=["PutObject", "AppendObject"])
@pytest.mark.parametrize("name", _SET)
def test_an_object_without_one_of_the_four_is_refused(dev: Server, bucket: Any, target: str, name: str) -> None:
    method = "POST" if "append" in target else "PUT"
    for value in (None, ""):
        answer = _put(dev, target, _SET | {name: value}, method=method)

        assert answer.error == _refused(_MISSING)
    assert not bucket.object_exists(target.partition("?")[0])


def test_the_old_rsa_wrap_needs_its_hmac(dev: Server, bucket: Any) -> None:
    assert _put(dev, "old-rsa", _SET | _OLD_RSA).status == 200
    assert _put(dev, "old-rsa-not", _SET | {"wrap-alg": "rsa"}).error == _refused(_MISSING)


def test_a_form_without_one_of_the_four_is_refused(dev: Server, bucket: Any) -> None:
    policy = json.dumps({"expiration": "2099-01-01T00:00:00.000Z", "conditions": [{"bucket": _BUCKET}]})
    encoded = b64encode(policy.encode()).decode()
    fields = {
        "OSSAccessKeyId": ACCESS_KEY,
        "policy": encoded,
        "Signature": oss2.utils.b64encode_as_string(_hmac_sha1(encoded)),
        "key": "posted",
    }
    taken, answer = (
        requests.post(f"{dev.url}/{_BUCKET}", data=fields | _headers(said), files={"file": ("a", value)}, timeout=60)
        for said, value in ((_SET, b"x"), (_SET | {"start": None}, b"y"))
    )

    assert (taken.status_code, answer.status_code) == (204, 400)
    assert "<Code>InvalidEncryptionRequest</Code>" in answer.text
    assert f"<Message>{_MISSING}</Message>" in answer.text
    assert bucket.head_object("posted").headers[f"{_MARK}start"] == _SET["start"]


def _hmac_sha1(text: str) -> bytes:
    return hmac.digest(SECRET_KEY.encode(), text.encode(), "sha1")


# ---- uploads in parts ----


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"key": None}, _MISSING),
        ({"start": None}, _MISSING),
        ({"cek-alg": None}, _MISSING),
        ({"wrap-alg": None}, _MISSING),
        ({"wrap-alg": "rsa"}, _MISSING),
        ({"part-size": None}, _MISSING),
        ({"part-size": "9x5.2"}, _SIZE_INVALID),
        ({"part-size": "102401"}, _SIZE_INVALID),
        ({"part-size": "0"}, _SIZE_INVALID),
        ({"data-size": "9x5.2"}, _SIZE_INVALID),
        ({"data-size": "1024000001"}, _TOO_MANY),
    ],
    ids=str,
)
def test_an_upload_that_cannot_be_decrypted_is_refused(
    dev: Server, bucket: Any, changed: dict[str, str | None], message: str
) -> None:
    answer = _put(dev, "upload?uploads", _UPLOAD | changed, b"", "POST")

    assert answer.error == _refused(message)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"key": None}, _MISSING),
        ({"start": None}, _MISSING),
        ({"cek-alg": None}, _MISSING),
        ({"wrap-alg": None}, _MISSING),
        ({"part-size": None}, _MISSING),
        ({"data-size": None}, _OTHER_META),
        ({"key": "b3RoZXI="}, _OTHER_META),
        ({"start": "b3RoZXI="}, _OTHER_META),
        ({"cek-alg": "AES/GCM/NoPadding"}, _OTHER_META),
        ({"wrap-alg": "KMS/ALICLOUD"}, _OTHER_META),
        ({"magic-number-hmac": "h"}, _OTHER_META),
        ({"data-size": str(_SIZE + 1)}, _OTHER_META),
        ({"part-size": str(_PART + 16)}, _OTHER_META),
    ],
    ids=str,
)
def test_a_part_that_says_something_else_than_its_upload_is_refused(
    dev: Server, bucket: Any, changed: dict[str, str | None], message: str
) -> None:
    upload = _begun(bucket, "parts", _UPLOAD)

    answer = _put(dev, f"parts?partNumber=1&uploadId={upload}", _UPLOAD | changed, _BODY[:_PART])

    assert answer.error == _refused(message)
    assert bucket.list_parts("parts", upload).parts == []


@pytest.mark.parametrize("said", [{}, _UPLOAD], ids=["says nothing", "says it again"])
@pytest.mark.parametrize(
    ("number", "length", "message"),
    [
        (1, _PART - 1, _OTHER_PART_SIZE),
        (2, _PART + 1, _OTHER_PART_SIZE),
        (3, 25, _OTHER_LAST_SIZE),
        (3, _PART, _OTHER_LAST_SIZE),
        (4, 1, _NUMBER),
    ],
)
def test_a_part_in_a_place_or_of_a_size_that_was_not_meant_is_refused(
    dev: Server, bucket: Any, said: dict[str, str], number: int, length: int, message: str
) -> None:
    upload = _begun(bucket, "parts", _UPLOAD)

    answer = _put(dev, f"parts?partNumber={number}&uploadId={upload}", said, _BODY[:length])

    assert answer.error == _refused(message)


def test_a_part_says_nothing_where_its_upload_says_nothing(dev: Server, bucket: Any) -> None:
    upload = _begun(bucket, "plain", {})

    answer = _put(dev, f"plain?partNumber=1&uploadId={upload}", _UPLOAD, _BODY[:_PART])

    assert answer.error == _refused(_OTHER_META)


def test_a_completion_of_other_parts_than_were_meant_is_refused(bucket: Any) -> None:
    upload = _begun(bucket, "listed", _UPLOAD)
    ends = (_PART, 2 * _PART, _SIZE)
    sent = [
        oss2.models.PartInfo(n, bucket.upload_part("listed", upload, n, _BODY[start:end]).etag)
        for n, (start, end) in enumerate(zip((0, *ends), ends, strict=False), 1)
    ]

    for chosen in (sent[:2], sent[1:], [sent[0], sent[2]]):
        with pytest.raises(oss2.exceptions.InvalidEncryptionRequest) as raised:
            bucket.complete_multipart_upload("listed", upload, chosen)
        assert (raised.value.status, raised.value.message) == (400, _OTHER_LIST)
    for name, value, message in (("data-size", "9x5.2", _SIZE_INVALID), ("part-size", "16", _OTHER_META)):
        with pytest.raises(oss2.exceptions.InvalidEncryptionRequest) as raised:
            bucket.complete_multipart_upload("listed", upload, sent, headers={_MARK + name: value})
        assert (raised.value.status, raised.value.message) == (400, message)

    bucket.complete_multipart_upload("listed", upload, sent)

    assert bucket.get_object("listed").read() == _BODY[:_SIZE]


def test_a_part_of_unannounced_length_is_judged_when_the_upload_is_completed(bucket: Any) -> None:
    upload = _begun(bucket, "chunked", _UPLOAD)
    for number, length in ((1, _PART + 16), (2, _PART), (3, 26)):
        bucket.upload_part("chunked", upload, number, iter([_BODY[:length]]))

    with pytest.raises(oss2.exceptions.InvalidEncryptionRequest) as raised:
        bucket.complete_multipart_upload("chunked", upload, None, headers={"x-oss-complete-all": "yes"})

    assert (raised.value.status, raised.value.message) == (400, _OTHER_PART_SIZE)


def test_a_list_of_parts_tells_what_the_upload_said(dev: Server, bucket: Any) -> None:
    upload = _begun(bucket, "shown", _UPLOAD | {"matdesc": "{}"})

    page = v2_client(dev).list_parts(oss_v2.ListPartsRequest(bucket=_BUCKET, key="shown", upload_id=upload))

    assert (page.client_encryption_key, page.client_encryption_start) == (_SET["key"], _SET["start"])
    assert (page.client_encryption_cek_alg, page.client_encryption_wrap_alg) == (_SET["cek-alg"], _SET["wrap-alg"])
    assert (page.client_encryption_data_size, page.client_encryption_part_size) == (_SIZE, _PART)


# ---- copies ----


def test_no_part_is_copied_out_of_or_into_what_a_client_encrypted(dev: Server, bucket: Any) -> None:
    bucket.put_object("plain-source", _BODY)
    bucket.put_object("encrypted-source", _BODY, headers=_headers(_SET))
    into_plain, into_encrypted = _begun(bucket, "target", {}), _begun(bucket, "target", _UPLOAD)

    for source, upload, said in (
        ("encrypted-source", into_plain, {}),
        ("plain-source", into_encrypted, {}),
        ("plain-source", into_plain, _UPLOAD),
    ):
        with pytest.raises(oss2.exceptions.InvalidEncryptionRequest) as raised:
            bucket.upload_part_copy(_BUCKET, source, (0, _PART - 1), "target", upload, 1, headers=_headers(said))
        assert (raised.value.status, raised.value.message) == (400, _NO_PART_COPY)

    assert bucket.upload_part_copy(_BUCKET, "plain-source", (0, _PART - 1), "target", into_plain, 1).status == 200


@pytest.mark.parametrize("target", ["copied", "copy-source"], ids=["elsewhere", "onto itself"])
def test_a_copy_with_new_metadata_keeps_what_its_readers_decrypt_by(
    crypto_bucket: Any, bucket: Any, target: str
) -> None:
    crypto_bucket.put_object("copy-source", _BODY, headers={"x-oss-meta-own": "old"})
    headers = {"x-oss-metadata-directive": "REPLACE", "x-oss-meta-own": "new"}

    bucket.copy_object(_BUCKET, "copy-source", target, headers=headers)

    got = crypto_bucket.get_object(target)
    assert got.read() == _BODY
    assert got.headers["x-oss-meta-own"] == "new"
    assert got.headers[f"{_MARK}matdesc"] == '{"team": "a"}'


def test_metadata_that_is_updated_keeps_what_its_readers_decrypt_by(crypto_bucket: Any, bucket: Any) -> None:
    crypto_bucket.put_object("updated", _BODY)

    bucket.update_object_meta("updated", {"x-oss-meta-own": "new"})

    got = crypto_bucket.get_object("updated")
    assert (got.read(), got.headers["x-oss-meta-own"]) == (_BODY, "new")


def test_a_copy_says_what_its_source_says_or_is_refused(crypto_bucket: Any, bucket: Any) -> None:
    crypto_bucket.put_object("once", _BODY)
    shown = bucket.head_object("once").headers
    same = {name: value for name, value in shown.items() if name.startswith(_MARK)}
    replacing = {"x-oss-metadata-directive": "REPLACE"}

    with pytest.raises(oss2.exceptions.InvalidEncryptionRequest) as raised:
        bucket.copy_object(_BUCKET, "once", "twice", headers=replacing | _headers({"key": "b3RoZXI="}))
    assert (raised.value.status, raised.value.message) == (400, _SET_ONCE)
    bucket.copy_object(_BUCKET, "once", "twice", headers=replacing | same)
    assert crypto_bucket.get_object("twice").read() == _BODY
    bucket.copy_object(_BUCKET, "once", "thrice", headers=_headers({"key": "b3RoZXI="}))  # COPY: ignored
    assert crypto_bucket.get_object("thrice").read() == _BODY


def test_a_copy_may_say_it_for_the_first_time_whole(bucket: Any) -> None:
    bucket.put_object("unsaid", b"x")
    replacing = {"x-oss-metadata-directive": "REPLACE"}

    with pytest.raises(oss2.exceptions.InvalidEncryptionRequest) as raised:
        bucket.copy_object(_BUCKET, "unsaid", "said", headers=replacing | _headers({"key": "K"}))
    assert (raised.value.status, raised.value.message) == (400, _MISSING)
    bucket.copy_object(_BUCKET, "unsaid", "said", headers=replacing | _headers(_SET))
    assert bucket.head_object("said").headers[f"{_MARK}key"] == _SET["key"]


# ---- what the SDKs themselves send ----


def test_what_oss2s_crypto_bucket_sends_is_taken(crypto_bucket: Any, tmp_path: Any) -> None:
    file = tmp_path / "file"
    file.write_bytes(_BODY)
    headers = {"Content-MD5": oss2.utils.content_md5(_BODY), "Content-Length": str(len(_BODY))}
    crypto_bucket.put_object("sdk-whole", _BODY, headers=headers)
    oss2.resumable_upload(
        crypto_bucket, "sdk-parts", str(file), multipart_threshold=1, part_size=_PART, num_threads=2,
        store=oss2.ResumableStore(str(tmp_path)),
    )  # fmt: skip

    for key in ("sdk-whole", "sdk-parts"):
        assert crypto_bucket.get_object(key).read() == _BODY
        assert crypto_bucket.get_object(key, byte_range=(102_399, 102_417)).read() == _BODY[102_399:102_418]


@pytest.mark.parametrize("data_size", [len(_BODY), 0], ids=["told", "left open"])
def test_what_the_v2_encryption_client_sends_is_taken(encryption_client: Any, data_size: int) -> None:
    encryption_client.put_object(oss_v2.PutObjectRequest(bucket=_BUCKET, key="v2-whole", body=_BODY))
    begun = encryption_client.initiate_multipart_upload(
        oss_v2.InitiateMultipartUploadRequest(
            bucket=_BUCKET, key="v2-parts", cse_part_size=_PART, cse_data_size=data_size
        )
    )
    context = begun.cse_multipart_context
    context.data_size = context.data_size or -1  # the SDK's own check wants one, and sends none below 1
    parts = []
    for number, at in enumerate(range(0, len(_BODY), _PART), 1):
        part = oss_v2.UploadPartRequest(
            bucket=_BUCKET, key="v2-parts", upload_id=begun.upload_id, part_number=number, body=_BODY[at : at + _PART],
            cse_multipart_context=context,
        )  # fmt: skip
        parts.append(oss_v2.UploadPart(part_number=number, etag=encryption_client.upload_part(part).etag))
    encryption_client.complete_multipart_upload(
        oss_v2.CompleteMultipartUploadRequest(
            bucket=_BUCKET, key="v2-parts", upload_id=begun.upload_id,
            complete_multipart_upload=oss_v2.CompleteMultipartUpload(parts=parts),
        )
    )  # fmt: skip

    for key in ("v2-whole", "v2-parts"):
        got = encryption_client.get_object(oss_v2.GetObjectRequest(bucket=_BUCKET, key=key))
        assert got.body.read() == _BODY


def test_the_v2_sdk_has_the_error_typed(dev: Server, bucket: Any) -> None:
    request = oss_v2.PutObjectRequest(
        bucket=_BUCKET, key="typed", body=b"x", metadata={"client-side-encryption-key": "K"}
    )

    assert v2_refusal(v2_client(dev).put_object, request) == _refused(_MISSING)
