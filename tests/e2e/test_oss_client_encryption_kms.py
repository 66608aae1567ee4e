"""Objects that clients encrypted under Alibaba Cloud KMS, or in oss2's old form, are read in the clear where the proxy may."""

import json
import random
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from oss2.crypto import AliKMSProvider, LocalRsaProvider

from tests.support.alibaba_kms import ACCESS_KEY as KMS_ACCESS_KEY
from tests.support.alibaba_kms import SECRET_KEY as KMS_SECRET_KEY
from tests.support.alibaba_kms import FakeAlibabaKms, Key, running
from tests.support.oss_clients import oss2_bucket, oss2_refusal, v2_client
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Launcher, Server

pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated")  # the SDK's own

_BODY = random.Random(1).randbytes(150_003)
_MD5 = oss2.utils.content_md5(_BODY)
_BUCKET = "client-encrypted-kms"
_OLD = "x-oss-meta-oss-"
_PHRASE = "größe 1"
_KEY_ID, _OTHER, _FOREIGN = (str(uuid4()) for _ in range(3))


class _Calls:
    """What oss2 takes for its client of KMS: its requests end at the same service as the proxy's."""

    def __init__(self, service: FakeAlibabaKms) -> None:
        self._service = service

    def do_action_with_exception(self, request: Any) -> bytes:
        parameters = {name: str(value) for name, value in request.get_query_params().items()}
        parameters["Action"] = request.get_action_name()
        parameters["EncryptionContext"] = parameters.get("EncryptionContext") or "{}"
        return json.dumps(self._service._do(parameters)).encode()


class _MasterKey:
    """A master cipher of the v2 SDK as its samples and the SDKs for Go and Java have it: the blob as KMS gave it."""

    def __init__(self, service: FakeAlibabaKms, key_id: str) -> None:
        self._service, self._key_id = service, key_id

    def get_wrap_algorithm(self) -> str:
        return "KMS/ALICLOUD"

    def get_mat_desc(self) -> str:
        return ""

    def encrypt(self, data: bytes) -> bytes:
        asked = {"Action": "Encrypt", "KeyId": self._key_id, "Plaintext": b64encode(data).decode()}
        return b64decode(self._service._do(asked)["CiphertextBlob"])

    def decrypt(self, data: bytes) -> bytes:
        asked = {"Action": "Decrypt", "CiphertextBlob": b64encode(data).decode()}
        return b64decode(self._service._do(asked)["Plaintext"])


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[FakeAlibabaKms, str]]:
    """A KMS on a port of its own, and its URL."""
    fake = FakeAlibabaKms(keys={_KEY_ID: Key(), _OTHER: Key(), _FOREIGN: Key()})
    with running(fake) as url:
        yield fake, url


@pytest.fixture(scope="module")
def kms(service: tuple[FakeAlibabaKms, str]) -> FakeAlibabaKms:
    return service[0]


@pytest.fixture(scope="module")
def store_behind(launcher: Launcher) -> Server:
    store = launcher.store()
    oss2_bucket(store, _BUCKET).create_bucket()
    return store


@pytest.fixture(scope="module")
def private() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def knowing(
    launcher: Launcher,
    store_behind: Server,
    service: tuple[FakeAlibabaKms, str],
    private: rsa.RSAPrivateKey,
    tmp_path_factory: pytest.TempPathFactory,
) -> Server:
    """A proxy with its own keys in the embedded KMS, that may open clients' keys under two CMKs and an RSA key."""
    file = tmp_path_factory.mktemp("old") / "key.pem"
    file.touch(mode=0o600)
    file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return launcher.proxy(store_behind, dialect="oss", extra=_settings(service[1], f'client_key_files = ["{file}"]\n'))


