"""What every operation is given: the ports, the settings it needs, and nothing else."""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from sseproxy.dialect.base import Dialect
from sseproxy.operations.bucket_defaults import BucketDefaults
from sseproxy.operations.bucket_states import BucketStates
from sseproxy.operations.client_kms import ClientKms
from sseproxy.operations.condition_probe import KnownConditions
from sseproxy.operations.keyring import Keyring
from sseproxy.operations.known_entries import KnownEntries
from sseproxy.operations.state_store import StateStore
from sseproxy.operations.uploads import OpenUploads
from sseproxy.ports import Clock, Observer, Upstream
from sseproxy.settings import EncryptionSettings, LimitsSettings, StateSettings

_MOST_HELD_PARTS = 64  # of 5 MiB each: uploads of unknown length to storages that must be told one


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The bundle that a handler receives. One per dialect; the development server has two.

    `digest_pool` runs what takes the processor longer than a hop to a thread costs. `state_settings` names the
    bucket that no client may see. `look_ups` is shared by all listings: they must not crowd out other requests.
    `held_parts` bounds how many parts are in memory whole.
    `client_keys` and `client_kms` open what clients encrypted before they sent it. `public` is the storage for what
    anonymous clients ask: it gets their requests unsigned, and decides; None where they are refused or trusted.
    """

    dialect: Dialect
    upstream: Upstream
    state: StateStore
    keyring: Keyring
    bucket_defaults: BucketDefaults
    bucket_states: BucketStates
    conditions: KnownConditions
    encryption: EncryptionSettings
    limits: LimitsSettings
    state_settings: StateSettings
    clock: Clock
    observer: Observer
    digest_pool: Executor
    look_ups: asyncio.Semaphore
    known_entries: KnownEntries
    uploads: OpenUploads = field(default_factory=OpenUploads)
    held_parts: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, _MOST_HELD_PARTS))
    client_keys: tuple[RSAPrivateKey, ...] = ()
    client_kms: ClientKms | None = None
    public: Upstream | None = None
