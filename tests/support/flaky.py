"""A TCP relay between proxy and store that breaks off on command: the network that a proxy has to live with."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from tests.support.servers import Server

_DEADLINE_S = 60.0


@dataclass(eq=False)
class Link:
    """One connection through the relay; `sent` counts bytes towards the store, `received` bytes from it."""

    client: socket.socket
    backend: socket.socket
    sent: int = 0
    received: int = 0
    is_closed: bool = False
    loses_answer: bool = False
    _closing: threading.Lock = field(default_factory=threading.Lock)

    def cut(self) -> None:
        """End the connection on both sides, with a reset."""
        with self._closing:
            if self.is_closed:
                return
            self.is_closed = True
        for side in (self.client, self.backend):
            with suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                side.shutdown(socket.SHUT_RDWR)
            side.close()


class Relay:
    """Passes connections on to a store until it is told otherwise. Thread-safe.

    `cut_answers`: of each number, so many bytes come from the store, and then the connection that they came over is
    cut; one after the other. `lose_answer`: the next request whose bytes begin so reaches the store, and its answer
    nobody. `is_down`: connections are cut as soon as they are made.
    """

    def __init__(self, store: Server) -> None:
        self._store = store
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._changed = threading.Condition()
        self.links: list[Link] = []
        self.cut_answers: list[int] = []
        self.cuts = 0
        self.lose_answer: bytes | None = None
        self.is_down = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def server(self) -> Server:
        """The store as it is reached through here."""
        return replace(self._store, port=self._listener.getsockname()[1])

    def wait_until(self, is_true: Callable[[], bool]) -> None:
        """Return as soon as something holds that depends on this relay; fails after a minute."""
        with self._changed:
            assert self._changed.wait_for(is_true, _DEADLINE_S)

    def go_down(self) -> None:
        """Cut everything, and every new connection."""
        self.is_down = True
        for link in list(self.links):
            link.cut()

    def close(self) -> None:
        self._listener.close()
        self.go_down()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                if self.is_down:
                    client.close()
                    continue
                backend = socket.create_connection((self._store.host, self._store.port))
                link = Link(client, backend)
                self.links.append(link)
                for pump in (self._pass_up, self._pass_down):
                    threading.Thread(target=pump, args=(link,), daemon=True).start()

    def _pass_up(self, link: Link) -> None:
        with self._ending(link):
            while data := link.client.recv(65536):
                with self._changed:
                    if self.lose_answer is not None and data.startswith(self.lose_answer):
                        self.lose_answer, link.loses_answer = None, True
                    link.sent += len(data)
                    self._changed.notify_all()
                link.backend.sendall(data)

    def _pass_down(self, link: Link) -> None:
        with self._ending(link):
            while data := link.backend.recv(65536):
                with self._changed:
                    passed = data[: self.cut_answers[0]] if self.cut_answers else data
                    if self.cut_answers:
                        self.cut_answers[0] -= len(passed)
                    is_last = link.loses_answer or (bool(self.cut_answers) and self.cut_answers[0] == 0)
                    if is_last and not link.loses_answer:
                        self.cut_answers.pop(0)
                    self.cuts += is_last
                    link.received += len(data)
                    self._changed.notify_all()
                if not link.loses_answer:
                    link.client.sendall(passed)
                if is_last:
                    link.client.shutdown(socket.SHUT_WR)  # what was passed on arrives, unlike after a reset
                    return

    @contextmanager
    def _ending(self, link: Link) -> Iterator[None]:
        try:
            with suppress(OSError):
                yield
        finally:
            link.cut()
            with self._changed:
                self._changed.notify_all()
