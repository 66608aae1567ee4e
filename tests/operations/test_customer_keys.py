"""Customers' keys: nothing of them leaves the proxy, and nothing that is remembered stands in for them."""

from base64 import b64encode
from dataclasses import replace
from hashlib import md5

import pytest

from sseproxy.errors import (
    CustomerKeyNeeded,
    CustomerKeyNotApplicable,
    InvalidRequest,
    UnsupportedFeature,
    WrongCustomerKey,
)
from sseproxy.model import Algorithm
from sseproxy.settings import EncryptionSettings
from tests.operations.world import World

_KEY = b"the-clients-own-key-0123456789ab"


def _trio(key: bytes = _KEY, prefix: str = "") -> dict[str, str]:
    name = f"own_{prefix}server_side_encryption_customer"
    return {
        f"{name}_algorithm": "AES256",
        f"{name}_key": b64encode(key).decode(),
        f"{name}_key_MD5": b64encode(md5(key).digest()).decode(),
    }


@pytest.fixture
def open_s3(s3: World) -> World:
    """S3 whose operator takes keys over plain connections, which these requests are."""
    return replace(s3, services=replace(s3.services, encryption=EncryptionSettings(customer_keys_over_http=True)))


async def test_no_request_to_the_storage_tells_anything_of_the_key(open_s3: World) -> None:
    world = open_s3
    await world.put("k", b"x", **_trio())
    await world.get("k", **_trio())
    await world.head("k", **_trio())
    copy = {**_trio(prefix="copy_source_"), **_trio(), "own_copy_source": "/bucket/k"}
    await world.do("PUT", "/bucket/copy", headers=copy)
    await world.do("POST", "/bucket/m?uploads", headers=_trio())
    await world.do("GET", "/bucket?location", headers=_trio())
    await world.do("DELETE", "/bucket/k", headers=_trio())

    everything = "\n".join(
        f"{sent} {name}: {value}" for sent in world.journal.sent for name, value in sent.headers.items()
    )
    for secret in (_KEY.decode(), b64encode(_KEY).decode(), b64encode(md5(_KEY).digest()).decode(), "customer"):
        assert secret not in everything
    assert (await world.envelope("copy")).algorithm is Algorithm.CUSTOMER


async def test_the_key_service_is_not_asked_for_such_objects(open_s3: World) -> None:
    await open_s3.put("k", b"x", **_trio())  # the first request of all opens the state bucket's own key
    calls = open_s3.kms.calls
    await open_s3.put("k", b"x", **_trio())
    assert (await open_s3.get("k", **_trio())).body == b"x"

    assert open_s3.kms.calls == calls


async def test_whoever_read_it_before_another_request_needs_the_key(open_s3: World) -> None:
    await open_s3.put("k", b"x", **_trio())
    await open_s3.get("k", **_trio())

    with pytest.raises(CustomerKeyNeeded):
        await open_s3.get("k")
    with pytest.raises(WrongCustomerKey):
        await open_s3.get("k", **_trio(bytes(32)))
    assert (await open_s3.get("k", **_trio())).body == b"x"


async def test_a_key_for_an_object_that_needs_none_is_refused(open_s3: World) -> None:
    await open_s3.put("sealed", b"x")
    await open_s3.seed("plain", b"x")

    for key in ("sealed", "plain"):
        with pytest.raises(CustomerKeyNotApplicable):
            await open_s3.get(key, **_trio())


async def test_a_plain_connection_is_refused_by_default(s3: World) -> None:
    with pytest.raises(InvalidRequest, match="must be made over a secure connection"):
        await s3.put("k", b"x", **_trio())


async def test_oss_has_no_such_keys(oss: World) -> None:
    with pytest.raises(UnsupportedFeature):
        await oss.put("k", b"x", **_trio())
