"""A proxy without a KMS of its own: keys in a real OpenBao and in moto's KMS, through HTTP, in both dialects."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import oss2
import pytest

from tests.support.moto_kms import MotoKms
from tests.support.openbao import ROOT_TOKEN, OpenBao, running_openbao
from tests.support.raw_http import exchange, sign
from tests.support.s3_clients import boto_refusal_code
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Launcher, Server, s3_client

ASKED_EVERY_TIME = "[cache]\nunwrapped_keys = 0\n"


def config_of(directory: Path, store: Server, openbao: OpenBao, moto: MotoKms, *, dialect: str, extra: str) -> Path:
    """Write a configuration: no section kms, `arn:` and `alias/` at moto, everything else at OpenBao."""
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "sseproxy.toml"
    config.touch(mode=0o600)
    config.write_text(
        f"""
        [listen]
        address = "127.0.0.1:0"
        admin_address = "127.0.0.1:0"
        [upstream]
        endpoint = "{store.url}"
        dialect = "{dialect}"
        region = "{REGION}"
        access_key = "{ACCESS_KEY}"
        secret_key = "{SECRET_KEY}"
        [state]
        bucket = "remote-{openbao.address.rpartition(":")[2]}"
        [[clients.credentials]]
        access_key = "{ACCESS_KEY}"
        secret_key = "{SECRET_KEY}"
        [encryption]
        bucket_keys = []
        [remote_kms]
        default = "bao"
        service_key = "service"
        [[remote_kms.routes]]
        keys = "arn:aws:kms:*"
        provider = "moto"
        [[remote_kms.routes]]
        keys = "alias/*"
        provider = "moto"
        [remote_kms.vault.bao]
        address = "{openbao.address}"
        token = "{ROOT_TOKEN}"
        timeout = 20
        [remote_kms.aws.moto]
        region = "{REGION}"
        endpoint = "{moto.address}"
        access_key = "proxy"
        secret_key = "proxy-secret"
        timeout = 20
        {extra}
        """
    )
    return config


@dataclass
class Place:
    """A store with key services of its own, and how proxies are started there."""

    launcher: Launcher
    directory: Path
    store: Server
    openbao: OpenBao
    moto: MotoKms

    def config(self, name: str, *, dialect: str = "s3", extra: str = "") -> Path:
        return config_of(self.directory / name, self.store, self.openbao, self.moto, dialect=dialect, extra=extra)

    def proxy(self, name: str, *, dialect: str = "s3", extra: str = "") -> Server:
        return self.launcher.serve(self.config(name, dialect=dialect, extra=extra), self.directory / name)


@pytest.fixture(scope="module")
def own_bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """An OpenBao that tests here may seal."""
    with running_openbao(tmp_path_factory.mktemp("own-openbao")) as server:
        for name in ("service", "photos", "switched"):
            server.create_key(name)
        yield server


@pytest.fixture(scope="module")
def place(
    launcher: Launcher, store: Server, own_bao: OpenBao, moto_kms: MotoKms, tmp_path_factory: pytest.TempPathFactory
) -> Place:
    return Place(launcher, tmp_path_factory.mktemp("remote"), store, own_bao, moto_kms)


@pytest.fixture(scope="module")
def first(place: Place) -> Server:
    """A proxy that keeps no opened key."""
    return place.proxy("first", extra=ASKED_EVERY_TIME)


@pytest.fixture(scope="module")
def second(place: Place) -> Server:
    """One that keeps them as usual."""
    return place.proxy("second")


@pytest.fixture(scope="module")
def on_oss(place: Place) -> Server:
    return place.proxy("oss", dialect="oss", extra=ASKED_EVERY_TIME)


def oss_bucket(server: Server, name: str) -> Any:
    return oss2.Bucket(oss2.Auth(ACCESS_KEY, SECRET_KEY), server.url, name, is_path_style=True)


def test_every_key_is_where_its_id_leads(first: Server, second: Server, moto_kms: MotoKms, bucket_name: str) -> None:
    arn = moto_kms.client().create_key()["KeyMetadata"]["Arn"]
    moto_kms.client().create_alias(AliasName="alias/led-to-moto", TargetKeyId=arn)
    client = s3_client(first)
    client.create_bucket(Bucket=bucket_name)
    how: dict[str, dict[str, str]] = {
        "aes256": {"ServerSideEncryption": "AES256"},
        "vault": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "photos"},
        "arn": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": arn},
        "alias": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/led-to-moto"},
    }
    for key, headers in how.items():
        client.put_object(Bucket=bucket_name, Key=key, Body=key.encode(), **headers)

    other = s3_client(second)
    answers = {key: other.get_object(Bucket=bucket_name, Key=key) for key in how}

    assert {key: answer["Body"].read().decode() for key, answer in answers.items()} == {key: key for key in how}
    assert {key: answer.get("SSEKMSKeyId") for key, answer in answers.items()} == {
        "aes256": None, "vault": "arn:aws:kms:::key/photos", "arn": arn, "alias": arn,
    }  # fmt: skip


def test_a_key_that_is_not_there_is_told_in_both_dialects(first: Server, on_oss: Server, bucket_name: str) -> None:
    client = s3_client(first)
    client.create_bucket(Bucket=bucket_name)
    put = {"Bucket": bucket_name, "Key": "k", "Body": b"x", "ServerSideEncryption": "aws:kms"}

    assert boto_refusal_code(client.put_object, **put, SSEKMSKeyId="nobody") == (400, "KMS.NotFoundException")
    assert boto_refusal_code(client.put_object, **put, SSEKMSKeyId="alias/nobody") == (400, "KMS.NotFoundException")
    with pytest.raises(oss2.exceptions.OssError) as caught:
        oss_bucket(on_oss, bucket_name).put_object("k", b"x", headers=_oss_kms("nobody"))
    assert (caught.value.status, caught.value.code) == (404, "KeyNotFound")


def _oss_kms(key_id: str) -> dict[str, str]:
    return {"x-oss-server-side-encryption": "KMS", "x-oss-server-side-encryption-key-id": key_id}


def test_a_key_that_was_switched_off_stops_reads_and_writes_in_both_dialects(
    first: Server, on_oss: Server, own_bao: OpenBao, bucket_name: str
) -> None:
    client, bucket = s3_client(first), oss_bucket(on_oss, bucket_name)
    client.create_bucket(Bucket=bucket_name)
    put = {"Bucket": bucket_name, "Body": b"x", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "switched"}
    client.put_object(**put, Key="s3")
    bucket.put_object("oss", b"x", headers=_oss_kms("switched"))

    own_bao.ask("DELETE", "transit/keys/switched/soft-delete")
    try:
        assert boto_refusal_code(client.get_object, Bucket=bucket_name, Key="s3") == (400, "KMS.DisabledException")
        assert boto_refusal_code(client.put_object, **put, Key="s3") == (400, "KMS.DisabledException")
        calls: tuple[Callable[[], Any], ...] = (
            lambda: bucket.get_object("oss"),
            lambda: bucket.put_object("oss", b"y", headers=_oss_kms("switched")),
        )
        for call in calls:
            with pytest.raises(oss2.exceptions.OssError) as caught:
                call()
            assert (caught.value.status, caught.value.code) == (409, "KeyDisabled")
    finally:
        own_bao.ask("POST", "transit/keys/switched/soft-delete-restore")

    assert client.get_object(Bucket=bucket_name, Key="s3")["Body"].read() == b"x"
    assert bucket.get_object("oss").read() == b"x"


def test_while_the_kms_is_away_kept_keys_go_on_and_everything_else_is_503_in_both_dialects(
    first: Server, second: Server, on_oss: Server, own_bao: OpenBao, bucket_name: str
) -> None:
    client = s3_client(second)
    client.create_bucket(Bucket=bucket_name)
    kms = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "photos"}
    client.put_object(Bucket=bucket_name, Key="kept", Body=b"kept", **kms)
    s3_client(first).put_object(Bucket=bucket_name, Key="unseen", Body=b"unseen", **kms)
    bucket = oss_bucket(on_oss, bucket_name)
    bucket.put_object("oss", b"x", headers=_oss_kms("photos"))

    with own_bao.sealed():
        assert client.get_object(Bucket=bucket_name, Key="kept")["Body"].read() == b"kept"
        target = f"/{bucket_name}/unseen"
        read = exchange(second, "GET", target, sign(second, "GET", target))
        with pytest.raises(oss2.exceptions.OssError) as caught:
            bucket.get_object("oss")
        wrote = boto_refusal_code(client.put_object, Bucket=bucket_name, Key="new", Body=b"x", **kms)
        # Nothing falls back to another key: AES256 has its key there as well.
        fell_back = boto_refusal_code(client.put_object, Bucket=bucket_name, Key="new", Body=b"x")

    assert (read.status, read.text("Code"), read.headers["retry-after"]) == (503, "ServiceUnavailable", "1")
    assert (caught.value.status, caught.value.code) == (503, "ServiceUnavailable")
    assert caught.value.headers["Retry-After"] == "1"
    assert wrote == fell_back == (503, "ServiceUnavailable")
    assert boto_refusal_code(client.head_object, Bucket=bucket_name, Key="new")[0] == 404


def test_check_asks_the_key_services_and_a_start_without_them_fails(place: Place, own_bao: OpenBao) -> None:
    config = place.config("checked")
    half = replace(place, moto=MotoKms("http://127.0.0.1:9")).config("half")  # nobody listens there

    def run(command: str, config: Path = config) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "sseproxy", command, "--config", str(config)],
            capture_output=True,
            timeout=60,
            check=False,
        )
        return done.returncode, (done.stdout + done.stderr).decode()

    code, said = run("check")
    assert (code, "remote_kms bao: answers" in said, "remote_kms moto: answers" in said) == (0, True, True), said
    code, said = run("check", half)
    assert (code, "keys: answers" in said, "remote_kms moto: the key service moto cannot be reached" in said) == (
        1, True, True,
    ), said  # fmt: skip
    with own_bao.sealed():
        code, said = run("check")
        assert (code, "the key service bao answered 503" in said) == (1, True), said
        code, said = run("serve")
        assert (code, "the key service bao answered 503" in said) == (1, True), said
