"""Promise: whatever is changed in the backend's files, no wrong byte is ever part of a successful answer.

A changed byte may be one that nobody reads: padding, the recovery copy, the body's copies of the salts, metadata that is
not the envelope. Then the answer is the right bytes; these tests say exactly which bytes may be such. The long versions
flip a bit in every single byte (`pytest -m soak`, docs/proofs.md).
"""

import random
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import oss2
import pytest

from sseproxy.format import FRAME, TAG, decode_envelope
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Launcher, Server, s3_client
from tests.support.tampering import SALT, Outcome, Placed, Reader, Site, changed, edit_envelope

_KIB, _MIB = 1024, 1024 * 1024
_BUCKET, _SEALED_ONLY = "tampered", "sealed-only"
_PARTS = (100 * _KIB, 100 * _KIB, 999)
_STORED_PART = SALT + 100 * _KIB + 2 * TAG
_SETTINGS = "[cache]\nunwrapped_keys = 0\n[clients]\ntrust_unsigned = true\n"
_SEALED = f'[encryption.buckets."{_SEALED_ONLY}"]\nsealed = true\n'
_KEYS = ("empty", "tiny", "small", "large", "parts")


@pytest.fixture(scope="module")
def site(launcher: Launcher) -> Iterator[Site]:
    rng = random.Random(99)
    store = launcher.store()
    s3 = launcher.proxy(store, extra=_SETTINGS + _SEALED)
    proxies = {"s3": s3, "oss": launcher.proxy(store, s3.data, extra=_SETTINGS, dialect="oss")}
    client = s3_client(s3)
    for bucket in (_BUCKET, _SEALED_ONLY):  # found by the proxy: nothing is known of what they hold
        s3_client(store).create_bucket(Bucket=bucket)
    sizes = {"empty": 0, "tiny": 10, "small": 200_000, "other": 200_000, "large": 3 * _MIB + 77}
    sizes["large-other"] = sizes["large"]
    objects = {key: Placed(key, rng.randbytes(size), (size,)) for key, size in sizes.items()}
    for placed in objects.values():
        client.put_object(Bucket=_BUCKET, Key=placed.key, Body=placed.body)
    for key in ("parts", "parts-other"):
        objects[key] = _upload(proxies["oss"], key, [rng.randbytes(size) for size in _PARTS])
    reader = Reader(proxies, _BUCKET)
    yield Site(store, reader, _BUCKET, objects)
    reader.close()


def _oss_bucket(proxy: Server) -> Any:
    return oss2.Bucket(oss2.Auth(ACCESS_KEY, SECRET_KEY), proxy.url, _BUCKET, region=REGION)


def _upload(proxy: Server, key: str, bodies: Sequence[bytes]) -> Placed:
    """Upload in parts through OSS, whose parts may be small."""
    bucket = _oss_bucket(proxy)
    upload = bucket.init_multipart_upload(key).upload_id
    etags = [bucket.upload_part(key, upload, number, body).etag for number, body in enumerate(bodies, 1)]
    bucket.complete_multipart_upload(key, upload, [oss2.models.PartInfo(n, etag) for n, etag in enumerate(etags, 1)])
    return Placed(key, b"".join(bodies), tuple(map(len, bodies)), "oss")


def _sample(length: int, count: int, seed: int) -> list[int]:
    """Places spread over a file, its first and last 40 bytes always among them."""
    edges = [*range(min(40, length)), *range(max(0, length - 40), length)]
    return sorted({*edges, *random.Random(seed).sample(range(length), min(count, length))})


def _check_flips(outcomes: Mapping[int, Outcome], protected: Sequence[range]) -> None:
    """Flips where every bit counts were noticed, all others harmless."""
    expected = {at for at in outcomes if any(at in places for places in protected)}
    assert [at for at, outcome in outcomes.items() if outcome is Outcome.WRONG] == []
    assert {at for at, outcome in outcomes.items() if outcome is not Outcome.RIGHT} == expected


def test_untouched_objects_read_as_they_were_sent(site: Site) -> None:
    assert {site.reader.read(placed) for placed in site.objects.values()} == {Outcome.RIGHT}
    assert {site.reader.read(site.objects[key], (5, 9)) for key in _KEYS[1:]} == {Outcome.RIGHT}


@pytest.mark.parametrize("key", _KEYS)
def test_a_flipped_bit_in_the_body_is_noticed_or_harmless(site: Site, key: str) -> None:
    path = site.files(key).body
    places = _sample(path.stat().st_size, 250, seed=1)

    _check_flips(site.flips(key, path, places), site.protected(key))


