"""Listeners that are about to close."""

import socket
import sys

import pytest

from sseproxy.bootstrap.binding import bind_all
from sseproxy.bootstrap.turning_away import turn_away

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux has such filters")


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0"])
def test_who_is_at_the_door_is_let_in_and_who_comes_later_meets_the_next_listener(address: str) -> None:
    (closing,) = bind_all(address, shared=True)
    closing.listen()
    place = closing.getsockname()
    with socket.create_connection(place[:2], timeout=30) as before, socket.socket(closing.family) as later:
        turn_away([closing])
        later.settimeout(0)
        begun = later.connect_ex(place)  # the kernel repeats it by itself
        before.sendall(b"asked before")
        accepted, _ = closing.accept()
        with accepted:
            assert accepted.recv(100) == b"asked before"
            accepted.sendall(b"answered")
            assert before.recv(100) == b"answered"
        with pytest.raises(BlockingIOError):
            closing.accept()
        closing.close()

        (following,) = bind_all(f"{address.rpartition(':')[0]}:{place[1]}", shared=True)
        with following:
            following.listen()
            following.settimeout(30)
            followed, _ = following.accept()
            with followed:
                assert followed.getpeername() == later.getsockname()
        assert begun != 0
