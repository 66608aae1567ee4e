"""Promise: a bucket is found in the path, in front of a domain and behind a host of its own, however it is signed.

Names are resolved by the test: every host of this file is the loopback address.
"""

import socket
from typing import Any
from urllib.parse import urlsplit

import alibabacloud_oss_v2 as oss_v2
import boto3
import oss2
import pytest
import requests
from botocore.config import Config

from tests.support.raw_http import head_bytes, send_raw, sign, sign_oss
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Launcher, Server, own_state

_DOMAIN = "store.test"
_CNAMED = "cnamed"
_CNAME = "files.test"
_KEY = "dir/a b+é&=.txt"
_NAMES = f'domains = ["{_DOMAIN}", "eu.{_DOMAIN}"]\nhosts = {{ "{_CNAME}" = "{_CNAMED}" }}\n'


@pytest.fixture(autouse=True)
def every_name_is_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def here(host: Any, *arguments: Any, **named: Any) -> Any:
        return real("127.0.0.1" if str(host).endswith(".test") else host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", here)


@pytest.fixture(scope="module")
def s3_proxy(launcher: Launcher, store: Server) -> Server:
    return launcher.proxy(store, listen=_NAMES, extra=own_state("s3-addressing"))


@pytest.fixture(scope="module")
def oss_proxy(launcher: Launcher, store: Server) -> Server:
    return launcher.proxy(store, dialect="oss", listen=_NAMES, extra=own_state("oss-addressing"))


def _at(server: Server, host: str) -> str:
    return f"http://{host}:{server.port}"


def _boto3(server: Server, style: str, version: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=_at(server, _DOMAIN),
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(signature_version=version, s3={"addressing_style": style}, retries={"max_attempts": 1}),
    )


@pytest.mark.parametrize("style", ["virtual", "path"])
@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_boto3_finds_its_bucket(s3_proxy: Server, bucket_name: str, style: str, version: str) -> None:
    client = _boto3(s3_proxy, style, version)
    client.create_bucket(Bucket=bucket_name)

    client.put_object(Bucket=bucket_name, Key=_KEY, Body=b"plain")
    client.copy_object(Bucket=bucket_name, Key="copy", CopySource={"Bucket": bucket_name, "Key": _KEY})
    url = client.generate_presigned_url("get_object", Params={"Bucket": bucket_name, "Key": _KEY})
    listed = client.list_objects_v2(Bucket=bucket_name)

    assert urlsplit(url).hostname == (f"{bucket_name}.{_DOMAIN}" if style == "virtual" else _DOMAIN)
    assert client.get_object(Bucket=bucket_name, Key=_KEY)["Body"].read() == b"plain"
    assert requests.get(url, timeout=30).content == b"plain"
    assert [(entry["Key"], entry["Size"]) for entry in listed["Contents"]] == [("copy", 5), (_KEY, 5)]
    assert client.get_bucket_versioning(Bucket=bucket_name)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert bucket_name in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]


def test_a_bucket_that_was_written_in_one_style_is_read_in_the_other(s3_proxy: Server, bucket_name: str) -> None:
    virtual, path = (_boto3(s3_proxy, style, "s3v4") for style in ("virtual", "path"))
    virtual.create_bucket(Bucket=bucket_name)

    virtual.put_object(Bucket=bucket_name, Key=f"{bucket_name}/k", Body=b"plain")  # a key that looks like path style

    assert path.get_object(Bucket=bucket_name, Key=f"{bucket_name}/k")["Body"].read() == b"plain"


