"""What the data port speaks TLS with, and how new certificates and CAs come into use while the proxy runs."""

import asyncio
import signal
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sseproxy.bootstrap.failures import StartFailed
from sseproxy.errors import ConfigurationError
from sseproxy.settings import Listen, Settings
from sseproxy.settings_remote_kms import HttpKeyServiceSettings
from sseproxy.telemetry.logs import EventLogger
from sseproxy.tls import RenewableContext

_VERSIONS = MappingProxyType({"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3})

Sleep = Callable[[float], Awaitable[None]]


def tls_context(listen: Listen) -> RenewableContext | None:
    """Return what the data port speaks HTTPS with, None for plain HTTP. Raises `StartFailed`."""
    certificate, key = listen.tls_cert, listen.tls_key
    if certificate is None or key is None:
        return None
    return RenewableContext(lambda: _context(listen, certificate, key), (certificate, key, listen.tls_client_ca))


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """A context whose files are looked at every `period_s` seconds; `section` is where the settings name them."""

    section: str
    context: RenewableContext
    period_s: float

    def load(self, logger: EventLogger) -> None:
        """Load the files again; where they cannot be used, say so in the log and leave everything as it was."""
        try:
            self.context.renew()
        except (StartFailed, ConfigurationError, OSError) as error:
            logger.error("certificate_not_reloaded", section=self.section, reason=str(error))
        else:
            files = [str(file) for file in self.context.files]
            logger.info("certificate_reloaded", section=self.section, files=files)


def renewed(
    settings: Settings,
    listen: RenewableContext | None,
    store: RenewableContext | None,
    keys: Mapping[str, RenewableContext],
) -> Sequence[Renewed]:
    """Return those of the contexts that there are, with how often the settings want their files looked at.

    `keys` are those of key services, by name.
    """
    wanted = [
        ("listen", listen, settings.listen.tls_look_every),
        ("upstream", store, settings.upstream.tls_look_every),
    ]
    for kind, services in settings.remote_kms.tables.items():
        for name, service in services.items():
            if isinstance(service, HttpKeyServiceSettings):
                wanted.append((f"remote_kms.{kind}.{name}", keys.get(name), service.tls_look_every))
    return [
        Renewed(section=section, context=context, period_s=period_s)
        for section, context, period_s in wanted
        if context is not None
    ]


@asynccontextmanager
async def reloading(
    contexts: Sequence[Renewed], logger: EventLogger, *, sleep: Sleep = asyncio.sleep
) -> AsyncGenerator[None, None]:
    """Load files of TLS again on every SIGHUP, and when they have changed, for connections that come later.

    Files that do not fit leave those of before in use, and are told in the log.
    """
    if not contexts:
        yield
        return

    def reload_all() -> None:
        for one in contexts:
            one.load(logger)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reload_all)
    try:
        async with asyncio.TaskGroup() as group:
            seen = [_fingerprints(one.context.files) for one in contexts]
            watching = [
                group.create_task(_watch(one, then, logger, sleep)) for one, then in zip(contexts, seen, strict=True)
            ]
            try:
                yield
            finally:
                for task in watching:
                    task.cancel()
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


async def _watch(one: Renewed, seen: object, logger: EventLogger, sleep: Sleep) -> None:
    """Load the files once for every change of them."""
    while True:
        await sleep(one.period_s)
        now = await asyncio.to_thread(_fingerprints, one.context.files)
        if now != seen:
            seen = now
            one.load(logger)


def _fingerprints(files: Sequence[Path]) -> list[tuple[int, int, int] | None]:
    found: list[tuple[int, int, int] | None] = []
    for file in files:
        try:
            status = file.stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return found


def _context(listen: Listen, certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # trusts no CA for clients but the one that is configured
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key)
    except OSError as cause:  # SSLError is one
        reason = cause.strerror or str(cause)
        raise StartFailed(
            f"cannot use the certificate {certificate} with the key {key}: {reason}; "
            "give a PEM chain and the private key that belongs to it"
        ) from cause
    _restrict(context, listen)
    return context


def _restrict(context: ssl.SSLContext, listen: Listen) -> None:
    """Allow only the versions, ciphers and clients of the configuration. Raises `StartFailed`."""
    context.minimum_version = _VERSIONS[listen.tls_minimum]
    if listen.tls_ciphers is not None:
        try:
            context.set_ciphers(listen.tls_ciphers)
        except ssl.SSLError as cause:
            raise StartFailed(
                f"listen.tls_ciphers {listen.tls_ciphers!r} names no cipher that OpenSSL knows; write a list as "
                "`openssl ciphers` takes it"
            ) from cause
    if listen.tls_client_ca is not None:
        try:
            context.load_verify_locations(listen.tls_client_ca)
        except OSError as cause:  # SSLError is one
            reason = cause.strerror or str(cause)
            raise StartFailed(
                f"cannot use listen.tls_client_ca {listen.tls_client_ca}: {reason}; give a PEM file of the CA"
            ) from cause
        context.verify_mode = ssl.CERT_REQUIRED
