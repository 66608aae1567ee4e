"""Credentials in a file that somebody else rotates: in AWS's shared format, Alibaba Cloud's, or as a JSON document.

JSON is what AWS's `credential_process` and both clouds' STS print: `AccessKeyId`, `SecretAccessKey` or
`AccessKeySecret`, and where they are temporary `SessionToken` or `SecurityToken`, and `Expiration`.
"""

import asyncio
import json
from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as MalformedFile
from datetime import datetime, timedelta
from pathlib import Path

from sseproxy.credentials.held import Credentials, parse_end
from sseproxy.errors import KeyServiceUnavailable
from sseproxy.ports import Clock
from sseproxy.single_flight import SingleFlight

_ACCESS_KEY = ("AccessKeyId", "aws_access_key_id", "access_key_id")
_SECRET_KEY = ("SecretAccessKey", "AccessKeySecret", "aws_secret_access_key", "access_key_secret")
_TOKEN = ("SessionToken", "SecurityToken", "Token", "aws_session_token", "security_token")
_MOST = 64 * 1024  # characters

Fingerprint = tuple[int, int, int]


class FileCredentials:
    """Those of a file, looked at again every `period_s` seconds and read again when it is another one.

    A file that cannot be understood changes nothing while the credentials of before are good: whoever writes it may
    not be done yet.
    """

    def __init__(self, path: Path, profile: str, clock: Clock, *, period_s: float) -> None:
        self._path = path
        self._profile = profile
        self._clock = clock
        self._period = timedelta(seconds=period_s)
        self._held: Credentials | None = None
        self._seen: Fingerprint | None = None
        self._next_look: datetime | None = None
        self._flight: SingleFlight[str, None] = SingleFlight()

    async def current(self) -> Credentials:
        """Return what the file has. Raises `KeyServiceUnavailable` where that is nothing, or has ended."""
        if self._next_look is None or self._clock.now() >= self._next_look:
            await self._flight.run("look", self._look)
        if self._held is None or (self._held.ends is not None and self._clock.now() >= self._held.ends):
            raise KeyServiceUnavailable(f"The credentials in {self._path} have ended.")
        return self._held

    def drop(self, credentials: Credentials) -> None:
        """Look at the file again at the next call."""
        if self._held is credentials:
            self._next_look = None

    async def _look(self) -> None:
        try:
            seen = await asyncio.to_thread(_fingerprint, self._path)
            if seen != self._seen:
                self._held = await asyncio.to_thread(read_credentials, self._path, self._profile)
                self._seen = seen
        except KeyServiceUnavailable:
            if self._held is None:
                raise
        self._next_look = self._clock.now() + self._period


def read_credentials(path: Path, profile: str) -> Credentials:
    """Return the credentials of a file; `profile` names a section where it has any.

    Raises `KeyServiceUnavailable`, whose message shows nothing of the file.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MOST)
        found = json.loads(text) if text.lstrip().startswith("{") else _section(text, profile)
    except (OSError, ValueError, MalformedFile):
        raise KeyServiceUnavailable(f"The file {path} cannot be read, or is in no known format.") from None
    access_key, secret_key = _first(found, _ACCESS_KEY), _first(found, _SECRET_KEY)
    if access_key is None or secret_key is None:
        raise KeyServiceUnavailable(f"The file {path} has no access key and secret for the profile {profile}.")
    ends = _first(found, ("Expiration",))
    return Credentials(
        access_key=access_key,
        secret_key=secret_key,
        token=_first(found, _TOKEN),
        ends=None if ends is None else parse_end(ends),
    )


def _section(text: str, profile: str) -> Mapping[str, str]:
    parser = ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser[profile] if parser.has_section(profile) else {}


def _first(found: Mapping[str, object], names: tuple[str, ...]) -> str | None:
    values = (found.get(name) for name in names)
    return next((value.strip() for value in values if isinstance(value, str) and value.strip()), None)


def _fingerprint(path: Path) -> Fingerprint:
    try:
        status = path.stat()
    except OSError:
        raise KeyServiceUnavailable(f"The file {path} with the proxy's credentials is gone.") from None
    return status.st_mtime_ns, status.st_size, status.st_ino
