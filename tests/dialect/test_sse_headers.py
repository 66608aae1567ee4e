from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from sseproxy.dialect.base import Dialect, Operation, SseRequest
from sseproxy.dialect.oss import OSS
from sseproxy.dialect.s3 import S3
from sseproxy.dialect.sse_headers import (
    asked_key_id,
    bucket_key_flag,
    is_sse_header,
    parse_sse,
    render_sse,
    shown_key_id,
)
from sseproxy.errors import (
    CipherUnavailable,
    InvalidArgument,
    InvalidRequest,
    RequestError,
    SseNotAllowedHere,
    UnknownAlgorithm,
    UnknownDataAlgorithm,
    UnsupportedFeature,
)
from sseproxy.model import Algorithm, Suite
from tests.support.ciphers import without_sm4

PUT = Operation.PUT_OBJECT
S3_SSE = "x-amz-server-side-encryption"
OSS_SSE = "x-oss-server-side-encryption"
BOTH = pytest.mark.parametrize("dialect", [S3, OSS], ids=lambda dialect: dialect.name)


def _parse(dialect: Dialect, headers: dict[str, str], operation: Operation = PUT) -> SseRequest | None:
    return parse_sse(CIMultiDict(headers), CIMultiDict(), operation, dialect)


@pytest.mark.parametrize(
    ("dialect", "headers", "expected"),
    [
        (S3, {S3_SSE: "AES256"}, SseRequest(algorithm=Algorithm.AES256)),
        (S3, {S3_SSE: "aws:kms"}, SseRequest(algorithm=Algorithm.KMS)),
        (S3, {S3_SSE: "aws:kms", f"{S3_SSE}-aws-kms-key-id": "k"}, SseRequest(algorithm=Algorithm.KMS, key_id="k")),
        (OSS, {OSS_SSE: "AES256"}, SseRequest(algorithm=Algorithm.AES256)),
        (OSS, {OSS_SSE: "KMS"}, SseRequest(algorithm=Algorithm.KMS)),
        (OSS, {OSS_SSE: "KMS", f"{OSS_SSE}-key-id": "k"}, SseRequest(algorithm=Algorithm.KMS, key_id="k")),
    ],
)
def test_a_dialects_words_are_understood(dialect: Dialect, headers: dict[str, str], expected: SseRequest) -> None:
    upper = {name.upper(): value for name, value in headers.items()}

    assert _parse(dialect, headers) == _parse(dialect, upper) == expected


@pytest.mark.parametrize(("dialect", "name", "word"), [(S3, S3_SSE, "KMS"), (OSS, OSS_SSE, "aws:kms")])
def test_the_other_dialects_words_are_not_understood(dialect: Dialect, name: str, word: str) -> None:
    with pytest.raises(UnknownAlgorithm):
        _parse(dialect, {name: word})


@pytest.mark.parametrize(("dialect", "name"), [(S3, OSS_SSE), (OSS, S3_SSE)])
def test_the_other_dialects_headers_say_nothing(dialect: Dialect, name: str) -> None:
    assert _parse(dialect, {name: "AES256"}) is None
    assert not is_sse_header(name, dialect.sse)


@BOTH
def test_nothing_said_is_nothing_asked_on_any_operation(dialect: Dialect) -> None:
    assert {_parse(dialect, {"Content-Type": "text/plain"}, operation) for operation in Operation} == {None}


@BOTH
@pytest.mark.parametrize("word", ["", "AES192", "aes256", "kms", "aes:kms", "sm4", "AES256, AES256"])
def test_an_unknown_algorithm_is_refused_by_name(dialect: Dialect, word: str) -> None:
    name = dialect.sse.algorithm_header

    with pytest.raises(UnknownAlgorithm) as raised:
        _parse(dialect, {name: word})

    assert raised.value.details == {"ArgumentName": name, "ArgumentValue": word}


def test_oss_names_the_algorithms_that_are_supported() -> None:
    assert OSS.error_code(UnknownAlgorithm()).message == (
        "The Encryption request you specified is not valid. Supported value: AES256/SM4/KMS."
    )


@pytest.mark.parametrize(
    ("dialect", "operation"),
    [
        *((S3, operation) for operation in Operation if operation not in S3.sse.legal_on | S3.sse.tolerated_on),
        *((OSS, operation) for operation in Operation if operation not in OSS.sse.legal_on),
    ],
    ids=lambda value: value.name,
)
def test_the_header_is_refused_where_the_operation_takes_none(dialect: Dialect, operation: Operation) -> None:
    name = dialect.sse.algorithm_header

    with pytest.raises(SseNotAllowedHere) as raised:
        _parse(dialect, {name: "AES256"}, operation)

    code = dialect.error_code(raised.value)
    assert (code.code, code.status) == ("InvalidArgument", 400)
    assert code.message == f"{name} header is not supported for this operation."
    assert raised.value.details == {"ArgumentName": name, "ArgumentValue": "AES256"}


