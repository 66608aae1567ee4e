"""What `sseproxy dev` prints."""

import ast
import re
import shlex
from pathlib import Path

import pytest

from sseproxy.bootstrap import Addresses, DevOptions
from sseproxy.cli.dev import welcome

ADDRESSES = Addresses(data="http://127.0.0.1:9000", admin="http://127.0.0.1:40000")


def _block(text: str, heading: str) -> list[str]:
    """The lines under a comment, up to the next blank one."""
    lines = [*text.splitlines(), ""]
    start = lines.index(f"# {heading}") + 1
    return lines[start : lines.index("", start)]


def test_the_first_address_printed_is_the_one_for_clients() -> None:
    found = re.findall(r"https?://[\d.]+:\d+", welcome(DevOptions(), ADDRESSES))

    assert found[:2] == [ADDRESSES.data, ADDRESSES.admin]


def test_endpoint_credentials_and_region_are_printed() -> None:
    text = welcome(DevOptions(data=Path("here")), ADDRESSES)

    for line in (
        "  endpoint    http://127.0.0.1:9000",
        "  access key  sseproxy-dev",
        "  secret      sseproxy-dev-secret",
        "  region      us-east-1",
    ):
        assert line in text.splitlines()
    assert "State is kept in here." in text


def test_the_lines_for_the_aws_cli_and_ossutil_are_shell_commands() -> None:
    text = welcome(DevOptions(), ADDRESSES)

    export, make, copy = _block(text, "aws CLI")
    assert shlex.split(export)[1:] == [
        "AWS_ACCESS_KEY_ID=sseproxy-dev", "AWS_SECRET_ACCESS_KEY=sseproxy-dev-secret", "AWS_DEFAULT_REGION=us-east-1",
    ]  # fmt: skip
    assert shlex.split(make) == ["aws", "--endpoint-url", "http://127.0.0.1:9000", "s3", "mb", "s3://photos"]
    assert "s3://photos/hello" in shlex.split(copy)
    assert shlex.split(_block(text, "ossutil")[0])[:3] == ["ossutil", "ls", "oss://photos"]


@pytest.mark.parametrize("heading", ["boto3", "oss2"])
def test_the_lines_for_python_are_python(heading: str) -> None:
    block = "\n".join(_block(welcome(DevOptions(), ADDRESSES), heading))

    assert ast.parse(block).body
    assert "http://127.0.0.1:9000" in block


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_the_ca_is_mentioned_only_where_there_is_one(*, tls: bool) -> None:
    options = DevOptions(tls_cert=Path("cert.pem"), tls_key=Path("key.pem")) if tls else DevOptions()

    assert ("AWS_CA_BUNDLE" in welcome(options, ADDRESSES)) is tls
