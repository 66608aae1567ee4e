"""What only the real OSS knows - archives, WORM, quotas - reaches its clients as the service says it (OSS dossier §3.4, §6.7).

The storage is the embedded one but for one answer, which the test writes.
"""

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from sseproxy.errors import UpstreamAnswered, UpstreamError
from sseproxy.ports import Upstream, UpstreamRequest, UpstreamResponse
from tests.operations.world import World
from tests.support.memory_upstream import MemoryAnswer

_RESTORE = b"<RestoreRequest><Days>2</Days><JobParameters><Tier>Standard</Tier></JobParameters></RestoreRequest>"
_ONGOING = 'ongoing-request="true"'
_READY = 'ongoing-request="false", expiry-date="Sat, 28 Nov 2026 12:00:00 GMT"'


@dataclass
class _Scripted:
    """A storage that answers one method on the key `k` as it is told."""

    storage: Upstream
    method: str
    answer: MemoryAnswer

    @asynccontextmanager
    async def send(self, request: UpstreamRequest) -> AsyncIterator[UpstreamResponse]:
        if (request.method, request.raw_key) == (self.method, "k"):
            yield self.answer
            return
        async with self.storage.send(request) as response:
            yield response


def _says(oss: World, method: str, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> World:
    """Return the world with a storage that gives this answer."""
    own = {"Content-Length": str(len(body)), **(headers or {})}
    storage = _Scripted(oss.services.upstream, method, MemoryAnswer(status, body, own))
    return replace(oss, services=replace(oss.services, upstream=storage))


def _error(code: str, message: str) -> bytes:
    told = "<RequestId>5C3D9175B6FC201293AD4890</RequestId><HostId>bucket.oss-cn-hangzhou.aliyuncs.com</HostId>"
    return f"<Error><Code>{code}</Code><Message>{message}</Message>{told}<EC>0016-00000719</EC></Error>".encode()


@pytest.mark.parametrize("status", [200, 202])
async def test_a_restoration_that_begins_or_is_done_is_told_by_its_status(oss: World, status: int) -> None:
    await oss.put("k", b"x")

    answer = await _says(oss, "POST", status).do("POST", "/bucket/k?restore", _RESTORE)

    assert (answer.status, answer.body) == (status, b"")


@pytest.mark.parametrize("state", [_ONGOING, _READY])
async def test_the_state_of_a_restoration_is_told_by_head(oss: World, state: str) -> None:
    await oss.put("k", b"x")
    headers = dict(await oss.stored_headers("k"))

    head = await _says(oss, "HEAD", 200, headers={**headers, "x-oss-restore": state}).head("k")

    assert (head["x-oss-restore"], head.content_length) == (state, 1)


_REFUSALS: Mapping[str, tuple[str, str, int, str, str]] = {
    "an archived object": ("GET", "", 403, "InvalidObjectState", "The operation is not valid for the object's state."),
    "a restoration twice": ("POST", "?restore", 409, "RestoreAlreadyInProgress", "The restore operation is in progress."),
    "another version of what is kept": ("PUT", "", 409, "FileImmutable", "The file is immutable."),
    "the end of what is kept": ("DELETE", "", 409, "FileImmutable", "The file is immutable."),
    "an append to what is kept": ("POST", "?append&position=0", 409, "FileImmutable", "The file is immutable."),
    "a mirror that failed": ("GET", "", 424, "MirrorFailed", "The source file get from mirror host is invalid."),
    "an account in debt": ("PUT", "", 403, "UserDisable", "UserDisable"),
    "too many requests": ("PUT", "", 503, "TotalQpsLimitExceeded", "Please reduce your request rate."),
    "too many bytes down": ("GET", "", 503, "DownloadTrafficRateLimitExceeded", "Please reduce your download rate."),
    "too many bytes up": ("PUT", "", 503, "UploadTrafficRateLimitExceeded", "Please reduce your upload rate."),
    "a bucket's policy": ("PUT", "", 403, "AccessDenied", "Access denied by bucket policy."),
}  # fmt: skip


@pytest.mark.parametrize("name", _REFUSALS)
async def test_a_refusal_of_the_service_keeps_status_code_and_words(oss: World, name: str) -> None:
    method, query, status, code, message = _REFUSALS[name]
    body = b"x" if method in {"PUT", "POST"} else b""

    with pytest.raises(UpstreamAnswered) as refused:
        await _says(oss, method, status, _error(code, message)).do(method, f"/bucket/k{query}", body)

    error = refused.value
    told = oss.dialect.error_code(error)
    assert (told.status, told.code, told.message or error.message) == (status, code, message)
    assert error.details == {}  # ids, hosts and ECs of the storage are not its clients' business


async def test_a_refusal_of_a_head_is_read_from_its_header(oss: World) -> None:
    document = _error("InvalidObjectState", "The operation is not valid for the object's state.")
    storage = _says(oss, "HEAD", 403, headers={"x-oss-err": b64encode(document).decode(), "Content-Length": "0"})

    with pytest.raises(UpstreamAnswered) as refused:
        await storage.head("k")

    assert (refused.value.status, refused.value.code) == (403, "InvalidObjectState")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "SecondLevelDomainForbidden"),
        (403, "SignatureDoesNotMatch"),
        (403, "InvalidAccessKeyId"),
        (403, "InvalidSecurityToken"),
        (403, "SecurityTokenExpired"),
        (403, "AccessKeyIdAndSecurityTokenNotMatch"),
        (403, "RequestTimeTooSkewed"),
    ],
)
async def test_what_the_service_has_against_the_proxy_is_not_told_as_the_clients_fault(
    oss: World, status: int, code: str
) -> None:
    with pytest.raises(UpstreamError) as refused:
        await _says(oss, "PUT", status, _error(code, "words")).put("k", b"x")

    told = oss.dialect.error_code(refused.value)
    assert (told.status, told.code) == (500, "InternalError")
    assert "storage_refused_proxy" in oss.observer.events


async def test_an_error_document_under_203_is_no_success(oss: World) -> None:
    with pytest.raises(UpstreamAnswered) as refused:
        await _says(oss, "PUT", 203, _error("CallbackFailed", "Error status : 502.")).put("k", b"x")

    assert (refused.value.status, refused.value.code) == (203, "CallbackFailed")


@pytest.mark.parametrize(("method", "query"), [("PUT", ""), ("POST", "?append&position=0"), ("POST", "?uploads")])
async def test_headers_to_be_kept_without_a_prefix_go_up_as_they_are(oss: World, method: str, query: str) -> None:
    said = f"X-Mine:{b64encode(b'own').decode()}"

    await oss.do(method, f"/bucket/k{query}", b"x" if "uploads" not in query else b"", {"own_persistent_headers": said})

    sent = [sent for sent in oss.journal.sent if (sent.method, sent.bucket) == (method, "bucket")]
    assert [one.headers["x-oss-persistent-headers"] for one in sent] == [said]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_headers_that_were_kept_without_a_prefix_come_down(oss: World, method: str) -> None:
    await oss.put("k", b"x")
    async with oss.services.upstream.send(UpstreamRequest(method=method, bucket="bucket", raw_key="k")) as answer:
        body, headers = await answer.read() if method == "GET" else b"", dict(answer.headers)

    shown = await _says(oss, method, 200, body, {**headers, "X-Mine": "own"}).do(method, "/bucket/k")

    assert (shown["X-Mine"], shown["Content-MD5"]) == ("own", "ndTkYSaMgDT1yFZOFVxnpg==")
