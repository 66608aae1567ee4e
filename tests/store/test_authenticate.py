"""Who may come in, and what the others are told."""

import base64
import hashlib
import hmac
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import boto3
import oss2
import pytest
from botocore.config import Config

from tests.store.wire import EMPTY, Wire
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Server


def test_a_request_without_signature_is_refused_in_s3_words(wire: Wire) -> None:
    answer = wire.send("GET", "/", {})

    assert answer.outcome == (403, "AccessDenied")
    assert {"x-amz-request-id", "x-amz-id-2", "date"} <= answer.headers.keys()


def test_a_wrong_secret_is_refused(wire: Wire) -> None:
    assert wire.s3("GET", "/", secret="other").outcome == (403, "SignatureDoesNotMatch")
    assert wire.oss("GET", "/", secret="other").outcome == (403, "SignatureDoesNotMatch")


def test_an_unknown_access_key_is_named_back(wire: Wire) -> None:
    s3, oss = wire.s3("GET", "/", access_key="nobody"), wire.oss("GET", "/", access_key="nobody")

    assert s3.outcome == oss.outcome == (403, "InvalidAccessKeyId")
    assert s3.text("AWSAccessKeyId") == oss.text("OSSAccessKeyId") == "nobody"


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_clock_off_by_more_than_15_minutes_is_refused(wire: Wire, minutes: int) -> None:
    off = timedelta(minutes=minutes)

    s3, oss = wire.s3("GET", "/", now=datetime.now(UTC) + off), wire.oss("GET", "/", skew=off)

    assert s3.outcome == oss.outcome == (403, "RequestTimeTooSkewed")
    assert s3.text("MaxAllowedSkewMilliseconds") == "900000"


@pytest.mark.parametrize("minutes", [-14, 14])
def test_a_clock_off_by_less_is_fine(wire: Wire, minutes: int) -> None:
    off = timedelta(minutes=minutes)

    assert wire.s3("GET", "/", now=datetime.now(UTC) + off).status == 200
    assert wire.oss("GET", "/", skew=off).status == 200


def test_another_region_is_refused_and_the_right_one_named(wire: Wire) -> None:
    answer = wire.s3("GET", "/", region="eu-west-1")

    assert answer.outcome == (400, "AuthorizationHeaderMalformed")
    assert answer.text("Region") == REGION


def test_an_unsigned_amz_header_is_refused(wire: Wire, bucket: str) -> None:
    answer = wire.s3("PUT", f"/{bucket}/k", b"x", {"x-amz-meta-a": "1"}, unsigned=["x-amz-meta-a"])

    assert answer.outcome == (403, "AccessDenied")
    assert wire.s3("GET", f"/{bucket}/k").status == 404


def test_a_changed_query_breaks_the_signature(wire: Wire, bucket: str) -> None:
    signed = wire.sign_s3("GET", f"/{bucket}?prefix=a", {}, EMPTY)

    assert wire.send("GET", f"/{bucket}?prefix=b", signed.headers).outcome == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize(
    ("sha256", "outcome"),
    [
        (None, (400, "InvalidRequest")),
        ("nonsense", (400, "InvalidArgument")),
        ("STREAMING-AWS4-HMAC-SHA512-PAYLOAD", (400, "InvalidArgument")),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", (501, "NotImplemented")),
        (EMPTY, (400, "XAmzContentSHA256Mismatch")),
        (hashlib.sha256(b"body").hexdigest(), (200, "")),
    ],
)
def test_the_payload_hash_decides_over_the_body(
    wire: Wire, bucket: str, sha256: str | None, outcome: tuple[int, str]
) -> None:
    answer = wire.s3("PUT", f"/{bucket}/k", b"body", sha256=sha256)

    assert answer.outcome == outcome
    assert wire.s3("HEAD", f"/{bucket}/k").status == (200 if outcome[0] == 200 else 404)


