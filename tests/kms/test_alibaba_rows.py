"""The rows of the dossier's tables on Alibaba Cloud KMS: what is asked, what is answered, what an OSS client is told (§7)."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import pytest
from aioresponses import aioresponses

from sseproxy import errors as e
from sseproxy.dialect.oss import OSS
from sseproxy.dialect.s3 import S3
from sseproxy.kms.alibaba import AlibabaKms
from sseproxy.model import WrapContext, WrappedKey
from tests.kms.remote import calls_of
from tests.kms.suite import CONTEXT
from tests.kms.test_alibaba import PAIRS, URL, make

KEY = bytes(range(32))
TEXT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="  # of it
KEY_ID = "599fa825-17de-417e-9554-bb032cc6****"
ANSWER = {"KeyId": KEY_ID, "KeyVersionId": "v", "CiphertextBlob": "blob=", "Plaintext": TEXT, "RequestId": "r"}
WRAPPED = WrappedKey(key_id=KEY_ID, blob=b"blob=")
NONE = WrapContext(aad=b"", pairs=())

Call = Callable[[AlibabaKms], Awaitable[Any]]
OPERATIONS: Mapping[str, Call] = {
    "GenerateDataKey": lambda kms: kms.generate("alias/app", PAIRS),
    "Encrypt": lambda kms: kms.wrap(KEY_ID, KEY, PAIRS),
    "Decrypt": lambda kms: kms.unwrap(WRAPPED, PAIRS),
    "DescribeKey": lambda kms: kms.describe("alias/app"),
}
PROPER = {
    "Version": "2016-01-20",
    "Format": "JSON",
    "AccessKeyId": "testid",
    "SignatureMethod": "HMAC-SHA1",
    "SignatureVersion": "1.0",
    "Timestamp": "2026-11-21T12:00:00Z",
}


def form_of(answers: aioresponses) -> dict[str, str]:
    """Return the parameters of the only call, but for its signature, which the service of the contract verifies."""
    [(method, url, _, body)] = calls_of(answers)
    assert (method, url) == ("POST", URL)
    sent = {name: value for name, [value] in parse_qs(body.decode(), keep_blank_values=True).items()}
    assert len(sent.pop("Signature")) == 28
    assert len(sent.pop("SignatureNonce")) == 36
    return sent


async def refused(kms: AlibabaKms, call: Call) -> e.KeyServiceError:
    with pytest.raises(e.KeyServiceError) as caught:
        await call(kms)
    return caught.value


# ---- §7.1: where, and how it is signed ----


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"region": "eu-central-1"}, "https://kms.eu-central-1.aliyuncs.com/"),
        ({"endpoint": "https://kms-vpc.cn-hangzhou.aliyuncs.com"}, "https://kms-vpc.cn-hangzhou.aliyuncs.com/"),
        ({"endpoint": "https://kms-vpc.cn-hangzhou.aliyuncs.com/"}, "https://kms-vpc.cn-hangzhou.aliyuncs.com/"),
    ],
)
async def test_kms_is_asked_in_its_region_or_where_the_settings_say(
    session: aiohttp.ClientSession, answers: aioresponses, fields: dict[str, str], url: str
) -> None:
    answers.post(url, payload=ANSWER)

    assert await make(session, **fields).unwrap(WRAPPED, NONE) == KEY


async def test_every_call_has_a_nonce_of_its_own(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    answers.post(URL, payload=ANSWER, repeat=True)
    kms = make(session)

    for _ in range(3):
        await kms.unwrap(WRAPPED, CONTEXT)

    nonces = {parse_qs(body.decode())["SignatureNonce"][0] for _, _, _, body in calls_of(answers)}
    assert len(nonces) == 3


# ---- §7.2: operations ----

CONTEXT_SENT = {"sseproxy": "digest", "team": "größe"}


@pytest.mark.parametrize(
    ("operation", "sent"),
    [
        ("GenerateDataKey", {"KeyId": "alias/app", "NumberOfBytes": "32", "EncryptionContext": CONTEXT_SENT}),
        ("Encrypt", {"KeyId": KEY_ID, "Plaintext": TEXT, "EncryptionContext": CONTEXT_SENT}),
        ("Decrypt", {"CiphertextBlob": "blob=", "EncryptionContext": CONTEXT_SENT}),
        ("DescribeKey", {"KeyId": "alias/app"}),
    ],
)
async def test_an_operation_sends_what_the_table_says_and_nothing_else(
    session: aiohttp.ClientSession, answers: aioresponses, operation: str, sent: dict[str, Any]
) -> None:
    answers.post(URL, payload={**ANSWER, "KeyMetadata": {"KeyId": KEY_ID, "KeyState": "Enabled"}})

    await OPERATIONS[operation](make(session))

    form: dict[str, Any] = form_of(answers)
    if "EncryptionContext" in form:
        form["EncryptionContext"] = json.loads(form["EncryptionContext"])
    assert form == {**PROPER, "Action": operation, **sent}


@pytest.mark.parametrize("length", [16, 32])
async def test_a_drawn_key_is_the_plaintext_and_its_wrap_the_blob_as_it_is(
    session: aiohttp.ClientSession, answers: aioresponses, length: int
) -> None:
    plaintext = {16: "AAECAwQFBgcICQoLDA0ODw==", 32: TEXT}[length]
    answers.post(URL, payload=ANSWER | {"Plaintext": plaintext})

    key, wrapped = await make(session).generate("alias/app", CONTEXT, length=length)

    assert form_of(answers)["NumberOfBytes"] == str(length)
    assert (key, wrapped) == (KEY[:length], WRAPPED)


async def test_a_wrap_names_the_cmk_by_its_id(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    answers.post(URL, payload=ANSWER)

    assert await make(session).wrap("alias/app", KEY, CONTEXT) == WRAPPED


@pytest.mark.parametrize("text", [TEXT, "1", "no base64"])
async def test_a_clients_text_is_given_back_as_kms_has_it_with_the_cmk(
    session: aiohttp.ClientSession, answers: aioresponses, text: str
) -> None:
    answers.post(URL, payload=ANSWER | {"Plaintext": text})

    assert await make(session).decrypt("any+/=", WrapContext(aad=b"", pairs=(("x-passphrase", "p"),))) == (KEY_ID, text)
    sent = form_of(answers)
    assert (sent["CiphertextBlob"], sent["EncryptionContext"]) == ("any+/=", '{"x-passphrase":"p"}')


@pytest.mark.parametrize(
    ("told", "origin"), [("Aliyun_KMS", "generated"), ("EXTERNAL", "external"), (None, "generated")]
)
@pytest.mark.parametrize("state", ["Enabled", "Disabled", "PendingDeletion", "PendingImport"])
async def test_a_description_tells_id_state_and_origin(
    session: aiohttp.ClientSession, answers: aioresponses, state: str, told: str | None, origin: str
) -> None:
    metadata = {
        "KeyId": KEY_ID,
        "Arn": f"acs:kms:cn-hangzhou:1:key/{KEY_ID}",
        "KeySpec": "Aliyun_AES_256",
        "KeyState": state,
        "KeyUsage": "ENCRYPT/DECRYPT",
        "Creator": "1",
        "PrimaryKeyVersion": "v2",
        "AutomaticRotation": "Enabled",
        **({} if told is None else {"Origin": told}),
    }
    answers.post(URL, payload={"KeyMetadata": metadata, "RequestId": "r"})

    found = await make(session).describe("alias/app")

    assert (found.key_id, found.state, found.origin, found.current_version) == (KEY_ID, state, origin, 0)


# ---- §7.3: states and errors, and what an OSS client is told of them ----

STATE = "The request was rejected because the key state is {}."


@pytest.mark.parametrize("operation", ["GenerateDataKey", "Encrypt", "Decrypt"])
@pytest.mark.parametrize("state", ["Disabled", "PendingDeletion", "PendingImport"])
async def test_a_cmk_that_is_not_enabled_does_nothing_and_the_client_is_told_its_state(
    session: aiohttp.ClientSession, answers: aioresponses, operation: str, state: str
) -> None:
    answers.post(URL, status=409, payload={"HttpStatus": 409, "Code": f"Rejected.{state}", "Message": "no"})

    error = await refused(make(session), OPERATIONS[operation])

    code = OSS.error_code(error)
    assert (code.status, code.code, code.message) == (409, f"Key{state}", STATE.format(state))


NOT_VALID = "The specified parameter KMS keyId is not valid."
NOT_FOUND = "The specified parameter KMS keyId is not found."
NOT_OPENED = "The object's data key could not be opened with its key."
BUSY = "Please reduce your request rate for operations involving the key service."
FORBIDDEN = "This request is forbidden by kms."
NOT_ENABLED = "This user does not turn on KMS service."
REFUSED = "the key service hangzhou refused the request ({} {})."
AWAY = "the key service hangzhou answered {} {}."
AWAY_STATUS = "the key service hangzhou answered {}."


@pytest.mark.parametrize("operation", ["GenerateDataKey", "Encrypt", "DescribeKey"])
@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (404, "Forbidden.KeyNotFound", (404, "KeyNotFound", NOT_FOUND)),
        (404, "Forbidden.AliasNotFound", (404, "AliasNotFound", "The specified alias is not found.")),
        (403, "Forbidden.NoPermission", (403, "AccessDenied", FORBIDDEN)),
        (403, "Forbidden.KmsServiceNotEnabled", (403, "KmsServiceNotEnabled", NOT_ENABLED)),
        (403, "Forbidden.InDebt", (403, "KmsInDebt", "The key service's account is in debt.")),
        (
            403,
            "Forbidden.InDebtOverdue",
            (403, "KmsInDebtOverdue", "The key service's account is in debt for too long."),
        ),
        (400, "InvalidParameter", (400, "InvalidParameter", NOT_VALID)),
        (400, "InvalidParameter.KeyId", (400, "InvalidParameter", NOT_VALID)),
        (400, "UnsupportedOperation", (400, "InvalidParameter", NOT_VALID)),
        (400, "Unsupported.Origin", (400, "InvalidParameter", NOT_VALID)),
        (400, "MissingParameter", (500, "InternalError", REFUSED.format(400, "MissingParameter"))),
        (409, "StateModifiedFailed", (500, "InternalError", REFUSED.format(409, "StateModifiedFailed"))),
        (409, "Rejected.Other", (409, "KeyDisabled", "The request was rejected because of the key state.")),
        (409, "Rejected.Unavailable", (503, "ServiceUnavailable", AWAY.format(409, "Rejected.Unavailable"))),
        (400, "Throttling", (503, "ServiceUnavailable", BUSY)),
        (400, "Throttling.User", (503, "ServiceUnavailable", BUSY)),
        (429, "", (503, "ServiceUnavailable", BUSY)),
        (500, "InternalFailure", (503, "ServiceUnavailable", AWAY_STATUS.format(500))),
        (503, "ServiceUnavailableTemporary", (503, "ServiceUnavailable", AWAY_STATUS.format(503))),
        (400, "SignatureDoesNotMatch", (503, "ServiceUnavailable", AWAY.format(400, "SignatureDoesNotMatch"))),
        (
            403,
            "InvalidSecurityToken.Expired",
            (503, "ServiceUnavailable", AWAY.format(403, "InvalidSecurityToken.Expired")),
        ),
        (
            404,
            "InvalidAccessKeyId.NotFound",
            (503, "ServiceUnavailable", AWAY.format(404, "InvalidAccessKeyId.NotFound")),
        ),
    ],
)
async def test_an_oss_client_is_told_what_the_table_says(
    session: aiohttp.ClientSession,
    answers: aioresponses,
    operation: str,
    status: int,
    code: str,
    told: tuple[int, str, str],
) -> None:
    answers.post(URL, status=status, payload={"HttpStatus": status, "Code": code, "Message": "no", "RequestId": "r"})

    error = await refused(make(session), OPERATIONS[operation])

    found = OSS.error_code(error)
    assert (found.status, found.code, found.message or error.message) == told


@pytest.mark.parametrize("code", ["InvalidParameter", "InvalidCiphertextBlob", "InvalidEncryptionContext"])
async def test_a_blob_or_context_that_is_not_the_one_is_the_objects_fault_and_not_the_clients(
    session: aiohttp.ClientSession, answers: aioresponses, code: str
) -> None:
    answers.post(URL, status=400, payload={"Code": code}, repeat=True)

    for call in (OPERATIONS["Decrypt"], lambda kms: kms.decrypt("blob=", NONE)):
        error = await refused(make(session), call)

        assert type(error) is e.WrappedKeyRejected
        assert (OSS.error_code(error).status, error.message) == (500, NOT_OPENED)


@pytest.mark.parametrize("kind", [e.KeyServiceNotEnabled, e.KeyServiceInDebt, e.KeyServiceOverdue])
def test_an_s3_client_is_denied_where_the_account_is_not_served(kind: type[e.KeyServiceError]) -> None:
    assert (S3.error_code(kind()).status, S3.error_code(kind()).code) == (403, "AccessDenied")


@pytest.mark.parametrize("code", ["Forbidden.KmsServiceNotEnabled", "Forbidden.InDebt", "Forbidden.InDebtOverdue"])
async def test_a_service_that_does_not_serve_the_account_is_not_healthy(
    session: aiohttp.ClientSession, answers: aioresponses, code: str
) -> None:
    answers.post(URL, status=403, payload={"Code": code})

    with pytest.raises((e.KeyServiceNotEnabled, e.KeyServiceInDebt)):
        await make(session).healthy()


@pytest.mark.parametrize("body", ["<html>", "[]", ""])
async def test_what_is_no_answer_of_kms_is_a_service_that_is_away(
    session: aiohttp.ClientSession, answers: aioresponses, body: str
) -> None:
    answers.post(URL, body=body)

    error = await refused(make(session), OPERATIONS["Decrypt"])

    assert type(error) is e.KeyServiceUnavailable


async def test_a_service_that_does_not_answer_is_away(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    answers.post(URL, exception=TimeoutError())

    error = await refused(make(session), OPERATIONS["GenerateDataKey"])

    assert type(error) is e.KeyServiceUnavailable