def test_the_services_lists_of_operations_are_followed() -> None:
    object_writes = {Operation.PUT_OBJECT, Operation.COPY_OBJECT, Operation.CREATE_UPLOAD}

    assert S3.sse.legal_on == object_writes
    assert OSS.sse.legal_on == object_writes | {Operation.CREATE_BUCKET, Operation.APPEND_OBJECT}


@pytest.mark.parametrize("operation", [Operation.UPLOAD_PART, Operation.UPLOAD_PART_COPY, Operation.COMPLETE_UPLOAD])
def test_s3_parts_tolerate_even_unknown_keys(operation: Operation) -> None:
    assert _parse(S3, {S3_SSE: "aws:kms", f"{S3_SSE}-aws-kms-key-id": "unknown"}, operation) is None


@pytest.mark.parametrize("operation", [Operation.UPLOAD_PART, Operation.COMPLETE_UPLOAD])
def test_oss_parts_tolerate_nothing(operation: Operation) -> None:
    with pytest.raises(SseNotAllowedHere):
        _parse(OSS, {OSS_SSE: "AES256"}, operation)


@pytest.mark.parametrize(
    ("dialect", "name"),
    [(dialect, name) for dialect in (S3, OSS) for name in sorted(dialect.sse.refused_headers)]
    + [(S3, f"{S3_SSE}-of-tomorrow"), (OSS, "x-oss-server-side-of-tomorrow")],
)
@pytest.mark.parametrize("operation", [PUT, Operation.GET_OBJECT, Operation.UPLOAD_PART], ids=lambda op: op.name)
def test_what_this_release_does_not_do_is_refused_by_name(dialect: Dialect, name: str, operation: Operation) -> None:
    with pytest.raises(UnsupportedFeature) as raised:
        _parse(dialect, {name: "x"}, operation)

    assert raised.value.details == {"Header": name}


def test_dual_layer_encryption_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedFeature) as raised:
        _parse(S3, {S3_SSE: "aws:kms:dsse"})

    assert raised.value.details == {"Header": S3_SSE}


@pytest.mark.parametrize("headers", [{}, {S3_SSE: "AES256"}], ids=["alone", "with AES256"])
def test_s3_refuses_a_key_id_without_kms(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument) as raised:
        _parse(S3, {**headers, f"{S3_SSE}-aws-kms-key-id": "k"})

    assert raised.value.message == (
        "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms"
    )
    assert raised.value.details == {"ArgumentName": S3_SSE}


@pytest.mark.parametrize("headers", [{}, {OSS_SSE: "AES256"}], ids=["alone", "with AES256"])
def test_oss_refuses_a_key_id_without_kms(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument):
        _parse(OSS, {**headers, f"{OSS_SSE}-key-id": "k"})


@BOTH
def test_an_empty_key_id_is_refused(dialect: Dialect) -> None:
    words = dialect.sse

    with pytest.raises(InvalidArgument):
        _parse(dialect, {words.algorithm_header: words.words[Algorithm.KMS], words.key_id_header: ""})


@pytest.mark.parametrize("flag", ["true", "false", "True"])
def test_the_bucket_key_flag_is_understood_with_and_without_an_algorithm(flag: str) -> None:
    name = f"{S3_SSE}-bucket-key-enabled"
    means = flag.lower() == "true"

    assert _parse(S3, {name: flag}) is None
    assert bucket_key_flag(CIMultiDict({name: flag}), S3.sse) is means
    assert _parse(S3, {name: flag, S3_SSE: "aws:kms"}) == SseRequest(algorithm=Algorithm.KMS, bucket_key=means)


def test_a_request_that_says_nothing_of_bucket_keys_says_nothing() -> None:
    assert bucket_key_flag(CIMultiDict(), S3.sse) is None
    assert bucket_key_flag(CIMultiDict({f"{S3_SSE}-bucket-key-enabled": "true"}), OSS.sse) is None


def _context(text: bytes) -> dict[str, str]:
    return {S3_SSE: "aws:kms", f"{S3_SSE}-context": b64encode(text).decode()}


