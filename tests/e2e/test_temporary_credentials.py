"""Promise: temporary credentials are good with exactly their token, until their end, in every form of both protocols."""

import base64
import hmac
import json
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import boto3
import oss2
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.oss_clients import oss2_refusal, v2_refusal
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Launcher, Server, own_state, s3_client

_LIVE, _ENDED, _SECRET = "STS.live", "STS.ended", "temporary-secret"
_TOKEN = "CAIS/token+with=odd&signs"
_BUCKET = "temporary"
_CLIENTS = "".join(
    f'[[clients.credentials]]\naccess_key = "{name}"\nsecret_key = "{_SECRET}"\nsecurity_token = "{_TOKEN}"\n{end}'
    for name, end in ((_LIVE, "expires = 2999-01-01T00:00:00Z\n"), (_ENDED, "expires = 2020-01-01T00:00:00+08:00\n"))
)
_NO_KEY = {
    "s3": (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
    "oss": (403, "InvalidAccessKeyId", "The OSS Access Key Id you provided does not exist in our records."),
}
_INVALID = {
    "s3": (400, "InvalidToken", "The provided token is malformed or otherwise invalid."),
    "oss": (403, "InvalidSecurityToken", "The security token you provided is invalid."),
}
_EXPIRED = {
    "s3": (400, "ExpiredToken", "The provided token has expired."),
    "oss": (403, "SecurityTokenExpired", "The security token you provided has expired."),
}
_WRONG = [
    (_LIVE, _SECRET, None, _NO_KEY),
    (_LIVE, _SECRET, _TOKEN[:-1], _INVALID),
    (ACCESS_KEY, SECRET_KEY, _TOKEN, _INVALID),
    (_ENDED, _SECRET, _TOKEN, _EXPIRED),
]
_IDS = ["no token", "another token", "a token without need", "after its end"]


@pytest.fixture(scope="module")
def s3_proxy(launcher: Launcher, store: Server) -> Server:
    proxy = launcher.proxy(store, extra=_CLIENTS + own_state("s3-temporary"))
    s3_client(proxy).create_bucket(Bucket=_BUCKET)
    return proxy


@pytest.fixture(scope="module")
def oss_proxy(launcher: Launcher, store: Server) -> Server:
    proxy = launcher.proxy(store, dialect="oss", extra=_CLIENTS + own_state("oss-temporary"))
    oss2.Bucket(oss2.Auth(ACCESS_KEY, SECRET_KEY), proxy.url, f"{_BUCKET}-oss").create_bucket()
    return proxy


def _boto3(server: Server, version: str, access_key: str, secret: str, token: str | None) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name=REGION,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(signature_version=version, s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )


def _v2(server: Server, version: str, access_key: str, secret: str, token: str | None) -> Any:
    config = oss_v2.config.load_default()
    config.credentials_provider = oss_v2.credentials.StaticCredentialsProvider(access_key, secret, token)
    config.region, config.endpoint, config.signature_version = REGION, server.url, version
    config.retry_max_attempts = 1
    return oss_v2.Client(config)


def _oss2(server: Server, version: str, access_key: str, secret: str, token: str) -> Any:
    auth = oss2.StsAuth(access_key, secret, token, auth_version=version)
    return oss2.Bucket(auth, server.url, f"{_BUCKET}-oss", region=REGION)


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_boto3_works_with_a_session_token(s3_proxy: Server, version: str) -> None:
    client = _boto3(s3_proxy, version, _LIVE, _SECRET, _TOKEN)

    client.put_object(Bucket=_BUCKET, Key=version, Body=b"plain")
    url = client.generate_presigned_url("get_object", Params={"Bucket": _BUCKET, "Key": version})

    assert client.get_object(Bucket=_BUCKET, Key=version)["Body"].read() == b"plain"
    assert requests.get(url, timeout=30).content == b"plain"
    assert requests.get(url.replace("odd", "add"), timeout=30).status_code in {400, 403}


@pytest.mark.parametrize("version", ["s3v4", "s3"])
@pytest.mark.parametrize(("access_key", "secret", "token", "error"), _WRONG, ids=_IDS)
def test_boto3_is_told_what_is_wrong_with_a_token(
    s3_proxy: Server, version: str, access_key: str, secret: str, token: str | None, error: dict[str, Any]
) -> None:
    client = _boto3(s3_proxy, version, access_key, secret, token)

    with pytest.raises(ClientError) as refused:
        client.list_objects_v2(Bucket=_BUCKET)
    answer = requests.get(client.generate_presigned_url("list_objects_v2", Params={"Bucket": _BUCKET}), timeout=30)

    told = refused.value.response
    assert (told["ResponseMetadata"]["HTTPStatusCode"], *told["Error"].values())[:3] == error["s3"]
    assert (answer.status_code, f"<Code>{error['s3'][1]}</Code>" in answer.text) == (error["s3"][0], True)


@pytest.mark.parametrize("version", [oss2.AUTH_VERSION_1, oss2.AUTH_VERSION_2, oss2.AUTH_VERSION_4])
def test_oss2_works_with_a_security_token(oss_proxy: Server, version: str) -> None:
    bucket = _oss2(oss_proxy, version, _LIVE, _SECRET, _TOKEN)

    bucket.put_object(version, b"plain")
    url = bucket.sign_url("GET", version, 60)

    assert bucket.get_object(version).read() == bucket.get_object_with_url(url).read() == b"plain"


@pytest.mark.parametrize("version", [oss2.AUTH_VERSION_1, oss2.AUTH_VERSION_2, oss2.AUTH_VERSION_4])
@pytest.mark.parametrize(("access_key", "secret", "token", "error"), _WRONG[1:], ids=_IDS[1:])
def test_oss2_is_told_what_is_wrong_with_a_token(
    oss_proxy: Server, version: str, access_key: str, secret: str, token: str, error: dict[str, Any]
) -> None:
    bucket = _oss2(oss_proxy, version, access_key, secret, token)

    assert oss2_refusal(bucket.put_object, "k", b"x") == error["oss"]
    assert oss2_refusal(bucket.get_object_with_url, bucket.sign_url("GET", "k", 60)) == error["oss"]


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_the_v2_sdk_works_with_a_security_token(oss_proxy: Server, version: str) -> None:
    client, name = _v2(oss_proxy, version, _LIVE, _SECRET, _TOKEN), f"{_BUCKET}-oss"

    client.put_object(oss_v2.PutObjectRequest(bucket=name, key=version, body=b"plain"))
    url = client.presign(oss_v2.GetObjectRequest(bucket=name, key=version)).url

    assert client.get_object(oss_v2.GetObjectRequest(bucket=name, key=version)).body.read() == b"plain"
    assert requests.get(str(url), timeout=30).content == b"plain"


@pytest.mark.parametrize("version", ["v1", "v4"])
@pytest.mark.parametrize(("access_key", "secret", "token", "error"), _WRONG, ids=_IDS)
def test_the_v2_sdk_is_told_what_is_wrong_with_a_token(
    oss_proxy: Server, version: str, access_key: str, secret: str, token: str | None, error: dict[str, Any]
) -> None:
    client = _v2(oss_proxy, version, access_key, secret, token)
    request = oss_v2.ListObjectsV2Request(bucket=f"{_BUCKET}-oss")

    assert v2_refusal(client.list_objects_v2, request) == error["oss"]


@pytest.mark.parametrize(("token", "status"), [(_TOKEN, 204), ("other", 403), (None, 403)])
def test_a_form_brings_its_token_in_a_field(oss_proxy: Server, token: str | None, status: int) -> None:
    policy = base64.b64encode(
        json.dumps(
            {
                "expiration": "2999-01-01T00:00:00.000Z",
                "conditions": [["starts-with", "$key", ""], ["starts-with", "$x-oss-security-token", ""]],
            }
        ).encode()
    )
    signature = base64.b64encode(hmac.digest(_SECRET.encode(), policy, "sha1"))
    fields = {"key": "form", "OSSAccessKeyId": _LIVE, "policy": policy, "Signature": signature}
    tokens = {} if token is None else {"x-oss-security-token": token}

    answer = requests.post(
        f"{oss_proxy.url}/{_BUCKET}-oss", data={**fields, **tokens}, files={"file": b"plain"}, timeout=30
    )

    assert answer.status_code == status


def test_no_token_is_in_any_log(s3_proxy: Server, oss_proxy: Server) -> None:
    refused = requests.get(f"{oss_proxy.url}/{_BUCKET}-oss/k?security-token=shown%2Fnowhere", timeout=30)

    assert refused.status_code == 403
    for text in (s3_proxy.output(), oss_proxy.output(), refused.text):
        assert "CAIS" not in text
        assert "nowhere" not in text
