"""The contract of the `Kms` port as a test class: every adapter and decorator inherits it.

Whoever inherits gives a `bench` fixture. Tests open a key correctly before they try to open it wrongly, so that
whatever a decorator keeps is warm and cannot answer in the KMS's place.
"""

from typing import Protocol

import pytest

from sseproxy.errors import (
    KeyDisabled,
    KeyNotFound,
    KeyPendingDeletion,
    KeyServiceError,
    WrappedKeyRejected,
)
from sseproxy.model import WrapContext, WrappedKey
from sseproxy.ports import Kms

CONTEXT = WrapContext(aad=b"one object", pairs=(("sseproxy", "one-object"),))
OTHER_CONTEXT = WrapContext(aad=b"another object", pairs=(("sseproxy", "another-object"),))


class Bench(Protocol):
    """A KMS with what a test needs to do behind its back."""

    @property
    def kms(self) -> Kms:
        """The KMS under test."""
        ...

    async def create(self) -> str:
        """Create a CMK and return its id."""
        ...

    async def name(self, alias: str, key_id: str) -> None:
        """Let an alias name a CMK."""
        ...

    async def rotate(self, key_id: str) -> None:
        """Give a CMK a new version."""
        ...

    async def disable(self, key_id: str) -> None:
        """Disable a CMK, and let pass what time the adapter's revocation bound takes."""
        ...

    async def enable(self, key_id: str) -> None:
        """Enable it again."""
        ...

    async def schedule_deletion(self, key_id: str) -> None:
        """Schedule its deletion, as `disable` does."""
        ...


async def opens(kms: Kms, wrapped: WrappedKey, context: WrapContext) -> bool:
    """Whether a wrapped key opens; errors that are not about keys are raised."""
    try:
        await kms.unwrap(wrapped, context)
    except KeyServiceError:
        return False
    return True