def test_an_encryption_context_is_the_very_bytes_of_its_json() -> None:
    text = '{"department": "Käse", "n": "1"}'.encode()

    assert _parse(S3, _context(text)) == SseRequest(algorithm=Algorithm.KMS, context=text)


_BAD_CONTEXT = (
    "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which "
    "represents a string-string map: "
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "it is empty."),
        (b"{}", "it is empty."),
        (b"no json", "The encryption context is not a JSON object."),
        (b"\xff", "The encryption context is not a JSON object."),
        (b'["a"]', "The encryption context is not a JSON object of strings."),
        (b'{"a": 1}', "The encryption context is not a JSON object of strings."),
        (b'{"a": {"b": "c"}}', "The encryption context is not a JSON object of strings."),
        (b'{"a": "1", "a": "2"}', "The encryption context repeats a name, or uses a reserved one."),
        (b'{"sseproxy": "x"}', "The encryption context repeats a name, or uses a reserved one."),
        (b'{"a": "' + b"x" * 250 + b'"}', "The encryption context is longer than 256 bytes."),
    ],
)
def test_a_context_that_is_no_map_of_texts_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        _parse(S3, _context(text))

    assert raised.value.message == _BAD_CONTEXT + reason
    assert raised.value.details["ArgumentName"] == f"{S3_SSE}-context"


def test_a_context_that_is_no_base64_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        _parse(S3, {S3_SSE: "aws:kms", f"{S3_SSE}-context": "{}"})


@pytest.mark.parametrize("headers", [{}, {S3_SSE: "AES256"}], ids=["alone", "with AES256"])
def test_a_context_without_kms_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument) as raised:
        _parse(S3, {**headers, f"{S3_SSE}-context": b64encode(b'{"a":"b"}').decode()})

    assert raised.value.message == S3.sse.key_id_needs_kms


@pytest.mark.parametrize(
    ("known", "shown"),
    [("4b5f", "arn:aws:kms:::key/4b5f"), ("arn:aws:kms:eu-west-1:1:key/4b5f", "arn:aws:kms:eu-west-1:1:key/4b5f")],
)
def test_s3_shows_keys_by_arn_and_takes_its_own_arns_back(known: str, shown: str) -> None:
    assert shown_key_id(known, S3.sse) == shown
    assert asked_key_id(shown, S3.sse) == known
    assert asked_key_id("arn:aws:kms:::alias/photos", S3.sse) == "alias/photos"
    assert shown_key_id("4b5f", OSS.sse) == asked_key_id("4b5f", OSS.sse) == "4b5f"


@pytest.mark.parametrize("headers", [{}, {S3_SSE: "aws:kms"}, {S3_SSE: "AES256"}], ids=["alone", "KMS", "AES256"])
def test_a_bucket_key_flag_that_is_none_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument):
        _parse(S3, {**headers, f"{S3_SSE}-bucket-key-enabled": "yes"})


def test_a_bucket_key_without_kms_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        _parse(S3, {S3_SSE: "AES256", f"{S3_SSE}-bucket-key-enabled": "true"})


def test_a_presigned_put_may_carry_the_headers_in_its_query() -> None:
    query = CIMultiDict({"X-Amz-Server-Side-Encryption": "aws:kms", f"{S3_SSE}-aws-kms-key-id": "k"})

    assert parse_sse(CIMultiDict(), query, PUT, S3) == SseRequest(algorithm=Algorithm.KMS, key_id="k")


def test_the_same_in_header_and_query_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        parse_sse(CIMultiDict({S3_SSE: "AES256"}), CIMultiDict({S3_SSE: "aws:kms"}), PUT, S3)


@BOTH
def test_a_header_that_comes_twice_is_refused(dialect: Dialect) -> None:
    name = dialect.sse.algorithm_header

    with pytest.raises(InvalidRequest):
        parse_sse(CIMultiDict([(name, "AES256"), (name, "AES256")]), CIMultiDict(), PUT, dialect)


@pytest.mark.parametrize("operation", [one for one in Operation if one in OSS.sse.legal_on])
def test_the_misspelled_header_counts_where_the_right_one_would(operation: Operation) -> None:
    headers = {"X-OSS-server-side-encrpytion": "KMS", "X-oss-server-side-encrpytion-key-id": "k"}

    assert _parse(OSS, headers, operation) == SseRequest(algorithm=Algorithm.KMS, key_id="k")


@pytest.mark.parametrize("operation", [one for one in Operation if one not in OSS.sse.legal_on])
def test_the_misspelled_header_is_overlooked_elsewhere(operation: Operation) -> None:
    assert _parse(OSS, {"X-OSS-server-side-encrpytion": "AES256"}, operation) is None


