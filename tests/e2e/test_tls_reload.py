"""Certificates and CAs are replaced while the proxy runs, towards clients and towards the store."""

import os
import shutil
import signal
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.certificates import make_certificates
from tests.support.servers import Launcher, Server, own_state, s3_client, wait_until


def _shown(server: Server) -> bytes:
    """Return the certificate that a new connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection((server.host, server.port), 20) as plain:
        with context.wrap_socket(plain) as secured:
            return secured.getpeercert(binary_form=True) or b""


def _leaf(certificate: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(
        certificate.read_text().partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    )


def _reload(server: Server, event: str) -> None:
    before = server.output().count(event)
    server.process.send_signal(signal.SIGHUP)
    wait_until(server, lambda: server.output().count(event) > before)


def _listens(server: Server) -> bool:
    try:
        socket.create_connection((server.host, server.port), 5).close()
    except OSError:
        return False
    return True


def test_sighup_brings_a_new_certificate_and_a_broken_one_changes_nothing(launcher: Launcher, tmp_path: Path) -> None:
    used = make_certificates(tmp_path / "used")
    later = make_certificates(tmp_path / "later")
    server = launcher.dev(tls=used)
    assert _shown(server) == _leaf(used[1])

    shutil.copy(later[1], used[1])  # its key is still the old one
    _reload(server, "certificate_not_reloaded")
    assert _shown(server) != _leaf(later[1])

    shutil.copy(later[2], used[2])
    _reload(server, "certificate_reloaded")
    assert _shown(server) == _leaf(later[1])


def _client(server: Server, shown: tuple[Path, Path, Path]) -> Any:
    """An S3 client that shows a certificate; `shown` is (CA, certificate, key)."""
    return s3_client(server, client_cert=(str(shown[1]), str(shown[2])))


def test_clients_are_let_in_by_the_ca_that_the_file_has_now(launcher: Launcher, store: Server, tmp_path: Path) -> None:
    used, before, after = (make_certificates(tmp_path / name) for name in ("used", "before", "after"))
    clients = Path(shutil.copy(before[0], tmp_path / "clients.pem"))
    proxy = launcher.proxy(store, tls=used, listen=f'tls_client_ca = "{clients}"\n', extra=own_state("client-ca"))
    _client(proxy, before).create_bucket(Bucket="client-ca")

    clients.write_text("half a certificate")
    _reload(proxy, "certificate_not_reloaded")
    _client(proxy, before).head_bucket(Bucket="client-ca")
    with pytest.raises(BotoCoreError):
        _client(proxy, after).head_bucket(Bucket="client-ca")

    shutil.copy(after[0], clients)
    _reload(proxy, "certificate_reloaded")
    _client(proxy, after).head_bucket(Bucket="client-ca")
    with pytest.raises(BotoCoreError):
        _client(proxy, before).head_bucket(Bucket="client-ca")
    assert "give a PEM file of the CA" in proxy.output()


def test_a_store_that_moves_to_another_ca_is_reached_without_a_restart(launcher: Launcher, tmp_path: Path) -> None:
    before, after = make_certificates(tmp_path / "before"), make_certificates(tmp_path / "after")
    trusted = Path(shutil.copy(before[0], tmp_path / "trusted.pem"))
    behind = launcher.dev(tls=before)
    own = '[state]\nbucket = "another-state"\n'  # `sseproxy dev` hides its own
    proxy = launcher.proxy(behind, upstream={"ca_file": str(trusted)}, extra=own)
    client = s3_client(proxy)
    client.create_bucket(Bucket="moves")

    behind.stop()
    launcher.dev(behind.data, tls=after, listen=f"{behind.host}:{behind.port}")
    with pytest.raises(ClientError) as refused:
        client.get_bucket_location(Bucket="moves")
    shutil.copy(after[0], trusted)
    _reload(proxy, "certificate_reloaded")

    assert refused.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert client.get_bucket_location(Bucket="moves")["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_slow_download_over_tls_comes_to_its_end_after_sigterm(
    launcher: Launcher, store: Server, tmp_path: Path
) -> None:
    used = make_certificates(tmp_path)
    proxy = launcher.proxy(store, tls=used, extra=own_state("slow-tls"))
    client = s3_client(proxy)
    client.create_bucket(Bucket="slow-tls")
    content = os.urandom(24 * 2**20)  # more than the kernels' buffers and the proxy's hold
    client.put_object(Bucket="slow-tls", Key="k", Body=content)

    body = client.get_object(Bucket="slow-tls", Key="k")["Body"]
    received = bytearray(body.read(2**20))
    proxy.ask_to_end()
    wait_until(proxy, lambda: not _listens(proxy))
    assert proxy.process.poll() is None
    received += body.read()

    assert received == content
    assert proxy.wait(30) == 0
