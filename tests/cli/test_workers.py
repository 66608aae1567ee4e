"""`sseproxy serve --workers`: how several processes start, are kept, and end."""

import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sseproxy import __version__
from tests.support.certificates import make_certificates
from tests.support.raw_http import connect, head_bytes, read_answer, sign, signed, signed_put_head
from tests.support.servers import Launcher, Server, StartFailed, own_state, wait_until
from tests.support.workers import admin, events, lines, metric, pids

_BODY = bytes(20_000)
_THREADS = 4


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    launcher = Launcher(tmp_path_factory.mktemp("workers"))
    yield launcher
    launcher.stop_all()


@pytest.fixture(scope="module")
def store(launcher: Launcher) -> Server:
    """One for all proxies here: each has keys, state and buckets of its own."""
    return launcher.store()


@pytest.fixture(scope="module")
def kept(launcher: Launcher, store: Server) -> Server:
    """A proxy with two workers that goes on."""
    return launcher.proxy(store, extra=own_state("kept"), workers=2)


@pytest.fixture
def proxy(launcher: Launcher, store: Server, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A proxy with two workers that a test may end."""
    proxy = launcher.proxy(store, extra=own_state(request.node.name), workers=2)
    yield proxy
    proxy.stop()


class _Load:
    """Threads that write and read, each request on a connection of its own, until they are refused one."""

    def __init__(self, server: Server, bucket: str) -> None:
        self._server = server
        self._bucket = bucket
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(_THREADS)]
        self.served = 0
        self.failed: list[str] = []
        self._stop = threading.Event()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def stop(self) -> None:
        self._stop.set()
        self.join()

    def _work(self, number: int) -> None:
        method = "GET" if number % 2 else "PUT"
        target = f"/{self._bucket}/k{number - number % 2}"
        while not self._stop.is_set():
            headers = {**sign(self._server, method, target), "Connection": "close"}
            headers |= {"Content-Length": str(len(_BODY))} if method == "PUT" else {}
            try:
                connection = connect(self._server)
            except OSError:
                return
            try:
                with connection:
                    head = head_bytes(self._server, method, target, headers)
                    connection.sendall(head + (_BODY if method == "PUT" else b""))
                    answer = read_answer(connection, method)
                if answer.status != 200 or (method == "GET" and answer.body != _BODY):
                    self.failed.append(f"{method} {answer.status}")
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(f"{method} {error!r}")
            self.served += 1


@contextmanager
def _load_on(proxy: Server, bucket: str) -> Iterator[_Load]:
    assert signed(proxy, "PUT", f"/{bucket}").status == 200
    for number in range(0, _THREADS, 2):
        assert signed(proxy, "PUT", f"/{bucket}/k{number}", {}, _BODY).status == 200
    load = _Load(proxy, bucket)
    load.start()
    try:
        wait_until(proxy, lambda: load.served > 30)
        yield load
    finally:
        load.stop()


def test_sigterm_under_load_fails_no_request_that_was_taken(proxy: Server) -> None:
    with _load_on(proxy, "drained") as load:
        proxy.ask_to_end()
        for pid in pids(proxy).values():
            os.kill(pid, signal.SIGTERM)  # as systemd does: to all processes of a service, whatever the first one does
        code = proxy.wait(60)
        load.join()

    assert (code, load.failed) == (0, [])
    assert [line["event"] for line in lines(proxy)][-1] == "stopped"
    assert {line["worker"] for line in events(proxy, "request")} == {1, 2}


def test_a_worker_that_is_killed_is_replaced_while_the_other_serves(kept: Server) -> None:
    with _load_on(kept, "replaced") as load:
        before, counted = pids(kept), metric(kept, "sseproxy_requests_total")

        os.kill(before[1], signal.SIGKILL)
        not_ready = 503, '{"ready": false, "problems": {"worker 1": "does not serve"}}\n'
        wait_until(kept, lambda: admin(kept, "/readyz") == not_ready)
        healthy, while_away = admin(kept, "/healthz"), metric(kept, "sseproxy_requests_total")
        served = load.served
        wait_until(kept, lambda: load.served > served + 20)
        wait_until(kept, lambda: pids(kept)[1] != before[1])
        wait_until(kept, lambda: admin(kept, "/readyz")[0] == 200)
        last = len(events(kept, "request"))
        wait_until(kept, lambda: {line["worker"] for line in events(kept, "request")[last:]} == {1, 2})

    # What the killed worker had begun, and once more per thread: the kernel closes a dead process's sockets one by one,
    # so that who comes again at once may still meet the one that listened.
    assert len(load.failed) <= 2 * _THREADS
    assert (healthy, while_away >= counted) == ((200, "ok\n"), True)
    assert metric(kept, "sseproxy_workers") == 2
    assert metric(kept, "sseproxy_worker_restarts_total") == 1
    assert metric(kept, "sseproxy_requests_total") >= while_away
    (ended,) = events(kept, "worker_ended")
    assert (ended["worker"], ended["how"]) == (1, "killed by SIGKILL")
    assert pids(kept)[2] == before[2]


def test_a_worker_that_hangs_is_a_reason_to_start_the_program_again(kept: Server) -> None:
    counted = metric(kept, "sseproxy_requests_total")
    os.kill(pids(kept)[2], signal.SIGSTOP)
    try:
        hanging = admin(kept, "/healthz"), admin(kept, "/readyz")
        assert metric(kept, "sseproxy_requests_total") == counted
    finally:
        os.kill(pids(kept)[2], signal.SIGCONT)

    problem = '{"ready": false, "problems": {"worker 2": "does not answer"}}\n'
    assert hanging == ((503, "a worker hangs\n"), (503, problem))
    wait_until(kept, lambda: admin(kept, "/healthz") == (200, "ok\n"))


def test_workers_end_by_themselves_when_their_supervisor_is_killed(proxy: Server) -> None:
    proxy.kill()

    def is_free() -> bool:
        try:
            connect(proxy).close()
        except ConnectionRefusedError:
            return True
        return False

    wait_until(proxy, is_free)
    wait_until(proxy, lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids(proxy).values()))


def test_a_second_sigterm_ends_all_at_once(proxy: Server) -> None:
    assert signed(proxy, "PUT", "/kept").status == 200
    with connect(proxy) as connection:
        connection.sendall(signed_put_head(proxy, "/kept/k", length=2_000_000) + bytes(1_500_000))
        wait_until(proxy, lambda: metric(proxy, "sseproxy_in_flight") == 1)
        proxy.ask_to_end()
        wait_until(proxy, lambda: events(proxy, "draining") != [])
        assert admin(proxy, "/readyz") == (503, '{"ready": false, "problems": {"process": "draining"}}\n')

        assert proxy.stop() == 1

        with pytest.raises((http.client.HTTPException, ConnectionError)):
            read_answer(connection, "PUT")


def test_sighup_brings_all_workers_the_new_certificate(launcher: Launcher, store: Server, tmp_path: Path) -> None:
    used, later = make_certificates(tmp_path / "used"), make_certificates(tmp_path / "later")
    proxy = launcher.proxy(store, tls=used, extra=own_state("sighup"), workers=2)
    assert {_shown(proxy) for _ in range(20)} == {_leaf(used[1])}

    for old, new in zip(used, later, strict=True):
        old.write_bytes(new.read_bytes())
    proxy.process.send_signal(signal.SIGHUP)
    wait_until(proxy, lambda: {line["worker"] for line in events(proxy, "certificate_reloaded")} == {1, 2})

    assert {_shown(proxy) for _ in range(20)} == {_leaf(used[1])}


def _shown(server: Server) -> str:
    """The certificate that a new connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with connect(server) as plain, context.wrap_socket(plain) as secured:
        return ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True) or b"")


