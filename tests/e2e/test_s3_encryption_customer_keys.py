"""Promise: objects under a client's own key (SSE-C) behave as the service's, and that key is kept nowhere."""

import hashlib
import io
import random
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from ssl import create_default_context
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.support.command_line import Tool
from tests.support.servers import Launcher, Server, own_state, s3_client

_MIB = 1024 * 1024
_KEY = b"customer-key-0123456789-abcdefgh"
_OTHER = b"another-key-9876543210-hgfedcba!"
_SSE = "x-amz-server-side-encryption"


def _trio(key: bytes = _KEY, prefix: str = "") -> dict[str, Any]:
    return {f"{prefix}SSECustomerAlgorithm": "AES256", f"{prefix}SSECustomerKey": key}


def _source(key: bytes = _KEY) -> dict[str, Any]:
    return _trio(key, "CopySource")


def _md5(key: bytes = _KEY) -> str:
    return b64encode(hashlib.md5(key).digest()).decode()


def _refusal(call: Callable[..., Any], **arguments: Any) -> tuple[int, str, str, dict[str, str]]:
    """The status, code and message of a refused call, and its argument's name and value where it names one."""
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    answer: Any = raised.value.response
    error = answer["Error"]
    extra = {name: error[name] for name in ("ArgumentName", "ArgumentValue") if name in error}
    return answer["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"], extra


