"""AWS KMS: what is sent, how it is signed, and what its answers mean. States are here, because moto keeps none."""

import json
from base64 import b64decode, b64encode
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from sseproxy.credentials.http import Http
from sseproxy.errors import (
    KeyAccessRefused,
    KeyDisabled,
    KeyNotApplicable,
    KeyNotFound,
    KeyPendingDeletion,
    KeyPendingImport,
    KeyServiceBusy,
    KeyServiceError,
    KeyServiceUnavailable,
    KeyStateRefused,
    WrappedKeyRejected,
)
from sseproxy.kms.aws import AwsKms
from sseproxy.kms.cloud_credentials import build_aws_credentials
from sseproxy.model import WrapContext, WrappedKey
from sseproxy.settings_remote_kms import AwsKmsSettings
from tests.kms.doubles import RecordingObserver
from tests.kms.remote import calls_of
from tests.support.fake_clock import FakeClock

URL = "https://kms.eu-central-1.amazonaws.com/"
ARN = "arn:aws:kms:eu-central-1:111122223333:key/0f3f0d6e"
CONTEXT = WrapContext(aad=b"all of it", pairs=(("sseproxy", "digest"), ("bucket", "photos"), ("team", "größe")))
PAIRS = {"sseproxy": "digest", "bucket": "photos", "team": "größe"}
STATIC = {"region": "eu-central-1", "access_key": "AKID", "secret_key": "s3cret"}


def make(session: aiohttp.ClientSession, **fields: Any) -> AwsKms:
    settings = AwsKmsSettings.model_validate({**STATIC, **fields})
    http, clock = Http(session, "the key service aws"), FakeClock()
    return AwsKms(http, settings, build_aws_credentials(http, settings, clock, RecordingObserver()), clock)


def fails(answers: aioresponses, kind: str, message: str = "", status: int = 400) -> None:
    answers.post(URL, status=status, payload={"__type": kind, "message": message})


async def test_a_key_is_drawn_by_kms_under_every_pair(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    answers.post(
        URL,
        payload={
            "KeyId": ARN,
            "Plaintext": b64encode(b"k" * 32).decode(),
            "CiphertextBlob": b64encode(b"blob").decode(),
        },
    )

    key, wrapped = await make(session).generate("alias/app", CONTEXT)

    assert (key, wrapped.key_id, wrapped.blob) == (b"k" * 32, ARN, b"blob")
    [(_, _, headers, body)] = calls_of(answers)
    assert headers["X-Amz-Target"] == "TrentService.GenerateDataKey"
    assert headers["Content-Type"] == "application/x-amz-json-1.1"
    assert json.loads(body) == {"KeyId": "alias/app", "NumberOfBytes": 32, "EncryptionContext": PAIRS}


async def test_a_key_is_wrapped_and_opened_with_its_master_key_named(
    session: aiohttp.ClientSession, answers: aioresponses
) -> None:
    answers.post(URL, payload={"KeyId": ARN, "CiphertextBlob": b64encode(b"blob").decode()})
    answers.post(URL, payload={"KeyId": ARN, "Plaintext": b64encode(b"dek").decode()})
    kms = make(session)

    wrapped = await kms.wrap(ARN, b"dek", CONTEXT)
    assert await kms.unwrap(wrapped, CONTEXT) == b"dek"

    sent = [(headers["X-Amz-Target"], json.loads(body)) for _, _, headers, body in calls_of(answers)]
    assert sent == [
        ("TrentService.Encrypt", {"KeyId": ARN, "Plaintext": "ZGVr", "EncryptionContext": PAIRS}),
        ("TrentService.Decrypt", {"KeyId": ARN, "CiphertextBlob": "YmxvYg==", "EncryptionContext": PAIRS}),
    ]
    assert b64decode("YmxvYg==") == wrapped.blob


@pytest.mark.parametrize("token", [None, "a-session-token"])
async def test_the_signature_is_the_one_that_botocore_makes(
    session: aiohttp.ClientSession, answers: aioresponses, token: str | None
) -> None:
    answers.post(URL, payload={"KeyMetadata": {"Arn": ARN, "KeyState": "Enabled", "Origin": "AWS_KMS"}})
    await make(session, security_token=token).describe(ARN)
    [(method, url, headers, body)] = calls_of(answers)

    request = AWSRequest(
        method=method, url=url, data=body, headers={k: v for k, v in headers.items() if k != "Authorization"}
    )
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(BotoCredentials("AKID", "s3cret", token), "kms", "eu-central-1")
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))

    assert headers["x-amz-date"] == "20261121T120000Z"
    assert headers.get("x-amz-security-token") == token
    assert headers["Authorization"].endswith(f"Signature={signer.signature(to_sign, request)}")
    assert "Credential=AKID/20261121/eu-central-1/kms/aws4_request" in headers["Authorization"]


