"""Reads what `nonce_recorder/sitecustomize.py` wrote down, and finds keys and nonces that met twice."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RECORDER = Path(__file__).parent / "nonce_recorder"
LOG_VARIABLE = "SSEPROXY_NONCE_LOG"

_KEY, _NONCE, _TAG = 16, 12, 16
_RECORD = _KEY + _NONCE + _TAG


@dataclass(frozen=True, slots=True)
class Repeat:
    """A key (named by the hash of it) and a nonce that sealed more than one message, or one message again."""

    key_id: str
    nonce: str
    times: int


def recording_environment(environment: Mapping[str, str], directory: Path | None) -> dict[str, str]:
    """Return `environment` changed so that a Python process started with it, and its children, are recorded.

    Without a directory only those are that it forks and that name one in their environment.
    """
    paths = [str(RECORDER), environment.get("PYTHONPATH", "")]
    named = {} if directory is None else {LOG_VARIABLE: str(directory)}
    return {**environment, "PYTHONPATH": ":".join(filter(None, paths)), **named}


def read_nonce_logs(directory: Path) -> Counter[bytes]:
    """Return how often every pair of key id and nonce (28 bytes) was used, over all processes."""
    return Counter(record[: _KEY + _NONCE] for record in _records(directory))


def find_repeats(directory: Path) -> list[Repeat]:
    """Return every pair of key and nonce that was used more than once.

    One use is allowed to come again: a nonce derived from the message itself (the footer's) gives the same
    ciphertext for the same message, as when a Complete is retried, and tells nobody anything. Such a repeat has
    the same tag, and its nonce does not have a frame's form. A frame, or anything else under a counted or zero
    nonce, must never be sealed twice, whatever its content.
    """
    tags: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for record in _records(directory):
        tags[record[: _KEY + _NONCE]].append(record[_KEY + _NONCE :])
    return [
        Repeat(key_id=pair[:_KEY].hex(), nonce=pair[_KEY:].hex(), times=len(found))
        for pair, found in sorted(tags.items())
        if len(found) > 1 and (len(set(found)) > 1 or _is_counted(pair[_KEY:]))
    ]


def _is_counted(nonce: bytes) -> bool:
    """Whether a nonce is a frame's (a small index, three zero bytes, a flag) or zero."""
    return nonce[:4] == bytes(4) and nonce[8:11] == bytes(3) and nonce[11] <= 1


def _records(directory: Path) -> list[bytes]:
    records = []
    for path in sorted(directory.glob("*.nonces")):
        data = path.read_bytes()
        if len(data) % _RECORD:
            raise ValueError(f"{path.name} does not hold whole records.")
        records += [data[at : at + _RECORD] for at in range(0, len(data), _RECORD)]
    return records
