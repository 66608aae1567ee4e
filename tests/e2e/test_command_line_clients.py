"""Promise: unmodified command-line clients work, and their second sync has nothing to do."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command_line import Tool
from tests.support.servers import Server, s3_client

_SIZES = {"empty": 0, "one": 1, "frame": 65536, "dir/frame-plus": 65537, "dir/deep/9 MiB.bin": 9 * 1024 * 1024 + 7}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with files of telling sizes and a name with a blank and an umlaut."""
    rng = random.Random(7)
    root = tmp_path / "tree"
    for name, size in {**_SIZES, "dir/grüße & co.txt": 1234}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(size))
    return root


def _contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def _new_bucket(server: Server, name: str) -> str:
    s3_client(server).create_bucket(Bucket=name)
    return name


def test_aws_cli_copies_and_its_second_sync_transfers_nothing(
    s3: Server, tool: Callable[[str, Server], Tool], tree: Path, tmp_path: Path, bucket_name: str
) -> None:
    aws = tool("aws", s3)
    bucket = _new_bucket(s3, bucket_name)

    aws("s3", "cp", str(tree / "one"), f"s3://{bucket}/single/one")
    aws("s3", "cp", f"s3://{bucket}/single/one", str(tmp_path / "one-back"))
    first = aws("s3", "sync", str(tree), f"s3://{bucket}/tree")
    second = aws("s3", "sync", str(tree), f"s3://{bucket}/tree")
    down_first = aws("s3", "sync", f"s3://{bucket}/tree", str(tmp_path / "back"))
    down_second = aws("s3", "sync", f"s3://{bucket}/tree", str(tmp_path / "back"))

    assert (tmp_path / "one-back").read_bytes() == (tree / "one").read_bytes()
    assert first.count("upload:") == len(_contents(tree))
    assert second == ""
    assert down_first.count("download:") == len(_contents(tree))
    assert down_second == ""
    assert _contents(tmp_path / "back") == _contents(tree)


def test_s3cmd_syncs_twice_and_the_second_time_transfers_nothing(
    s3: Server, tool: Callable[[str, Server], Tool], tree: Path, tmp_path: Path, bucket_name: str
) -> None:
    s3cmd = tool("s3cmd", s3)
    bucket = _new_bucket(s3, bucket_name)
    options = [
        f"--host={s3.host}:{s3.port}",
        f"--host-bucket={s3.host}:{s3.port}",
        "--access_key=" + s3cmd.environment["AWS_ACCESS_KEY_ID"],
        "--secret_key=" + s3cmd.environment["AWS_SECRET_ACCESS_KEY"],
        "--region=us-east-1",
        "--no-progress",
        *([f"--ca-certs={s3.tls_ca}", "--ssl"] if s3.tls_ca else ["--no-ssl"]),
    ]

    first = s3cmd(*options, "sync", f"{tree}/", f"s3://{bucket}/tree/")
    second = s3cmd(*options, "sync", f"{tree}/", f"s3://{bucket}/tree/")
    (tmp_path / "back").mkdir()
    s3cmd(*options, "get", "--recursive", f"s3://{bucket}/tree/", str(tmp_path / "back") + "/")

    assert first.count("upload:") == len(_contents(tree))
    assert second.count("upload:") == 0
    assert _contents(tmp_path / "back") == _contents(tree)


def test_rclone_syncs_checks_and_its_second_sync_transfers_nothing(
    s3: Server, tool: Callable[[str, Server], Tool], tree: Path, tmp_path: Path, bucket_name: str
) -> None:
    rclone = tool("rclone", s3)
    bucket = _new_bucket(s3, bucket_name)
    # Small cut-offs make rclone use multipart uploads for the 9 MiB file.
    options = ["--config", "/dev/null", "--s3-upload-cutoff", "6Mi", "-v"]

    rclone(*options, "sync", str(tree), f"p:{bucket}/tree")
    second = rclone(*options, "sync", str(tree), f"p:{bucket}/tree")
    checked = rclone(*options, "check", "--download", str(tree), f"p:{bucket}/tree")
    hashed = rclone(*options, "check", str(tree), f"p:{bucket}/tree")
    rclone(*options, "copy", f"p:{bucket}/tree", str(tmp_path / "back"))

    assert "There was nothing to transfer" in second
    assert "0 differences found" in checked
    assert "0 differences found" in hashed
    assert _contents(tmp_path / "back") == _contents(tree)
