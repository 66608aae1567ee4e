"""Promise: clients that are no Python packages work unmodified: two JavaScript SDKs, restic, DuckDB."""

import json
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from tests.interop.backends import cache
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Launcher, Server, s3_client

_HERE = Path(__file__).parent
_MIB = 1024 * 1024

if "SSEPROXY_INTEROP" not in os.environ:
    pytest.skip("clients that are no Python packages run by tests/interop/run.sh alone", allow_module_level=True)


@pytest.fixture(scope="module")
def dev(launcher: Launcher) -> Server:
    """`sseproxy dev`, which speaks both dialects."""
    return launcher.dev()


@pytest.fixture(scope="module")
def dev_https(launcher: Launcher, certificates: tuple[Path, Path, Path]) -> Server:
    return launcher.dev(tls=certificates)


@pytest.fixture(params=["dev", "dev_https"])
def place(request: pytest.FixtureRequest) -> Server:
    server: Server = request.getfixturevalue(request.param)
    return server


def _run(arguments: list[str], environment: dict[str, str], directory: Path) -> str:
    """Run a client with an environment of its own, and return its output."""
    base = {"PATH": os.environ["PATH"], "HOME": str(directory), "LANG": "C.UTF-8"}
    done = subprocess.run(
        arguments, env={**base, **environment}, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _node(script: str, module: str, server: Server, *arguments: str, environment: dict[str, str], home: Path) -> Any:
    modules = cache() / "node" / "node_modules"
    if shutil.which("node") is None or not (modules / module).exists():
        pytest.skip(f"{module} is not installed: tests/interop/install-node-clients.sh")
    more = {"NODE_PATH": str(modules)}
    url = server.url.replace("127.0.0.1", "localhost")  # ali-oss signs no URL of an IP address
    if server.tls_ca:
        more["NODE_EXTRA_CA_CERTS"] = str(server.tls_ca)
    return json.loads(_run(["node", str(_HERE / script), url, *arguments], {**environment, **more}, home))


def test_the_aws_sdk_for_javascript_puts_streams_uploads_and_reads(place: Server, tmp_path: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_REGION": REGION}

    seen = _node("aws_sdk.cjs", "@aws-sdk/client-s3", place, "js-bucket", environment=keys, home=tmp_path)

    etag, checksum = '"5d41402abc4b2a76b9719d911017c592"', "NhCmhg=="
    assert seen == {
        "put": {"etag": etag, "sse": "AES256", "crc32": checksum},
        "head": {"etag": etag, "size": 5, "colour": "blue", "crc32": checksum},
        "text": "hello",
        "stream": True,
        "large": True,
        "parts": "3",
        "range": True,
        "suffix": True,
        "kms": {"sse": "aws:kms", "key": True, "text": "secret"},
        "copy": "hello",
        "listed": [["copy", 5], ["kms", 6], ["large", 12 * _MIB + 7], ["stream", 3 * _MIB + 1], ["text", 5]],
        "error": {"name": "NoSuchKey", "status": 404},
        "deleted": 5,
    }


def test_ali_oss_puts_uploads_signs_appends_and_posts_forms(dev: Server, tmp_path: Path) -> None:
    keys = {"OSS_ACCESS_KEY_ID": ACCESS_KEY, "OSS_ACCESS_KEY_SECRET": SECRET_KEY}

    seen = _node("ali_oss.cjs", "ali-oss", dev, "ali-bucket", REGION, environment=keys, home=tmp_path)

    expected = {
        "put": "AES256",
        "head": {"colour": "blue", "size": "5", "etag": '"5D41402ABC4B2A76B9719D911017C592"'},
        "text": "hello",
        "large": True,
        "range": True,
        "kms": ["KMS", True],
        "signed": "hello",
        "copy": "hello",
        "grows": "one two",
        "form": [204, "from a form"],
        "listed": [["copy", 5], ["form", 11], ["grows", 7], ["kms", 6], ["large", 3 * _MIB + 7], ["text", 5]],
        "error": ["NoSuchKey", 404],
        "deleted": 6,
    }
    assert seen == {"v1": expected, "v4": expected}


def test_restic_backs_up_checks_and_restores(place: Server, tmp_path: Path) -> None:
    if shutil.which("restic") is None:
        pytest.skip("restic is not installed: tests/interop/install-restic.sh")
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    rng = random.Random(5)
    files = {name: rng.randbytes(size) for name, size in (("small", 10), ("empty", 0), ("large", 9 * _MIB + 3))}
    for name, body in files.items():
        (source / name).write_bytes(body)
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "RESTIC_PASSWORD": "restic"}
    common = ["restic", "-o", "s3.bucket-lookup=path", "-r", f"s3:{place.url}/restic-{crc32(place.url.encode()):08x}/r"]
    common += ["--cacert", str(place.tls_ca)] if place.tls_ca else []

    _run([*common, "init"], keys, tmp_path)
    _run([*common, "backup", str(source)], keys, tmp_path)
    (source / "small").write_bytes(b"another")
    _run([*common, "backup", str(source)], keys, tmp_path)
    checked = _run([*common, "check", "--read-data"], keys, tmp_path)
    _run([*common, "restore", "latest", "--target", str(target)], keys, tmp_path)
    _run([*common, "forget", "--keep-last", "1", "--prune"], keys, tmp_path)
    again = _run([*common, "check", "--read-data"], keys, tmp_path)

    assert "no errors were found" in checked
    assert "no errors were found" in again
    restored = target / source.relative_to("/")
    assert {path.name: path.read_bytes() for path in restored.iterdir()} == {**files, "small": b"another"}


def test_duckdb_reads_parquet_by_ranges_and_writes_it(dev: Server, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed: tests/interop/install-duckdb.sh")
    extensions = pytest.importorskip("duckdb_extensions", reason="its S3 extension is not installed")
    client = s3_client(dev)
    client.create_bucket(Bucket="duck-bucket")
    host = dev.url.removeprefix("http://")
    with duckdb.connect(str(tmp_path / "db"), config={"extension_directory": str(tmp_path)}) as base:
        extensions.import_extension("httpfs", con=base)
        base.execute("LOAD httpfs")
        base.execute(
            f"CREATE SECRET (TYPE s3, KEY_ID '{ACCESS_KEY}', SECRET '{SECRET_KEY}', REGION '{REGION}',"
            f" ENDPOINT '{host}', URL_STYLE 'path', USE_SSL false)"
        )
        base.execute("CREATE TABLE t AS SELECT i, i * 2 AS double, 'row ' || i AS text FROM range(300000) r(i)")
        base.execute("COPY t TO 's3://duck-bucket/t.parquet' (FORMAT parquet, ROW_GROUP_SIZE 50000)")
        found = base.execute(
            "SELECT count(*), sum(double), max(text) FROM 's3://duck-bucket/*.parquet' WHERE i >= 299990"
        ).fetchone()

    assert found == (10, sum(2 * i for i in range(299990, 300000)), "row 299999")
    assert client.head_object(Bucket="duck-bucket", Key="t.parquet")["ServerSideEncryption"] == "AES256"