def _settings(endpoint: str, more: str = "") -> str:
    routes = "".join(f'[[remote_kms.routes]]\nkeys = "{one}"\nprovider = "cloud"\n' for one in (_OTHER, _KEY_ID))
    return (
        f'[remote_kms]\ndefault = "embedded"\n{routes}'
        f'[remote_kms.alibaba.cloud]\nregion = "cn-hangzhou"\nendpoint = "{endpoint}"\n'
        f'access_key = "{KMS_ACCESS_KEY}"\nsecret_key = "{KMS_SECRET_KEY}"\ntimeout = 20\n'
        f'[encryption]\nclient_kms_keys = ["{_OTHER}", "{_KEY_ID}"]\nclient_kms_passphrases = ["{_PHRASE}"]\n{more}'
    )


def _crypto_bucket(server: Server, provider: Any) -> Any:
    return oss2.CryptoBucket(oss2.AuthV4(ACCESS_KEY, SECRET_KEY), server.url, _BUCKET, provider, region=REGION)


def _provider(kms: FakeAlibabaKms, key_id: str, phrase: str | None = None) -> Any:
    provider = AliKMSProvider(KMS_ACCESS_KEY, KMS_SECRET_KEY, "cn-hangzhou", key_id, passphrase=phrase)
    provider.kms_client = _Calls(kms)
    return provider


def _by_oss2(server: Server, kms: FakeAlibabaKms, key_id: str, key: str) -> None:
    _crypto_bucket(server, _provider(kms, key_id)).put_object(key, _BODY, headers={"x-oss-meta-own": "kept"})


def _by_oss2_with_a_passphrase(server: Server, kms: FakeAlibabaKms, key_id: str, key: str) -> None:
    bucket = _crypto_bucket(server, _provider(kms, key_id, _PHRASE))
    bucket.put_object(key, _BODY, headers={"x-oss-meta-own": "kept"})


def _by_v2(server: Server, kms: FakeAlibabaKms, key_id: str, key: str) -> None:
    client = oss_v2.EncryptionClient(v2_client(server), _MasterKey(kms, key_id))
    client.put_object(oss_v2.PutObjectRequest(bucket=_BUCKET, key=key, body=_BODY, metadata={"own": "kept"}))


Write = Callable[[Server, FakeAlibabaKms, str, str], None]
_WRITERS = {"oss2": _by_oss2, "oss2 with a passphrase": _by_oss2_with_a_passphrase, "v2": _by_v2}
by_every_sdk = pytest.mark.parametrize("write", _WRITERS.values(), ids=_WRITERS)


def _check_clear(server: Server, key: str) -> None:
    bucket = oss2_bucket(server, _BUCKET)
    got, head = bucket.get_object(key), bucket.head_object(key)
    assert got.read() == _BODY
    assert (got.content_length, head.content_length) == (len(_BODY), len(_BODY))
    for answer in (got, head):
        hidden = ("x-oss-meta-client-side-", "x-oss-meta-oss-")
        assert answer.headers["x-oss-meta-own"] == "kept"
        assert not [name for name in answer.headers if name.lower().startswith(hidden)]
        assert "x-oss-hash-crc64ecma" not in answer.headers
    part = bucket.get_object(key, byte_range=(102_399, 102_417))
    assert (part.status, part.read()) == (206, _BODY[102_399:102_418])


@by_every_sdk
@pytest.mark.parametrize("through", ["store", "proxy"])
def test_under_a_cmk_that_the_proxy_may_use_they_are_read_in_the_clear(
    store_behind: Server, knowing: Server, kms: FakeAlibabaKms, write: Write, through: str
) -> None:
    """Whether the SDK wrote to the store itself, or through the proxy, which seals what it gets."""
    key = f"{through}-{write.__name__}"

    write(store_behind if through == "store" else knowing, kms, _KEY_ID, key)

    _check_clear(knowing, key)


@by_every_sdk
def test_kms_is_asked_twice_for_an_object_however_often_it_is_read(
    store_behind: Server, knowing: Server, kms: FakeAlibabaKms, write: Write
) -> None:
    """Key and counter are two blobs; with a passphrase it is tried in vain without one first."""
    key = f"often-{write.__name__}"
    write(store_behind, kms, _KEY_ID, key)
    kms.asked.clear()

    for _ in range(2):
        _check_clear(knowing, key)

    assert [one["Action"] for one in kms.asked] == ["Decrypt"] * (3 if write is _by_oss2_with_a_passphrase else 2)