on_both = pytest.mark.parametrize("place", ["dev", "on_weed_https"], indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Server:
    server: Server = request.getfixturevalue(getattr(request, "param", "dev"))
    return server


@pytest.fixture
def client(place: Server) -> Any:
    return s3_client(place)


@pytest.fixture
def bucket(client: Any, bucket_name: str) -> str:
    client.create_bucket(Bucket=bucket_name)
    return bucket_name


@on_both
@pytest.mark.parametrize("size", [0, 1, 65537, _MIB + 1])
def test_an_object_comes_back_to_whoever_has_the_key(client: Any, bucket: str, size: int) -> None:
    body = random.Random(size).randbytes(size)

    put = client.put_object(Bucket=bucket, Key="k", Body=io.BytesIO(body), **_trio())
    head = client.head_object(Bucket=bucket, Key="k", **_trio())
    got = client.get_object(Bucket=bucket, Key="k", **_trio())
    listed = client.list_objects_v2(Bucket=bucket)["Contents"][0]

    assert got["Body"].read() == body
    for answer in (put, head, got):
        assert (answer["SSECustomerAlgorithm"], answer["SSECustomerKeyMD5"]) == ("AES256", _md5())
        assert "ServerSideEncryption" not in answer
    assert put["ETag"] == head["ETag"] == got["ETag"] == listed["ETag"]
    assert hashlib.md5(body).hexdigest() not in put["ETag"]
    assert (head["ContentLength"], listed["Size"]) == (size, size)
    assert got["ChecksumCRC32"] == put["ChecksumCRC32"]


def test_ranges_and_parts_are_read_with_the_key(client: Any, bucket: str) -> None:
    body = random.Random(1).randbytes(300_000)
    client.put_object(Bucket=bucket, Key="k", Body=body, **_trio())

    ranged = client.get_object(Bucket=bucket, Key="k", Range="bytes=65530-140000", **_trio())
    suffix = client.get_object(Bucket=bucket, Key="k", Range="bytes=-7", **_trio())
    part = client.get_object(Bucket=bucket, Key="k", PartNumber=1, **_trio())

    assert ranged["Body"].read() == body[65530:140001]
    assert suffix["Body"].read() == body[-7:]
    assert part["Body"].read() == body
    assert ranged["SSECustomerKeyMD5"] == _md5()


_NEEDED = (
    "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to "
    "retrieve the object."
)
_WRONG = "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key."
_NOT_APPLICABLE = "The encryption parameters are not applicable to this object."


@on_both
def test_without_the_right_key_nothing_is_read(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=b"secret", **_trio())
    client.put_object(Bucket=bucket, Key="plain", Body=b"public")
    mine, plain = {"Bucket": bucket, "Key": "k"}, {"Bucket": bucket, "Key": "plain"}

    assert _refusal(client.get_object, **mine) == (400, "InvalidRequest", _NEEDED, {})
    assert _refusal(client.get_object, **mine, **_trio(_OTHER)) == (403, "AccessDenied", _WRONG, {})
    assert _refusal(client.get_object, **mine, **_trio(b"short")) == (403, "AccessDenied", _WRONG, {})
    assert _refusal(client.get_object, **mine, **_trio(b64encode(_KEY))) == (403, "AccessDenied", _WRONG, {})
    assert _refusal(client.get_object, **plain, **_trio()) == (400, "InvalidRequest", _NOT_APPLICABLE, {})
    assert _refusal(client.head_object, **mine)[:3] == (400, "400", "Bad Request")
    assert _refusal(client.head_object, **mine, **_trio(_OTHER))[:3] == (403, "403", "Forbidden")
    assert _refusal(client.head_object, **plain, **_trio())[:3] == (400, "400", "Bad Request")


_PROMISE = "Requests specifying Server Side Encryption with Customer provided keys must "
_NULL = {"ArgumentName": _SSE, "ArgumentValue": "null"}
_INVALID_KEY: Any = (400, "InvalidArgument", "The secret key was invalid for the specified algorithm.", {})
_MISMATCH: Any = (
    400,
    "InvalidArgument",
    "The calculated MD5 hash of the key did not match the hash that was provided.",
    {},
)


def _unknown(word: str) -> tuple[int, str, str, dict[str, str]]:
    message = "The Encryption request you specified is not valid. Supported value: AES256."
    return 400, "InvalidEncryptionAlgorithmError", message, {"ArgumentName": _SSE, "ArgumentValue": word}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"key": b64encode(_KEY).decode(), "key-MD5": _md5()}, "provide a valid encryption algorithm."),
        ({"key-MD5": _md5()}, "provide a valid encryption algorithm."),
        ({"algorithm": "AES256"}, "provide an appropriate secret key."),
        ({"algorithm": "AES256", "key-MD5": _md5()}, "provide an appropriate secret key."),
        (
            {"algorithm": "AES256", "key": b64encode(_KEY).decode()},
            "provide the client calculated MD5 of the secret key.",
        ),
        ({"algorithm": "aes256", "key": "x", "key-MD5": "x"}, _unknown("aes256")),
        ({"algorithm": "aws:kms"}, _unknown("aws:kms")),
        ({"algorithm": "AES256", "key": b64encode(_KEY).decode(), "key-MD5": _md5(_OTHER)}, _MISMATCH),
        ({"algorithm": "AES256", "key": b64encode(_KEY).decode(), "key-MD5": "no base64"}, _MISMATCH),
        ({"algorithm": "AES256", "key": "no base64!", "key-MD5": _md5()}, _INVALID_KEY),
        ({"algorithm": "AES256", "key": b64encode(b"short").decode(), "key-MD5": _md5(b"short")}, _INVALID_KEY),
    ],
)
@pytest.mark.parametrize("call", ["put_object", "create_multipart_upload"])
def test_what_is_wrong_with_a_key_is_told_as_the_service_tells_it(
    client: Any, bucket: str, headers: dict[str, str], expected: str | tuple[int, str, str, dict[str, str]], call: str
) -> None:
    _send_headers(client, {f"{_SSE}-customer-{name}": value for name, value in headers.items()})

    found = _refusal(getattr(client, call), Bucket=bucket, Key="k")

    assert found == ((400, "InvalidArgument", _PROMISE + expected, _NULL) if isinstance(expected, str) else expected)


@pytest.mark.parametrize("mode", ["AES256", "aws:kms", "nonsense"])
def test_a_key_beside_another_encryption_is_refused_before_it_is_looked_at(client: Any, bucket: str, mode: str) -> None:
    _send_headers(client, {_SSE: mode, f"{_SSE}-customer-algorithm": "bad"})

    assert _refusal(client.put_object, Bucket=bucket, Key="k") == (
        400,
        "InvalidArgument",
        "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
        {"ArgumentName": _SSE, "ArgumentValue": mode},
    )


