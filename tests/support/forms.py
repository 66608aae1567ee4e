"""Uploads by HTML forms as browsers send them: signed fields, the post itself, and what an error document says."""

import hmac
import json
import re
from base64 import b64encode
from typing import Any

import oss2
import requests

from sseproxy.signing.oss_v4 import derive_key
from tests.support.servers import ACCESS_KEY, SECRET_KEY

FAR = "2099-01-01T00:00:00.000Z"
_DATE = "20260101T000000Z"


def post_form(url: str, fields: dict[str, str], file: Any = b"hello", name: str = "a.txt") -> requests.Response:
    """Post fields and then a file, and follow no redirect."""
    return requests.post(url, data=fields, files={"file": (name, file)}, timeout=60, allow_redirects=False)


def form_error(answer: requests.Response) -> tuple[int, str, str]:
    """Return status, code and message."""
    found = re.search(r"<Code>(.*?)</Code>.*?<Message>(.*?)</Message>", answer.text, re.DOTALL)
    assert found is not None, answer.text
    return answer.status_code, found[1], found[2].replace("&quot;", '"')


def oss_refusal(bucket: oss2.Bucket, answer: requests.Response) -> tuple[int, str, str]:
    """Return status, code and message of a refusal in OSS's words, by which nothing is stored."""
    assert list(oss2.ObjectIterator(bucket)) == []
    assert answer.headers["Content-Type"] == "application/xml"
    assert len(answer.headers["x-oss-request-id"]) == 24
    return form_error(answer)


def oss_form(
    bucket: str, *conditions: Any, version: int = 1, secret: str = SECRET_KEY, expires: str = FAR, **fields: str
) -> dict[str, str]:
    """Return the fields of a form that is signed with V1 or V4; `x_oss_acl` stands for `x-oss-acl`."""
    named = {name.replace("_", "-") if name.startswith("x_") else name: value for name, value in fields.items()}
    extra: list[Any] = []
    v4 = {
        "x-oss-signature-version": "OSS4-HMAC-SHA256",
        "x-oss-credential": f"{ACCESS_KEY}/20260101/cn-hangzhou/oss/aliyun_v4_request",
        "x-oss-date": _DATE,
    }
    if version == 4:
        extra = [{name: value} for name, value in v4.items()]
    document = {"expiration": expires, "conditions": [{"bucket": bucket}, *conditions, *extra]}
    policy = b64encode(json.dumps(document).encode())
    if version == 1:
        signature = b64encode(hmac.digest(secret.encode(), policy, "sha1")).decode()
        return {**named, "policy": policy.decode(), "OSSAccessKeyId": ACCESS_KEY, "Signature": signature}
    signature = hmac.digest(derive_key(secret, "20260101", "cn-hangzhou"), policy, "sha256").hex()
    return {**named, **v4, "policy": policy.decode(), "x-oss-signature": signature}