def test_under_another_passphrase_they_pass_through_untouched(
    store_behind: Server, knowing: Server, kms: FakeAlibabaKms
) -> None:
    bucket = _crypto_bucket(store_behind, _provider(kms, _KEY_ID, "another"))
    bucket.put_object("another-passphrase", _BODY)

    got, behind = (oss2_bucket(server, _BUCKET).get_object("another-passphrase") for server in (knowing, store_behind))

    assert got.read() == behind.read() != _BODY


@by_every_sdk
def test_under_another_cmk_they_pass_through_untouched(
    store_behind: Server, knowing: Server, kms: FakeAlibabaKms, write: Write
) -> None:
    key = f"foreign-{write.__name__}"
    write(store_behind, kms, _FOREIGN, key)

    got, behind = (oss2_bucket(server, _BUCKET).get_object(key) for server in (knowing, store_behind))

    assert got.read() == behind.read() != _BODY
    name = "x-oss-meta-client-side-encryption-key"
    assert got.headers[name] == behind.headers[name]


def test_a_client_without_a_grant_gets_them_untouched_and_each_use_is_in_the_audit(
    launcher: Launcher,
    store_behind: Server,
    knowing: Server,
    service: tuple[FakeAlibabaKms, str],
    tmp_path: Path,
) -> None:
    log = tmp_path / "audit.log"
    more = (
        f'[audit]\npath = "{log}"\n[[clients.grants]]\nprincipal = "{ACCESS_KEY}"\nkeys = "{_KEY_ID}"\n'
        'uses = ["decrypt"]\n[clients]\nrequire_grants = true\n'
    )
    granting = launcher.proxy(store_behind, knowing.data, dialect="oss", extra=_settings(service[1]) + more)
    for key, key_id in (("granted", _KEY_ID), ("not-granted", _OTHER)):
        _by_oss2(store_behind, service[0], key_id, key)

    shown = [oss2_bucket(granting, _BUCKET).get_object(key).read() for key in ("granted", "not-granted")]

    assert shown == [_BODY, oss2_bucket(store_behind, _BUCKET).get_object("not-granted").read()]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["use"], line["key"], line["cmk"], line["result"]) for line in lines] == [
        ("decrypt", "granted", _KEY_ID, "ok"),
        ("decrypt", "not-granted", _OTHER, "KeyAccessRefused"),
    ]


def test_a_disabled_cmk_is_told_and_no_ciphertext_given_out(
    store_behind: Server, knowing: Server, kms: FakeAlibabaKms
) -> None:
    _by_oss2(store_behind, kms, _OTHER, "disabled")
    kms.keys[_OTHER].state = "Disabled"
    try:
        refusal = oss2_refusal(oss2_bucket(knowing, _BUCKET).get_object, "disabled")
    finally:
        kms.keys[_OTHER].state = "Enabled"

    assert refusal == (409, "KeyDisabled", "The request was rejected because the key state is Disabled.")
    _check_clear(knowing, "disabled")


# ---- the form that older releases of oss2 wrote (OSS dossier §8.7) ----


def _write_old_by_kms(server: Server, kms: FakeAlibabaKms, key: str, *, start: int, phrase: str | None) -> None:
    """Write as those releases did: a drawn key, and the counter's digits encrypted as they are, no base64."""
    context = {"EncryptionContext": json.dumps({"x-passphrase": phrase})} if phrase else {}
    drawn = kms._do({"Action": "GenerateDataKey", "KeyId": _KEY_ID, "NumberOfBytes": "32", **context})
    counter = kms._do({"Action": "Encrypt", "KeyId": _KEY_ID, "Plaintext": str(start), **context})
    cipher = Cipher(AES256(b64decode(drawn["Plaintext"])), CTR(start.to_bytes(16, "big")))
    headers = {
        f"{_OLD}crypto-key": drawn["CiphertextBlob"],
        f"{_OLD}crypto-start": counter["CiphertextBlob"],
        f"{_OLD}cek-alg": "AES/GCM/NoPadding",
        f"{_OLD}wrap-alg": "kms",
        "x-oss-meta-unencrypted-content-length": str(len(_BODY)),
        "x-oss-meta-unencrypted-content-md5": _MD5,
        "x-oss-meta-own": "kept",
    }
    oss2_bucket(server, _BUCKET).put_object(key, cipher.encryptor().update(_BODY), headers=headers)