class KmsContract:
    """What every `Kms` does."""

    async def test_a_drawn_key_opens_with_its_context(self, bench: Bench) -> None:
        key, wrapped = await bench.kms.generate(await bench.create(), CONTEXT)

        assert await bench.kms.unwrap(wrapped, CONTEXT) == key

    async def test_a_drawn_key_has_the_length_that_is_asked_for(self, bench: Bench) -> None:
        key_id = await bench.create()

        assert len((await bench.kms.generate(key_id, CONTEXT))[0]) == 32
        assert len((await bench.kms.generate(key_id, CONTEXT, length=16))[0]) == 16

    async def test_no_key_and_no_wrap_comes_twice(self, bench: Bench) -> None:
        key_id = await bench.create()
        drawn = [await bench.kms.generate(key_id, CONTEXT) for _ in range(20)]
        again = [await bench.kms.wrap(key_id, drawn[0][0], CONTEXT) for _ in range(20)]

        assert len({key for key, _ in drawn}) == 20
        assert len({wrapped.blob for wrapped in [*again, *(wrapped for _, wrapped in drawn)]}) == 40

    async def test_a_key_that_exists_is_wrapped(self, bench: Bench) -> None:
        wrapped = await bench.kms.wrap(await bench.create(), b"k" * 32, CONTEXT)

        assert await bench.kms.unwrap(wrapped, CONTEXT) == b"k" * 32

    async def test_another_context_does_not_open(self, bench: Bench) -> None:
        _, wrapped = await bench.kms.generate(await bench.create(), CONTEXT)
        assert await opens(bench.kms, wrapped, CONTEXT)

        with pytest.raises(WrappedKeyRejected):
            await bench.kms.unwrap(wrapped, OTHER_CONTEXT)

    async def test_another_master_key_does_not_open(self, bench: Bench) -> None:
        key_id, other_id = await bench.create(), await bench.create()
        _, wrapped = await bench.kms.generate(key_id, CONTEXT)
        assert await opens(bench.kms, wrapped, CONTEXT)

        with pytest.raises(WrappedKeyRejected):
            await bench.kms.unwrap(WrappedKey(key_id=other_id, blob=wrapped.blob), CONTEXT)

    async def test_a_blob_that_differs_in_any_byte_does_not_open(self, bench: Bench) -> None:
        _, wrapped = await bench.kms.generate(await bench.create(), CONTEXT)
        assert await opens(bench.kms, wrapped, CONTEXT)

        for place in range(len(wrapped.blob)):
            blob = bytearray(wrapped.blob)
            blob[place] ^= 0x01
            changed = WrappedKey(key_id=wrapped.key_id, blob=bytes(blob))
            assert not await opens(bench.kms, changed, CONTEXT), f"byte {place} does not matter"

    async def test_a_blob_of_another_length_does_not_open(self, bench: Bench) -> None:
        _, wrapped = await bench.kms.generate(await bench.create(), CONTEXT)
        assert await opens(bench.kms, wrapped, CONTEXT)

        for length in range(len(wrapped.blob)):
            cut = WrappedKey(key_id=wrapped.key_id, blob=wrapped.blob[:length])
            assert not await opens(bench.kms, cut, CONTEXT), f"{length} bytes are enough"
        longer = WrappedKey(key_id=wrapped.key_id, blob=wrapped.blob + b"\0")
        assert not await opens(bench.kms, longer, CONTEXT)

    async def test_a_disabled_key_neither_wraps_nor_opens_until_it_is_enabled(self, bench: Bench) -> None:
        key_id = await bench.create()
        key, wrapped = await bench.kms.generate(key_id, CONTEXT)
        assert await opens(bench.kms, wrapped, CONTEXT)

        await bench.disable(key_id)

        with pytest.raises(KeyDisabled):
            await bench.kms.unwrap(wrapped, CONTEXT)
        with pytest.raises(KeyDisabled):
            await bench.kms.generate(key_id, CONTEXT)
        with pytest.raises(KeyDisabled):
            await bench.kms.wrap(key_id, key, CONTEXT)
        await bench.enable(key_id)
        assert await bench.kms.unwrap(wrapped, CONTEXT) == key

    async def test_a_key_that_waits_for_its_deletion_neither_wraps_nor_opens(self, bench: Bench) -> None:
        key_id = await bench.create()
        key, wrapped = await bench.kms.generate(key_id, CONTEXT)
        assert await opens(bench.kms, wrapped, CONTEXT)

        await bench.schedule_deletion(key_id)

        with pytest.raises(KeyPendingDeletion):
            await bench.kms.unwrap(wrapped, CONTEXT)
        with pytest.raises(KeyPendingDeletion):
            await bench.kms.wrap(key_id, key, CONTEXT)

    async def test_after_a_rotation_old_and_new_wraps_open(self, bench: Bench) -> None:
        key_id = await bench.create()
        old_key, old = await bench.kms.generate(key_id, CONTEXT)
        before = (await bench.kms.describe(key_id)).current_version

        await bench.rotate(key_id)

        new_key, new = await bench.kms.generate(key_id, CONTEXT)
        assert (await bench.kms.describe(key_id)).current_version == before + 1
        assert await bench.kms.unwrap(old, CONTEXT) == old_key
        assert await bench.kms.unwrap(new, CONTEXT) == new_key
        assert old.key_id == new.key_id == key_id
        told = [bench.kms.version_of(wrapped) for wrapped in (old, new)]
        assert told in ([str(before), str(before + 1)], [None, None])

    async def test_an_alias_stands_for_the_key_that_it_names(self, bench: Bench) -> None:
        first, second = await bench.create(), await bench.create()
        await bench.name("alias/contract", first)

        _, wrapped = await bench.kms.generate("alias/contract", CONTEXT)
        await bench.name("alias/contract", second)

        assert wrapped.key_id == first
        assert await opens(bench.kms, wrapped, CONTEXT)
        assert (await bench.kms.describe("alias/contract")).key_id == second
        assert (await bench.kms.generate("alias/contract", CONTEXT))[1].key_id == second

    @pytest.mark.parametrize("name", ["5f0c0b9e-9a39-4c54-8a8b-2b7d5a5d0c11", "alias/nobody", "nonsense"])
    async def test_a_key_that_is_not_there_is_not_found(self, bench: Bench, name: str) -> None:
        with pytest.raises(KeyNotFound, match=name):
            await bench.kms.describe(name)
        with pytest.raises(KeyNotFound, match=name):
            await bench.kms.generate(name, CONTEXT)

    async def test_a_description_says_where_a_key_stands(self, bench: Bench) -> None:
        key_id = await bench.create()

        assert (await bench.kms.describe(key_id)).state == "Enabled"
        await bench.disable(key_id)
        assert (await bench.kms.describe(key_id)).state == "Disabled"

    async def test_it_is_healthy(self, bench: Bench) -> None:
        await bench.kms.healthy()

    async def test_neither_keys_nor_wraps_show_in_a_repr(self, bench: Bench) -> None:
        key, wrapped = await bench.kms.generate(await bench.create(), CONTEXT)

        for text in (repr(bench.kms), repr(wrapped)):
            assert key.hex() not in text
            assert repr(key)[2:10] not in text