@on_both
def test_copies_take_both_keys_and_move_no_bytes(client: Any, bucket: str) -> None:
    body = random.Random(2).randbytes(_MIB + 77)
    source = {"Bucket": bucket, "Key": "source"}
    client.put_object(**source, Body=body, **_trio())

    sealed = client.copy_object(Bucket=bucket, Key="again", CopySource=source, **_source(), **_trio(_OTHER))
    plain = client.copy_object(Bucket=bucket, Key="plain", CopySource=source, **_source())
    kms = client.copy_object(Bucket=bucket, Key="kms", CopySource=source, ServerSideEncryption="aws:kms", **_source())
    back = client.copy_object(Bucket=bucket, Key="back", CopySource={"Bucket": bucket, "Key": "kms"}, **_trio(_OTHER))

    assert sealed["SSECustomerKeyMD5"] == back["SSECustomerKeyMD5"] == _md5(_OTHER)
    assert "ServerSideEncryption" not in sealed
    assert (plain["ServerSideEncryption"], kms["ServerSideEncryption"]) == ("AES256", "aws:kms")
    for key, extra in {
        "again": _trio(_OTHER),
        "plain": {},
        "kms": {},
        "back": _trio(_OTHER),
        "source": _trio(),
    }.items():
        got = client.get_object(Bucket=bucket, Key=key, **extra)
        assert got["Body"].read() == body
    listed = {entry["Key"]: entry["ETag"] for entry in client.list_objects_v2(Bucket=bucket)["Contents"]}
    assert listed["back"] == back["CopyObjectResult"]["ETag"]
    assert listed["again"] == sealed["CopyObjectResult"]["ETag"]


def test_a_copy_under_a_key_shows_no_md5_anywhere(client: Any, bucket: str) -> None:
    body = b"whose MD5 everybody knew"
    source, target = {"Bucket": bucket, "Key": "k"}, {"Bucket": bucket, "Key": "copy"}
    client.put_object(**source, Body=body)
    client.list_objects_v2(Bucket=bucket)

    client.copy_object(**target, CopySource=source, **_trio())
    client.copy_object(**source, CopySource=source, **_trio())

    listed = {entry["Key"]: entry["ETag"] for entry in client.list_objects_v2(Bucket=bucket)["Contents"]}
    for key in ("k", "copy"):
        head = client.head_object(Bucket=bucket, Key=key, **_trio())
        assert listed[key] == head["ETag"]
        assert hashlib.md5(body).hexdigest() not in head["ETag"]


@on_both
def test_a_url_signed_with_the_keys_headers_serves_whoever_sends_them(place: Server, bucket: str) -> None:
    client = s3_client(place, signature_version="s3v4")
    where = {"Bucket": bucket, "Key": "k"}
    client.put_object(**where, Body=b"signed", **_trio())
    url = client.generate_presigned_url("get_object", Params={**where, **_trio()})
    trio = {f"{_SSE}-customer-algorithm": "AES256", f"{_SSE}-customer-key": b64encode(_KEY).decode()}
    context = create_default_context(cafile=place.tls_ca) if place.tls_ca else None

    request = urllib.request.Request(url, headers={**trio, f"{_SSE}-customer-key-md5": _md5()})
    with urllib.request.urlopen(request, context=context) as answer:
        assert answer.read() == b"signed"
    assert b64encode(_KEY).decode() not in url


def test_an_object_is_put_under_another_key_in_place(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=b"same", **_trio())

    client.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k"}, **_source(), **_trio(_OTHER))

    assert client.get_object(Bucket=bucket, Key="k", **_trio(_OTHER))["Body"].read() == b"same"
    assert _refusal(client.get_object, Bucket=bucket, Key="k", **_trio())[:2] == (403, "AccessDenied")


def test_a_copy_without_the_sources_key_is_refused(client: Any, bucket: str) -> None:
    source = {"Bucket": bucket, "Key": "source"}
    client.put_object(**source, Body=b"x", **_trio())
    client.put_object(Bucket=bucket, Key="plain", Body=b"x")
    copy = {"Bucket": bucket, "Key": "copy", "CopySource": source}

    assert _refusal(client.copy_object, **copy) == (400, "InvalidRequest", _NEEDED, {})
    assert _refusal(client.copy_object, **copy, **_trio()) == (400, "InvalidRequest", _NEEDED, {})
    assert _refusal(client.copy_object, **copy, **_source(_OTHER)) == (403, "AccessDenied", _WRONG, {})
    bad = {**_source(), "CopySourceSSECustomerAlgorithm": "AES"}
    assert _refusal(client.copy_object, **copy, **bad) == _unknown("AES")
    of_plain = {**copy, "CopySource": {"Bucket": bucket, "Key": "plain"}}
    assert _refusal(client.copy_object, **of_plain, **_source()) == (400, "InvalidRequest", _NOT_APPLICABLE, {})


