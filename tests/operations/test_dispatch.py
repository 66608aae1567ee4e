"""What is refused or put right before any operation begins, and versions, archives, links and refusals of the storage."""

from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.dialect.base import Operation
from sseproxy.errors import (
    AccessRefused,
    InvalidBucketName,
    MetadataLost,
    RequestError,
    UpstreamAnswered,
    UpstreamError,
    UpstreamUnavailable,
)
from sseproxy.exchange import Body, body_of
from sseproxy.model import ObjectRef
from sseproxy.operations.attributes import Opened, look
from sseproxy.operations.backend import Address, version_query
from sseproxy.operations.dispatch import HANDLERS, unhoisted
from sseproxy.ports import UpstreamRequest, UpstreamResponse
from tests.operations.fakes import make_request
from tests.operations.world import World


class Canned:
    """An answer made up."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self._status = status
        self._headers = CIMultiDictProxy(CIMultiDict(headers))
        self._body = body

    @property
    def status(self) -> int:
        return self._status

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        return self._headers

    def stream(self) -> Body:
        return body_of(self._body)

    async def read(self, limit: int = 8 * 1024 * 1024) -> bytes:
        return self._body


class Answering:
    """An Upstream that answers some requests itself."""

    def __init__(self, world: World, answer: Callable[[UpstreamRequest], Canned | None]) -> None:
        self._behind = world.journal
        self._answer = answer

    @asynccontextmanager
    async def send(self, request: UpstreamRequest) -> AsyncIterator[UpstreamResponse]:
        canned = self._answer(request)
        if canned is not None:
            yield canned
            return
        async with self._behind.send(request) as response:
            yield response


def _with(world: World, answer: Callable[[UpstreamRequest], Canned | None]) -> World:
    return replace(world, services=replace(world.services, upstream=Answering(world, answer)))


def _error(code: str, message: str = "because", more: str = "") -> bytes:
    return f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>".encode()


def test_every_operation_has_a_handler() -> None:
    assert set(HANDLERS) == set(Operation)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/sseproxy-state"),
        ("GET", "/sseproxy-state/state-key"),
        ("PUT", "/sseproxy-state/state-key"),
        ("DELETE", "/sseproxy-state"),
        ("GET", "/sseproxy-state?uploads"),
        ("POST", "/sseproxy-state?delete"),
        ("PUT", "/sseproxy-state/k?partNumber=1&uploadId=x"),
    ],
)
async def test_the_state_bucket_is_nobodys(world: World, method: str, target: str) -> None:
    with pytest.raises(AccessRefused):
        await world.do(method, target)
    assert world.journal.sent == []


async def test_names_that_are_not_legal_are_refused(world: World) -> None:
    with pytest.raises(InvalidBucketName):
        await world.do("GET", "/a")
    with pytest.raises(RequestError):
        await world.get("k" * 1025)
    assert world.journal.sent == []


async def test_headers_in_a_signed_url_are_headers(s3: World) -> None:
    request = make_request(
        "PUT", "/bucket/k?x-amz-meta-a=b&X-Amz-Acl=private&versionId=1&x-amz-storage-class=X",
        headers={"x-amz-storage-class": "Y"},
    )  # fmt: skip

    moved = unhoisted(s3.dialect, request)

    assert (moved.headers["x-amz-meta-a"], moved.headers["x-amz-acl"]) == ("b", "private")
    assert moved.headers["x-amz-storage-class"] == "Y"
    assert list(moved.query) == ["versionId"]


async def test_a_request_without_such_headers_stays_as_it_is(s3: World) -> None:
    request = make_request("GET", "/bucket/k?versionId=1")

    assert unhoisted(s3.dialect, request) is request


def test_a_version_is_named_in_the_query() -> None:
    assert version_query(None) == ""
    assert version_query("a+b/c") == "versionId=a%2Bb%2Fc"


class _Versioned:
    """An answer of a versioned bucket."""

    def __init__(self, answer: UpstreamResponse) -> None:
        self._answer = answer
        self.status = answer.status
        self.headers = CIMultiDictProxy(CIMultiDict({**answer.headers, "x-amz-version-id": "v+1"}))
        self.stream = answer.stream
        self.read = answer.read


class Versioning:
    """An Upstream over a bucket whose objects all have one version."""

    def __init__(self, world: World) -> None:
        self._behind = world.storage
        self.said: list[str] = []

    @asynccontextmanager
    async def send(self, request: UpstreamRequest) -> AsyncIterator[UpstreamResponse]:
        self.said.append(f"{request.method} {request.raw_query}")
        async with self._behind.send(replace(request, raw_query="")) as response:
            yield _Versioned(response)


@pytest.mark.parametrize("query", ["", "?versionId=v%2B1"])
@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-0"}])
async def test_every_further_request_names_the_version_that_was_found(
    s3: World, query: str, headers: dict[str, str]
) -> None:
    await s3.put("k", bytes(2 << 20))
    versioning = Versioning(s3)
    world = replace(s3, services=replace(s3.services, upstream=versioning))

    got = await world.do("GET", f"/bucket/k{query}", headers=headers)

    assert got["x-amz-version-id"] == "v+1"
    assert versioning.said == [f"GET {query.removeprefix('?')}", "GET versionId=v%2B1"]


async def test_an_archived_object_is_shown_by_arithmetic_and_not_served(s3: World) -> None:
    await s3.put("k", b"x" * (2 << 20))

    def archived(request: UpstreamRequest) -> Canned | None:
        if request.method == "GET" and request.raw_key == "k":
            return Canned(403, {}, _error("InvalidObjectState"))
        return None

    world = _with(s3, archived)
    head = await world.head("k")

    assert head.content_length == 2 << 20
    assert head["ETag"].endswith('-0"')
    assert head["x-amz-server-side-encryption"] == "AES256"
    for headers in ({}, {"Range": "bytes=0-1"}):
        with pytest.raises(UpstreamAnswered) as refused:
            await world.get("k", **headers)
        assert refused.value.code == "InvalidObjectState"


async def test_a_link_is_read_where_it_leads(oss: World) -> None:
    await oss.put("target", b"0123456789")

    def linked(request: UpstreamRequest) -> Canned | None:
        if request.raw_key != "link":
            return None
        if request.raw_query == "symlink":
            return Canned(200, {"x-oss-symlink-target": "target"})
        return Canned(200, {"x-oss-object-type": "Symlink", "Content-Length": "1034", "ETag": '"A"'}, bytes(1034))

    world = _with(oss, linked)

    assert (await world.get("link")).body == b"0123456789"
    assert (await world.get("link", Range="bytes=2-3")).body == b"23"
    assert (await world.head("link")).content_length == 10


@pytest.mark.parametrize(
    "code", ["SignatureDoesNotMatch", "InvalidAccessKeyId", "RequestTimeTooSkewed", "PermanentRedirect"]
)
async def test_that_the_storage_does_not_accept_the_proxy_is_not_the_clients_fault(s3: World, code: str) -> None:
    world = _with(s3, lambda request: Canned(403, {}, _error(code)))

    with pytest.raises(UpstreamError) as refused:
        await world.get("k")
    assert not isinstance(refused.value, UpstreamAnswered)
    assert "storage_refused_proxy" in world.observer.events


async def test_an_error_is_told_without_what_names_the_storage(s3: World) -> None:
    document = _error(
        "NoSuchKey", "The specified key does not exist.",
        "<Key>k</Key><HostId>h</HostId><RequestId>r</RequestId><Endpoint>storage.internal</Endpoint>",
    )  # fmt: skip
    headers = {"x-amz-delete-marker": "true", "x-amz-version-id": "7", "x-amz-request-id": "r", "Server": "storage"}
    world = _with(s3, lambda request: Canned(404, headers, document))

    with pytest.raises(UpstreamAnswered) as missing:
        await world.get("k")
    assert missing.value.details == {"Key": "k"}
    assert missing.value.headers == {"x-amz-delete-marker": "true", "x-amz-version-id": "7"}


async def test_an_answer_that_is_no_error_document_is_an_unavailable_storage(s3: World) -> None:
    world = _with(s3, lambda request: Canned(502, {}, b"<html>bad gateway</html>"))

    with pytest.raises(UpstreamUnavailable):
        await world.get("k")


async def test_the_document_of_a_head_may_travel_in_a_header(oss: World) -> None:
    document = b64encode(_error("NoSuchBucket", "no such bucket")).decode()
    world = _with(oss, lambda request: Canned(404, {"x-oss-err": document}))

    with pytest.raises(UpstreamAnswered) as missing:
        await world.head("k")
    assert (missing.value.code, missing.value.message) == ("NoSuchBucket", "no such bucket")


async def test_a_storage_that_answers_another_range_is_not_believed(s3: World) -> None:
    await s3.put("k", b"x" * (2 << 20))

    def another(request: UpstreamRequest) -> Canned | None:
        if "If-Match" in request.headers and request.headers["Range"].startswith("bytes=32-"):
            return Canned(206, {"Content-Range": "bytes 0-65583/2100896", "Content-Length": "65584"}, bytes(65584))
        return None

    with pytest.raises(UpstreamError):
        await _with(s3, another).get("k", Range="bytes=0-0")


async def test_a_storage_that_ignores_suffix_ranges_is_asked_for_the_end_by_its_place(world: World) -> None:
    body = bytes(range(256)) * 8192
    await world.put("k", body)
    stored, headers = await world.stored("k"), await world.stored_headers("k")

    def ignoring(request: UpstreamRequest) -> Canned | None:
        if request.headers.get("Range", "").startswith("bytes=-"):
            return Canned(200, {**headers, "Content-Length": str(len(stored))}, stored)
        return None

    assert (await _with(world, ignoring).get("k", Range="bytes=100-199")).body == body[100:200]


async def test_a_lost_envelope_is_noticed_where_suffix_ranges_are_ignored(world: World) -> None:
    await world.put("k", bytes(1 << 21))
    await world.seed("k", await world.stored("k"))
    stored, headers = await world.stored("k"), await world.stored_headers("k")

    def ignoring(request: UpstreamRequest) -> Canned | None:
        if request.headers.get("Range", "").startswith("bytes=-"):
            return Canned(200, {**headers, "Content-Length": str(len(stored))}, stored)
        return None

    with pytest.raises(MetadataLost):
        await _with(world, ignoring).get("k", Range="bytes=100-199")


async def test_looking_at_an_object_opens_it(world: World) -> None:
    await world.put("k", b"x")

    found = await look(world.services, Address(ObjectRef("bucket", "k"), "k"))

    assert isinstance(found, Opened)
    assert found.size == 1
