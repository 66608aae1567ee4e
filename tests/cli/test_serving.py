"""Whole processes: how they start, what they say, how they end."""

import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import make_certificates
from tests.support.raw_http import exchange, sign, signed, signed_put_head
from tests.support.servers import Launcher, Server, StartFailed, s3_client, wait_until, whole_lines


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    launcher = Launcher(tmp_path)
    yield launcher
    launcher.stop_all()


def _lines(server: Server) -> list[dict[str, Any]]:
    """Everything the process wrote as JSON, events and access log."""
    return [json.loads(line) for line in whole_lines(server.output()) if line.startswith("{")]


def _admin(server: Server) -> str:
    (ready,) = [line for line in _lines(server) if line["event"] == "ready"]
    return str(ready["admin"])


def _get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read()


def _sseproxy(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sseproxy", *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def _config(server: Server) -> str:
    """The configuration that a proxy of the launcher was started with."""
    return str(max(server.data.glob("sseproxy-*.toml")))


def test_dev_says_where_it_listens_serves_and_ends_with_code_0(launcher: Launcher) -> None:
    dev = launcher.dev()
    client = s3_client(dev)
    client.create_bucket(Bucket="photos")
    client.put_object(Bucket="photos", Key="hello", Body=b"world")

    assert client.get_object(Bucket="photos", Key="hello")["Body"].read() == b"world"
    assert _get(_admin(dev) + "/readyz") == (200, b'{"ready": true, "problems": {}}\n')
    assert dev.stop() == 0
    assert "Traceback" not in dev.output()


def test_the_lines_that_dev_prints_do_what_they_say_when_pasted(launcher: Launcher, tmp_path: Path) -> None:
    blocks = _pasted(launcher.dev().output())
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}

    def run(*command: str) -> str:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("bash", "-e", "-c", blocks["aws CLI"])
    through_boto3 = run(sys.executable, "-c", blocks["boto3"].replace("s3.get_object", "print(s3.get_object", 1) + ")")
    through_oss2 = run(
        sys.executable, "-W", "ignore", "-c", blocks["oss2"].replace("bucket.get", "print(bucket.get", 1) + ")"
    )

    assert through_boto3 == through_oss2 == "b'hello\\n'\n"


def _pasted(output: str) -> dict[str, str]:
    """The blocks that `sseproxy dev` printed, by their headings."""
    found = re.findall(r"^# ([\w ]+)\n((?:.+\n)+)", output, re.MULTILINE)
    return {heading: block.rstrip("\n") for heading, block in found}


def test_what_dev_keeps_is_there_after_a_restart(launcher: Launcher) -> None:
    first = launcher.dev()
    client = s3_client(first)
    client.create_bucket(Bucket="photos")
    client.put_object(Bucket="photos", Key="hello", Body=b"world", ServerSideEncryption="aws:kms")
    first.stop()

    second = launcher.dev(first.data)

    assert s3_client(second).get_object(Bucket="photos", Key="hello")["Body"].read() == b"world"
    assert (first.data / "root.key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in first.data.iterdir() if "-" not in path.name) == [
        "entries.sqlite3", "kms.sqlite3", "root.key", "store",
    ]  # fmt: skip


def test_dev_speaks_https_with_a_certificate(launcher: Launcher, tmp_path: Path) -> None:
    dev = launcher.dev(tls=make_certificates(tmp_path / "tls"))
    client = s3_client(dev)

    client.create_bucket(Bucket="photos")

    assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == ["photos"]


def test_two_dev_servers_do_not_share_a_directory(launcher: Launcher) -> None:
    first = launcher.dev()

    with pytest.raises(StartFailed, match="is in use by another process; stop it, or give another --data"):
        launcher.dev(first.data)

    assert launcher.servers[-1].process.wait() == 1


def test_metrics_count_requests_and_those_to_the_storage(launcher: Launcher) -> None:
    proxy = launcher.proxy(launcher.store())
    s3_client(proxy).create_bucket(Bucket="counted")

    text = _get(_admin(proxy) + "/metrics")[1].decode()

    assert re.search(r'^sseproxy_requests_total\{[^}]*status="200"[^}]*\} 1\.0$', text, re.MULTILINE)
    assert re.search(r'^sseproxy_upstream_requests_total\{method="PUT",status="200"\} ', text, re.MULTILINE)
    assert "sseproxy_observer_misuse_total 0.0" in text
    assert "\nsseproxy_workers 1.0\n" in text