@on_both
def test_the_transfer_manager_uploads_copies_and_downloads(client: Any, bucket: str) -> None:
    body = random.Random(3).randbytes(11 * _MIB + 3)
    config = TransferConfig(multipart_threshold=5 * _MIB, multipart_chunksize=5 * _MIB)
    back = io.BytesIO()

    client.upload_fileobj(io.BytesIO(body), bucket, "big", ExtraArgs=_trio(), Config=config)
    client.download_fileobj(bucket, "big", back, ExtraArgs=_trio(), Config=config)
    client.copy(
        {"Bucket": bucket, "Key": "big"}, bucket, "copied", ExtraArgs={**_trio(_OTHER), **_source()}, Config=config
    )
    head = client.head_object(Bucket=bucket, Key="big", **_trio())
    part = client.get_object(Bucket=bucket, Key="big", PartNumber=3, **_trio())

    assert back.getvalue() == body
    assert part["Body"].read() == body[10 * _MIB :]
    assert client.get_object(Bucket=bucket, Key="copied", **_trio(_OTHER))["Body"].read() == body
    assert head["ContentLength"] == len(body)


_UNLIKE = (
    "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate "
    "encryption parameters."
)
_ANOTHER = "The provided encryption parameters did not match the ones used originally."


@on_both
def test_every_part_brings_the_key_and_complete_need_not(client: Any, bucket: str) -> None:
    first, second = random.Random(4).randbytes(5 * _MIB), b"kept"
    created = client.create_multipart_upload(Bucket=bucket, Key="k", **_trio())
    of = {"Bucket": bucket, "Key": "k", "UploadId": created["UploadId"]}

    refused = [
        _refusal(client.upload_part, **of, PartNumber=1, Body=b"x"),
        _refusal(client.upload_part, **of, PartNumber=1, Body=b"x", **_trio(_OTHER)),
    ]
    one = client.upload_part(**of, PartNumber=1, Body=first, **_trio())
    replaced = client.upload_part(**of, PartNumber=2, Body=second, **_trio())
    two = client.upload_part(**of, PartNumber=2, Body=second, **_trio())
    listed = client.list_parts(**of)["Parts"]
    parts = [{"PartNumber": 1, "ETag": one["ETag"]}, {"PartNumber": 2, "ETag": two["ETag"]}]
    done = client.complete_multipart_upload(**of, MultipartUpload={"Parts": parts})

    assert refused == [(400, "InvalidRequest", _UNLIKE, {}), (400, "InvalidRequest", _ANOTHER, {})]
    assert created["SSECustomerKeyMD5"] == one["SSECustomerKeyMD5"] == _md5()
    assert replaced["ETag"] != two["ETag"]  # equal bytes, another attempt
    assert [(part["PartNumber"], part["Size"], part["ETag"]) for part in listed] == [
        (1, len(first), one["ETag"]),
        (2, len(second), two["ETag"]),
    ]
    assert "ServerSideEncryption" not in done
    got = client.get_object(Bucket=bucket, Key="k", **_trio())
    assert got["Body"].read() == first + second
    assert got["ETag"] == done["ETag"]


def test_a_part_with_a_key_for_an_upload_without_one_is_refused(client: Any, bucket: str) -> None:
    created = client.create_multipart_upload(Bucket=bucket, Key="k")
    of = {"Bucket": bucket, "Key": "k", "UploadId": created["UploadId"]}

    refused = _refusal(client.upload_part, **of, PartNumber=1, Body=b"x", **_trio())

    assert refused == (400, "InvalidRequest", _UNLIKE, {})


def test_complete_brings_the_key_where_the_upload_has_checksums(client: Any, bucket: str) -> None:
    created = client.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="CRC32", **_trio())
    of = {"Bucket": bucket, "Key": "k", "UploadId": created["UploadId"]}
    part = client.upload_part(**of, PartNumber=1, Body=b"x", ChecksumAlgorithm="CRC32", **_trio())
    parts = [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}]
    complete = {**of, "MultipartUpload": {"Parts": parts}}

    without = _refusal(client.complete_multipart_upload, **complete)
    wrong = _refusal(client.complete_multipart_upload, **complete, **_trio(_OTHER))
    done = client.complete_multipart_upload(**complete, **_trio())
    repeated = client.complete_multipart_upload(**complete, **_trio())

    assert without == (400, "InvalidRequest", _NEEDED, {})
    assert wrong == (400, "InvalidRequest", _ANOTHER, {})
    assert done["ETag"] == repeated["ETag"]
    assert client.get_object(Bucket=bucket, Key="k", **_trio())["Body"].read() == b"x"


