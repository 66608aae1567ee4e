"""Promise: a bucket's default encryption is set, shown and obeyed as OSS does it, by every replica (OSS dossier §2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest
from oss2.models import ServerSideEncryptionRule

from tests.support.kms_swap import create_key, key_ids
from tests.support.oss_clients import oss2_bucket, oss2_refusal, v2_client, v2_refusal
from tests.support.raw_http import signed
from tests.support.servers import Launcher, Server

SSE = "x-oss-server-side-encryption"
KEY_ID = f"{SSE}-key-id"
DATA = "x-oss-server-side-data-encryption"
NONE = (404, "NoSuchServerSideEncryptionRule", "The server side encryption configuration was not found.")
NO_BUCKET = (404, "NoSuchBucket", "The specified bucket does not exist.")


@dataclass(frozen=True)
class Rule:
    """A rule as a client writes it, and as it is read back."""

    algorithm: str
    key_id: str | None = None
    data: str | None = None
    shown_data: str | None = None


RULES: Mapping[str, Rule] = {
    "AES256": Rule("AES256"),
    "SM4": Rule("SM4"),
    "KMS": Rule("KMS"),
    "KMS with an empty key id": Rule("KMS", key_id=""),
    "KMS with a key id": Rule("KMS", key_id="own"),
    "KMS with SM4": Rule("KMS", data="SM4", shown_data="SM4"),
    "KMS with both": Rule("KMS", key_id="own", data="SM4", shown_data="SM4"),
    "AES256 with SM4, which is dropped": Rule("AES256", data="SM4"),
    "SM4 with SM4, which is dropped": Rule("SM4", data="SM4"),
}


@pytest.fixture(scope="module")
def own_key(dev: Server) -> str:
    return create_key(dev.data, alias="alias/oss-rules")


@pytest.fixture(params=RULES)
def rule(request: pytest.FixtureRequest, own_key: str) -> Rule:
    named = RULES[request.param]
    key_id = own_key if named.key_id == "own" else named.key_id
    return Rule(named.algorithm, key_id, named.data, named.shown_data)


@pytest.fixture
def bucket(dev: Server, bucket_name: str) -> Any:
    bucket = oss2_bucket(dev, bucket_name)
    bucket.create_bucket()
    return bucket


@pytest.fixture
def v2(dev: Server) -> Any:
    return v2_client(dev)


def _read(rule: Any) -> tuple[str | None, str | None, str | None]:
    return rule.sse_algorithm, rule.kms_master_keyid or None, rule.kms_data_encryption


def _expected(rule: Rule) -> tuple[str, str | None, str | None]:
    return rule.algorithm, rule.key_id or None, rule.shown_data


def _shown(dev: Server, rule: Rule) -> dict[str, str]:
    """What an object shows that was written under the rule."""
    shown = {SSE: rule.algorithm}
    if rule.algorithm == "KMS":
        shown[KEY_ID] = rule.key_id or key_ids(dev.data)["alias/acs/oss"]
    return shown | ({DATA: "SM4"} if rule.shown_data else {})


# ---- §2.1, §2.2 and §2.4 ----


def test_a_rule_is_shown_everywhere_and_obeyed_until_it_is_deleted(dev: Server, bucket: Any, rule: Rule) -> None:
    bucket.put_bucket_encryption(ServerSideEncryptionRule(rule.algorithm, rule.key_id, rule.data))
    put = bucket.put_object("k", b"x")

    assert _read(bucket.get_bucket_encryption()) == _expected(rule)
    assert _read(bucket.get_bucket_info().bucket_encryption_rule) == _expected(rule)
    assert {name: put.headers[name] for name in (SSE, KEY_ID, DATA) if name in put.headers} == _shown(dev, rule)
    assert bucket.get_object("k").read() == b"x"

    assert bucket.delete_bucket_encryption().status == 204
    assert oss2_refusal(bucket.get_bucket_encryption) == NONE
    assert _read(bucket.get_bucket_info().bucket_encryption_rule) == (None, None, None)
    assert bucket.put_object("l", b"x").headers[SSE] == "AES256"
    assert bucket.head_object("k").headers[SSE] == rule.algorithm


def test_the_v2_sdk_writes_and_reads_rules(v2: Any, bucket: Any, rule: Rule) -> None:
    name = bucket.bucket_name
    applied = oss_v2.ApplyServerSideEncryptionByDefault(
        sse_algorithm=rule.algorithm, kms_master_key_id=rule.key_id, kms_data_encryption=rule.data
    )
    wanted = oss_v2.ServerSideEncryptionRule(apply_server_side_encryption_by_default=applied)

    put = v2.put_bucket_encryption(oss_v2.PutBucketEncryptionRequest(bucket=name, server_side_encryption_rule=wanted))
    got = v2.get_bucket_encryption(oss_v2.GetBucketEncryptionRequest(bucket=name))
    info = v2.get_bucket_info(oss_v2.GetBucketInfoRequest(bucket=name)).bucket_info
    deleted = v2.delete_bucket_encryption(oss_v2.DeleteBucketEncryptionRequest(bucket=name))

    read = got.server_side_encryption_rule.apply_server_side_encryption_by_default
    assert (put.status_code, got.status_code, deleted.status_code) == (200, 200, 204)
    assert (read.sse_algorithm, read.kms_master_key_id, read.kms_data_encryption) == _expected(rule)
    assert (info.sse_rule.sse_algorithm, info.sse_rule.kms_data_encryption) == (rule.algorithm, rule.shown_data)
    assert info.sse_rule.kms_master_key_id == (rule.key_id or None)
    assert info.name == name


def test_a_bucket_without_a_rule_says_so(v2: Any, bucket: Any) -> None:
    with pytest.raises(oss2.exceptions.NoSuchServerSideEncryptionRule):
        bucket.get_bucket_encryption()

    request = oss_v2.GetBucketEncryptionRequest(bucket=bucket.bucket_name)
    assert v2_refusal(v2.get_bucket_encryption, request) == NONE
    info = v2.get_bucket_info(oss_v2.GetBucketInfoRequest(bucket=bucket.bucket_name)).bucket_info
    assert info.sse_rule.sse_algorithm == "None"
    assert bucket.delete_bucket_encryption().status == 204


def test_a_rule_replaces_the_one_before_as_a_whole(bucket: Any, own_key: str) -> None:
    bucket.put_bucket_encryption(ServerSideEncryptionRule("KMS", own_key, "SM4"))
    bucket.put_bucket_encryption(ServerSideEncryptionRule("KMS"))

    assert _read(bucket.get_bucket_encryption()) == ("KMS", None, None)


@pytest.mark.parametrize(
    ("key_id", "code", "message"),
    [
        ("123", "KeyNotFound", "The specified parameter KMS keyId is not found."),
        ("alias/nobody", "AliasNotFound", "The specified alias is not found."),
    ],
)
def test_a_key_id_is_not_looked_at_before_the_first_upload(bucket: Any, key_id: str, code: str, message: str) -> None:
    bucket.put_bucket_encryption(ServerSideEncryptionRule("KMS", key_id))

    assert bucket.get_bucket_encryption().kms_master_keyid == key_id
    assert oss2_refusal(bucket.put_object, "k", b"x") == (404, code, message)
    assert oss2_refusal(bucket.init_multipart_upload, "k") == (404, code, message)
    assert not bucket.object_exists("k")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({SSE: "AES256"}, ("AES256", None, None)),
        ({SSE: "SM4"}, ("SM4", None, None)),
        ({SSE: "KMS"}, ("KMS", None, None)),
        ({SSE: "KMS", KEY_ID: "123"}, ("KMS", "123", None)),
        ({SSE: "KMS", DATA: "SM4"}, ("KMS", None, "SM4")),
        ({"X-OSS-server-side-encrpytion": "AES256"}, ("AES256", None, None)),
    ],
    ids=str,
)
def test_a_bucket_is_created_with_its_rule(
    dev: Server, bucket_name: str, headers: dict[str, str], expected: tuple[str | None, ...]
) -> None:
    bucket = oss2_bucket(dev, bucket_name)
    bucket.create_bucket(headers=headers)

    assert _read(bucket.get_bucket_encryption()) == expected


def test_nonsense_creates_no_bucket(dev: Server, bucket_name: str) -> None:
    bucket = oss2_bucket(dev, bucket_name)

    refusal = oss2_refusal(bucket.create_bucket, headers={SSE: "ROT13"})

    assert refusal[:2] == (400, "InvalidEncryptionAlgorithmError")
    assert oss2_refusal(bucket.get_bucket_info) == NO_BUCKET


def test_a_rule_goes_with_its_bucket(bucket: Any) -> None:
    bucket.put_bucket_encryption(ServerSideEncryptionRule("KMS"))
    bucket.delete_bucket()
    bucket.create_bucket()

    assert oss2_refusal(bucket.get_bucket_encryption) == NONE


# ---- §2.3 ----


def _rule_document(applied: str) -> bytes:
    applied = f"<ApplyServerSideEncryptionByDefault>{applied}</ApplyServerSideEncryptionByDefault>"
    return f"<ServerSideEncryptionRule>{applied}</ServerSideEncryptionRule>".encode()


_MALFORMED = (
    400,
    "MalformedXML",
    "The XML you provided was not well-formed or did not validate against our published schema.",
)
BAD_RULES: Mapping[str, tuple[bytes, tuple[int, str, str]]] = {
    "an unknown algorithm": (
        _rule_document("<SSEAlgorithm>AES512</SSEAlgorithm>"),
        (
            400,
            "InvalidEncryptionAlgorithmError",
            "The Encryption request you specified is not valid. Supported value: AES256/SM4/KMS.",
        ),
    ),
    "a key id with AES256": (
        _rule_document("<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>"),
        (400, "InvalidArgument", "KMSMasterKeyID is not applicable if the default sse algorithm is not KMS"),
    ),
    "a key id with SM4": (
        _rule_document("<KMSMasterKeyID>k</KMSMasterKeyID><SSEAlgorithm>SM4</SSEAlgorithm>"),
        (400, "InvalidArgument", "KMSMasterKeyID is not applicable if the default sse algorithm is not KMS"),
    ),
    "an unknown data cipher": (
        _rule_document("<SSEAlgorithm>KMS</SSEAlgorithm><KMSDataEncryption>AES256</KMSDataEncryption>"),
        (
            400,
            "InvalidDataEncryptionAlgorithmError",
            "The KMS Data Encryption request you specified is not valid. Supported value:SM4",
        ),
    ),
    "no document": (b"", _MALFORMED),
    "no XML": (b"<ServerSideEncryptionRule>", _MALFORMED),
    "another document": (b"<Tagging/>", _MALFORMED),
    "no algorithm": (_rule_document(""), _MALFORMED),
}


@pytest.mark.parametrize("bad", BAD_RULES)
def test_a_bad_rule_is_refused_and_the_old_one_stays(dev: Server, bucket: Any, bad: str) -> None:
    document, refusal = BAD_RULES[bad]
    bucket.put_bucket_encryption(ServerSideEncryptionRule("SM4"))

    answer = signed(dev, "PUT", f"/{bucket.bucket_name}?encryption", {}, document, dialect="oss")

    assert answer.error == refusal
    assert bucket.get_bucket_encryption().sse_algorithm == "SM4"


def test_both_sdks_understand_the_refusals_of_rules(v2: Any, bucket: Any) -> None:
    refusal = BAD_RULES["an unknown algorithm"][1]
    applied = oss_v2.ApplyServerSideEncryptionByDefault(sse_algorithm="AES512")
    wanted = oss_v2.ServerSideEncryptionRule(apply_server_side_encryption_by_default=applied)
    request = oss_v2.PutBucketEncryptionRequest(bucket=bucket.bucket_name, server_side_encryption_rule=wanted)

    assert v2_refusal(v2.put_bucket_encryption, request) == refusal
    with pytest.raises(oss2.exceptions.InvalidArgument):
        bucket._do("PUT", bucket.bucket_name, "", params={"encryption": ""}, data=BAD_RULES["a key id with AES256"][0])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_bucket_that_is_not_there_has_no_rule(dev: Server, method: str) -> None:
    body = _rule_document("<SSEAlgorithm>AES256</SSEAlgorithm>") if method == "PUT" else b""

    answer = signed(dev, method, "/b-nowhere?encryption", {}, body, dialect="oss")

    assert answer.error == NO_BUCKET
    assert answer.text("BucketName") == "b-nowhere"


@pytest.mark.parametrize(
    ("method", "query"), [("GET", "encryption"), ("PUT", "encryption"), ("DELETE", "encryption"), ("GET", "bucketInfo")]
)
def test_the_documents_take_no_encryption_headers(dev: Server, bucket: Any, method: str, query: str) -> None:
    body = _rule_document("<SSEAlgorithm>SM4</SSEAlgorithm>") if method == "PUT" else b""
    answer = signed(dev, method, f"/{bucket.bucket_name}?{query}", {SSE: "AES256"}, body, dialect="oss")

    assert oss2_refusal(bucket.get_bucket_encryption) == NONE
    assert answer.error == (400, "InvalidArgument", f"{SSE} header is not supported for this operation.")


# ---- replicas ----


@pytest.fixture(scope="module")
def behind(launcher: Launcher) -> Server:
    """The store behind the replicas."""
    return launcher.store()


@pytest.fixture(scope="module")
def replicas(launcher: Launcher, behind: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[Server, Server]:
    """Two proxies on one store: the second one looks for changed rules all the time, and hears no misspelling."""
    keys = tmp_path_factory.mktemp("replicas")
    one = launcher.proxy(behind, keys, dialect="oss", extra="[encryption]\nbucket_settings_lifetime = 3600\n")
    other = launcher.proxy(
        behind,
        keys,
        dialect="oss",
        extra="[encryption]\nbucket_settings_lifetime = 0.001\nmisspelled_headers = false\n",
    )
    return one, other


def test_a_rule_is_seen_by_every_replica_when_its_time_is_over(replicas: tuple[Server, Server]) -> None:
    one, other = (oss2_bucket(server, "b-replicas") for server in replicas)
    one.create_bucket()
    assert other.put_object("before", b"x").headers[SSE] == "AES256"

    one.put_bucket_encryption(ServerSideEncryptionRule("KMS", None, "SM4"))

    assert one.put_object("k", b"x").headers[DATA] == "SM4"
    assert other.put_object("l", b"x").headers[DATA] == "SM4"
    assert _read(other.get_bucket_encryption()) == ("KMS", None, "SM4")
    assert _read(other.get_bucket_info().bucket_encryption_rule) == ("KMS", None, "SM4")
    assert other.get_object("k").read() == one.get_object("l").read() == b"x"


def test_a_replica_that_remembers_shows_a_changed_rule_but_writes_by_the_old_one(
    replicas: tuple[Server, Server],
) -> None:
    one, other = (oss2_bucket(server, "b-remembers") for server in replicas)
    one.create_bucket()
    one.put_object("before", b"x")

    other.put_bucket_encryption(ServerSideEncryptionRule("SM4"))
    early = one.put_object("k", b"x")

    assert early.headers[SSE] == "AES256"
    assert one.get_bucket_encryption().sse_algorithm == "SM4"
    assert one.put_object("k", b"x").headers[SSE] == "SM4"  # it has looked now


def test_the_misspelling_can_be_switched_off_and_is_still_never_rejected(replicas: tuple[Server, Server]) -> None:
    hears, overlooks = (oss2_bucket(server, "b-misspelled") for server in replicas)
    hears.create_bucket()
    misspelled = {"X-OSS-server-side-encrpytion": "KMS"}

    assert hears.put_object("k", b"x", headers=misspelled).headers[SSE] == "KMS"
    assert overlooks.put_object("k", b"x", headers=misspelled).headers[SSE] == "AES256"
    assert overlooks.get_object("k", headers=misspelled).read() == b"x"


def test_rules_are_kept_in_the_state_bucket_and_never_sent_to_the_storage(
    behind: Server, replicas: tuple[Server, Server]
) -> None:
    bucket = oss2_bucket(replicas[0], "b-state")
    bucket.create_bucket()
    bucket.put_bucket_encryption(ServerSideEncryptionRule("KMS"))

    kept = oss2_bucket(behind, "sseproxy-state").list_objects(prefix="buckets/b-state/").object_list

    assert [entry.key for entry in kept] == ["buckets/b-state/encryption", "buckets/b-state/state"]
    assert _read(oss2_bucket(behind, "b-state").get_bucket_info().bucket_encryption_rule) == (None, None, None)
