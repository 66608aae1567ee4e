"""Unmodified OSS clients for a server, and what they make of its error answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest

from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Server

Refusal = tuple[int, str, str]
"""Status, code and message."""


def oss2_bucket(server: Server, name: str) -> Any:
    """Return an oss2 bucket, signed with V4."""
    return oss2.Bucket(oss2.AuthV4(ACCESS_KEY, SECRET_KEY), server.url, name, region=REGION)


@contextmanager
def created_bucket(server: Server, name: str) -> Iterator[Any]:
    """Create a bucket and give it as an oss2 bucket, whose connections end with the context."""
    bucket = oss2_bucket(server, name)
    bucket.create_bucket()
    yield bucket
    bucket.session.session.close()


def v2_client(server: Server) -> Any:
    """Return a client of alibabacloud-oss-v2 that tries once."""
    config = oss_v2.config.load_default()
    config.credentials_provider = oss_v2.credentials.StaticCredentialsProvider(ACCESS_KEY, SECRET_KEY)
    config.region = REGION
    config.endpoint = server.url
    config.use_path_style = True
    config.retry_max_attempts = 1
    return oss_v2.Client(config)


def oss2_refusal(call: Callable[..., Any], *arguments: Any, **named: Any) -> Refusal:
    """Return what oss2 understood of a refusal; it has to be one of its typed errors of the service."""
    with pytest.raises(oss2.exceptions.ServerError) as raised:
        call(*arguments, **named)
    error = raised.value
    assert error.request_id
    told = error.status, error.code, error.message
    del raised, error  # else they and this frame hold each other, and the answers that the caller holds
    return told


def v2_refusal(call: Callable[..., Any], *arguments: Any, **named: Any) -> Refusal:
    """Return what alibabacloud-oss-v2 understood of a refusal; it has to be its error of the service."""
    with pytest.raises(oss_v2.exceptions.OperationError) as raised:
        call(*arguments, **named)
    cause = raised.value.unwrap()
    assert isinstance(cause, oss_v2.exceptions.ServiceError)
    assert cause.request_id
    return cause.status_code, cause.code, cause.message
