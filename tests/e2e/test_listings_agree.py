"""Whatever a listing says of an object, HEAD says: in mixed and sealed buckets, with MD5 and opaque ETags, at replicas
that are configured differently, in both dialects. And what a listing costs.
"""

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection

import oss2
import pytest

from tests.support.listings import WRITTEN, Told, different, told_of, versions_of, write_objects
from tests.support.metrics import upstream_requests
from tests.support.oss_clients import oss2_bucket
from tests.support.servers import Launcher, Server, own_state, s3_client

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Site:
    """A storage, and two replicas in front of it that share keys and state but not the setting `encryption.etag`."""

    storage: Server
    md5: Server
    opaque: Server

    def buckets(self, name: str, create: Callable[[Server, str], None]) -> list[str]:
        """Create a bucket past the proxies, and one through each; return their names."""
        made = {f"{name}-found": self.storage, f"{name}-md5": self.md5, f"{name}-opaque": self.opaque}
        for bucket, server in made.items():
            create(server, bucket)
        return list(made)


def _site(launcher: Launcher, storage: Server, dialect: str) -> Site:
    def extra(mode: str) -> str:
        state = own_state(f"agree-{dialect}")
        return f'{state}[encryption]\netag = "{mode}"\ncustomer_keys_over_http = true\n'

    md5 = launcher.proxy(storage, dialect=dialect, extra=extra("md5"))
    return Site(storage, md5, launcher.proxy(storage, md5.data, dialect=dialect, extra=extra("opaque")))


@pytest.fixture(scope="module", params=["store", "weed"])
def site(request: pytest.FixtureRequest, launcher: Launcher) -> Site:
    return _site(launcher, request.getfixturevalue(request.param), "s3")


@pytest.fixture(scope="module")
def oss_site(launcher: Launcher, store: Server) -> Site:
    return _site(launcher, store, "oss")


# ---- S3 ----


def test_every_s3_listing_says_what_head_says(site: Site, bucket_name: str) -> None:
    buckets = site.buckets(bucket_name, lambda server, bucket: s3_client(server).create_bucket(Bucket=bucket))
    s3_client(site.storage).put_object(Bucket=buckets[0], Key="plain", Body=b"from before the proxy")
    for bucket in buckets:
        for server, prefix in ((site.md5, "md5"), (site.opaque, "opaque")):
            write_objects(server, bucket, prefix)

    for bucket in buckets:
        told = {name: told_of(server, bucket) for name, server in (("md5", site.md5), ("opaque", site.opaque))}
        assert different(told) == []
        sizes = {key: size for key, (size, _) in told["md5"]["head"].items()}
        assert [sizes[f"{prefix}/{size}"] for prefix in ("md5", "opaque") for size in (0, 11, _MIB + 1)] == [
            0, 11, _MIB + 1,
        ] * 2  # fmt: skip
        assert sizes["md5/parts"] == sizes["opaque/parts"] == 5 * _MIB + 3
        is_opaque = bucket.endswith("-opaque")
        assert (told["md5"]["head"]["md5/11"][1] == f'"{hashlib.md5(bytes(11)).hexdigest()}"') != is_opaque


