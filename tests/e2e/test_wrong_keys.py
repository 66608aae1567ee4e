"""Promise: another CMK cannot read, even where its id and everything else is the same."""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sseproxy.format import Envelope, decode_envelope, encode_envelope
from sseproxy.model import Algorithm, Binding, Layout
from sseproxy.store.locate import locate_object
from tests.support.kms_swap import copy_keys, create_key, key_ids, replace_material, set_state
from tests.support.raw_http import Answer, signed
from tests.support.rotation import rotate_key
from tests.support.servers import Launcher, Server, StartFailed

_BUCKET, _STRICT = "wrong-keys", "strict-keys"
_DOES_NOT_OPEN = (500, "InternalError", "The object's data key could not be opened with its key.")
_BODY, _LARGE = b"for the right key only", os.urandom(2 * 1024 * 1024)
_HEADER = {"s3": "x-amz-server-side-encryption", "oss": "x-oss-server-side-encryption"}
_KEY_HEADER = {"s3": f"{_HEADER['s3']}-aws-kms-key-id", "oss": f"{_HEADER['oss']}-key-id"}
_WORDS = {("s3", "AES256"): "AES256", ("s3", "KMS"): "aws:kms", ("oss", "AES256"): "AES256", ("oss", "KMS"): "KMS"}

both_dialects = pytest.mark.parametrize("dialect", ["s3", "oss"])


@dataclass(frozen=True)
class Site:
    """A store and proxies in front of it, one for each dialect: with the right keys, and with other material."""

    store: Server
    right: Mapping[str, Server]
    wrong: Mapping[str, Server]
    other_keys: Path

    @property
    def keys(self) -> Path:
        return self.right["s3"].data