@pytest.mark.parametrize("phrase", [None, _PHRASE], ids=["no passphrase", "passphrase"])
@pytest.mark.parametrize("start", [1, 10, 2**40])
def test_the_old_form_under_kms_is_read_as_todays_oss2_reads_it(
    store_behind: Server, knowing: Server, kms: FakeAlibabaKms, start: int, phrase: str | None
) -> None:
    key = f"old-kms-{start}-{phrase is None}"
    _write_old_by_kms(store_behind, kms, key, start=start, phrase=phrase)

    by_oss2 = _crypto_bucket(store_behind, _provider(kms, _KEY_ID, phrase)).get_object(key)

    assert by_oss2.read() == _BODY
    _check_clear(knowing, key)
    shown = oss2_bucket(knowing, _BUCKET).head_object(key).headers
    assert shown["Content-MD5"] == _MD5
    assert not [name for name in shown if "unencrypted" in name.lower()]


def _write_old(server: Server, private: rsa.RSAPrivateKey, key: str, *, cipher: str, start: int) -> None:
    padding = OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)
    content_key, public = random.Random(2).randbytes(32), private.public_key()
    encryptor = Cipher(AES256(content_key), CTR(start.to_bytes(16, "big"))).encryptor()
    headers = {
        f"{_OLD}crypto-key": b64encode(public.encrypt(content_key, padding)).decode(),
        f"{_OLD}crypto-start": b64encode(public.encrypt(str(start).encode(), padding)).decode(),
        f"{_OLD}cek-alg": cipher,
        f"{_OLD}wrap-alg": "rsa",
        "x-oss-meta-own": "kept",
    }
    oss2_bucket(server, _BUCKET).put_object(key, encryptor.update(_BODY), headers=headers)


@pytest.mark.parametrize("cipher", ["AES/GCM/NoPadding", "AES/CTR/NoPadding"])
@pytest.mark.parametrize("start", [1, 10, 2**40])
def test_the_old_form_of_oss2_is_read_as_todays_oss2_reads_it(
    store_behind: Server, knowing: Server, private: rsa.RSAPrivateKey, tmp_path: Any, cipher: str, start: int
) -> None:
    key = f"old-{cipher.partition('/')[2][:3]}-{start}"
    _write_old(store_behind, private, key, cipher=cipher, start=start)
    (tmp_path / ".private_key.pem").write_bytes(
        private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    (tmp_path / ".public_key.pem").write_bytes(public)

    assert _crypto_bucket(store_behind, LocalRsaProvider(dir=str(tmp_path))).get_object(key).read() == _BODY
    _check_clear(knowing, key)


@pytest.mark.parametrize(
    "changed", [{"wrap-alg": "kms"}, {"cek-alg": "AES/CBC/PKCS5Padding"}, {"crypto-key": "!"}, {"crypto-start": "AAAA"}]
)
def test_an_old_form_that_cannot_be_opened_passes_through_untouched(
    store_behind: Server, knowing: Server, private: rsa.RSAPrivateKey, changed: dict[str, str]
) -> None:
    (name,) = changed
    key = f"odd-{name}"
    _write_old(store_behind, private, "template", cipher="AES/CTR/NoPadding", start=1)
    behind = oss2_bucket(store_behind, _BUCKET)
    template = behind.get_object("template")
    headers = {found: value for found, value in template.headers.items() if found.lower().startswith("x-oss-meta-")}
    behind.put_object(key, template.read(), headers=headers | {f"{_OLD}{name}": changed[name]})

    got = oss2_bucket(knowing, _BUCKET).get_object(key)

    assert got.read() == behind.get_object(key).read() != _BODY
    assert got.headers[f"{_OLD}{name}"] == changed[name]
