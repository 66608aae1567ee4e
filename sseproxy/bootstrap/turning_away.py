"""A listener that is about to close: who knocks now is not let in any more, and who is at the door still is.

Closing a listener breaks off the connections that were made and not yet accepted, although their clients may have sent
a request already. Accepting them all first leaves a moment in which another one can be made. So the kernel is told to
drop what would begin a connection (RFC 9293, section 3.5: a segment with SYN); such a client tries again after a
second, and meets whoever listens then.
"""

import ctypes
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h
_FLAGS, _SYN = 13, 0x02  # place of the flags in a TCP header (RFC 9293, section 3.1), and the one of them
_WHOLE = 0xFFFFFFFF


class _Instruction(ctypes.Structure):
    """`struct sock_filter` of linux/filter.h."""

    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("operand", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    """`struct sock_fprog` of linux/filter.h."""

    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def turn_away(listeners: Iterable[socket.socket]) -> None:
    """Let no new connection to these sockets begin; those that have begun go on.

    Does nothing where the system has no such filters (they are Linux'); a connection may be broken off then.
    """
    if sys.platform != "linux":
        return
    # Classic BPF on the TCP header: load the flags, look for SYN, drop the segment or keep the whole of it.
    instructions = (_Instruction * 4)(
        _Instruction(0x30, 0, 0, _FLAGS),  # ldb [13]
        _Instruction(0x45, 0, 1, _SYN),  # jset #2, next, the one after
        _Instruction(0x06, 0, 0, 0),  # ret #0
        _Instruction(0x06, 0, 0, _WHOLE),  # ret #-1
    )
    program = bytes(_Program(len(instructions), instructions))
    for listener in listeners:
        with suppress(OSError):  # a sandbox may forbid it
            listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