@pytest.fixture(scope="module")
def site(launcher: Launcher, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """No proxy here keeps an opened key, and the OSS one allows no KMS key in one of the buckets."""
    directory, store = tmp_path_factory.mktemp("keys"), launcher.store()
    rule = f'[encryption.buckets."{_STRICT}"]\nallowed_keys = ["alias/sseproxy/service"]\n'
    extra = "[cache]\nunwrapped_keys = 0\n"
    right = {
        "s3": launcher.proxy(store, directory / "right", extra=extra),
        "oss": launcher.proxy(store, directory / "right", extra=extra + rule, dialect="oss"),
    }
    for bucket in (_BUCKET, _STRICT):
        assert signed(right["s3"], "PUT", f"/{bucket}").status == 200
    for dialect, sse in _WORDS:
        _put(right, dialect, f"{dialect}-{sse}", _BODY, sse)
        _put(right, dialect, f"{dialect}-{sse}-large", _LARGE, sse)
    other = copy_keys(directory / "right", directory / "other")
    assert replace_material(other) == len(key_ids(other)) == 3
    extra += '[state]\nprefix = "other/"\n'  # with the right proxies' state it refuses to start
    wrong = {dialect: launcher.proxy(store, other, extra=extra, dialect=dialect) for dialect in ("s3", "oss")}
    return Site(store, right, wrong, other)


def _put(proxies: Mapping[str, Server], dialect: str, key: str, body: bytes, sse: str, key_id: str = "") -> None:
    headers = {_HEADER[dialect]: _WORDS[dialect, sse], **({_KEY_HEADER[dialect]: key_id} if key_id else {})}
    assert signed(proxies[dialect], "PUT", f"/{_BUCKET}/{key}", headers, body, dialect=dialect).status == 200


def _reads(proxies: Mapping[str, Server], dialect: str, key: str) -> tuple[Answer, Answer, Answer]:
    """GET of all, GET of some, HEAD."""
    proxy, target = proxies[dialect], f"/{_BUCKET}/{key}"
    some = signed(proxy, "GET", target, {"Range": "bytes=2-5"}, dialect=dialect)
    return signed(proxy, "GET", target, dialect=dialect), some, signed(proxy, "HEAD", target, dialect=dialect)


def _check_refused(answers: tuple[Answer, ...], expected: tuple[int, str, str], dialect: str) -> None:
    """All were refused in the same words; HEAD says them beside its answer, on OSS."""
    whole, some, head = answers
    assert whole.error == some.error == expected
    assert (head.status, head.body) == (expected[0], b"")
    if dialect == "oss":
        assert head.error == expected


@both_dialects
@pytest.mark.parametrize("sse", ["AES256", "KMS"])
def test_the_same_key_id_with_other_material_cannot_read(site: Site, sse: str, dialect: str) -> None:
    key, large = f"{dialect}-{sse}", f"{dialect}-{sse}-large"

    assert _envelope(site.store, key).key_id in key_ids(site.other_keys).values()
    _check_refused(_reads(site.wrong, dialect, key), _DOES_NOT_OPEN, dialect)
    _check_refused(_reads(site.wrong, dialect, large), _DOES_NOT_OPEN, dialect)
    assert [answer.body for answer in _reads(site.right, dialect, key)] == [_BODY, _BODY[2:6], b""]
    assert [answer.body for answer in _reads(site.right, dialect, large)] == [_LARGE, _LARGE[2:6], b""]


def test_the_keys_with_other_material_do_work_for_what_they_sealed(site: Site) -> None:
    """Positive control: nothing but the material is wrong with them."""
    _put(site.wrong, "s3", "theirs", b"sealed by the other", "KMS")

    assert _reads(site.wrong, "s3", "theirs")[0].body == b"sealed by the other"
    _check_refused(_reads(site.right, "s3", "theirs"), _DOES_NOT_OPEN, "s3")


def test_a_proxy_with_other_material_does_not_start_on_the_same_state(launcher: Launcher, site: Site) -> None:
    with pytest.raises(StartFailed) as refused:
        launcher.proxy(site.store, site.other_keys)

    assert (
        "the state bucket sseproxy-state cannot be opened with the keys of this KMS (The object's data key could not "
        "be opened with its key.)"
    ) in str(refused.value)


def test_another_root_key_is_refused_at_start(launcher: Launcher, site: Site, tmp_path: Path) -> None:
    keys = copy_keys(site.keys, tmp_path / "keys")
    (keys / "root.key").write_text(os.urandom(32).hex())

    with pytest.raises(StartFailed) as refused:
        launcher.proxy(site.store, keys)

    assert re.search(
        r"The KMS database \S+/kms\.sqlite3 does not belong to this root key: put the root key file back that it was "
        r"made with\.",
        str(refused.value),
    )


@both_dialects
def test_an_unknown_key_cannot_read(site: Site, dialect: str) -> None:
    key_id = create_key(site.keys, f"alias/later/{dialect}")
    _put(site.right, dialect, "later", _BODY, "KMS", key_id)

    answers = _reads(site.wrong, dialect, "later")

    assert _reads(site.right, dialect, "later")[0].body == _BODY
    expected = {
        "s3": (400, "KMS.NotFoundException", f"The key {key_id} does not exist."),
        "oss": (404, "KeyNotFound", "The specified parameter KMS keyId is not found."),
    }
    _check_refused(answers, expected[dialect], dialect)


def _edit(store: Server, key: str, change: Callable[[Envelope], Envelope]) -> None:
    path = locate_object(store.data, _BUCKET, key).metadata
    document = json.loads(path.read_bytes())
    document["user"]["sseproxy"] = encode_envelope(change(decode_envelope(document["user"]["sseproxy"])))
    path.write_text(json.dumps(document))


def _envelope(store: Server, key: str) -> Envelope:
    document = json.loads(locate_object(store.data, _BUCKET, key).metadata.read_bytes())
    return decode_envelope(document["user"]["sseproxy"])


@both_dialects
def test_the_wrapped_key_of_another_object_does_not_open(site: Site, dialect: str) -> None:
    for key in ("a", "b"):
        _put(site.right, dialect, key, _BODY + key.encode(), "AES256")
    own, foreign = _envelope(site.store, "a"), _envelope(site.store, "b")

    _edit(site.store, "a", lambda _: replace(own, wrapped_key=foreign.wrapped_key))
    only_wrap = _reads(site.right, dialect, "a")
    _edit(site.store, "a", lambda _: replace(own, wrapped_key=foreign.wrapped_key, commitment=foreign.commitment))
    wrap_and_commitment = _reads(site.right, dialect, "a")
    _edit(site.store, "a", lambda _: foreign)
    whole_envelope = _reads(site.right, dialect, "a")
    _edit(site.store, "a", lambda _: replace(own, commitment=foreign.commitment))
    only_commitment = _reads(site.right, dialect, "a")
    _edit(site.store, "a", lambda _: own)

    _check_refused(only_wrap, _DOES_NOT_OPEN, dialect)
    _check_refused(wrap_and_commitment, _DOES_NOT_OPEN, dialect)
    moved = "The object's key does not open here, and its envelope was written for another name: it was moved or "
    moved += "copied behind the proxy, while its key is bound to its name (`bucket-key`)."
    _check_refused(whole_envelope, (500, "InternalError", moved), dialect)
    uncommitted = "The key does not belong to this object (commitment mismatch)."
    _check_refused(only_commitment, (500, "InternalError", uncommitted), dialect)
    assert _reads(site.right, dialect, "a")[0].body == _BODY + b"a"


_VERSION = slice(17, 21)  # where the embedded KMS's wrapped key names the CMK's version


def _with(envelope: Envelope, field: str, value: bytes) -> Envelope:
    return replace(envelope, wrapped_key=value) if field == "wrapped_key" else replace(envelope, wrapped_kek=value)


def _with_version(wrap: bytes, version: int) -> bytes:
    return wrap[: _VERSION.start] + version.to_bytes(4, "big") + wrap[_VERSION.stop :]


@both_dialects
@pytest.mark.parametrize("sse", ["AES256", "KMS"])
def test_another_version_of_the_right_key_does_not_open(site: Site, dialect: str, sse: str) -> None:
    """Once a version that there is not, once one that there is; with KMS it is the bucket key that the version wraps."""
    key = f"version-{sse}"
    _put(site.right, dialect, key, _BODY, sse)
    own = _envelope(site.store, key)
    rotate_key(site.keys, own.key_id)
    newest = rotate_key(site.keys, own.key_id)
    field = "wrapped_key" if own.wrapped_kek is None else "wrapped_kek"
    wrap = getattr(own, field)
    assert int.from_bytes(wrap[_VERSION], "big") == newest - 2
    assert (own.wrapped_kek is None) == (sse == "AES256")

    _edit(site.store, key, lambda _: _with(own, field, _with_version(wrap, newest + 1)))
    unknown = _reads(site.right, dialect, key)
    _edit(site.store, key, lambda _: _with(own, field, _with_version(wrap, newest)))
    known = _reads(site.right, dialect, key)
    _edit(site.store, key, lambda _: own)

    _check_refused(unknown, (500, "InternalError", f"The key {own.key_id} has no version {newest + 1}."), dialect)
    _check_refused(known, _DOES_NOT_OPEN, dialect)
    assert _reads(site.right, dialect, key)[0].body == _BODY


@both_dialects
@pytest.mark.parametrize("sse", ["AES256", "KMS"])
def test_a_key_in_another_context_does_not_open(site: Site, dialect: str, sse: str) -> None:
    """Every field of the envelope that the wrap is bound to: algorithm, layout, binding, the client's own context."""
    key = f"context-{sse}"
    _put(site.right, dialect, key, _BODY, sse)
    own = _envelope(site.store, key)
    other = Algorithm.KMS if own.algorithm is Algorithm.AES256 else Algorithm.AES256

    for edited in (
        replace(own, algorithm=other),
        replace(own, layout=Layout.MULTIPART, footer=None),
        replace(own, caller_context=b'{"tenant":"other"}'),
    ):
        _edit(site.store, key, lambda _, edited=edited: edited)  # type: ignore[misc]
        _check_refused(_reads(site.right, dialect, key), _DOES_NOT_OPEN, dialect)
    _edit(site.store, key, lambda _: replace(own, binding=Binding.NONE))
    weaker = _reads(site.right, dialect, key)
    _edit(site.store, key, lambda _: own)

    assert weaker[0].error[:2] == (500, "InternalError")
    assert weaker[0].error[2].startswith("The object's key is bound by `none`, which is weaker than this bucket's")
    assert _reads(site.right, dialect, key)[0].body == _BODY


_DISABLED = {
    "s3": (400, "KMS.DisabledException", "The request was rejected because the key state is Disabled."),
    "oss": (409, "KeyDisabled", "The request was rejected because the key state is Disabled."),
}


@both_dialects
@pytest.mark.parametrize("sse", ["AES256", "KMS"])
def test_a_disabled_key_neither_reads_nor_writes_from_its_next_use_on(site: Site, dialect: str, sse: str) -> None:
    key, headers = f"{dialect}-{sse}", {_HEADER[dialect]: _WORDS[dialect, sse]}
    key_id = _envelope(site.store, key).key_id

    set_state(site.keys, key_id, "Disabled")
    reads = _reads(site.right, dialect, key)
    write = signed(site.right[dialect], "PUT", f"/{_BUCKET}/not-written", headers, b"new", dialect=dialect)
    set_state(site.keys, key_id, "Enabled")

    _check_refused(reads, _DISABLED[dialect], dialect)
    assert write.error == _DISABLED[dialect]
    assert signed(site.right[dialect], "HEAD", f"/{_BUCKET}/not-written", dialect=dialect).status == 404
    assert _reads(site.right, dialect, key)[0].body == _BODY


def test_a_disabled_key_still_serves_what_is_kept_and_nothing_else(launcher: Launcher, site: Site) -> None:
    """The default bound, `cache.unwrapped_key_lifetime`: for 60 seconds, what opens with a key that was just used."""
    caching = {"s3": launcher.proxy(site.store, site.keys)}
    assert _reads(caching, "s3", "s3-KMS")[0].body == _BODY
    key_id = _envelope(site.store, "s3-KMS").key_id
    alone = {_HEADER["s3"]: "aws:kms", f"{_HEADER['s3']}-bucket-key-enabled": "false"}
    assert signed(site.right["s3"], "PUT", f"/{_BUCKET}/alone", alone, _BODY).status == 200

    set_state(site.keys, key_id, "Disabled")
    kept = _reads(caching, "s3", "s3-KMS")[0]
    under_the_same_bucket_key = _reads(caching, "s3", "s3-KMS-large")[0]
    not_kept = _reads(caching, "s3", "alone")
    set_state(site.keys, key_id, "Enabled")

    assert (kept.status, kept.body) == (200, _BODY)
    assert (under_the_same_bucket_key.status, under_the_same_bucket_key.body) == (200, _LARGE)
    _check_refused(not_kept, _DISABLED["s3"], "s3")


def test_a_key_that_the_configuration_does_not_allow_cannot_read(site: Site) -> None:
    """The object says which CMK opens it, and the configuration whether that one may."""
    target, headers = f"/{_STRICT}/k", {_HEADER["s3"]: "aws:kms"}
    put = signed(site.right["s3"], "PUT", target, headers, _BODY)
    key_id = put.headers[_KEY_HEADER["s3"]].removeprefix("arn:aws:kms:::key/")

    answer = signed(site.right["oss"], "GET", target, dialect="oss")

    assert signed(site.right["s3"], "GET", target).body == _BODY
    message = f"The configuration does not allow the key {key_id} in this bucket."
    assert answer.error == (403, "AccessDenied", message)
