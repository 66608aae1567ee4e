"""`sseproxy keys delete-version`: an old version of a CMK goes only when nothing in the store is under it."""

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from sseproxy.cli.main import app
from tests.support.raw_http import Answer, signed
from tests.support.servers import Launcher, Server, s3_client

_SSE = "x-amz-server-side-encryption"
_INSISTING = "Say --even-if-in-use to delete it all the same; what only it opens will never open again.\n"
_LEAVING = "`sseproxy objects rewrap` and `sseproxy keys rewrap` wrap by the newest version. "


@dataclass(frozen=True)
class Site:
    """A proxy that keeps no opened key, with bucket keys for KMS objects, and one bucket."""

    store: Server
    proxy: Server
    bucket: str

    def run(self, group: str, *arguments: str) -> Result:
        """Run a command beside the proxy."""
        config = max(self.proxy.data.glob("sseproxy-*.toml"), key=lambda path: path.stat().st_mtime_ns)
        return CliRunner().invoke(app, [group, *arguments, "--config", str(config)])

    def keys(self, *arguments: str) -> Any:
        done = self.run("keys", *arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def rewrap_objects(self) -> Any:
        done = self.run("objects", "rewrap", "--bucket", self.bucket, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def put(self, key: str, key_id: str | None, *, bucket_key: bool = True) -> None:
        headers = {_SSE: "AES256"}
        if key_id is not None:
            headers = {
                _SSE: "aws:kms",
                f"{_SSE}-aws-kms-key-id": key_id,
                f"{_SSE}-bucket-key-enabled": str(bucket_key).lower(),
            }
        assert signed(self.proxy, "PUT", f"/{self.bucket}/{key}", headers, key.encode()).status == 200

    def get(self, key: str) -> Answer:
        return signed(self.proxy, "GET", f"/{self.bucket}/{key}")

    def let_a_day_pass(self, key_id: str) -> None:
        with closing(sqlite3.connect(self.proxy.data / "kms.sqlite3", timeout=10)) as database, database:
            database.execute("UPDATE versions SET created = '2020-01-01T00:00:00+00:00' WHERE key_id = ?", (key_id,))


@pytest.fixture(scope="module")
def servers(launcher: Launcher, tmp_path_factory: pytest.TempPathFactory) -> tuple[Server, Server]:
    store = launcher.store()
    extra = "[cache]\nunwrapped_keys = 0\n"
    return store, launcher.proxy(store, tmp_path_factory.mktemp("versions"), extra=extra)


@pytest.fixture
def site(servers: tuple[Server, Server], bucket_name: str) -> Site:
    site = Site(*servers, bucket_name)
    assert signed(site.proxy, "PUT", f"/{bucket_name}").status == 200
    return site


def _versions(key: Any) -> dict[int, bool]:
    return {one["version"]: one["present"] for one in key["versions"]}


def test_a_version_that_wraps_something_is_not_deleted_and_what_wraps_nothing_is(site: Site) -> None:
    key_id = site.keys("create")["key_id"]
    site.put("alone", key_id, bucket_key=False)
    site.put("with-bucket-key", key_id)
    client = s3_client(site.proxy)
    how = {"Bucket": site.bucket, "Key": "up"}
    upload = client.create_multipart_upload(**how, ServerSideEncryption="aws:kms", SSEKMSKeyId=key_id)["UploadId"]
    assert site.keys("rotate", key_id)["current_version"] == 2

    whole = site.run("keys", "schedule-deletion", key_id)
    too_early = site.run("keys", "delete-version", key_id, "1")
    site.let_a_day_pass(key_id)
    in_use = site.run("keys", "delete-version", key_id, "1")

    assert whole.exit_code == too_early.exit_code == in_use.exit_code == 1
    assert f"in use: the upload in progress {site.bucket}/up is under it, and perhaps more. " in whole.stderr
    assert re.fullmatch(
        rf"sseproxy: Version 1 of the CMK {key_id} was the present one until \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC: "
        r"for a day, writes that began before may still be on their way\. " + re.escape(_INSISTING),
        too_early.stderr,
    )
    assert in_use.stderr == (
        f"sseproxy: There is still under version 1 of the CMK {key_id}: 1 upload in progress ({site.bucket}/up), "
        f"2 objects ({site.bucket}/alone, …). " + _LEAVING + _INSISTING
    )
    assert _versions(site.keys("describe", key_id)) == {1: True, 2: True}

    client.abort_multipart_upload(**how, UploadId=upload)
    assert site.rewrap_objects()["outcomes"] == {"rewrapped": 2}
    deleted = site.keys("delete-version", key_id, "1")

    assert (deleted["current_version"], _versions(deleted)) == (2, {1: False, 2: True})
    assert [site.get(key).body for key in ("alone", "with-bucket-key")] == [b"alone", b"with-bucket-key"]
    assert site.keys("rotate", key_id)["current_version"] == 3


def test_a_bucket_key_whose_record_was_not_wrapped_again_counts(site: Site) -> None:
    key_id = site.keys("create")["key_id"]
    site.put("object", key_id)
    record = site.keys("rotate", key_id)["key_id"]
    assert record == key_id
    # As after a rotation by another process, whose store was away: the newer wrap is not there.
    state = s3_client(site.store)
    for found in state.list_objects_v2(Bucket="sseproxy-state", Prefix="keks/newest/")["Contents"]:
        state.delete_object(Bucket="sseproxy-state", Key=found["Key"])
    site.let_a_day_pass(key_id)

    before = site.run("keys", "delete-version", key_id, "1").stderr
    assert site.keys("rewrap", key_id) == {"key_id": key_id, "rewrapped": 1}
    after = site.run("keys", "delete-version", key_id, "1").stderr

    told = f"There is still under version 1 of the CMK {key_id}: "
    assert told + f"1 bucket key (of {site.bucket}), 1 object ({site.bucket}/object). " in before
    assert told + f"1 object ({site.bucket}/object). " in after


def test_told_twice_a_version_goes_and_what_only_it_opens_is_lost(site: Site) -> None:
    key_id = site.keys("create")["key_id"]
    site.put("alone", key_id, bucket_key=False)
    site.put("with-bucket-key", key_id)
    site.keys("rotate", key_id)

    deleted = site.keys("delete-version", key_id, "1", "--even-if-in-use")

    assert _versions(deleted) == {1: False, 2: True}
    assert site.get("alone").error == (500, "InternalError", f"The key {key_id} has no version 1.")
    assert site.get("with-bucket-key").body == b"with-bucket-key"  # its bucket key has a newer wrap in the state bucket


def test_the_service_master_keys_versions_go_like_others_and_the_state_bucket_still_opens(
    site: Site, launcher: Launcher
) -> None:
    site.put("object", None)
    service = site.keys("describe", "alias/sseproxy/service")
    key_id, old = service["key_id"], service["current_version"]
    # As after a rotation by period, which leaves the state bucket's key alone.
    state = s3_client(site.store)
    left = state.get_object(Bucket="sseproxy-state", Key="state-key")["Body"].read()
    site.keys("rotate", key_id)
    state.put_object(Bucket="sseproxy-state", Key="state-key", Body=left)
    site.let_a_day_pass(key_id)

    in_use = site.run("keys", "delete-version", key_id, str(old)).stderr
    site.keys("rewrap", key_id)
    site.rewrap_objects()
    deleted = site.keys("delete-version", key_id, str(old))
    again = launcher.proxy(site.store, site.proxy.data)

    assert (
        f"There is still under version {old} of the CMK {key_id}: the key of the state bucket, "
        f"1 object ({site.bucket}/object). "
    ) in in_use
    assert _versions(deleted) == {old: False, old + 1: True}
    assert signed(again, "GET", f"/{site.bucket}/object").body == b"object"


def test_where_the_store_cannot_be_asked_no_version_is_deleted(site: Site, tmp_path: Path) -> None:
    key_id = site.keys("create")["key_id"]
    site.keys("rotate", key_id)
    site.let_a_day_pass(key_id)
    config = next(site.proxy.data.glob("sseproxy-*.toml")).read_text()
    (tmp_path / "away.toml").touch(mode=0o600)
    (tmp_path / "away.toml").write_text(re.sub(r'endpoint = "\S+"', 'endpoint = "http://127.0.0.1:1"', config))

    done = CliRunner().invoke(app, ["keys", "delete-version", key_id, "1", "--config", str(tmp_path / "away.toml")])

    assert done.exit_code == 1
    assert done.stderr.startswith(f"sseproxy: It cannot be said whether version 1 of the CMK {key_id} is in use (")
    assert done.stderr.endswith(_INSISTING)
    assert _versions(site.keys("describe", key_id)) == {1: True, 2: True}
