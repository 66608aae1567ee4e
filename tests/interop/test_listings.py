"""What is computed in listings, against what HEAD says, on every store."""

from typing import Any

import pytest

from tests.support.listings import WRITTEN, different, told_of, versions_of, write_objects
from tests.support.metrics import upstream_requests
from tests.support.servers import Launcher, Server, own_state, s3_client


@pytest.fixture(scope="module")
def opaque(launcher: Launcher, backend: Server) -> Server:
    """A proxy with opaque ETags, and keys and state of its own."""
    settings = '[encryption]\netag = "opaque"\ncustomer_keys_over_http = true\n'
    return launcher.proxy(backend, extra=own_state("listings") + settings)


def test_a_sealed_bucket_with_opaque_etags_is_listed_in_one_request_and_as_head_says(
    launcher: Launcher, opaque: Server
) -> None:
    client: Any = s3_client(opaque)
    client.create_bucket(Bucket="computed")
    write_objects(opaque, "computed", "a")
    client.list_objects_v2(Bucket="computed", MaxKeys=1)
    before = upstream_requests(opaque)

    client.list_objects_v2(Bucket="computed")

    assert upstream_requests(opaque) - before == 1
    told = told_of(opaque, "computed")
    assert different({"md5": told}) == []
    assert len(told["head"]) == WRITTEN


def test_versions_are_listed_as_head_says(opaque: Server) -> None:
    client: Any = s3_client(opaque)
    client.create_bucket(Bucket="versions")
    write_objects(opaque, "versions", "before")
    client.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    write_objects(opaque, "versions", "before")
    write_objects(opaque, "versions", "after")

    listed, heads = versions_of(opaque, "versions")

    assert listed == heads
    assert len(listed) == 3 * WRITTEN
