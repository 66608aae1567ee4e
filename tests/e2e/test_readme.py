"""Promise: what README.md shows is what happens. Its blocks are taken from the file and run."""

import re
import subprocess
import sys
from email.utils import parsedate_to_datetime
from pathlib import Path

from tests.support.kms_swap import key_ids
from tests.support.servers import Server

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def _blocks(heading: str, language: str) -> list[str]:
    """Return the fenced blocks of a language under a heading."""
    section = README.partition(f"### {heading}\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def _run(arguments: list[str]) -> str:
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True, timeout=60).stdout


def _stats(output: str) -> list[dict[str, str]]:
    """Return what each step printed, by name."""
    return [
        dict(line.split(": ", 1) for line in step.strip().splitlines()) for step in re.split(r"^(?=ACL: )", output, flags=re.MULTILINE)[1:]
    ]  # fmt: skip


def test_an_existing_object_is_encrypted_in_place_as_the_readme_shows(dev: Server) -> None:
    command, program = _blocks("Encrypting what exists", "")[0], _blocks("Encrypting what exists", "python")[0]

    _run(["-m", *command.replace("./sseproxy-data", str(dev.data)).split()])
    steps = _stats(_run(["-c", program.replace("http://127.0.0.1:9000", dev.url)]))

    keys = key_ids(dev.data)
    sse = "x-oss-server-side-encryption"
    assert [(step.pop(sse), step.pop("CMK")) for step in steps] == [
        ("AES256", "None"),
        ("KMS", keys["alias/acs/oss"]),
        ("KMS", keys["alias/orders"]),
    ]
    times = [parsedate_to_datetime(step.pop("Last-Modified")) for step in steps]
    assert times == sorted(times)
    assert (
        steps
        == [
            {
                "ACL": "default",
                "Content-Length": "10",
                "Content-Md5": "eB5eJF1ptWaXm4bijSPyxw==",
                "Content-Type": "text/plain",
                "Etag": '"781E5E245D69B566979B86E28D23F2C7"',
                "X-Oss-Hash-Crc64ecma": "2838902930144391966",
            }
        ]
        * 3
    )