def test_a_request_is_one_line_of_the_access_log(launcher: Launcher) -> None:
    proxy = launcher.proxy(launcher.store())
    client = s3_client(proxy)
    client.create_bucket(Bucket="logged")
    answer = client.put_object(Bucket="logged", Key="a b", Body=bytes(100))
    client.get_object(Bucket="logged", Key="a b", Range="bytes=0-9")["Body"].read()
    assert signed(proxy, "GET", "/logged/none").status == 404
    proxy.stop()

    requests = [line for line in _lines(proxy) if line["event"] == "request"]
    told = [(r["method"], r["operation"], r["bucket"], r["key"], r["status"], r["code"]) for r in requests]
    assert told == [
        ("PUT", "create_bucket", "logged", None, 200, None),
        ("PUT", "put_object", "logged", "a b", 200, None),
        ("GET", "get_object", "logged", "a b", 206, None),
        ("GET", "get_object", "logged", "none", 404, "NoSuchKey"),
    ]
    put, get = requests[1:3]
    assert put["request_id"] == answer["ResponseMetadata"]["RequestId"]
    assert (put["principal"], put["dialect"], put["client"]) == ("sseproxy-dev", "s3", "127.0.0.1")
    assert (put["bytes_in"] >= 100, get["bytes_out"], get["upstream_requests"] >= 1) == (True, 10, True)
    assert len({r["request_id"] for r in requests}) == len(requests)


def test_no_credential_reaches_a_log(launcher: Launcher) -> None:
    proxy = launcher.proxy(launcher.store(), extra='[logging]\nlevel = "debug"\n')
    s3_client(proxy).create_bucket(Bucket="quiet")
    presigned = [
        s3_client(proxy, signature_version=version)
        .generate_presigned_url("get_object", {"Bucket": "quiet", "Key": "k"})
        .removeprefix(proxy.url)
        for version in ("s3v4", "s3")
    ]
    header = sign(proxy, "GET", "/quiet/k", {"x-amz-security-token": "t0ken-in-a-header"})
    customer_key = {"x-amz-server-side-encryption-customer-key": "cust0mer-key", "x-amz-meta-x": "1"}

    statuses = [
        *(exchange(proxy, "GET", target).status for target in presigned),
        *(exchange(proxy, "GET", target.replace("ignature=", "ignature=0")).status for target in presigned),
        exchange(proxy, "GET", "/quiet/k", header).status,
        exchange(proxy, "GET", "/quiet/k", {**header, "Authorization": header["Authorization"] + "0"}).status,
        signed(proxy, "PUT", "/quiet/k", customer_key).status,
        exchange(proxy, "GET", "/quiet/k?X-Amz-Security-Token=t0ken-in-a-query", header).status,
    ]
    proxy.stop()

    written = proxy.output()
    signatures = re.findall(r"ignature=([\w%]{20,})", " ".join([*presigned, header["Authorization"]]))
    secrets = [*signatures, "t0ken", "cust0mer", "sseproxy-dev-secret", "ignature=", "AWS4-HMAC-SHA256"]
    assert statuses == [404, 404, 403, 403, 400, 403, 400, 403]
    assert written.count('"event": "request"') == 1 + len(statuses)
    assert len(signatures) == 3
    assert [secret for secret in secrets if secret in written] == []


def test_a_request_in_progress_ends_well_after_sigterm_and_no_new_one_is_taken(launcher: Launcher) -> None:
    proxy = launcher.proxy(launcher.store())
    s3_client(proxy).create_bucket(Bucket="drained")
    admin = _admin(proxy)
    with socket.create_connection((proxy.host, proxy.port), timeout=60) as connection:
        connection.sendall(signed_put_head(proxy, "/drained/k", length=2_000_000) + bytes(1_500_000))
        wait_until(proxy, lambda: b"\nsseproxy_in_flight 1.0\n" in _get(admin + "/metrics")[1], patience_s=30)
        proxy.process.terminate()
        wait_until(proxy, lambda: any(line["event"] == "draining" for line in _lines(proxy)), patience_s=30)

        readiness = _get(admin + "/readyz")
        with pytest.raises(OSError, match=r"refused|reset"):
            socket.create_connection((proxy.host, proxy.port), timeout=5)
        connection.sendall(bytes(500_000))
        answer = connection.recv(65536)

    assert readiness == (503, b'{"ready": false, "problems": {"process": "draining"}}\n')
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert proxy.process.wait(30) == 0
    assert [line["event"] for line in _lines(proxy)][-1] == "stopped"


def test_what_does_not_end_within_the_drain_timeout_is_cut_off(launcher: Launcher) -> None:
    store = launcher.store()
    proxy = launcher.proxy(store, extra="[limits]\ndrain_timeout = 0.2\n")
    s3_client(proxy).create_bucket(Bucket="drained")
    with socket.create_connection((proxy.host, proxy.port), timeout=60) as connection:
        connection.sendall(signed_put_head(proxy, "/drained/k", length=3_000_000) + bytes(1_500_000))
        wait_until(proxy, lambda: b"\nsseproxy_in_flight 1.0\n" in _get(_admin(proxy) + "/metrics")[1], patience_s=30)
        proxy.process.terminate()

        assert proxy.process.wait(30) == 0

    assert "Contents" not in s3_client(store).list_objects_v2(Bucket="drained")


# ---- what goes wrong at the start ----


