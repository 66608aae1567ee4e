"""A certificate is replaced while `sseproxy dev` runs."""

import shutil
import signal
import socket
import ssl
import time
from pathlib import Path

from tests.support.certificates import make_certificates
from tests.support.servers import Launcher, Server, pause


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
    server.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 60
    while event not in server.output():
        assert time.monotonic() < deadline, server.output()
        pause()


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