@pytest.mark.parametrize("key", ["small", "parts"])
def test_a_flipped_bit_in_the_metadata_is_noticed_or_harmless(site: Site, key: str) -> None:
    path = site.files(key).metadata
    places = _sample(path.stat().st_size, 250, seed=2)

    outcomes = site.flips(key, path, places)

    assert [at for at, outcome in outcomes.items() if outcome is Outcome.WRONG] == []
    assert len([outcome for outcome in outcomes.values() if outcome is not Outcome.RIGHT]) > len(places) // 2


def test_only_what_a_range_touches_must_be_intact(site: Site) -> None:
    path, placed = site.files("large").body, site.objects["large"]
    third_frame = SALT + 2 * (FRAME + TAG) + 100

    with changed(path, lambda data: data[:third_frame] + bytes([data[third_frame] ^ 1]) + data[third_frame + 1 :]):
        outcomes = [
            site.reader.read(placed, wanted)
            for wanted in [
                (0, 2 * FRAME),
                (2 * FRAME - 1, 2 * FRAME + 1),
                (3 * FRAME - 1, 3 * FRAME),
                (3 * FRAME, 9 * FRAME),
            ]
        ]

    assert outcomes == [Outcome.RIGHT, Outcome.REFUSED, Outcome.REFUSED, Outcome.RIGHT]


