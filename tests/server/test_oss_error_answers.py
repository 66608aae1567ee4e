"""Promise: both OSS SDKs understand every error answer, with a body and in the header of an answer to HEAD."""

from collections.abc import Iterator
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import oss2
import pytest
from alibabacloud_oss_v2 import _client as v2  # where its reading of error answers is
from multidict import CIMultiDict

from sseproxy import errors as e
from sseproxy.dialect.oss import OSS
from sseproxy.server.refusals import refuse
from tests.support.fake_clock import FakeClock

_ID, _HOST = "0123456789ABCDEF01234567", "bucket.oss.example.com"
_DETAILS = {"ArgumentName": "x-oss-server-side-encryption", "ArgumentValue": 'a<b>&"c'}


def _tree(root: type[e.SseProxyError]) -> Iterator[type[e.SseProxyError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__.startswith(f"{e.__name__}."):
            yield from _tree(child)


ALL = sorted(set(_tree(e.SseProxyError)) - {e.UpstreamAnswered}, key=lambda cls: cls.__name__)
every_error = pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
with_and_without_a_body = pytest.mark.parametrize("method", ["GET", "HEAD"])


def _answer(cls: type[e.SseProxyError], method: str) -> Any:
    """Return the answer as both SDKs take it: their HTTP layers differ in little."""
    answer = refuse(OSS, cls(**_DETAILS), method, _ID, _HOST)
    headers = CIMultiDict(answer.headers)
    headers["Date"] = format_datetime(FakeClock().now(), usegmt=True)
    headers["x-oss-request-id"] = _ID
    headers["x-oss-next-append-position"] = "3"  # as AppendObject gives it with a wrong position
    body = answer.body if isinstance(answer.body, bytes) else b""
    return SimpleNamespace(
        status=answer.status,
        status_code=answer.status,
        headers=headers,
        content=body,
        read=lambda _most: body,
        close=lambda: None,
        request=SimpleNamespace(method=method, url="http://oss.example.com/k"),
    )


@every_error
@with_and_without_a_body
def test_oss2_raises_its_typed_error(cls: type[e.SseProxyError], method: str) -> None:
    code = OSS.error_code(cls())

    raised = oss2.exceptions.make_exception(_answer(cls, method))

    typed = oss2.exceptions._OSS_ERROR_TO_EXCEPTION.get((code.status, code.code), oss2.exceptions.ServerError)
    assert type(raised) is typed
    assert (raised.status, raised.code, raised.message) == (code.status, code.code, code.message or cls.default)
    assert raised.request_id == raised.details["RequestId"] == _ID
    assert raised.details["HostId"] == _HOST
    assert {name: raised.details[name] for name in _DETAILS} == _DETAILS


@every_error
@with_and_without_a_body
def test_the_v2_sdk_raises_its_error_of_the_service(cls: type[e.SseProxyError], method: str) -> None:
    code = OSS.error_code(cls())

    raised = v2._to_service_error(_answer(cls, method))

    assert (raised.status_code, raised.code, raised.message) == (code.status, code.code, code.message or cls.default)
    assert raised.request_id == _ID
    assert raised.timestamp == FakeClock().now()
    assert {name: raised.error_fileds[name] for name in _DETAILS} == _DETAILS


def test_oss2_has_a_type_for_the_errors_that_its_users_catch() -> None:
    caught = {
        e.NoBucketEncryption: oss2.exceptions.NoSuchServerSideEncryptionRule,
        e.SseNotAllowedHere: oss2.exceptions.InvalidArgument,
        e.CipherUnavailable: oss2.exceptions.InvalidArgument,
        e.UnsupportedFeature: oss2.exceptions.NotImplemented,
        e.NoSuchKey: oss2.exceptions.NoSuchKey,
        e.NoSuchBucket: oss2.exceptions.NoSuchBucket,
        e.NoSuchUpload: oss2.exceptions.NoSuchUpload,
        e.AccessRefused: oss2.exceptions.AccessDenied,
        e.KeyAccessRefused: oss2.exceptions.AccessDenied,
        e.SignatureMismatch: oss2.exceptions.SignatureDoesNotMatch,
        e.DigestMismatch: oss2.exceptions.InvalidDigest,
        e.PreconditionFailed: oss2.exceptions.PreconditionFailed,
    }

    assert {cls: type(oss2.exceptions.make_exception(_answer(cls, "GET"))) for cls in caught} == caught
