"""How a body is to be understood."""

import pytest

from sseproxy.dialect.base import Operation
from sseproxy.errors import InvalidArgument, InvalidRequest, UnsupportedFeature
from sseproxy.server.payload_form import PLAIN, PayloadForm, payload_form
from sseproxy.signing import EMPTY_SHA256, Claim, Scheme

_PUT = Operation.PUT_OBJECT


def _claim(scheme: Scheme = Scheme.AWS_V4, payload_hash: str = "") -> Claim:
    return Claim(scheme=scheme, access_key="ak", signature="s", payload_hash=payload_hash)


_FORMS = {
    "UNSIGNED-PAYLOAD": PLAIN,
    EMPTY_SHA256: PayloadForm(sha256=bytes.fromhex(EMPTY_SHA256)),
    EMPTY_SHA256.upper(): PayloadForm(sha256=bytes.fromhex(EMPTY_SHA256)),
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": PayloadForm(framed=True, trailing=True),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": PayloadForm(framed=True, signed=True),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": PayloadForm(framed=True, signed=True, trailing=True),
}


@pytest.mark.parametrize(("value", "form"), _FORMS.items())
@pytest.mark.parametrize("operation", [Operation.PUT_OBJECT, Operation.UPLOAD_PART])
def test_every_form_that_s3_knows_is_understood(value: str, form: PayloadForm, operation: Operation) -> None:
    assert payload_form(_claim(payload_hash=value), {}, operation) == form


@pytest.mark.parametrize(
    "value", ["", "STREAMING-SOMETHING", "unsigned-payload", "ab", "STREAMING-AWS4-HMAC-SHA256", "g" * 64]
)
def test_what_s3_does_not_know_is_refused(value: str) -> None:
    with pytest.raises(InvalidArgument, match="x-amz-content-sha256 must be UNSIGNED-PAYLOAD") as refused:
        payload_form(None, {"x-amz-content-sha256": value}, _PUT)

    assert refused.value.details == {"ArgumentName": "x-amz-content-sha256", "ArgumentValue": value}


@pytest.mark.parametrize("trailer", ["", "-TRAILER"])
def test_elliptic_curves_are_refused_as_not_implemented(trailer: str) -> None:
    value = f"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD{trailer}"

    with pytest.raises(UnsupportedFeature, match=f"The chunk encoding algorithm {value} is not supported"):
        payload_form(_claim(payload_hash=value), {}, _PUT)


@pytest.mark.parametrize("value", [value for value, form in _FORMS.items() if form.framed])
@pytest.mark.parametrize("operation", [Operation.COMPLETE_UPLOAD, Operation.GET_OBJECT, Operation.DELETE_OBJECTS])
def test_framed_bodies_are_only_for_objects_and_parts(value: str, operation: Operation) -> None:
    with pytest.raises(InvalidRequest, match="The value of x-amz-content-sha256 header is invalid"):
        payload_form(_claim(payload_hash=value), {}, operation)


def test_a_v4_signature_needs_the_header() -> None:
    with pytest.raises(InvalidRequest, match="Missing required header for this request: x-amz-content-sha256"):
        payload_form(_claim(), {}, _PUT)


@pytest.mark.parametrize(
    "claim", [None, _claim(Scheme.AWS_V2), _claim(Scheme.AWS_V2_QUERY), _claim(Scheme.AWS_V4_QUERY)]
)
def test_other_requests_do_not(claim: Claim | None) -> None:
    assert payload_form(claim, {}, _PUT) == PLAIN


@pytest.mark.parametrize("claim", [None, _claim(Scheme.AWS_V2), _claim(Scheme.AWS_V4_QUERY)])
def test_signed_chunks_need_a_v4_header_to_begin_with(claim: Claim | None) -> None:
    with pytest.raises(InvalidRequest):
        payload_form(claim, {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}, _PUT)


def test_unsigned_chunks_need_no_signature() -> None:
    assert payload_form(None, {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}, _PUT).framed


@pytest.mark.parametrize("scheme", [scheme for scheme in Scheme if scheme.dialect == "oss"])
def test_oss_bodies_are_plain(scheme: Scheme) -> None:
    assert payload_form(_claim(scheme), {"x-oss-content-sha256": "UNSIGNED-PAYLOAD"}, _PUT) == PLAIN
