"""What must never be read in a log, in the shapes in which it could get there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.telemetry.redaction import REDACTED, redact, redact_text

SECRET = "S3cr3tV4lue"


@pytest.mark.parametrize(
    "name",
    [
        "Authorization", "authorization", "signature", "X-Amz-Signature", "OSSAccessKeySignature", "x-amz-security-token",
        "x-oss-security-token", "session_token", "x-amz-server-side-encryption-customer-key",
        "x-amz-server-side-encryption-customer-key-md5", "x-amz-copy-source-server-side-encryption-customer-key",
        "secret", "secret_key", "aws_secret_access_key", "password", "data_key",
    ],
)  # fmt: skip
def test_a_field_with_a_secret_name_is_replaced(name: str) -> None:
    assert redact(SECRET, name) == REDACTED
    assert redact({name: SECRET, "other": 1}) == {name: REDACTED, "other": 1}
    assert redact([{"deep": {name: [SECRET]}}]) == [{"deep": {name: REDACTED}}]


@pytest.mark.parametrize(
    "text",
    [
        f"GET /b/k?X-Amz-Signature={SECRET}&X-Amz-Date=20261121T000000Z",
        f"https://h/b/k?OSSAccessKeyId=id&Expires=1&Signature={SECRET}",
        f"x-oss-signature={SECRET}",
        f"X-Amz-Security-Token={SECRET}&a=b",
        f"x-amz-security-token: {SECRET}",
        f"security-token%3D{SECRET}",
        f"Authorization: AWS4-HMAC-SHA256 Credential=id/20261121/us-east-1/s3/aws4_request, Signature={SECRET}",
        f"AWS4-HMAC-SHA256 Credential=id/x, SignedHeaders=host, Signature={SECRET}",
        f"OSS4-HMAC-SHA256 Credential=id/x,Signature={SECRET}",
        f"{{'Authorization': 'Bearer {SECRET}'}}",
        f"refused AWS id:{SECRET}= now",
        f"refused OSS id:{SECRET}= now",
        f"x-amz-server-side-encryption-customer-key: {SECRET}",
        f"x-amz-server-side-encryption-customer-key-MD5: {SECRET}",
        f'{{"secret_key": "{SECRET}"}}',
        f"secret_access_key='{SECRET}'",
        f"password={SECRET}",
    ],
)
def test_a_text_that_holds_a_secret_loses_it(text: str) -> None:
    assert SECRET not in redact_text(text)
    assert REDACTED in redact_text(text)


@pytest.mark.parametrize(
    "text", ["photos/cat.jpg", "bytes=0-99", "AWS S3 is a store", "HEAD failed: 403", "continuation-token=abc"]
)
def test_an_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redact_text(text) == text


def test_numbers_and_nothing_stay_and_bytes_become_their_length() -> None:
    assert redact({"a": 1, "b": 2.5, "c": True, "d": None, "e": b"raw", "secret": None}) == {
        "a": 1, "b": 2.5, "c": True, "d": None, "e": "[3 bytes]", "secret": None,
    }  # fmt: skip


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_redacting_twice_changes_nothing_more(value: object) -> None:
    once = redact(value)

    assert redact(once) == once