async def test_a_description_names_the_arn(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    answers.post(URL, payload={"KeyMetadata": {"Arn": ARN, "KeyState": "Disabled", "Origin": "EXTERNAL"}})

    described = await make(session).describe("alias/app")

    assert (described.key_id, described.state, described.origin, described.current_version) == (
        ARN, "Disabled", "external", 0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "message", "error"),
    [
        ("NotFoundException", "", KeyNotFound),
        ("InvalidArnException", "", KeyNotFound),
        ("DisabledException", "", KeyDisabled),
        ("KMSInvalidStateException", f"{ARN} is pending deletion.", KeyPendingDeletion),
        ("KMSInvalidStateException", f"{ARN} is pending import.", KeyPendingImport),
        ("KMSInvalidStateException", f"{ARN} is creating.", KeyStateRefused),
        ("InvalidKeyUsageException", "", KeyNotApplicable),
        ("AccessDeniedException", "", KeyAccessRefused),
        ("InvalidCiphertextException", "", WrappedKeyRejected),
        ("IncorrectKeyException", "", WrappedKeyRejected),
        ("ThrottlingException", "", KeyServiceBusy),
        ("LimitExceededException", "", KeyServiceBusy),
        ("KeyUnavailableException", "", KeyServiceUnavailable),
        ("DependencyTimeoutException", "", KeyServiceUnavailable),
        ("UnrecognizedClientException", "", KeyServiceUnavailable),
        ("com.amazonaws.kms#DisabledException:http://internal/", "", KeyDisabled),
        ("ValidationException", "", KeyServiceError),
        ("", "", KeyServiceError),
    ],
)
async def test_what_kms_refuses_has_its_error(
    session: aiohttp.ClientSession, answers: aioresponses, kind: str, message: str, error: type[KeyServiceError]
) -> None:
    fails(answers, kind, message)

    with pytest.raises(KeyServiceError) as caught:
        await make(session).unwrap(WrappedKey(key_id=ARN, blob=b"blob"), CONTEXT)

    assert type(caught.value) is error


async def test_a_message_says_which_key_is_not_there(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    fails(answers, "NotFoundException", "Alias arn:… is not found.")

    with pytest.raises(KeyNotFound, match="The key alias/none does not exist"):
        await make(session).generate("alias/none", CONTEXT)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_fault_of_kms_is_an_outage_whatever_it_says(
    session: aiohttp.ClientSession, answers: aioresponses, status: int
) -> None:
    answers.post(URL, status=status, body="<html>")

    with pytest.raises(KeyServiceUnavailable, match=f"the key service aws answered {status}"):
        await make(session).describe(ARN)


async def test_a_connection_that_fails_is_an_outage(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    answers.post(URL, exception=aiohttp.ServerDisconnectedError())

    with pytest.raises(
        KeyServiceUnavailable, match=r"the key service aws cannot be reached \(ServerDisconnectedError\)"
    ):
        await make(session).describe(ARN)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"\xff"])
async def test_an_answer_that_is_no_object_is_somebody_elses(
    session: aiohttp.ClientSession, answers: aioresponses, body: bytes
) -> None:
    answers.post(URL, body=body)

    with pytest.raises(KeyServiceUnavailable, match=r"What the key service aws answered \(200\) is no JSON object"):
        await make(session).describe(ARN)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"KeyId": ARN, "Plaintext": "k", "CiphertextBlob": "YQ=="},
        {"KeyId": ARN, "Plaintext": "YQ==", "CiphertextBlob": "YQ=="},
    ],
    ids=["nothing", "no base64", "another length"],
)
async def test_an_answer_that_lacks_what_was_asked_for_is_not_used(
    session: aiohttp.ClientSession, answers: aioresponses, payload: dict[str, str]
) -> None:
    answers.post(URL, payload=payload)

    with pytest.raises(KeyServiceError):
        await make(session).generate(ARN, CONTEXT)


async def test_an_answer_without_end_is_cut_off(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    answers.post(URL, body=b" " * (256 * 1024 + 1))

    with pytest.raises(KeyServiceUnavailable, match="longer than expected"):
        await make(session).describe(ARN)


@pytest.mark.parametrize("kind", ["NotFoundException", "AccessDeniedException"])
async def test_it_is_healthy_where_it_answers_at_all(
    session: aiohttp.ClientSession, answers: aioresponses, kind: str
) -> None:
    fails(answers, kind)

    await make(session).healthy()


async def test_it_is_not_healthy_where_the_signature_is_refused(
    session: aiohttp.ClientSession, answers: aioresponses
) -> None:
    fails(answers, "InvalidSignatureException")

    with pytest.raises(KeyServiceUnavailable, match=r"refuses the proxy's signature \(InvalidSignatureException\)"):
        await make(session).healthy()


async def test_a_nameless_key_is_not_asked_for(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    with pytest.raises(KeyNotFound):
        await make(session).describe("")
    assert calls_of(answers) == []


async def test_expired_credentials_are_lent_anew(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    agent = "http://169.254.170.23/v1/credentials"
    for number in (1, 2):
        lent = {
            "AccessKeyId": f"AK{number}",
            "SecretAccessKey": "s",
            "Token": "t",
            "Expiration": "2026-11-22T12:00:00Z",
        }
        answers.get(agent, payload=lent)
    fails(answers, "ExpiredTokenException")
    answers.post(URL, payload={"KeyMetadata": {"Arn": ARN, "KeyState": "Enabled"}})
    kms = make(session, credentials="container", container_url=agent)

    with pytest.raises(KeyServiceUnavailable):
        await kms.describe(ARN)
    assert (await kms.describe(ARN)).key_id == ARN

    signed = [headers["Authorization"] for method, _, headers, _ in calls_of(answers) if method == "POST"]
    assert ["Credential=AK1/" in signed[0], "Credential=AK2/" in signed[1]] == [True, True]