@pytest.mark.parametrize("auth", [oss2.Auth, oss2.AuthV2, oss2.AuthV4])
@pytest.mark.parametrize("host", [_DOMAIN, _CNAME, "127.0.0.1"])
def test_oss2_finds_its_bucket(oss_proxy: Server, bucket_name: str, auth: Any, host: str) -> None:
    name = _CNAMED if host == _CNAME else bucket_name
    oss2.Bucket(oss2.AuthV4(ACCESS_KEY, SECRET_KEY), oss_proxy.url, name, region=REGION).create_bucket()
    bucket = oss2.Bucket(
        auth(ACCESS_KEY, SECRET_KEY), _at(oss_proxy, host), name, is_cname=host == _CNAME, region=REGION
    )

    bucket.put_object(_KEY, b"plain")
    bucket.copy_object(name, _KEY, "copy")
    url = bucket.sign_url("GET", _KEY, 60, slash_safe=True)

    assert urlsplit(url).hostname == (f"{name}.{host}" if host == _DOMAIN else host)
    assert bucket.get_object(_KEY).read() == bucket.get_object_with_url(url).read() == b"plain"
    assert [entry.key for entry in oss2.ObjectIteratorV2(bucket)] == ["copy", _KEY]
    assert bucket.get_bucket_info().name == name


@pytest.mark.parametrize("version", ["v1", "v4"])
@pytest.mark.parametrize(
    ("host", "options"),
    [(_DOMAIN, {}), (_DOMAIN, {"use_path_style": True}), (_CNAME, {"use_cname": True}), ("127.0.0.1", {})],
    ids=["virtual", "path", "cname", "address"],
)
def test_the_v2_sdk_finds_its_bucket(
    oss_proxy: Server, bucket_name: str, version: str, host: str, options: dict[str, bool]
) -> None:
    name = _CNAMED if host == _CNAME else bucket_name
    config = oss_v2.config.load_default()
    config.credentials_provider = oss_v2.credentials.StaticCredentialsProvider(ACCESS_KEY, SECRET_KEY)
    config.region, config.endpoint, config.signature_version = REGION, _at(oss_proxy, host), version
    for option, value in options.items():
        setattr(config, option, value)
    client = oss_v2.Client(config)
    client.put_bucket(oss_v2.PutBucketRequest(bucket=name))

    client.put_object(oss_v2.PutObjectRequest(bucket=name, key=_KEY, body=b"plain"))
    url = client.presign(oss_v2.GetObjectRequest(bucket=name, key=_KEY)).url
    listed = client.list_objects_v2(oss_v2.ListObjectsV2Request(bucket=name, prefix="dir/"))

    assert client.get_object(oss_v2.GetObjectRequest(bucket=name, key=_KEY)).body.read() == b"plain"
    assert requests.get(str(url), timeout=30).content == b"plain"
    assert [entry.key for entry in listed.contents or ()] == [_KEY]


def test_a_signature_holds_for_the_bucket_that_the_host_names_alone(oss_proxy: Server, s3_proxy: Server) -> None:
    oss = sign_oss(oss_proxy, "GET", "/cnamed/k")
    s3 = sign(Server(s3_proxy.process, f"one.{_DOMAIN}", s3_proxy.port, s3_proxy.data), "GET", "/k")

    def ask(server: Server, host: str, headers: dict[str, str]) -> tuple[int, str]:
        answer = send_raw(server, head_bytes(server, "GET", "/k", {**headers, "Host": host, "Connection": "close"}))
        return answer.status, answer.text("Code")

    assert ask(oss_proxy, _CNAME, oss) == ask(oss_proxy, f"{_CNAME.upper()}:80", oss) == (404, "NoSuchKey")
    assert ask(oss_proxy, f"other.{_DOMAIN}", oss) == (403, "SignatureDoesNotMatch")
    assert ask(s3_proxy, f"one.{_DOMAIN}:{s3_proxy.port}", s3) == (404, "NoSuchBucket")
    assert ask(s3_proxy, f"two.{_DOMAIN}:{s3_proxy.port}", s3) == (403, "SignatureDoesNotMatch")


def test_the_dev_server_knows_buckets_in_front_of_localhost(dev: Server, bucket_name: str) -> None:
    target, host = "/", f"{bucket_name}.localhost:{dev.port}"
    headers = sign_oss(dev, "PUT", f"/{bucket_name}/")

    made = send_raw(dev, head_bytes(dev, "PUT", target, {**headers, "Host": host, "Content-Length": "0"}))
    there = send_raw(dev, head_bytes(dev, "HEAD", f"/{bucket_name}", sign(dev, "HEAD", f"/{bucket_name}")), "HEAD")

    assert (made.status, there.status) == (200, 200)
