"""Promise: what reads and writes tables and trees in S3 works unmodified: s3fs, PyArrow, polars, minio-py.

Four implementations of S3 that share nothing with boto3's transfers: aiobotocore, the AWS SDK for C++, Rust's
object_store, and MinIO's own.
"""

import io
import random
from collections.abc import Iterator
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import s3fs
from minio import Minio
from minio.sse import SseKMS, SseS3
from pyarrow.fs import FileSelector, S3FileSystem

from tests.support.places import S3_PROXIES, STORE
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Server, s3_client

_MIB = 1024 * 1024
_ROWS = 200_000

# Over https these libraries differ in how they are told of a private CA, not in what they send.
over_http = pytest.mark.parametrize("s3", [name for name in (*S3_PROXIES, STORE) if "https" not in name], indirect=True)


@pytest.fixture
def bucket(s3: Server, bucket_name: str) -> str:
    s3_client(s3).create_bucket(Bucket=bucket_name)
    return bucket_name


@pytest.fixture
def files(s3: Server) -> Iterator[Any]:
    s3fs.S3FileSystem.clear_instance_cache()
    yield s3fs.S3FileSystem(
        key=ACCESS_KEY, secret=SECRET_KEY, endpoint_url=s3.url, client_kwargs={"region_name": REGION}
    )
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="module")
def table() -> pa.Table:
    """Numbers in several row groups, so that readers ask for ranges: footer, columns, groups."""
    rng = random.Random(9)
    return pa.table(
        {
            "number": pa.array(range(_ROWS)),
            "noise": pa.array([rng.random() for _ in range(_ROWS)]),
            "text": pa.array([rng.randbytes(8).hex() for _ in range(_ROWS)]),
        }
    )


@over_http
def test_s3fs_writes_parts_seeks_and_lists(files: Any, bucket: str) -> None:
    body = random.Random(1).randbytes(12 * _MIB + 7)

    with files.open(f"{bucket}/dir/big", "wb", block_size=5 * _MIB) as sink:
        sink.write(body)
    files.pipe(f"{bucket}/dir/small", b"small")
    with files.open(f"{bucket}/dir/big", "rb") as source:
        source.seek(7 * _MIB - 3)
        middle = source.read(100)

    assert middle == body[7 * _MIB - 3 :][:100]
    assert files.cat(f"{bucket}/dir/big") == body
    assert files.cat_file(f"{bucket}/dir/big", start=-5) == body[-5:]
    assert {entry["name"]: entry["size"] for entry in files.ls(f"{bucket}/dir", detail=True)} == {
        f"{bucket}/dir/big": len(body),
        f"{bucket}/dir/small": 5,
    }
    assert files.info(f"{bucket}/dir/big")["size"] == len(body)
    files.mv(f"{bucket}/dir/small", f"{bucket}/dir/moved")
    assert files.find(bucket) == [f"{bucket}/dir/big", f"{bucket}/dir/moved"]


@over_http
def test_pyarrow_reads_and_writes_parquet_with_its_own_s3_client(s3: Server, bucket: str, table: pa.Table) -> None:
    scheme, _, endpoint = s3.url.partition("://")
    filesystem = S3FileSystem(
        access_key=ACCESS_KEY, secret_key=SECRET_KEY, region=REGION, scheme=scheme, endpoint_override=endpoint
    )

    pq.write_table(table, f"{bucket}/data/table.parquet", filesystem=filesystem, row_group_size=20_000)
    back = pq.read_table(
        f"{bucket}/data", filesystem=filesystem, columns=["noise"], filters=pc.field("number") >= 150_000
    )
    listed = filesystem.get_file_info(FileSelector(bucket, recursive=True))

    assert back.column("noise").to_pylist() == table.column("noise").to_pylist()[150_000:]
    assert pq.read_table(f"{bucket}/data/table.parquet", filesystem=filesystem).equals(table)
    sizes = {info.path: info.size for info in listed if info.is_file}
    stored = s3_client(s3).head_object(Bucket=bucket, Key="data/table.parquet")["ContentLength"]
    assert sizes == {f"{bucket}/data/table.parquet": stored}


@over_http
def test_polars_scans_parquet_with_its_own_s3_client(s3: Server, files: Any, bucket: str, table: pa.Table) -> None:
    with files.open(f"{bucket}/table.parquet", "wb") as sink:
        pq.write_table(table, sink, row_group_size=20_000)
    options = {
        "aws_access_key_id": ACCESS_KEY,
        "aws_secret_access_key": SECRET_KEY,
        "aws_region": REGION,
        "aws_endpoint_url": s3.url,
        "aws_allow_http": "true",
    }

    scanned = pl.scan_parquet(f"s3://{bucket}/table.parquet", storage_options=options)
    total = scanned.filter(pl.col("number") < 1000).select(pl.col("number").sum()).collect().item()
    scanned.select("text").head(5).sink_parquet(f"s3://{bucket}/head.parquet", storage_options=options)

    assert total == sum(range(1000))
    with files.open(f"{bucket}/head.parquet", "rb") as source:
        assert pq.read_table(source).column("text").to_pylist() == table.column("text").to_pylist()[:5]


def _minio(s3: Server) -> Minio:
    scheme, _, endpoint = s3.url.partition("://")
    return Minio(endpoint, ACCESS_KEY, SECRET_KEY, secure=scheme == "https", region=REGION)


@over_http
def test_minio_py_puts_streams_gets_and_removes(s3: Server, bucket: str) -> None:
    client = _minio(s3)
    body = random.Random(2).randbytes(11 * _MIB + 1)

    put = client.put_object(bucket, "known", io.BytesIO(body), len(body), part_size=5 * _MIB)
    client.put_object(bucket, "unknown", io.BytesIO(body), -1, part_size=5 * _MIB)
    stat = client.stat_object(bucket, "known")

    with client.get_object(bucket, "unknown", offset=5 * _MIB - 1, length=3) as got:
        assert got.read() == body[5 * _MIB - 1 :][:3]
    assert (stat.size, stat.etag) == (len(body), put.etag)
    assert [(entry.object_name, entry.size) for entry in client.list_objects(bucket)] == [
        ("known", len(body)),
        ("unknown", len(body)),
    ]
    client.remove_object(bucket, "known")
    assert [entry.object_name for entry in client.list_objects(bucket)] == ["unknown"]


@pytest.mark.parametrize("s3", ["dev", "on_weed"], indirect=True)
def test_minio_py_asks_for_encryption(s3: Server, bucket: str) -> None:
    client = _minio(s3)

    client.put_object(bucket, "s3", io.BytesIO(b"s3"), 2, sse=SseS3())
    client.put_object(bucket, "kms", io.BytesIO(b"kms"), 3, sse=SseKMS("alias/aws/s3", {"tenant": "a"}))

    shown = {key: dict(client.stat_object(bucket, key).metadata or {}) for key in ("s3", "kms")}
    assert shown["s3"]["x-amz-server-side-encryption"] == "AES256"
    assert shown["kms"]["x-amz-server-side-encryption"] == "aws:kms"