def test_the_payload_hash_is_checked_where_there_is_no_body(wire: Wire) -> None:
    assert wire.s3("GET", "/", sha256=hashlib.sha256(b"x").hexdigest()).code == "XAmzContentSHA256Mismatch"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_streamed_form_is_refused_where_no_object_is_sent(wire: Wire, bucket: str, method: str) -> None:
    target = f"/{bucket}?delete" if method == "POST" else f"/{bucket}"

    answer = wire.s3(method, target, sha256="STREAMING-UNSIGNED-PAYLOAD-TRAILER")

    assert answer.outcome == (400, "InvalidRequest")


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_presigned_urls_of_boto3_work(store: Server, bucket: str, version: str) -> None:
    client = boto3.client(
        "s3", endpoint_url=store.url, region_name=REGION, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
        config=Config(signature_version=version, s3={"addressing_style": "path"}),
    )  # fmt: skip
    where = {"Bucket": bucket, "Key": "a b/ü"}

    put = urllib.request.Request(client.generate_presigned_url("put_object", where), data=b"body", method="PUT")
    put.add_header("Content-Type", "")
    urllib.request.urlopen(put).close()

    with urllib.request.urlopen(client.generate_presigned_url("get_object", where)) as answer:
        assert answer.read() == b"body"


def test_a_presigned_url_is_over_after_its_time(wire: Wire, bucket: str) -> None:
    then = int(datetime.now(UTC).timestamp()) - 1
    text = f"GET\n\n\n{then}\n/{bucket}/k"
    query = {
        "s3": "AWSAccessKeyId={}&Expires={}&Signature={}",
        "oss": "OSSAccessKeyId={}&Expires={}&Signature={}",
    }
    signature = base64.b64encode(hmac.digest(SECRET_KEY.encode(), text.encode(), "sha1")).decode()
    signature = urllib.parse.quote(signature, safe="")

    for form in query.values():
        answer = wire.send("GET", f"/{bucket}/k?{form.format(ACCESS_KEY, then, signature)}", {})
        assert answer.outcome == (403, "AccessDenied")


def test_signature_version_2_of_s3_works(wire: Wire, bucket: str) -> None:
    date = format_datetime(datetime.now(UTC), usegmt=True)
    signature = base64.b64encode(hmac.digest(SECRET_KEY.encode(), f"GET\n\n\n{date}\n/{bucket}/".encode(), "sha1"))

    def list_with(secret: str) -> int:
        headers = {"Date": date, "Authorization": f"AWS {ACCESS_KEY}:{secret}"}
        return wire.send("GET", f"/{bucket}/", headers).status

    assert list_with(signature.decode()) == 200
    assert list_with("AAAA" + signature.decode()[4:]) == 403


@pytest.mark.parametrize("kind", [oss2.Auth, oss2.AuthV2, oss2.AuthV4])
def test_all_signatures_of_oss2_work_in_header_and_url(store: Server, bucket: str, kind: Any) -> None:
    client = oss2.Bucket(kind(ACCESS_KEY, SECRET_KEY), store.url, bucket, region=REGION)

    client.put_object("a b/+ü", b"body", headers={"x-oss-meta-a": "1"})

    assert client.get_object("a b/+ü").read() == b"body"
    with urllib.request.urlopen(client.sign_url("GET", "a b/+ü", 60)) as answer:
        assert answer.read() == b"body"
    stranger = oss2.Bucket(kind(ACCESS_KEY, "other"), store.url, bucket, region=REGION)
    with pytest.raises(oss2.exceptions.SignatureDoesNotMatch):
        stranger.get_object("a b/+ü")


def test_presigned_urls_of_the_second_oss_sdk_work(v2: oss_v2.Client, bucket: str) -> None:
    v2.put_object(oss_v2.PutObjectRequest(bucket=bucket, key="k", body=b"body"))

    url = v2.presign(oss_v2.GetObjectRequest(bucket=bucket, key="k")).url

    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"body"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url.replace("x-oss-expires=900", "x-oss-expires=901"))
    with refused.value:
        assert refused.value.code == 403


def test_a_bucket_in_the_host_name_is_the_bucket(wire: Wire, bucket: str) -> None:
    host = {"Host": f"{bucket}.localhost:{wire.host.rpartition(':')[2]}"}

    assert wire.s3("PUT", "/k", b"body", host).status == 200
    assert wire.s3("GET", f"/{bucket}/k").body == b"body"
