"""The wrap context: exact bytes, and which names each binding fills in."""

from base64 import urlsafe_b64encode
from hashlib import sha256

import pytest

from sseproxy.errors import InvalidArgument
from sseproxy.format import wrap_context
from sseproxy.model import Binding


def field(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text


def aad_of(*fields: bytes) -> bytes:
    return b"".join(map(field, (b"sseproxy", b"\x01", *fields)))


@pytest.mark.parametrize(
    ("binding", "bucket", "key"),
    [(Binding.BUCKET_KEY, b"b", b"k"), (Binding.KEY, b"", b"k"), (Binding.NONE, b"", b"")],
    ids=lambda value: value.value if isinstance(value, Binding) else "",
)
def test_a_data_key_is_bound_to_the_names_that_its_binding_says(binding: Binding, bucket: bytes, key: bytes) -> None:
    context = wrap_context(purpose="dek", algorithm="KMS", layout="single", binding=binding, bucket="b", key="k")

    assert context.aad == aad_of(b"dek", b"KMS", b"single", binding.value.encode(), bucket, key, b"")
    digest = urlsafe_b64encode(sha256(context.aad).digest()).rstrip(b"=").decode()
    assert context.pairs == (("sseproxy", digest), *([("bucket", "b")] if bucket else []))


def test_a_kek_has_neither_key_nor_layout_nor_callers_context() -> None:
    context = wrap_context(
        purpose="kek",
        algorithm="KMS",
        layout="single",
        binding=Binding.BUCKET_KEY,
        bucket="b",
        key="k",
        caller=b'{"a":"b"}',
    )

    assert context.aad == aad_of(b"kek", b"KMS", b"", b"bucket-key", b"b", b"", b"")
    assert [name for name, _ in context.pairs] == ["sseproxy", "bucket"]


def test_fields_cannot_run_into_each_other() -> None:
    def aad(bucket: str, key: str) -> bytes:
        return wrap_context(
            purpose="dek", algorithm="KMS", layout="single", binding=Binding.BUCKET_KEY, bucket=bucket, key=key
        ).aad

    assert aad("ab", "c") != aad("a", "bc")


def test_names_are_the_bytes_of_the_request_whatever_they_were() -> None:
    context = wrap_context(
        purpose="dek", algorithm="AES256", layout="single", binding=Binding.KEY, bucket="b", key="\udcff/ä"
    )

    assert field(b"\xff/\xc3\xa4") in context.aad


def test_the_callers_context_is_in_the_bytes_and_in_the_pairs() -> None:
    caller = b'{"team": "red", "n": "1"}'

    context = wrap_context(
        purpose="dek", algorithm="KMS", layout="single", binding=Binding.NONE, bucket="b", key="k", caller=caller
    )

    assert context.aad.endswith(field(caller))
    assert context.pairs[1:] == (("team", "red"), ("n", "1"))


@pytest.mark.parametrize(
    "caller",
    [
        b"x",
        b"[]",
        b'[["a","b"]]',
        b'{"a": 1}',
        b'{"a": {"b": "c"}}',
        b'{"a":"b","a":"c"}',
        b'{"sseproxy":"x"}',
        b'{"bucket":"x"}',
        b"\xff",
        b"[" * 250,
        b'{"a":"' + b"x" * 249 + b'"}',
    ],
)
def test_a_callers_context_that_is_no_small_map_of_texts_is_refused(caller: bytes) -> None:
    with pytest.raises(InvalidArgument):
        wrap_context(
            purpose="dek", algorithm="KMS", layout="single", binding=Binding.NONE, bucket="b", key="k", caller=caller
        )
