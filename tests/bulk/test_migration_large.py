"""`migrate` of an object that the storage does not take in one request: it is sealed in parts, as one object."""

from dataclasses import replace

from sseproxy.bulk.context import Tools
from sseproxy.bulk.finding import Scope, list_objects
from sseproxy.bulk.guarding import find_guard
from sseproxy.bulk.migration import Migration
from sseproxy.model import Layout, WriteCondition
from tests.operations.conftest import s3  # noqa: F401 - a fixture
from tests.operations.world import World

MIB = 1024 * 1024
BODY = bytes(range(256)) * (20 * MIB // 256)


async def test_a_large_object_is_sealed_in_parts_on_condition_that_it_is_the_same(s3: World) -> None:  # noqa: F811
    limits = replace(s3.dialect.limits, largest_stored_object=8 * MIB)
    services = replace(s3.services, dialect=replace(s3.dialect, limits=limits))
    tools = Tools(
        services=services,
        key_version=lambda _envelope: None,
        wrap_version=lambda _wrapped: None,
        describe_key=s3.kms.describe,
    )
    await s3.seed("k", BODY, {"Content-Type": "text/plain"})
    assert (await find_guard(services, "bucket", WriteCondition.PUT_IF_MATCH)).if_match
    job, scope = Migration(dry_run=False, nobody_writes=False), Scope(bucket="bucket")
    await job.begin(tools, scope)
    (item,) = [item async for item in list_objects(services, scope)]
    s3.journal.sent.clear()

    outcome = await job.work(tools, scope, item)

    assert (outcome.outcome, outcome.size, outcome.problem) == ("sealed", len(BODY), None)
    assert [(sent.method, sent.raw_query.partition("=")[0]) for sent in s3.journal.sent if sent.method != "GET"] == [
        ("HEAD", ""), ("POST", "uploads"), ("PUT", "partNumber"), ("PUT", "partNumber"), ("POST", "uploadId"),
    ]  # fmt: skip
    assert "If-Match" in s3.journal.sent[-1].headers
    assert (await s3.envelope("k")).layout is Layout.MULTIPART
    answer = await s3.get("k")
    assert (answer.body == BODY, answer["Content-Type"]) == (True, "text/plain")
