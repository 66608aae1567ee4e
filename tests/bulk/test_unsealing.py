"""`sseproxy objects unseal`: the exit. No proxy and no store; everything verified, or nothing written."""

import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import md5
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sseproxy.cli.main import app
from tests.bulk.conftest import Place
from tests.support.objects_tool import Done, tool_of
from tests.support.servers import Launcher, s3_client

PLAIN = bytes(range(256)) * 1200  # five frames


def _download(place: Place, key: str, directory: Path) -> tuple[Path, str]:
    """The stored bytes of an object and its envelope."""
    sealed = directory / "sealed"
    sealed.write_bytes(place.stored(key))
    return sealed, place.past.head_object(Bucket=place.bucket, Key=key)["Metadata"]["sseproxy"]


def _unseal(place: Place, sealed: Path, key: str, *more: str, bucket: str | None = None) -> tuple[Done, Path]:
    out = sealed.parent / "out"
    names = ("--bucket", bucket or place.bucket, "--key", key)
    return place.tool.run("unseal", str(sealed), *names, "-o", str(out), *more), out


def _put_in_parts(place: Place, key: str, parts: Sequence[bytes]) -> None:
    client, names = place.through, {"Bucket": place.bucket, "Key": key}
    upload = {**names, "UploadId": client.create_multipart_upload(**names)["UploadId"]}
    etags = [client.upload_part(**upload, PartNumber=n, Body=part)["ETag"] for n, part in enumerate(parts, 1)]
    listed = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]
    client.complete_multipart_upload(**upload, MultipartUpload={"Parts": listed})


def test_an_object_opens_from_the_envelope_within_it(place: Place, tmp_path: Path) -> None:
    place.through.put_object(Bucket=place.bucket, Key="a/ü", Body=PLAIN)
    sealed, _ = _download(place, "a/ü", tmp_path)

    done, out = _unseal(place, sealed, "a/ü")

    assert (done.code, done.out) == (0, f"{out}: 307,200 bytes, verified\n"), done.err
    assert out.read_bytes() == PLAIN


def test_neither_proxy_nor_store_is_needed(launcher: Launcher, tmp_path: Path) -> None:
    assert launcher.nonce_log is not None
    store = launcher.store()
    proxy = launcher.proxy(store)
    place = Place(proxy, store, tool_of(proxy, launcher.nonce_log), "gone")
    place.through.create_bucket(Bucket="gone")
    place.through.put_object(Bucket="gone", Key="k", Body=PLAIN)
    sealed, _ = _download(place, "k", tmp_path)
    proxy.stop()
    store.kill()

    done, out = _unseal(place, sealed, "k")

    assert (done.code, out.read_bytes()) == (0, PLAIN)


@pytest.mark.parametrize("form", ["text", "file"])
def test_an_envelope_can_be_given(place: Place, tmp_path: Path, form: str) -> None:
    place.through.put_object(Bucket=place.bucket, Key="k", Body=b"")
    place.through.copy_object(Bucket=place.bucket, Key="copy", CopySource=f"{place.bucket}/k")
    sealed, envelope = _download(place, "copy", tmp_path)
    given = envelope
    if form == "file":
        (tmp_path / "envelope").write_text(envelope + "\n")
        given = str(tmp_path / "envelope")

    done, out = _unseal(place, sealed, "copy", "--envelope", given)

    assert (done.code, out.read_bytes()) == (0, b""), done.err


def test_the_copy_of_an_object_opens_without_its_envelope_under_the_names_of_the_original(
    place: Place, tmp_path: Path
) -> None:
    place.through.put_object(Bucket=place.bucket, Key="k", Body=PLAIN)
    place.through.copy_object(Bucket=place.bucket, Key="copy", CopySource=f"{place.bucket}/k")
    sealed, _ = _download(place, "copy", tmp_path)

    refused, out = _unseal(place, sealed, "copy")
    assert (refused.code, out.exists()) == (1, False)
    assert "its envelope was written for another name" in refused.err
    done, out = _unseal(place, sealed, "k")

    assert (done.code, out.read_bytes()) == (0, PLAIN)


def test_an_upload_in_parts_opens(place: Place, tmp_path: Path) -> None:
    parts = [os.urandom(5 * 1024 * 1024), b"the end"]
    _put_in_parts(place, "k", parts)
    sealed, _ = _download(place, "k", tmp_path)

    done, out = _unseal(place, sealed, "k")

    assert (done.code, out.read_bytes()) == (0, b"".join(parts))


