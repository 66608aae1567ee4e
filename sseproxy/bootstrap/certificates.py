"""What the data port speaks TLS with, and how a new certificate comes into use while it runs."""

import asyncio
import signal
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

from sseproxy.bootstrap.failures import StartFailed
from sseproxy.settings import Listen
from sseproxy.telemetry.logs import EventLogger

_VERSIONS = MappingProxyType({"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3})

Sleep = Callable[[float], Awaitable[None]]


def tls_context(listen: Listen) -> ssl.SSLContext | None:
    """Return what the data port speaks HTTPS with, None for plain HTTP. Raises `StartFailed`."""
    if listen.tls_cert is None or listen.tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # trusts no CA for clients but the one that is configured
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(listen.tls_cert, listen.tls_key)
    except OSError as cause:  # SSLError is one
        reason = cause.strerror or str(cause)
        raise StartFailed(
            f"cannot use the certificate {listen.tls_cert} with the key {listen.tls_key}: {reason}; "
            "give a PEM chain and the private key that belongs to it"
        ) from cause
    _restrict(context, listen)
    return context


@asynccontextmanager
async def reloading(
    context: ssl.SSLContext | None, listen: Listen, logger: EventLogger, *, sleep: Sleep = asyncio.sleep
) -> AsyncGenerator[None, None]:
    """Load certificate and key again on every SIGHUP, and when the files have changed, for connections that come later.

    The files are looked at every `listen.tls_look_every` seconds. Files that do not fit leave the present certificate
    in use, and are told in the log.
    """
    if context is None or listen.tls_cert is None or listen.tls_key is None:
        yield
        return
    certificate, key = listen.tls_cert, listen.tls_key

    def reload() -> None:
        try:
            tls_context(listen)  # a certificate whose key does not fit must not get into the context in use
            context.load_cert_chain(certificate, key)
        except (StartFailed, OSError) as error:
            logger.error("certificate_not_reloaded", reason=str(error))
        else:
            logger.info("certificate_reloaded", certificate=str(certificate))

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reload)
    seen = _fingerprints((certificate, key))
    try:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(_watch((certificate, key), seen, reload, listen.tls_look_every, sleep))
            try:
                yield
            finally:
                watching.cancel()
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


async def _watch(
    files: Sequence[Path], seen: object, reload: Callable[[], None], period_s: float, sleep: Sleep
) -> None:
    """Call `reload` once for every change of the files."""
    while True:
        await sleep(period_s)
        now = await asyncio.to_thread(_fingerprints, files)
        if now != seen:
            seen = now
            reload()


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