def test_the_right_spelling_goes_before_the_wrong_one() -> None:
    headers = {"x-oss-server-side-encrpytion": "KMS", OSS_SSE: "AES256"}

    assert _parse(OSS, headers) == SseRequest(algorithm=Algorithm.AES256)


SM4_HEADERS = [{OSS_SSE: "SM4"}, {OSS_SSE: "KMS", "x-oss-server-side-data-encryption": "SM4"}]


@pytest.mark.parametrize("headers", SM4_HEADERS, ids=["alone", "under KMS"])
def test_sm4_is_a_cipher_of_its_own(headers: dict[str, str]) -> None:
    algorithm = OSS.sse.algorithms[headers[OSS_SSE]]

    assert _parse(OSS, headers) == SseRequest(algorithm=algorithm, suite=Suite.SM4_GCM)
    assert render_sse(algorithm, "k", OSS.sse, suite=Suite.SM4_GCM) == headers | (
        {f"{OSS_SSE}-key-id": "k"} if algorithm is Algorithm.KMS else {}
    )


@pytest.mark.parametrize("headers", SM4_HEADERS, ids=["alone", "under KMS"])
def test_sm4_is_refused_rather_than_replaced_where_the_host_lacks_it(
    headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_sm4(monkeypatch)

    with pytest.raises(CipherUnavailable):
        _parse(OSS, headers)


def test_s3_has_no_word_for_sm4_and_shows_none() -> None:
    assert render_sse(Algorithm.SM4, "k", S3.sse, suite=Suite.SM4_GCM) == {}
    with pytest.raises(UnknownAlgorithm):
        _parse(S3, {S3_SSE: "SM4"})


@pytest.mark.parametrize("operation", [PUT, Operation.GET_OBJECT, Operation.UPLOAD_PART], ids=lambda op: op.name)
def test_the_misspelled_header_can_be_overlooked_everywhere(operation: Operation) -> None:
    deaf = replace(OSS, sse=replace(OSS.sse, are_aliases_heard=False))

    assert _parse(deaf, {"X-OSS-server-side-encrpytion": "KMS"}, operation) is None


def test_an_unknown_cipher_for_the_data_of_kms_objects_has_its_own_error() -> None:
    with pytest.raises(UnknownDataAlgorithm) as raised:
        _parse(OSS, {OSS_SSE: "KMS", "x-oss-server-side-data-encryption": "AES256"})

    code = OSS.error_code(raised.value)
    assert (code.code, code.status) == ("InvalidDataEncryptionAlgorithmError", 400)
    assert raised.value.message == "The KMS Data Encryption request you specified is not valid. Supported value:SM4"


def test_a_data_cipher_beside_aes256_is_dropped_as_the_service_does() -> None:
    headers = {OSS_SSE: "AES256", "x-oss-server-side-data-encryption": "SM4"}

    assert _parse(OSS, headers) == SseRequest(algorithm=Algorithm.AES256)


@BOTH
def test_only_kms_objects_show_a_key_id(dialect: Dialect) -> None:
    words = dialect.sse

    assert render_sse(Algorithm.AES256, "service", words) == {words.algorithm_header: "AES256"}
    assert render_sse(Algorithm.KMS, "k", words) == {
        words.algorithm_header: words.words[Algorithm.KMS],
        words.key_id_header: "k" if dialect is OSS else "arn:aws:kms:::key/k",
    }


@given(
    dialect=st.sampled_from([S3, OSS]),
    operation=st.sampled_from(list(Operation)),
    tails=st.dictionaries(
        st.sampled_from(["", "-key-id", "-aws-kms-key-id", "-context", "-customer-key", "-bucket-key-enabled", "-x"]),
        st.sampled_from(["AES256", "KMS", "aws:kms", "aws:kms:dsse", "", "true", "k"]),
    ),
)
def test_whatever_is_said_is_understood_or_refused(
    dialect: Dialect, operation: Operation, tails: dict[str, str]
) -> None:
    headers = {dialect.sse.algorithm_header + tail: value for tail, value in tails.items()}

    try:
        found = _parse(dialect, headers, operation)
    except RequestError:
        return

    if found is None:
        # The flag alone asks for nothing, and a key of the client is read elsewhere.
        is_flag_alone = set(tails) <= {"-bucket-key-enabled", *(["-customer-key"] if dialect is S3 else [])}
        assert not tails or is_flag_alone or operation in dialect.sse.tolerated_on
    else:
        assert dialect.sse.words[found.algorithm] == headers[dialect.sse.algorithm_header]