def test_an_object_under_a_customers_key_opens_with_that_key_alone(launcher: Launcher, tmp_path: Path) -> None:
    assert launcher.nonce_log is not None
    dev, key = launcher.dev(), os.urandom(32)
    client, tool = s3_client(dev), tool_of(dev, launcher.nonce_log)
    client.create_bucket(Bucket="own")
    named = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
    client.put_object(Bucket="own", Key="k", Body=PLAIN, **named)
    (tmp_path / "sealed").write_bytes(_stored_in_dev(launcher, "own", "k"))
    (tmp_path / "key").write_text(b64encode(key).decode())
    out = tmp_path / "out"
    arguments = ("unseal", str(tmp_path / "sealed"), "--bucket", "own", "--key", "k", "-o", str(out))

    without = tool.run(*arguments)
    done = tool.run(*arguments, "--customer-key", str(tmp_path / "key"))

    assert without.code == 1
    assert without.err == ("sseproxy: The object was sealed under a client's own key (SSE-C): give it as well.\n")
    assert (done.code, md5(out.read_bytes()).digest()) == (0, md5(PLAIN).digest()), done.err


def _stored_in_dev(launcher: Launcher, bucket: str, key: str) -> bytes:
    """The stored bytes of a dev server's object: its store, opened after it stopped."""
    dev = launcher.servers[-1]
    dev.stop()
    store = launcher.store(dev.data / "store")
    stored: bytes = s3_client(store).get_object(Bucket=bucket, Key=key)["Body"].read()
    store.stop()
    return stored


DAMAGE: Mapping[str, tuple[Callable[[bytes], bytes], str]] = {
    "the first frame": (lambda data: _flip(data, 40), "Frame 0 of segment 1 failed its integrity check"),
    "the last frame": (
        lambda data: _flip(data, 32 + len(PLAIN) + 5 * 16 - 1),
        "Frame 4 of segment 1 failed its integrity check",
    ),
    "the footer": (lambda data: _flip(data, len(data) - 30), "footer"),
    "cut off": (lambda data: data[:-1], "does not end like a sealed object"),
    "bytes before it": (lambda data: b"x" + data, "stored size"),
    "empty": (lambda data: b"", "does not end like a sealed object"),
}


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_damage_anywhere_leaves_nothing(place: Place, tmp_path: Path) -> None:
    place.through.put_object(Bucket=place.bucket, Key="k", Body=PLAIN)
    sealed, _ = _download(place, "k", tmp_path)
    whole, out = sealed.read_bytes(), tmp_path / "out"

    for name, (damage, said) in DAMAGE.items():
        sealed.write_bytes(damage(whole))
        arguments = place.tool.arguments("unseal", str(sealed), "--bucket", place.bucket, "--key", "k", "-o", str(out))
        done = CliRunner().invoke(app, arguments)  # in this process: it starts at once

        assert (done.exit_code, sorted(path.name for path in tmp_path.iterdir())) == (1, ["sealed"]), name
        assert said in done.stderr, (name, done.stderr)


def test_a_file_that_is_there_is_kept_unless_force_is_given(place: Place, tmp_path: Path) -> None:
    place.through.put_object(Bucket=place.bucket, Key="k", Body=PLAIN)
    sealed, _ = _download(place, "k", tmp_path)
    (tmp_path / "out").write_bytes(b"mine")

    kept, out = _unseal(place, sealed, "k")
    assert (kept.code, out.read_bytes()) == (1, b"mine")
    assert kept.err == f"sseproxy: {out}: exists already; give another name, or --force\n"
    forced, out = _unseal(place, sealed, "k", "--force")

    assert (forced.code, out.read_bytes()) == (0, PLAIN)


def test_a_full_disk_leaves_nothing(place: Place, tmp_path: Path) -> None:
    place.through.put_object(Bucket=place.bucket, Key="k", Body=PLAIN)
    sealed, _ = _download(place, "k", tmp_path)
    out = tmp_path / "out"
    arguments = place.tool.arguments("unseal", str(sealed), "--bucket", place.bucket, "--key", "k", "-o", str(out))
    command = [sys.executable, "-m", "sseproxy", *arguments]

    limited = ["bash", "-c", 'trap "" XFSZ; ulimit -f 100; exec "$@"', "bash", *command]  # 100 KiB
    done = subprocess.run(limited, capture_output=True, text=True, check=False, env=os.environ.copy())

    assert (done.returncode, sorted(path.name for path in tmp_path.iterdir())) == (1, ["sealed"]), done.stderr
    assert "File too large" in done.stderr