def _edited(config: str, directory: Path, *edits: tuple[str, str]) -> str:
    """A copy of a configuration with lines replaced."""
    text = Path(config).read_text()
    for pattern, replacement in edits:
        text, count = re.subn(pattern, replacement, text)
        assert count, pattern
    path = directory / "edited.toml"
    path.touch(mode=0o600)
    path.write_text(text)
    return str(path)


def _other_root_key(directory: Path) -> Path:
    path = directory / "other.key"
    path.touch(mode=0o600)
    path.write_text(os.urandom(32).hex())
    return path


@pytest.fixture
def working(launcher: Launcher) -> Server:
    """A proxy that has been started once, so that its state bucket and keys are there."""
    proxy = launcher.proxy(launcher.store())
    s3_client(proxy).create_bucket(Bucket="there")
    return proxy


CASES: Sequence[tuple[str, tuple[str, str], int, str]] = [
    ("store away", ('endpoint = ".*"', 'endpoint = "http://127.0.0.1:1"'), 1, r"the store http://127\.0\.0\.1:1 cannot be reached"),
    ("wrong secret", (r'(?<=dialect = "s3"\n)([^[]*)secret_key = ".*"', r'\1secret_key = "wrong"'), 2, "state bucket sseproxy-state"),
    ("state missing", (r"\[kms\]", '[state]\nbucket = "nowhere"\ncreate = false\n[kms]'), 2, "state bucket nowhere"),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "code", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_serve_and_check_say_what_keeps_the_proxy_from_starting(
    working: Server, tmp_path: Path, edit: tuple[str, str], code: int, said: str
) -> None:
    config = _edited(_config(working), tmp_path, edit)

    for command, expected in (("serve", code), ("check", 1)):
        done = _sseproxy(command, "--config", config)

        assert done.returncode == expected, done.stderr
        assert re.search(said, done.stderr), done.stderr
        assert "Traceback" not in done.stderr


def test_keys_of_clients_that_cannot_be_used_are_told(working: Server, tmp_path: Path) -> None:
    file = tmp_path / "client.pem"
    file.touch(mode=0o600)
    file.write_text("no key")
    for setting, said in (
        (f'client_key_files = ["{file}"]', f"encryption.client_key_files: {file} is no private key in PEM without"),
        ('client_kms_passphrases = ["p"]', "encryption.client_kms_passphrases need encryption.client_kms_keys."),
    ):
        config = _edited(_config(working), tmp_path, (r"\[kms\]", f"[encryption]\n{setting}\n[kms]"))

        for command in ("serve", "check"):
            done = _sseproxy(command, "--config", config)

            assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_root_key_that_does_not_fit_is_told(working: Server, tmp_path: Path) -> None:
    other = _other_root_key(tmp_path)
    config = _edited(_config(working), tmp_path, ('root_key_file = ".*"', f'root_key_file = "{other}"'))

    for command in ("serve", "check"):
        done = _sseproxy(command, "--config", config)

        assert done.returncode == 2
        assert "does not belong to this root key" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_state_bucket_of_a_proxy_with_other_keys_is_told(launcher: Launcher) -> None:
    store = launcher.store()
    launcher.proxy(store)

    with pytest.raises(StartFailed, match=r"sseproxy: the state bucket sseproxy-state cannot be opened with the keys"):
        launcher.proxy(store)

    assert launcher.servers[-1].process.wait() == 2
    checked = _sseproxy("check", "--config", _config(launcher.servers[-1]))
    assert (checked.returncode, "keys: the state bucket sseproxy-state cannot" in checked.stderr) == (1, True)
    launcher.proxy(store, extra='[state]\nprefix = "second/"\n')  # with a prefix of its own it starts


def test_a_port_that_is_taken_is_told(working: Server, tmp_path: Path) -> None:
    config = _edited(
        _config(working), tmp_path, ('address = "127.0.0.1:0"\n(?=admin)', f'address = "127.0.0.1:{working.port}"\n')
    )

    done = _sseproxy("serve", "--config", config)

    assert done.returncode == 1
    assert f"sseproxy: cannot listen on 127.0.0.1:{working.port}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_check_before_the_first_start_changes_nothing_at_the_store(launcher: Launcher) -> None:
    store = launcher.store()
    with pytest.raises(StartFailed):
        launcher.proxy(store, extra="[listen2]\n")  # leaves its configuration behind
    config = Path(_config(launcher.servers[-1]))
    config.write_text(config.read_text().replace("[listen2]\n", ""))

    done = _sseproxy("check", "--config", str(config))

    assert done.returncode == 0, done.stderr
    assert s3_client(store).list_buckets()["Buckets"] == []


def test_check_of_a_good_configuration_shows_it_and_ends_with_code_0(working: Server) -> None:
    done = _sseproxy("check", "--config", _config(working))

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"{_config(working)}: the configuration is valid"
    assert '  upstream.dialect = "s3"' in lines
    assert "  upstream.secret_key = [redacted]" in lines
    assert lines[-3:] == ["storage: answers", "keys: answers", "conditions on writes: the storage keeps them all"]
    assert "sseproxy-dev-secret" not in done.stdout + done.stderr
