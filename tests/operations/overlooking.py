"""Storages that overlook conditions on writes in silence, or hear them in other words, as many do."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import parse_qs

from sseproxy.model import WriteCondition
from sseproxy.operations.condition_probe import KnownConditions
from sseproxy.ports import Upstream, UpstreamRequest, UpstreamResponse
from tests.operations.world import World

_SOURCE = "x-amz-copy-source-if-match"


@dataclass
class Overlooking:
    """A storage in S3's dialect that overlooks conditions."""

    storage: Upstream
    conditions: Collection[WriteCondition]

    @asynccontextmanager
    async def send(self, request: UpstreamRequest) -> AsyncIterator[UpstreamResponse]:
        names = {
            "If-Match": f"{_kind(request)}-if-match",
            "If-None-Match": f"{_kind(request)}-if-none-match",
            _SOURCE: "copy-source-if-match",
        }
        for name, condition in names.items():
            if condition in {overlooked.value for overlooked in self.conditions}:
                request.headers.pop(name, None)
        async with self.storage.send(request) as response:
            yield response


@dataclass
class LikeCeph:
    """A storage that takes no ETag with quotes in a PUT's If-Match, and another header for a copy's source.

    Its copies have no tags.
    """

    storage: Upstream

    @asynccontextmanager
    async def send(self, request: UpstreamRequest) -> AsyncIterator[UpstreamResponse]:
        if _kind(request) == "put" and "If-Match" in request.headers:
            etag = request.headers["If-Match"]
            request.headers["If-Match"] = '"no such ETag"' if etag.startswith('"') else f'"{etag}"'
        if _kind(request) == "copy":
            request.headers.pop(_SOURCE, None)
            request.headers.pop("x-amz-tagging", None)
            request.headers["x-amz-tagging-directive"] = "REPLACE"
        if "x-amz-copy-if-match" in request.headers:
            request.headers[_SOURCE] = request.headers.pop("x-amz-copy-if-match")
        async with self.storage.send(request) as response:
            yield response


def _kind(request: UpstreamRequest) -> str:
    if request.method == "PUT":
        return "copy" if "x-amz-copy-source" in request.headers else "put"
    if request.method == "POST" and "uploadId" in parse_qs(request.raw_query):
        return "complete"
    return request.method.lower()


def on_storage(world: World, storage: Upstream) -> World:
    """Return a world whose proxy finds out by itself what this storage keeps; its journal hears what is sent."""
    world.journal.behind = storage
    services = world.services
    known = KnownConditions(world.journal, services.dialect, services.state_settings, services.observer)
    return replace(world, services=replace(services, conditions=known))


def overlooking(world: World, *conditions: WriteCondition) -> World:
    """Return a world on a storage that overlooks these conditions."""
    return on_storage(world, Overlooking(world.storage, conditions))