@on_both
def test_conditions_and_deletions_need_no_key(client: Any, bucket: str) -> None:
    etag = client.put_object(Bucket=bucket, Key="k", Body=b"1", **_trio())["ETag"]

    stale = _refusal(client.put_object, Bucket=bucket, Key="k", Body=b"2", IfMatch='"0"')
    replaced = client.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=etag, **_trio(_OTHER))
    unchanged = _refusal(client.get_object, Bucket=bucket, Key="k", IfNoneMatch=replaced["ETag"], **_trio(_OTHER))
    client.delete_object(Bucket=bucket, Key="k")

    assert stale[:2] == (412, "PreconditionFailed")
    assert unchanged[:2] == (304, "304")
    assert _refusal(client.head_object, Bucket=bucket, Key="k")[0] == 404


def test_a_key_over_plain_http_is_refused_unless_it_is_allowed(
    launcher: Launcher, store: Server, certificates: tuple[Path, Path, Path], bucket_name: str
) -> None:
    plain = launcher.proxy(store, extra=own_state(bucket_name))
    secure = launcher.proxy(store, plain.data, extra=own_state(bucket_name), tls=certificates)
    client, safe = s3_client(plain), s3_client(secure)
    client.create_bucket(Bucket=bucket_name)
    where = {"Bucket": bucket_name, "Key": "k"}

    safe.put_object(**where, Body=b"over TLS", **_trio())
    refused = [
        _refusal(client.put_object, **where, Body=b"x", **_trio()),
        _refusal(client.get_object, **where, **_trio()),
        _refusal(client.copy_object, **where, CopySource=where, **_source()),
    ]

    assert refused == [(400, "InvalidRequest", _PROMISE + "be made over a secure connection.", {})] * 3
    assert safe.get_object(**where, **_trio())["Body"].read() == b"over TLS"


def test_a_key_in_a_url_is_refused(dev: Server, bucket_name: str) -> None:
    client = s3_client(dev)
    client.create_bucket(Bucket=bucket_name)
    client.put_object(Bucket=bucket_name, Key="k", Body=b"x", **_trio())
    asked = {"Bucket": bucket_name, "Key": "k", **_trio()}
    old = s3_client(dev, signature_version="s3").generate_presigned_url("get_object", Params=asked)

    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(old)

    assert raised.value.code == 400
    assert b"never in a URL" in raised.value.read()


def test_the_aws_cli_uses_a_key_of_its_own(
    dev: Server, tool: Callable[[str, Server], Tool], tmp_path: Path, bucket_name: str
) -> None:
    aws = tool("aws", dev)
    s3_client(dev).create_bucket(Bucket=bucket_name)
    key = tmp_path / "key"
    key.write_bytes(_KEY)
    body = random.Random(9).randbytes(9 * _MIB)  # more than one part
    (tmp_path / "up").write_bytes(body)

    aws("s3", "cp", str(tmp_path / "up"), f"s3://{bucket_name}/k", "--sse-c", "AES256", "--sse-c-key", f"fileb://{key}")
    aws(
        "s3",
        "cp",
        f"s3://{bucket_name}/k",
        str(tmp_path / "down"),
        "--sse-c",
        "AES256",
        "--sse-c-key",
        f"fileb://{key}",
    )

    assert (tmp_path / "down").read_bytes() == body


def test_neither_log_nor_disk_ever_shows_the_key(launcher: Launcher, bucket_name: str) -> None:
    server = launcher.dev()
    client = s3_client(server)
    key = b"NeverToBeSeenAgain-0123456789abc"
    client.create_bucket(Bucket=bucket_name)
    where = {"Bucket": bucket_name, "Key": "k"}
    client.put_object(**where, Body=b"x", **_trio(key))
    client.get_object(**where, **_trio(key))["Body"].read()
    _refusal(client.get_object, **where, **_trio(key[:-1]))
    client.create_multipart_upload(**where, **_trio(key))
    client.copy_object(**where, CopySource=where, **_source(key), **_trio(key))
    server.stop()

    everything = server.output().encode() + b"".join(
        path.read_bytes() for path in sorted(server.data.rglob("*")) if path.is_file()
    )
    for secret in (key, b64encode(key), key.hex().encode(), _md5(key).encode(), hashlib.md5(key).digest()):
        assert secret not in everything


def _send_headers(client: Any, headers: dict[str, str]) -> None:
    """Let a client send headers that it would not make by itself."""

    def add(request: Any, **_: Any) -> None:
        for name, value in headers.items():
            request.headers[name] = value

    client.meta.events.register("before-sign.s3", add)
