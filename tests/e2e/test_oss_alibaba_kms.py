"""Promise: with its CMKs in Alibaba Cloud KMS the proxy is to OSS clients what the service is (OSS dossier §7, §1.5)."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest

from tests.support.alibaba_kms import ACCESS_KEY, SECRET_KEY, FakeAlibabaKms, Key, Refused, running
from tests.support.oss_clients import created_bucket, oss2_refusal, v2_client, v2_refusal
from tests.support.servers import Launcher, Server

_BUCKET = "in-alibaba-kms"
_SSE = "x-oss-server-side-encryption"
_SERVICE, _OWN, _OTHER = (str(uuid4()) for _ in range(3))
_STATE = "The request was rejected because the key state is {}."
_TYPED = {
    "Disabled": (409, "KeyDisabled", _STATE.format("Disabled")),
    "PendingDeletion": (409, "KeyPendingDeletion", _STATE.format("PendingDeletion")),
    "PendingImport": (409, "KeyPendingImport", _STATE.format("PendingImport")),
}


@pytest.fixture(scope="module")
def kms() -> FakeAlibabaKms:
    keys = {_SERVICE: Key(), _OWN: Key(), _OTHER: Key()}
    return FakeAlibabaKms(keys=keys, aliases={"alias/own": _OWN, "alias/service": _SERVICE})


@pytest.fixture(scope="module")
def proxy(launcher: Launcher, kms: FakeAlibabaKms) -> Iterator[Server]:
    """A proxy that asks KMS for every object, and keeps nothing of what it opened."""
    with running(kms) as url:
        yield launcher.proxy(
            launcher.store(),
            dialect="oss",
            extra=f'[encryption]\ndefault_key_id = "alias/own"\nbucket_keys = []\n[cache]\nunwrapped_keys = 0\n'
            f'[remote_kms]\ndefault = "cloud"\nservice_key = "alias/service"\n'
            f'[remote_kms.alibaba.cloud]\nregion = "cn-hangzhou"\nendpoint = "{url}"\nattempts = 1\n'
            f'access_key = "{ACCESS_KEY}"\nsecret_key = "{SECRET_KEY}"\ntimeout = 20\n',
        )


@pytest.fixture(scope="module")
def bucket(proxy: Server) -> Iterator[Any]:
    with created_bucket(proxy, _BUCKET) as bucket:
        yield bucket


@pytest.fixture
def refusing(kms: FakeAlibabaKms) -> Iterator[FakeAlibabaKms]:
    yield kms
    kms.refusal = None
    for key in kms.keys.values():
        key.state = "Enabled"


def _headers(algorithm: str, key_id: str | None = None) -> dict[str, str]:
    return {_SSE: algorithm, **({} if key_id is None else {f"{_SSE}-key-id": key_id})}


def _shown(answer: Any) -> tuple[str | None, str | None]:
    return answer.headers.get(_SSE), answer.headers.get(f"{_SSE}-key-id")


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (("AES256", None), ("AES256", None)),
        (("KMS", None), ("KMS", _OWN)),
        (("KMS", "alias/own"), ("KMS", _OWN)),
        (("KMS", _OTHER), ("KMS", _OTHER)),
        (("SM4", None), ("SM4", None)),
    ],
)
def test_an_object_shows_its_cmk_by_its_id(bucket: Any, asked: tuple[str, str | None], shown: tuple[str, str]) -> None:
    answer = bucket.put_object("k", b"hello", headers=_headers(*asked))
    got = bucket.get_object("k")

    assert _shown(answer) == _shown(got) == _shown(bucket.head_object("k")) == shown
    assert got.read() == b"hello"


def test_the_proxy_needs_no_more_permissions_than_the_documents_name(bucket: Any, kms: FakeAlibabaKms) -> None:
    kms.asked.clear()
    bucket.put_object("walk", b"hello", headers=_headers("KMS", _OWN))
    bucket.copy_object(_BUCKET, "walk", "copied", headers=_headers("KMS", _OTHER))
    bucket.update_object_meta("walk", _headers("KMS", _OTHER))
    upload = bucket.init_multipart_upload("parts", headers=_headers("KMS", _OWN)).upload_id
    part = oss2.models.PartInfo(1, bucket.upload_part("parts", upload, 1, b"part").etag)
    bucket.complete_multipart_upload("parts", upload, [part])
    bucket.append_object("appended", 0, b"one", headers=_headers("KMS", _OWN))
    bucket.append_object("appended", 3, b"two")

    bodies = [bucket.get_object(key).read() for key in ("walk", "copied", "parts", "appended")]

    assert bodies == [b"hello", b"hello", b"part", b"onetwo"]
    asked = {one["Action"] for one in kms.asked}
    assert (
        {"GenerateDataKey", "Encrypt", "Decrypt"} <= asked <= {"GenerateDataKey", "Encrypt", "Decrypt", "DescribeKey"}
    )


@pytest.mark.parametrize("state", _TYPED)
def test_a_cmk_that_is_not_enabled_neither_seals_nor_opens(
    proxy: Server, bucket: Any, refusing: FakeAlibabaKms, state: str
) -> None:
    bucket.put_object("state", b"hello", headers=_headers("KMS", _OTHER))
    refusing.keys[_OTHER].state = state

    assert oss2_refusal(bucket.get_object, "state") == _TYPED[state]
    assert oss2_refusal(bucket.head_object, "state") == _TYPED[state]
    assert oss2_refusal(bucket.put_object, "other", b"x", headers=_headers("KMS", _OTHER)) == _TYPED[state]
    request = oss_v2.GetObjectRequest(bucket=_BUCKET, key="state")
    assert v2_refusal(v2_client(proxy).get_object, request) == _TYPED[state]
    bucket.put_object("unconcerned", b"x", headers=_headers("KMS", _OWN))


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (Refused(403, "Forbidden.NoPermission"), (403, "AccessDenied", "This request is forbidden by kms.")),
        (
            Refused(403, "Forbidden.KmsServiceNotEnabled"),
            (403, "KmsServiceNotEnabled", "This user does not turn on KMS service."),
        ),
        (Refused(403, "Forbidden.InDebt"), (403, "KmsInDebt", "The key service's account is in debt.")),
        (
            Refused(403, "Forbidden.InDebtOverdue"),
            (403, "KmsInDebtOverdue", "The key service's account is in debt for too long."),
        ),
        (
            Refused(400, "InvalidParameter"),
            (400, "InvalidParameter", "The specified parameter KMS keyId is not valid."),
        ),
        (
            Refused(400, "Throttling"),
            (503, "ServiceUnavailable", "Please reduce your request rate for operations involving the key service."),
        ),
    ],
    ids=lambda value: value.code if isinstance(value, Refused) else "",
)
def test_what_kms_refuses_both_sdks_understand(
    proxy: Server, bucket: Any, refusing: FakeAlibabaKms, refusal: Refused, told: tuple[int, str, str]
) -> None:
    refusing.refusal = refusal

    assert oss2_refusal(bucket.put_object, "refused", b"x", headers=_headers("KMS", _OWN)) == told
    request = oss_v2.PutObjectRequest(bucket=_BUCKET, key="refused", body=b"x", server_side_encryption="KMS")
    assert v2_refusal(v2_client(proxy).put_object, request) == told


@pytest.mark.parametrize(
    ("key_id", "told"),
    [
        ("nobody", (404, "KeyNotFound", "The specified parameter KMS keyId is not found.")),
        ("alias/nobody", (404, "AliasNotFound", "The specified alias is not found.")),
    ],
)
def test_a_cmk_that_is_not_there_is_not_found(bucket: Any, key_id: str, told: tuple[int, str, str]) -> None:
    assert oss2_refusal(bucket.put_object, "nowhere", b"x", headers=_headers("KMS", key_id)) == told
    assert not bucket.object_exists("nowhere")
