"""A process that uses a KMS database: `python -m tests.kms.process DIRECTORY`. Prints the CMK that it drew keys under."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from sseproxy.kms import build_kms
from sseproxy.settings import EmbeddedKmsSettings
from tests.kms.suite import CONTEXT

ALIAS = "alias/aws/s3"


class _SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


async def _use(directory: Path) -> str:
    settings = EmbeddedKmsSettings(database=directory / "kms.sqlite3", root_key_file=directory / "root.key")
    kms = build_kms(settings, _SystemClock(), created_on_first_use=(ALIAS,))
    try:
        for _ in range(5):
            key, wrapped = await kms.generate(ALIAS, CONTEXT)
            await kms.rotate(ALIAS)
            if await kms.unwrap(wrapped, CONTEXT) != key:
                sys.exit("a key did not open")
        return (await kms.describe(ALIAS)).key_id
    finally:
        kms.close()


if __name__ == "__main__":
    sys.stdin.readline()  # until all of them are there
    sys.stdout.write(asyncio.run(_use(Path(sys.argv[1]))))
