"""What a storage does against lost writes decides whether a tool may write."""

import pytest

from sseproxy.bulk.guarding import Guard, find_guard
from sseproxy.errors import ConfigurationError
from sseproxy.model import WriteCondition
from tests.operations.conftest import oss, s3  # noqa: F401 - fixtures
from tests.operations.overlooking import overlooking
from tests.operations.world import World


async def test_a_storage_that_keeps_the_condition_is_a_guard(s3: World) -> None:  # noqa: F811
    assert await find_guard(s3.services, "bucket", WriteCondition.PUT_IF_MATCH) == Guard(if_match=True, versions=False)


async def test_each_kind_of_write_has_a_guard_of_its_own(s3: World) -> None:  # noqa: F811
    services = overlooking(s3, WriteCondition.COPY_IF_MATCH).services

    assert await find_guard(services, "bucket", WriteCondition.PUT_IF_MATCH) == Guard(if_match=True, versions=False)
    assert await find_guard(services, "bucket", WriteCondition.COPY_IF_MATCH) == Guard(if_match=False, versions=False)


async def test_a_dialect_without_the_condition_is_not_even_tried(oss: World) -> None:  # noqa: F811
    oss.journal.sent.clear()

    guard = await find_guard(oss.services, "bucket", WriteCondition.PUT_IF_MATCH)

    assert guard == Guard(if_match=False, versions=False)
    assert [(request.method, request.raw_query) for request in oss.journal.sent] == [("GET", "versioning")]


def test_only_a_guard_or_a_promise_lets_a_tool_write() -> None:
    Guard(if_match=True, versions=False).check(nobody_writes=False)
    Guard(if_match=False, versions=True).check(nobody_writes=False)
    Guard(if_match=False, versions=False).check(nobody_writes=True)
    with pytest.raises(ConfigurationError, match="--nobody-writes"):
        Guard(if_match=False, versions=False).check(nobody_writes=False)