def _leaf(certificate: Path) -> str:
    found = re.match(r"(?s).*?-----END CERTIFICATE-----\n", certificate.read_text())
    assert found
    return found[0]


# ---- what goes wrong at the start ----


def test_what_is_wrong_at_the_start_is_said_once(launcher: Launcher, store: Server) -> None:
    with pytest.raises(StartFailed) as failed:
        launcher.proxy(store, extra='[state]\nbucket = "nowhere"\ncreate = false\n', workers=3)

    assert launcher.servers[-1].wait() == 2
    assert str(failed.value).count("state bucket nowhere") == 1
    assert "Traceback" not in str(failed.value)


def test_two_supervisors_do_not_share_a_port_by_mistake(launcher: Launcher, kept: Server) -> None:
    config = max(kept.data.glob("sseproxy-*.toml"))
    config.write_text(config.read_text().replace("127.0.0.1:0", f"127.0.0.1:{kept.port}", 1))

    with pytest.raises(
        StartFailed, match=rf"cannot listen on 127\.0\.0\.1:{kept.port}: Address already in use; choose"
    ):
        launcher.serve(config, kept.data, options=["--workers", "3"])

    assert launcher.servers[-1].wait() == 1


def _start_worker(stdin: int) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "sseproxy", "worker"],
        stdin=stdin, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_a_worker_is_not_started_by_hand() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    expected = 1, "sseproxy: a worker is started by `sseproxy serve --workers`, and by nothing else\n"

    with theirs:
        assert _start_worker(theirs.fileno()) == expected
    assert _start_worker(subprocess.DEVNULL) == expected


def test_a_worker_of_another_release_than_its_supervisor_does_not_begin() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall((5).to_bytes(4) + b"0.0.1" + (1).to_bytes(4) + b"x")

        code, told = _start_worker(theirs.fileno())

    assert (code, told) == (
        1,
        f"sseproxy: release {__version__} is installed, but the supervisor is of release 0.0.1; "
        "restart `sseproxy serve`\n",
    )
