"""Promise: a proxy in a pod of Alibaba Cloud needs no access key of its own; STS lends it one for the pod's account."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import oss2
import pytest

from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Launcher, Server

_JWT = "eyJhbGciOiJSUzI1NiJ9.of-the-pod"
_TOKEN = "CAIS/lent+token="
_SECRET_OF_NOBODY = "secret-of-nobody"


@dataclass
class Sts:
    """What it was asked, and the access keys that it lends, the last one for ever."""

    lends: list[tuple[str, str]]
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    refusal: str = ""

    def answer(self, question: dict[str, str]) -> bytes:
        self.asked.append(question)
        if self.refusal:
            return json.dumps({"Code": self.refusal, "Message": f"{question['OIDCToken']} is not good"}).encode()
        access_key, secret = self.lends.pop(0) if len(self.lends) > 1 else self.lends[0]
        lent = {"AccessKeyId": access_key, "AccessKeySecret": secret, "SecurityToken": _TOKEN}
        return json.dumps({"Credentials": {**lent, "Expiration": "2999-01-01T00:00:00Z"}}).encode()


@pytest.fixture
def sts() -> Iterator[Sts]:
    """A service on loopback, whose first access key the store does not know."""
    sts = Sts([("STS.of-before", _SECRET_OF_NOBODY), (ACCESS_KEY, SECRET_KEY)])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            question = {**parse_qs(urlsplit(self.path).query), **parse_qs(form)}
            body = sts.answer({name: values[0] for name, values in question.items()})
            self.send_response(403 if sts.refusal else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: the test looks at what was asked."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        sts.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield sts
        finally:
            server.shutdown()
            thread.join()


def _pod(store: Server, directory: Path, sts: Sts) -> tuple[Path, dict[str, str]]:
    """Return a configuration that names the lender and STS, and the platform's variables, which say the rest."""
    (directory / "token").write_text(_JWT)
    (directory / "root.key").touch(mode=0o600)
    (directory / "root.key").write_text(os.urandom(32).hex())
    config = directory / "sseproxy.toml"
    config.touch(mode=0o600)
    config.write_text(
        '[listen]\naddress = "127.0.0.1:0"\nadmin_address = "127.0.0.1:0"\n'
        f'[upstream]\nendpoint = "{store.url}"\ndialect = "oss"\nregion = "{REGION}"\n'
        f'[upstream.credentials]\nsource = "rrsa"\nsts_endpoint = "{sts.url}"\n'
        '[state]\nprefix = "in-a-pod/"\n'
        f'[[clients.credentials]]\naccess_key = "{ACCESS_KEY}"\nsecret_key = "{SECRET_KEY}"\n'
        f'[kms]\ndatabase = "{directory}/kms.sqlite3"\nroot_key_file = "{directory}/root.key"\n'
    )
    pod = {
        "ALIBABA_CLOUD_ROLE_ARN": "acs:ram::1:role/sseproxy",
        "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1:oidc-provider/ack-rrsa-c0",
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE": str(directory / "token"),
        "ALIBABA_CLOUD_ROLE_SESSION_NAME": "the-pod",
    }
    return config, pod


def test_objects_are_sealed_with_credentials_that_sts_lends_and_replaces_when_the_store_refuses_them(
    launcher: Launcher, store: Server, tmp_path: Path, sts: Sts
) -> None:
    config, pod = _pod(store, tmp_path, sts)
    proxy = launcher.serve(config, tmp_path, env=pod)
    bucket = oss2.Bucket(oss2.Auth(ACCESS_KEY, SECRET_KEY), proxy.url, "in-a-pod")

    bucket.create_bucket()
    bucket.put_object("k", b"plain")

    assert bucket.get_object("k").read() == b"plain"
    behind = oss2.Bucket(oss2.Auth(ACCESS_KEY, SECRET_KEY), store.url, "in-a-pod")
    assert b"plain" not in behind.get_object("k").read()
    assert len(sts.asked) == 2
    assert {name: sts.asked[1][name] for name in ("Action", "RoleArn", "OIDCProviderArn", "OIDCToken")} == {
        "Action": "AssumeRoleWithOIDC",
        "RoleArn": "acs:ram::1:role/sseproxy",
        "OIDCProviderArn": "acs:ram::1:oidc-provider/ack-rrsa-c0",
        "OIDCToken": _JWT,
    }
    assert sts.asked[1]["RoleSessionName"] == "the-pod"
    assert proxy.output().count("storage_credentials_refused") == 1
    for secret in (_JWT, _TOKEN, SECRET_KEY, _SECRET_OF_NOBODY):
        assert secret not in proxy.output()


@pytest.mark.parametrize(("command", "code"), [("serve", 1), ("check", 1)])
def test_what_sts_refuses_is_told_at_the_start_and_by_check(
    store: Server, tmp_path: Path, sts: Sts, command: str, code: int
) -> None:
    sts.refusal = "AuthenticationFail.NoPermission"
    config, pod = _pod(store, tmp_path, sts)

    done = subprocess.run(
        [sys.executable, "-m", "sseproxy", command, "--config", str(config)],
        env={**os.environ, **pod},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == code
    assert (
        f"nobody lends credentials for the store {store.url}: STS lends the proxy no credentials (403 "
        "AuthenticationFail.NoPermission): the role does not trust the service account"
    ) in done.stderr
    assert _JWT not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
