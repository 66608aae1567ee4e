"""Objects that the OSS SDKs encrypted at the client: untouched by default, in the clear where the proxy has the key."""

import random
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest
from alibabacloud_oss_v2.crypto import MasterRsaCipher
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from oss2.crypto import LocalRsaProvider, RsaProvider

from tests.support.oss_clients import oss2_bucket, oss2_refusal, v2_client
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Launcher, Server, StartFailed

pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated")  # the SDK's own

_MARK = "x-oss-meta-client-side-encryption-"
_CRC = "x-oss-hash-crc64ecma"
_BODY = random.Random(1).randbytes(250_003)
_BUCKET = "client-encrypted"

Write = Callable[[Server, str, bytes], None]


def _pair() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    return private.decode(), public.decode()


_PRIVATE, _PUBLIC = _pair()


def _crypto_bucket(server: Server) -> Any:
    provider = RsaProvider({"private_key": _PRIVATE, "public_key": _PUBLIC})
    auth = oss2.AuthV4(ACCESS_KEY, SECRET_KEY)
    return oss2.CryptoBucket(auth, server.url, _BUCKET, provider, region=REGION)


def _encryption_client(server: Server) -> Any:
    return oss_v2.EncryptionClient(v2_client(server), MasterRsaCipher(public_key=_PUBLIC, private_key=_PRIVATE))


def _by_oss2(server: Server, key: str, body: bytes) -> None:
    _crypto_bucket(server).put_object(key, body, headers={"x-oss-meta-own": "kept"})


def _by_oss2_in_parts(server: Server, key: str, body: bytes) -> None:
    bucket, size = _crypto_bucket(server), 102_400
    context = oss2.models.MultipartUploadCryptoContext(len(body), size)
    headers = {"x-oss-meta-own": "kept"}
    upload = bucket.init_multipart_upload(key, headers=headers, upload_context=context).upload_id
    parts = []
    for number, at in enumerate(range(0, len(body), size), 1):
        sent = bucket.upload_part(key, upload, number, body[at : at + size], upload_context=context)
        parts.append(oss2.models.PartInfo(number, sent.etag))
    bucket.complete_multipart_upload(key, upload, parts)


def _by_oss2_for_a_local_key(server: Server, key: str, body: bytes) -> None:
    """With OAEP, and told of length and MD5."""
    with TemporaryDirectory() as folder:
        Path(folder, ".private_key.pem").write_text(_PRIVATE)
        Path(folder, ".public_key.pem").write_text(_PUBLIC)
        provider = LocalRsaProvider(dir=folder)
    bucket = oss2.CryptoBucket(oss2.AuthV4(ACCESS_KEY, SECRET_KEY), server.url, _BUCKET, provider, region=REGION)
    told = {"Content-MD5": oss2.utils.content_md5(body), "Content-Length": str(len(body))}
    bucket.put_object(key, body, headers={"x-oss-meta-own": "kept", **told})


def _as_java_in_parts(server: Server, key: str, body: bytes) -> None:
    """What the SDK for Java sends: the metadata when the upload is created, and with no part."""
    content_key, counter, size = random.Random(3).randbytes(32), b"12345678\0\0\0\0abcd", 102_400
    private: Any = load_pem_private_key(_PRIVATE.encode(), None)
    public = private.public_key()
    said = {
        "key": b64encode(public.encrypt(content_key, PKCS1v15())).decode(),
        "start": b64encode(public.encrypt(counter, PKCS1v15())).decode(),
        "cek-alg": "AES/CTR/NoPadding",
        "wrap-alg": "RSA/NONE/PKCS1Padding",
        "data-size": str(len(body)),
        "part-size": str(size),
    }
    sealed = Cipher(AES256(content_key), CTR(counter)).encryptor().update(body)
    bucket = oss2_bucket(server, _BUCKET)
    headers = {"x-oss-meta-own": "kept", **{_MARK + name: value for name, value in said.items()}}
    upload = bucket.init_multipart_upload(key, headers=headers).upload_id
    parts = []
    for number, at in enumerate(range(0, len(sealed), size), 1):
        parts.append(oss2.models.PartInfo(number, bucket.upload_part(key, upload, number, sealed[at : at + size]).etag))
    bucket.complete_multipart_upload(key, upload, parts)


def _by_v2(server: Server, key: str, body: bytes) -> None:
    request = oss_v2.PutObjectRequest(bucket=_BUCKET, key=key, body=body, metadata={"own": "kept"})
    _encryption_client(server).put_object(request)


