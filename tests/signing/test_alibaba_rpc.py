"""Alibaba Cloud's RPC signature: the dossier's vector (§10.7), and Alibaba's own signer."""

import hmac
from base64 import b64encode
from urllib.parse import parse_qsl

from aliyunsdkcore.auth.composer import rpc_signature_composer
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.signing.alibaba_rpc import rpc_query, rpc_string_to_sign, sign_rpc

TEXT = st.characters(codec="utf-8")
DECRYPT = {
    "Action": "Decrypt",
    "AccessKeyId": "testid",
    "CiphertextBlob": "abc+/=",
    "EncryptionContext": '{"a":"b"}',
    "Format": "JSON",
    "SignatureMethod": "HMAC-SHA1",
    "SignatureNonce": "n1",
    "SignatureVersion": "1.0",
    "Timestamp": "2026-01-01T00:00:00Z",
    "Version": "2016-01-20",
}


def test_the_published_vector() -> None:
    assert rpc_string_to_sign("POST", DECRYPT) == (
        "POST&%2F&AccessKeyId%3Dtestid%26Action%3DDecrypt%26CiphertextBlob%3Dabc%252B%252F%253D%26EncryptionContext%3D"
        "%257B%2522a%2522%253A%2522b%2522%257D%26Format%3DJSON%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3Dn1%26"
        "SignatureVersion%3D1.0%26Timestamp%3D2026-01-01T00%253A00%253A00Z%26Version%3D2016-01-20"
    )
    assert sign_rpc("POST", DECRYPT, "testsecret") == "XOajPcyIY3O4XRXaBJve3ve2VcA="


def test_the_published_vector_of_a_get_but_for_its_separators() -> None:
    """As published, `&` stands between the encoded pairs after the first; the service and real signers encode it."""
    published = (
        "GET&%2F&AccessKeyId%3Dtestid&Action%3DCreateKey&Format%3Djson&SignatureMethod%3DHMAC-SHA1&SignatureVersion%3D1.0"
        "&Timestamp%3D2016-03-28T03%253A13%253A08Z&Version%3D2016-01-20"
    )
    parameters = {
        "Action": "CreateKey",
        "Version": "2016-01-20",
        "Format": "json",
        "AccessKeyId": "testid",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "Timestamp": "2016-03-28T03:13:08Z",
    }

    assert rpc_string_to_sign("GET", parameters).replace("%26", "&") == published
    assert b64encode(hmac.digest(b"testsecret&", published.encode(), "sha1")) == b"s/OdVWMTmNGagvWlljdAJ7Itsew="


def test_a_query_leaves_only_unreserved_characters() -> None:
    assert rpc_query({"b": "a b*~+/=", "a": "größe"}) == "a=gr%C3%B6%C3%9Fe&b=a%20b%2A~%2B%2F%3D"


@given(st.dictionaries(st.text(TEXT, min_size=1), st.text(TEXT)))
def test_alibabas_own_signer_makes_the_same_signature(parameters: dict[str, str]) -> None:
    url, to_sign = rpc_signature_composer.get_signed_url({}, "testid", "testsecret", "JSON", "POST", parameters)
    signed = dict(parse_qsl(url.removeprefix("/?"), keep_blank_values=True))
    signature = signed.pop("Signature")
    every = {**signed, **parameters}

    assert rpc_string_to_sign("POST", every) == to_sign
    assert sign_rpc("POST", every, "testsecret") == signature
