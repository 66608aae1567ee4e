"""Promise: who used which key is in the audit log, and no secret is in any log, however talkative."""

import base64
import hashlib
import json
import os
import re
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from sseproxy.format import decode_envelope
from sseproxy.store.locate import locate_object
from tests.support.kms_swap import key_ids, set_state
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Launcher, Server, own_state, s3_client, whole_lines

_KMS: dict[str, Any] = {"ServerSideEncryption": "aws:kms"}
_BODY = b"what nobody may find in a log: " + os.urandom(16).hex().encode()


def _audited(launcher: Launcher, store: Server, directory: Path, certificates: tuple[Path, Path, Path]) -> Server:
    extra = f'[audit]\npath = "{directory / "audit.log"}"\n[logging]\nlevel = "debug"\n'
    extra += own_state(directory.name)
    return launcher.proxy(store, directory / "proxy", extra=extra, tls=certificates)


def _lines(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in whole_lines((directory / "audit.log").read_text())]


@pytest.fixture
def proxy(launcher: Launcher, store: Server, tmp_path: Path, certificates: tuple[Path, Path, Path]) -> Server:
    return _audited(launcher, store, tmp_path, certificates)


def test_every_use_of_a_key_is_told_with_its_request(proxy: Server, tmp_path: Path, bucket_name: str) -> None:
    client = s3_client(proxy)
    client.create_bucket(Bucket=bucket_name)
    where = {"Bucket": bucket_name, "Key": "döcument"}

    answers = [
        client.put_object(**where, Body=_BODY, **_KMS),
        client.get_object(**where),
        client.copy_object(Bucket=bucket_name, Key="copy", CopySource=where, ServerSideEncryption="AES256"),
    ]
    answers[1]["Body"].read()
    ids = key_ids(tmp_path / "proxy")
    set_state(tmp_path / "proxy", ids["alias/sseproxy/service"], "Disabled")
    with pytest.raises(ClientError) as refused:
        client.put_object(Bucket=bucket_name, Key="refused", Body=b"x")
    set_state(tmp_path / "proxy", ids["alias/sseproxy/service"], "Enabled")

    def line(request_id: str, operation: str, use: str, key: str, alias: str, result: str = "ok") -> dict[str, Any]:
        return {
            "event": "key_used",
            "request_id": request_id,
            "principal": ACCESS_KEY,
            "operation": operation,
            "use": use,
            "bucket": bucket_name,
            "key": key,
            "cmk": ids.get(alias, alias),
            "cmk_version": "1" if result == "ok" else None,
            "result": result,
        }

    put, get, copy, failed = (answer["ResponseMetadata"]["RequestId"] for answer in [*answers, refused.value.response])
    told = _lines(tmp_path)
    assert all(re.fullmatch(r"2\d{3}-\d\d-\d\dT[\d:.]+\+00:00", line.pop("timestamp")) for line in told)
    assert told == [
        line(put, "put_object", "encrypt", "döcument", "alias/aws/s3"),
        line(get, "get_object", "decrypt", "döcument", "alias/aws/s3"),
        line(copy, "copy_object", "decrypt", "döcument", "alias/aws/s3"),
        line(copy, "copy_object", "rewrap", "copy", "alias/sseproxy/service"),
        line(copy, "copy_object", "decrypt", "copy", "alias/sseproxy/service"),
        line(failed, "put_object", "encrypt", "refused", "alias/sseproxy/service", "KeyDisabled")
        | {"cmk": "alias/sseproxy/service"},  # refused before it was said which CMK that is
    ]


def test_no_secret_is_in_any_log_at_any_level(proxy: Server, store: Server, tmp_path: Path, bucket_name: str) -> None:
    client = s3_client(proxy)
    client.create_bucket(Bucket=bucket_name)
    customer_key = os.urandom(32)
    client.put_object(Bucket=bucket_name, Key="kms", Body=_BODY, **_KMS)
    client.put_object(
        Bucket=bucket_name, Key="own", Body=_BODY, SSECustomerAlgorithm="AES256", SSECustomerKey=customer_key
    )
    signatures = _use_signed_urls(proxy, client, bucket_name)
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        _stranger(proxy).get_object(Bucket=bucket_name, Key="kms")

    logs = proxy.output() + (tmp_path / "audit.log").read_text()

    assert "key_used" in logs
    assert '"operation": "put_object"' in logs
    root_key = (tmp_path / "proxy" / "root.key").read_text().strip()
    document = json.loads(locate_object(store.data, bucket_name, "kms").metadata.read_bytes())
    envelope = decode_envelope(document["user"]["sseproxy"])
    secrets = {
        "the client's secret": SECRET_KEY.encode(),
        "the root key": root_key.encode(),
        "the plaintext": _BODY,
        "the customer's key": base64.b64encode(customer_key),
        "the customer key's MD5": base64.b64encode(hashlib.md5(customer_key, usedforsecurity=False).digest()),
        "a wrapped key": base64.b64encode(envelope.wrapped_key)[:-4],
        "an envelope": document["user"]["sseproxy"].encode(),
        **{f"signature {number}": signature.encode() for number, signature in enumerate(signatures)},
    }
    for raw in (bytes.fromhex(root_key), customer_key, envelope.wrapped_key, envelope.wrapped_kek or b"-" * 99):
        secrets[f"hex of {len(raw)} bytes {raw[:2]!r}"] = raw.hex().encode()
    assert [name for name, secret in secrets.items() if secret in logs.encode()] == []
    assert re.findall(r"(?i)x-amz-signature=(?!\[redacted\])\w+", logs) == []


def _stranger(proxy: Server) -> Any:
    """Return a client that knows an access key, and not its secret."""
    return boto3.client(
        "s3",
        endpoint_url=proxy.url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key="not-the-secret",
        verify=str(proxy.tls_ca),
    )


def _use_signed_urls(proxy: Server, client: Any, bucket: str) -> list[str]:
    """Read by URLs that are credentials, one of them for a key that is not there. Returns their signatures."""
    trust = ssl.create_default_context(cafile=str(proxy.tls_ca))
    signatures = []
    for key in ("kms", "missing"):
        url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
        found = re.search(r"(?i)signature=([^&]+)", url)
        assert found
        signatures.append(found[1])
        try:
            urllib.request.urlopen(url, timeout=10, context=trust).close()
        except urllib.error.HTTPError as refused:  # the one that is not there
            refused.close()
    return signatures