_WRITERS = {"oss2": _by_oss2, "oss2 in parts": _by_oss2_in_parts, "v2": _by_v2}
_OTHER_WRITERS = {"oss2 with OAEP": _by_oss2_for_a_local_key, "Java in parts": _as_java_in_parts}


@pytest.fixture(scope="module")
def store_behind(launcher: Launcher) -> Server:
    store = launcher.store()
    oss2_bucket(store, _BUCKET).create_bucket()
    return store


@pytest.fixture(scope="module")
def knowing(launcher: Launcher, store_behind: Server, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A proxy that has two RSA keys; the clients' is the second."""
    files = []
    for number, private in enumerate((_pair()[0], _PRIVATE)):
        file = tmp_path_factory.mktemp("rsa") / f"{number}.pem"
        file.touch(mode=0o600)
        file.write_text(private)
        files.append(str(file))
    return launcher.proxy(store_behind, dialect="oss", extra=f"[encryption]\nclient_key_files = {files}\n")


@pytest.fixture(scope="module")
def unknowing(launcher: Launcher, store_behind: Server, knowing: Server) -> Server:
    """A replica of it without those keys."""
    return launcher.proxy(store_behind, Path(knowing.data), dialect="oss")


@pytest.mark.parametrize("write", [*_WRITERS.values(), *_OTHER_WRITERS.values()], ids=[*_WRITERS, *_OTHER_WRITERS])
@pytest.mark.parametrize("through", ["store", "proxy"])
def test_with_the_key_they_are_read_in_the_clear(
    store_behind: Server, knowing: Server, unknowing: Server, write: Write, through: str
) -> None:
    """Whether the SDK wrote to the store itself, or through a proxy that sealed what it got."""
    key = f"{through}-{write.__name__}"
    write(store_behind if through == "store" else unknowing, key, _BODY)
    bucket = oss2_bucket(knowing, _BUCKET)

    got, head = bucket.get_object(key), bucket.head_object(key)

    assert got.read() == _BODY
    assert (got.content_length, head.content_length) == (len(_BODY), len(_BODY))
    for answer in (got, head):
        assert answer.headers["x-oss-meta-own"] == "kept"
        assert not [name for name in answer.headers if name.lower().startswith(_MARK)]
        assert _CRC not in answer.headers
        told = oss2.utils.content_md5(_BODY) if write is _by_oss2_for_a_local_key else None
        assert answer.headers.get("Content-MD5") == told
    for first, last in ((0, 0), (1, 17), (15, 16), (102_399, 102_417), (200_001, len(_BODY) - 1)):
        part = bucket.get_object(key, byte_range=(first, last))
        assert (part.status, part.read()) == (206, _BODY[first : last + 1])


@pytest.mark.parametrize("write", _WRITERS.values(), ids=_WRITERS.keys())
def test_without_the_key_only_the_client_can_read_them(store_behind: Server, unknowing: Server, write: Write) -> None:
    key = f"untouched-{write.__name__}"
    write(unknowing, key, _BODY)

    raw = oss2_bucket(unknowing, _BUCKET).get_object(key)
    by_oss2 = _crypto_bucket(unknowing).get_object(key)
    by_v2 = _encryption_client(unknowing).get_object(oss_v2.GetObjectRequest(bucket=_BUCKET, key=key))

    shown = raw.read()
    assert len(shown) == len(_BODY)
    assert shown != _BODY
    assert f"{_MARK}key" in raw.headers
    assert by_oss2.read() == _BODY
    assert by_v2.body.read() == _BODY
    stored = oss2_bucket(store_behind, _BUCKET).get_object(key).read()
    assert shown[:1000] not in stored  # sealed besides


def _names(server: Server, key: str) -> set[str]:
    names = oss2_bucket(server, _BUCKET).head_object(key).headers
    return {name.lower().removeprefix("x-oss-meta-") for name in names if name.lower().startswith("x-oss-meta-")}


@pytest.mark.parametrize("write", _WRITERS.values(), ids=_WRITERS.keys())
@pytest.mark.parametrize("touch", ["written", "copied", "given other metadata"])
def test_the_storage_is_told_nothing_that_it_would_apply_to_sealed_bytes(
    store_behind: Server, unknowing: Server, write: Write, touch: str
) -> None:
    """The service holds parts to the sizes in that metadata, and refuses copies that name it."""
    key, bucket = f"told-{write.__name__}-{touch[0]}", oss2_bucket(unknowing, _BUCKET)
    write(unknowing, key, _BODY)
    if touch == "copied":
        bucket.copy_object(_BUCKET, key, key := f"{key}-copy")
    elif touch == "given other metadata":
        bucket.update_object_meta(key, {"x-oss-meta-own": "kept"})

    shown, stored = _names(unknowing, key), _names(store_behind, key)

    marks = {name.removeprefix("client-side-encryption-") for name in shown - {"own"}}
    assert {"key", "start", "cek-alg", "wrap-alg"} <= marks
    assert stored == {"own", "sseproxy", *(f"sseproxy-client-{mark}" for mark in marks)}
    assert _crypto_bucket(unknowing).get_object(key).read() == _BODY


def test_what_was_in_the_store_before_is_sealed_with_all_that_its_readers_need(
    store_behind: Server, unknowing: Server
) -> None:
    _by_oss2_in_parts(store_behind, "before", _BODY)

    oss2_bucket(unknowing, _BUCKET).update_object_meta("before", {"x-oss-server-side-encryption": "AES256"})

    assert "client-side-encryption-key" in _names(unknowing, "before")
    assert "sseproxy-client-key" in _names(store_behind, "before")
    assert _crypto_bucket(unknowing).get_object("before").read() == _BODY


def test_every_replica_holds_parts_to_what_the_upload_said(knowing: Server, unknowing: Server) -> None:
    said = {"key": "K", "start": "S", "cek-alg": "AES/CTR/NoPadding", "wrap-alg": "W", "part-size": "102400"}
    headers = {_MARK + name: value for name, value in said.items()}
    upload = oss2_bucket(knowing, _BUCKET).init_multipart_upload("replicas", headers=headers).upload_id

    refusal = oss2_refusal(oss2_bucket(unknowing, _BUCKET).upload_part, "replicas", upload, 1, _BODY[:102_401])

    assert refusal == (
        400, "InvalidEncryptionRequest", "The partSize must same with init_multipart setted except last part.",
    )  # fmt: skip


def test_a_client_with_the_key_may_read_through_a_proxy_that_has_it_too(knowing: Server) -> None:
    _by_oss2(knowing, "both", _BODY)

    assert _crypto_bucket(knowing).get_object("both").read() == _BODY


def test_clients_without_the_key_read_ranges_and_download_in_parts(knowing: Server, tmp_path: Path) -> None:
    _by_oss2_in_parts(knowing, "ranges", _BODY)
    bucket, client, file = oss2_bucket(knowing, _BUCKET), v2_client(knowing), tmp_path / "file"

    oss2.resumable_download(
        bucket, "ranges", str(file), multiget_threshold=1, part_size=50_001, num_threads=2,
        store=oss2.ResumableDownloadStore(str(tmp_path)),
    )  # fmt: skip
    standard = {"x-oss-range-behavior": "standard"}
    behind = bucket.get_object("ranges", byte_range=(len(_BODY) - 3, len(_BODY) + 9), headers=standard)
    request = oss_v2.GetObjectRequest(bucket=_BUCKET, key="ranges", range_header="bytes=-7", range_behavior="standard")
    last = client.get_object(request)

    assert file.read_bytes() == _BODY
    assert behind.read() == _BODY[-3:]
    assert last.body.read() == _BODY[-7:]
    assert bucket.get_object("ranges", byte_range=(len(_BODY), None)).read() == _BODY  # 200 and the whole, as without


def test_an_object_for_another_key_passes_through_untouched(store_behind: Server, knowing: Server) -> None:
    private, public = _pair()
    client = oss_v2.EncryptionClient(v2_client(store_behind), MasterRsaCipher(public_key=public, private_key=private))
    client.put_object(oss_v2.PutObjectRequest(bucket=_BUCKET, key="foreign", body=_BODY))

    behind = oss2_bucket(store_behind, _BUCKET).get_object("foreign")
    got = oss2_bucket(knowing, _BUCKET).get_object("foreign")

    assert got.read() == behind.read()
    assert got.headers[f"{_MARK}key"] == behind.headers[f"{_MARK}key"]
    assert got.headers[_CRC] == behind.headers[_CRC]


@pytest.mark.parametrize("content", ["", "nothing of the kind"])
def test_a_file_that_is_no_key_ends_the_start(
    launcher: Launcher, store_behind: Server, knowing: Server, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "key.pem"
    file.touch(mode=0o600)
    file.write_text(content)

    with pytest.raises(StartFailed, match="is no private key in PEM without a passphrase"):
        launcher.proxy(
            store_behind, knowing.data, dialect="oss", extra=f'[encryption]\nclient_key_files = ["{file}"]\n'
        )