def test_every_version_that_is_listed_is_what_head_says(site: Site, bucket_name: str) -> None:
    client = s3_client(site.opaque)
    client.create_bucket(Bucket=bucket_name)
    write_objects(site.opaque, bucket_name, "before")
    client.put_bucket_versioning(Bucket=bucket_name, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        write_objects(site.opaque, bucket_name, "after")
    client.delete_object(Bucket=bucket_name, Key="before/11")

    for server in (site.md5, site.opaque):
        listed, heads = versions_of(server, bucket_name)
        assert listed == heads
        assert len(listed) == 3 * WRITTEN


# ---- OSS ----


def _write_oss(server: Server, bucket: str, prefix: str) -> None:
    client = oss2_bucket(server, bucket)
    for size in (0, 11, _MIB + 1):
        client.put_object(f"{prefix}/{size}", bytes(size))
    client.put_object(f"{prefix}/chunked", iter([bytes(_MIB), b"x" * _MIB]))
    client.copy_object(bucket, f"{prefix}/11", f"{prefix}/copy ä+")
    for position in (0, 70_000):
        client.append_object(f"{prefix}/grown", position, bytes(70_000))
    upload = client.init_multipart_upload(f"{prefix}/parts").upload_id
    parts = [
        oss2.models.PartInfo(number, client.upload_part(f"{prefix}/parts", upload, number, bytes(size)).etag)
        for number, size in ((2, 100 * 1024), (7, 3))
    ]
    client.complete_multipart_upload(f"{prefix}/parts", upload, parts)


def _told_by_oss(server: Server, bucket: str) -> dict[str, Told]:
    client = oss2_bucket(server, bucket)
    pages = {
        "v1": client.list_objects().object_list,
        "v2": client.list_objects_v2().object_list,
        "versions": client.list_object_versions().versions,
    }
    told = {name: {entry.key: (entry.size, entry.etag) for entry in page} for name, page in pages.items()}
    heads = {key: client.head_object(key) for key in told["v1"]}
    metas = {key: client.get_object_meta(key) for key in told["v1"]}
    return {
        "head": {key: (head.content_length, head.etag) for key, head in heads.items()},
        "meta": {key: (meta.content_length, meta.headers["ETag"].strip('"')) for key, meta in metas.items()},
        **told,
    }


def test_every_oss_listing_says_what_head_says(oss_site: Site, bucket_name: str) -> None:
    site = oss_site
    buckets = site.buckets(bucket_name, lambda server, bucket: oss2_bucket(server, bucket).create_bucket())
    oss2_bucket(site.storage, buckets[0]).put_object("plain", b"from before the proxy")
    for bucket in buckets:
        for server, prefix in ((site.md5, "md5"), (site.opaque, "opaque")):
            _write_oss(server, bucket, prefix)

    for bucket in buckets:
        told = {name: _told_by_oss(server, bucket) for name, server in (("md5", site.md5), ("opaque", site.opaque))}
        assert different(told) == []
        sizes = {key.split("/", 1)[-1]: size for key, (size, _) in told["md5"]["head"].items() if key != "plain"}
        assert sizes == {
            "0": 0, "11": 11, str(_MIB + 1): _MIB + 1, "chunked": 2 * _MIB, "copy ä+": 11, "grown": 140_000,
            "parts": 100 * 1024 + 3,
        }  # fmt: skip
        is_opaque = bucket.endswith("-opaque")
        assert (told["md5"]["head"]["md5/11"][1] == hashlib.md5(bytes(11)).hexdigest().upper()) != is_opaque


def test_an_s3_listing_of_what_was_appended_through_oss_says_what_head_says(
    launcher: Launcher, store: Server, oss_site: Site, bucket_name: str
) -> None:
    """The store is reached in both dialects; S3's listings do not name the type of objects."""
    extra = f'{own_state("agree-oss")}[encryption]\netag = "opaque"\n'
    through_s3 = launcher.proxy(store, oss_site.md5.data, dialect="s3", extra=extra)
    oss2_bucket(oss_site.opaque, bucket_name).create_bucket()
    client = oss2_bucket(oss_site.opaque, bucket_name)
    client.put_object("k", b"x")
    for position in (0, 70_000):
        client.append_object("grown", position, bytes(70_000))

    told = told_of(through_s3, bucket_name)

    assert told["v1"] == told["v2"] == told["versions"] == told["head"]
    assert told["v1"]["grown"][0] == 140_000


# ---- what it costs ----


@pytest.mark.timeout(120)
def test_a_listing_of_a_thousand_keys_costs_one_request_in_a_sealed_bucket_with_opaque_etags(
    launcher: Launcher, store: Server
) -> None:
    extra = f'{own_state("thousand")}[encryption]\netag = "opaque"\n[clients]\ntrust_unsigned = true\n'
    extra += '[cache]\nentries_file = "{}"\n'
    writer = launcher.proxy(store, extra=extra.format(launcher.directory / "thousand-1.sqlite3"))
    s3_client(writer).create_bucket(Bucket="thousand")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda first: _put(writer, "thousand", range(first, 1000, 4)), range(4)))
    knows_nothing = launcher.proxy(store, writer.data, extra=extra.format(launcher.directory / "thousand-2.sqlite3"))
    reader = s3_client(knows_nothing)
    reader.list_objects_v2(Bucket="thousand", MaxKeys=1)  # learns the bucket's state, for 30 seconds
    before = upstream_requests(knows_nothing)

    listed = reader.list_objects_v2(Bucket="thousand")["Contents"]

    assert upstream_requests(knows_nothing) - before == 1
    assert [(entry["Key"], entry["Size"]) for entry in listed] == [(f"{n:04}", n) for n in range(1000)]
    assert {reader.head_object(Bucket="thousand", Key=f"{n:04}")["ETag"] for n in (0, 999)} == {
        listed[n]["ETag"] for n in (0, 999)
    }


def _put(server: Server, bucket: str, sizes: Iterable[int]) -> None:
    """Put objects of these sizes under their sizes, over one connection and unsigned: quicker than a client."""
    with closing(HTTPConnection(server.host, server.port, timeout=60)) as connection:
        for size in sizes:
            connection.request("PUT", f"/{bucket}/{size:04}", bytes(size))
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"")