def _borders(site: Site, key: str) -> list[int]:
    """Every place where a segment, a salt or a frame begins or ends, and some around the object's end."""
    size, at, borders = site.files(key).body.stat().st_size, 0, {0, 16}
    for segment in site.objects[key].segments:
        stored = SALT + segment + TAG * -(-segment // FRAME)
        borders |= {at, at + SALT, *range(at + SALT, at + stored, FRAME + TAG), at + stored}
        at += stored
    return sorted(border for border in borders | {size - 17, size - 16, size - 1} if border < size)


@pytest.mark.parametrize("key", _KEYS)
def test_an_object_cut_at_any_border_is_refused(site: Site, key: str) -> None:
    path, placed = site.files(key).body, site.objects[key]
    outcomes = set()
    for border in _borders(site, key):
        with changed(path, lambda data, border=border: data[:border]):  # type: ignore[misc]  # mypy sees no default
            outcomes |= {
                site.reader.read(placed),
                site.reader.read(placed, (0, 1)),
                site.reader.read(placed, method="HEAD"),
            }

    assert outcomes == {Outcome.REFUSED}


@pytest.mark.parametrize("key", _KEYS)
def test_an_object_with_bytes_behind_it_is_refused(site: Site, key: str) -> None:
    path, placed, outcomes = site.files(key).body, site.objects[key], set()
    for more in (b"x", b"\0" * (FRAME + TAG), path.read_bytes()):
        with changed(path, lambda data, more=more: data + more):  # type: ignore[misc]  # mypy sees no default
            outcomes |= {site.reader.read(placed), site.reader.read(placed, method="HEAD")}

    assert outcomes == {Outcome.REFUSED}


def _swapped(data: bytes, first: range, second: range) -> bytes:
    changed = bytearray(data)
    changed[first.start : first.stop] = data[second.start : second.stop]
    changed[second.start : second.stop] = data[first.start : first.stop]
    return bytes(changed)


def _frame(number: int, segment: int = 0) -> range:
    return range(segment + SALT + number * (FRAME + TAG), segment + SALT + (number + 1) * (FRAME + TAG))


@pytest.mark.parametrize(
    ("key", "first", "second", "outcome"),
    [
        ("large", _frame(0), _frame(1), Outcome.REFUSED),
        ("large", _frame(7), _frame(30), Outcome.CUT),
        ("parts", _frame(0), _frame(0, _STORED_PART), Outcome.REFUSED),
        ("parts", range(_STORED_PART), range(_STORED_PART, 2 * _STORED_PART), Outcome.REFUSED),
        ("parts", range(SALT), range(_STORED_PART, _STORED_PART + SALT), Outcome.RIGHT),  # the footer has the salts
    ],
    ids=["neighbours", "far apart", "first frames of two parts", "whole parts", "salts"],
)
def test_swapped_frames_and_parts_are_refused(
    site: Site, key: str, first: range, second: range, outcome: Outcome
) -> None:
    with changed(site.files(key).body, lambda data: _swapped(data, first, second)):
        assert site.reader.read(site.objects[key]) is outcome


def test_a_repeated_frame_in_place_of_another_is_refused(site: Site) -> None:
    with changed(site.files("large").body, lambda data: data[: _frame(3).stop] + data[_frame(3).start :]):
        assert site.reader.read(site.objects["large"]) is Outcome.REFUSED
    with changed(site.files("large").body, lambda data: _over(data, _frame(4), data[_frame(3).start : _frame(3).stop])):
        assert site.reader.read(site.objects["large"]) is Outcome.CUT


def _over(data: bytes, at: range, with_: bytes) -> bytes:
    return data[: at.start] + with_ + data[at.stop :]


@pytest.mark.parametrize("number", [0, 1])
def test_a_part_of_another_upload_is_refused(site: Site, number: int) -> None:
    part = range(number * _STORED_PART, (number + 1) * _STORED_PART)
    foreign = site.files("parts-other").body.read_bytes()[part.start : part.stop]

    with changed(site.files("parts").body, lambda data: _over(data, part, foreign)):
        assert site.reader.read(site.objects["parts"]) in {Outcome.REFUSED, Outcome.CUT}


@pytest.mark.parametrize(("key", "other"), [("small", "other"), ("large", "large-other"), ("parts", "parts-other")])
def test_a_whole_object_in_anothers_place_is_refused(site: Site, key: str, other: str) -> None:
    files, foreign = site.files(key), site.files(other)
    body, metadata = foreign.body.read_bytes(), foreign.metadata.read_bytes()

    with changed(files.body, lambda _: body):
        only_body = site.reader.read(site.objects[key])
        with changed(files.metadata, lambda _: metadata):
            both = site.reader.read(site.objects[key])
    with changed(files.metadata, lambda _: metadata):
        only_metadata = site.reader.read(site.objects[key])

    assert {only_body, both, only_metadata} == {Outcome.REFUSED}


@pytest.mark.parametrize("key", _KEYS)
def test_an_object_whose_envelope_was_removed_is_not_served(site: Site, key: str) -> None:
    placed = site.objects[key]

    with changed(site.files(key).metadata, edit_envelope(lambda _: None)):
        whole, (status, some) = site.reader.read(placed), site.reader.get(placed, "bytes=0-99")
        end = site.reader.get(placed, "bytes=-100")

    assert whole in {Outcome.REFUSED, Outcome.CUT}  # by how much of it had come before its end
    assert (status, end[0]) == (500, 500)
    assert b"its envelope is missing from the metadata" in (some or b"")


def test_where_only_sealed_objects_are_allowed_nothing_else_passes_for_one(site: Site) -> None:
    """Elsewhere, what has neither envelope nor tail is an object from before the proxy (docs/threat-model.md)."""
    _nothing_else_passes(site, _SEALED_ONLY, "This bucket holds sealed objects only, and the object has no envelope.")


def test_in_a_bucket_that_the_proxy_created_nothing_else_passes_for_a_sealed_object(site: Site) -> None:
    s3_client(site.reader.proxies["s3"]).create_bucket(Bucket="created-here")

    _nothing_else_passes(
        site,
        "created-here",
        "The bucket is marked as sealed, and the object has no envelope: its metadata was lost (see `sseproxy objects "
        "repair`), or it was written past the proxy (see `sseproxy buckets mark`).",
    )


def _nothing_else_passes(site: Site, bucket: str, message: str) -> None:
    client = s3_client(site.reader.proxies["s3"])
    client.put_object(Bucket=bucket, Key="small", Body=site.objects["small"].body)
    strict = Site(site.store, Reader(site.reader.proxies, bucket), bucket, site.objects)
    files = strict.files("small")

    before = strict.reader.read(site.objects["small"])
    with changed(files.metadata, edit_envelope(lambda _: None)):
        without_envelope = strict.reader.get(site.objects["small"])
        with changed(files.body, lambda data: data[:-1] + b"?"):
            without_tail = [strict.reader.get(site.objects["small"], wanted) for wanted in (None, "bytes=0-9")]
        with changed(files.body, lambda _: b"the attacker's own bytes"):
            replaced = strict.reader.get(site.objects["small"])
    strict.reader.close()

    assert before is Outcome.RIGHT
    for status, body in (without_envelope, *without_tail, replaced):
        assert (status, _message(body)) == (500, message)


def test_an_envelope_of_another_object_does_not_open(site: Site) -> None:
    foreign = site.envelope("large-other")

    with changed(site.files("large").metadata, edit_envelope(lambda _: foreign)):
        status, body = site.reader.get(site.objects["large"])

    assert status == 500
    assert _message(body).startswith("The object's key does not open here, and its envelope was written for another")


@pytest.mark.parametrize("key", ["small", "large", "parts"])
def test_an_envelope_edited_at_any_character_is_refused(site: Site, key: str) -> None:
    """One thing in it protects nothing: the hash by which an error can say that an object was moved."""
    text, outcomes, harmless = site.envelope(key), {}, set()
    place = decode_envelope(text).place
    for at in range(len(text)):
        # "A" and "Q" differ in a high bit: in a low one, key 15 could become 79, which readers ignore, or a stray bit be set
        edited = text[:at] + ("A" if text[at] != "A" else "Q") + text[at + 1 :]
        if _decoded(edited).replace(_place_of(edited, text, place), place) == _decoded(text):
            harmless.add(at)
        with changed(site.files(key).metadata, edit_envelope(lambda _, edited=edited: edited)):  # type: ignore[misc]
            outcomes[at] = site.reader.read(site.objects[key])

    assert 9 <= len(harmless) <= 12  # 8 bytes in characters of 6 bits
    assert {at: outcome for at, outcome in outcomes.items() if (outcome is Outcome.REFUSED) == (at in harmless)} == {}
    assert {outcomes[at] for at in harmless} == {Outcome.RIGHT}


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _place_of(edited: str, text: str, place: bytes) -> bytes:
    """Return what stands in an edited envelope where `place` stood."""
    at = _decoded(text).index(place)
    return _decoded(edited)[at : at + len(place)]


@pytest.mark.parametrize("removed", [1, 10, 300])
def test_a_shortened_or_lengthened_envelope_is_refused(site: Site, removed: int) -> None:
    for edit in (lambda text: text[:-removed], lambda text: text + "A" * removed, lambda text: text + "=" * removed):
        with changed(site.files("small").metadata, edit_envelope(edit)):
            assert site.reader.read(site.objects["small"]) is Outcome.REFUSED


def test_parts_of_two_attempts_are_not_mixed(site: Site) -> None:
    """The backend keeps the first attempt of a part that was sent twice and puts it into the object."""
    rng, bucket = random.Random(3), _oss_bucket(site.reader.proxies["oss"])
    first, second, last = rng.randbytes(100 * _KIB), rng.randbytes(100 * _KIB), rng.randbytes(999)
    known = set(site.store.data.rglob("*.body"))
    upload = bucket.init_multipart_upload("mixed").upload_id
    bucket.upload_part("mixed", upload, 1, first)
    (attempt,) = [path for path in set(site.store.data.rglob("*.body")) - known if path.stat().st_size == _STORED_PART]
    early = attempt.read_bytes()
    etags = [bucket.upload_part("mixed", upload, n, body).etag for n, body in ((1, second), (2, last))]
    bucket.complete_multipart_upload(
        "mixed", upload, [oss2.models.PartInfo(n, etag) for n, etag in enumerate(etags, 1)]
    )
    mixed = Placed("mixed", second + last, (len(second), len(last)), "oss")

    with changed(site.files("mixed").body, lambda data: early + data[len(early) :]):
        outcomes = [site.reader.read(mixed), site.reader.read(mixed, (0, 5))]

    assert outcomes == [Outcome.REFUSED, Outcome.REFUSED]
    assert site.reader.read(mixed) is Outcome.RIGHT


def _message(body: bytes | None) -> str:
    return (body or b"").partition(b"<Message>")[2].partition(b"</Message>")[0].decode()


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("key", ["small", "parts"])
def test_a_flipped_bit_in_every_single_byte_is_noticed_or_harmless(site: Site, key: str) -> None:
    files = site.files(key)
    metadata = site.flips(key, files.metadata, range(files.metadata.stat().st_size))
    assert [at for at, outcome in metadata.items() if outcome is Outcome.WRONG] == []

    body = site.flips(key, files.body, range(files.body.stat().st_size))

    assert len(body) == files.body.stat().st_size == files.size
    _check_flips(body, site.protected(key))


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("size", [32 * _MIB + 1])
def test_flips_at_500_random_places_of_a_large_object_are_noticed_or_harmless(site: Site, size: int) -> None:
    rng = random.Random(5)
    placed = Placed("huge", rng.randbytes(size), (size,))
    s3_client(site.reader.proxies["s3"]).put_object(Bucket=_BUCKET, Key="huge", Body=placed.body)
    large = Site(site.store, site.reader, _BUCKET, {"huge": placed})
    path = large.files("huge").body

    outcomes = large.flips("huge", path, sorted(rng.sample(range(path.stat().st_size), 500)))

    assert len(outcomes) == 500
    _check_flips(outcomes, large.protected("huge"))
