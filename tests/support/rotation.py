"""Rotating CMKs of a proxy's embedded KMS, beside the running proxy."""

import asyncio
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sseproxy.kms import build_kms
from sseproxy.settings import EmbeddedKmsSettings


class _SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def rotate_key(data: Path, key_id: str) -> int:
    """Give a CMK a new version and return its number. `data` is the directory of a proxy or dev server."""
    settings = EmbeddedKmsSettings(database=data / "kms.sqlite3", root_key_file=data / "root.key")
    with closing(build_kms(settings, _SystemClock(), created_on_first_use=())) as kms:
        return asyncio.run(kms.rotate(key_id)).current_version


def create_key(data: Path, alias: str) -> str:
    """Create a CMK under an alias and return its id."""
    settings = EmbeddedKmsSettings(database=data / "kms.sqlite3", root_key_file=data / "root.key")
    with closing(build_kms(settings, _SystemClock(), created_on_first_use=())) as kms:
        return asyncio.run(kms.create_key(alias=alias)).key_id
