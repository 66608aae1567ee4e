"""The development server: an embedded store, an embedded KMS, the proxy in front, all in one process."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sseproxy.bootstrap.dev_store import serving_store
from sseproxy.bootstrap.failures import StartFailed
from sseproxy.bootstrap.proxy import Addresses, running_proxy
from sseproxy.bootstrap.telemetry import Telemetry
from sseproxy.dialect import DIALECTS
from sseproxy.kms.root_key import create_root_key
from sseproxy.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class DevOptions:
    """What `sseproxy dev` is told. Credentials and region are fixed: scripts rely on them."""

    listen: str = "127.0.0.1:9000"
    admin: str = "127.0.0.1:0"
    data: Path = Path("sseproxy-data")
    tls_cert: Path | None = None
    tls_key: Path | None = None
    access_key: str = "sseproxy-dev"
    secret_key: str = "sseproxy-dev-secret"  # noqa: S105  # known to everybody, and meant to be
    region: str = "us-east-1"


@asynccontextmanager
async def running_dev(options: DevOptions, telemetry: Telemetry) -> AsyncGenerator[Addresses, None]:
    """Run an embedded store that only this process can use, and the proxy in front of it, for both dialects.

    Keys and objects are kept in `options.data`, so that they are there again at the next start.
    """
    prepare_data(options.data)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(serving_store(options.data, options.region))
        settings = dev_settings(options, store.endpoint, store.access_key, store.secret_key)
        yield await stack.enter_async_context(running_proxy(settings, telemetry, dialects=tuple(DIALECTS)))


def dev_settings(options: DevOptions, endpoint: str, access_key: str, secret_key: str) -> Settings:
    """Return the settings of the proxy in front of the embedded store."""
    return Settings.model_validate(
        {
            "listen": {
                "address": options.listen,
                "admin_address": options.admin,
                "tls_cert": options.tls_cert,
                "tls_key": options.tls_key,
                "domains": ("localhost",),  # bucket.localhost:PORT, as SDKs address it by themselves
            },
            "upstream": {
                "endpoint": endpoint,
                "region": options.region,
                "access_key": access_key,
                "secret_key": secret_key,
            },
            "encryption": {"customer_keys_over_http": True},  # to be tried out without a certificate
            "clients": {
                "credentials": [{"access_key": options.access_key, "secret_key": options.secret_key}],
            },
            "kms": {"database": options.data / "kms.sqlite3", "root_key_file": options.data / "root.key"},
        }
    )


def prepare_data(data: Path) -> None:
    """Make the directory and, the first time, the root key. Raises `StartFailed` where the key is gone."""
    root_key, database = data / "root.key", data / "kms.sqlite3"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if root_key.exists():
        return
    if database.exists():
        raise StartFailed(f"{root_key} is missing, and {database} cannot be opened without it; put it back")
    create_root_key(root_key)
