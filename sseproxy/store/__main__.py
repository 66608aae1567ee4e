"""`python -m sseproxy.store`: the embedded object store alone."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from sseproxy.store.app import serve_store
from sseproxy.store.files import StoreInUse

ACCESS_KEY = "sseproxy-dev"
SECRET_KEY = "sseproxy-dev-secret"  # noqa: S105 - the documented default of a server that is not for production


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sseproxy.store",
        description="An object store on a local directory that speaks S3 and OSS. For development and tests.",
    )
    parser.add_argument("--listen", default="127.0.0.1:9100", metavar="HOST:PORT", help="port 0: any free one")
    parser.add_argument("--data", default="./sseproxy-store", type=Path, metavar="DIR")
    parser.add_argument("--access-key", default=ACCESS_KEY)
    parser.add_argument("--secret-key", default=SECRET_KEY)
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--durable", action="store_true", help="sync every write to the disk")
    return parser.parse_args(argv)


async def _run(arguments: argparse.Namespace) -> None:
    host, _, port = arguments.listen.rpartition(":")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    credentials = {arguments.access_key: arguments.secret_key}
    host = host.strip("[]")
    async with serve_store(
        arguments.data, host, int(port), credentials, region=arguments.region, durable=arguments.durable
    ) as (name, bound):
        shown = f"[{name}]" if ":" in name else name
        sys.stdout.write(f"listening on http://{shown}:{bound}\n")
        sys.stdout.flush()
        await stop.wait()


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; exits with 1 where another process uses the directory."""
    try:
        uvloop.run(_run(_arguments(argv)))
    except StoreInUse as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main()
