"""Promise: each field of OSS's PostObject does what it is there for, and each rule of it holds (OSS dossier §6.11).

Signatures, policies and sizes stand in test_post_forms.py, how a form comes over the wire in test_oss_post_framing.py.
"""

import hashlib
import hmac
import json
from base64 import b64encode
from typing import Any

import oss2
import pytest
import requests

from tests.support.forms import form_error, oss_form, oss_refusal, post_form
from tests.support.kms_swap import create_key
from tests.support.oss_clients import oss2_bucket, oss2_refusal
from tests.support.servers import SECRET_KEY, Server

_SSE = "x-oss-server-side-encryption"
_CRC = "x-oss-hash-crc64ecma"
_ETAG = f'"{hashlib.md5(b"hello").hexdigest().upper()}"'
_BODY = b"hello"


@pytest.fixture
def url(oss_alone: Server, form_bucket: Any) -> str:
    return f"{oss_alone.url}/{form_bucket.bucket_name}"


def _form(bucket: Any, *conditions: Any, **fields: str) -> dict[str, str]:
    return oss_form(bucket.bucket_name, *conditions, version=1, **{"key": "k", **fields})


# ---- the object ----


def test_fields_become_what_the_object_is_stored_with(form_bucket: Any, url: str) -> None:
    stored = {
        "Cache-Control": "no-store",
        "Content-Disposition": 'attachment; filename="a.txt"',
        "Content-Encoding": "identity",
        "Expires": "Thu, 01 Jan 2026 00:00:00 GMT",
        "x-oss-meta-note": "gr\u00fcn",
        "x-oss-meta-other": "1",
    }

    answer = post_form(url, _form(form_bucket) | stored)
    head = form_bucket.head_object("k")

    assert (answer.status_code, answer.content) == (204, b"")
    shown = {name: head.headers[name] for name in stored} | {
        "x-oss-meta-note": head.headers["x-oss-meta-note"].encode("latin-1").decode()
    }
    assert shown == stored
    assert form_bucket.get_object("k").read() == _BODY


def test_a_field_that_is_not_utf_8_is_latin_1(form_bucket: Any, url: str) -> None:
    parts: Any = [(name, (None, value)) for name, value in _form(form_bucket).items()]
    parts += [("x-oss-meta-note", (None, "gr\u00fcn".encode("latin-1"))), ("file", ("a", _BODY))]

    assert requests.post(url, files=parts, timeout=60).status_code == 204
    assert form_bucket.head_object("k").headers["x-oss-meta-note"].encode("latin-1").decode() == "gr\u00fcn"


@pytest.mark.parametrize(
    ("fields", "of_file", "expected"),
    [
        ({"x-oss-content-type": "text/own", "Content-Type": "text/form"}, "text/file", "text/own"),
        ({"Content-Type": "text/form"}, "text/file", "text/file"),
        ({"Content-Type": "text/form"}, None, "text/form"),
        ({}, "text/file", "text/file"),
        ({}, None, "application/octet-stream"),
    ],
    ids=["x-oss-content-type", "the file's", "the form's", "the file's alone", "none"],
)
def test_of_several_types_one_wins(
    form_bucket: Any, url: str, fields: dict[str, str], of_file: str | None, expected: str
) -> None:
    file = ("a.bin", _BODY) if of_file is None else ("a.bin", _BODY, of_file)
    requests.post(url, data=_form(form_bucket) | fields, files={"file": file}, timeout=60).raise_for_status()

    assert form_bucket.head_object("k").headers["Content-Type"] == expected


def test_an_acl_and_a_storage_class_are_the_objects(form_bucket: Any, url: str) -> None:
    fields = {"x-oss-object-acl": "public-read", "x-oss-storage-class": "IA"}

    assert post_form(url, _form(form_bucket) | fields).status_code == 204
    assert form_bucket.get_object_acl("k").acl == "public-read"
    assert form_bucket.head_object("k").headers["x-oss-storage-class"] == "IA"


@pytest.mark.parametrize(
    ("key", "name", "expected"),
    [
        ("user/${filename}", "a b.txt", "user/a b.txt"),
        ("${filename}", "C:\\Documents\\a.txt", "a.txt"),
        ("x/${filename}/${filename}", "y", "x/y/y"),
        ("t\u00e4get +&%2F", "y", "t\u00e4get +&%2F"),
    ],
)
def test_the_key_is_the_field_with_the_files_name_in_it(
    form_bucket: Any, url: str, key: str, name: str, expected: str
) -> None:
    assert post_form(url, _form(form_bucket, key=key), name=name).status_code == 204

    assert [entry.key for entry in oss2.ObjectIterator(form_bucket)] == [expected]


def test_names_of_fields_have_any_case(form_bucket: Any, url: str) -> None:
    form = {name.upper(): value for name, value in _form(form_bucket, x_oss_meta_note="n").items()}

    assert post_form(url, form).status_code == 204
    assert form_bucket.head_object("k").headers["x-oss-meta-note"] == "n"


@pytest.mark.parametrize(
    "fields",
    [
        {"x:my": "own", "x-oss-unknown": "1", "unknown": "2"},
        {"x-oss-copy-source": "/elsewhere/k"},
    ],
    ids=["own and unknown", "a source"],
)
def test_fields_that_mean_nothing_are_overlooked(form_bucket: Any, url: str, fields: dict[str, str]) -> None:
    assert post_form(url, _form(form_bucket) | fields).status_code == 204
    assert form_bucket.get_object("k").read() == _BODY


def test_what_stands_behind_the_file_is_not_there(form_bucket: Any, url: str) -> None:
    parts: Any = [(name, (None, value)) for name, value in _form(form_bucket).items()]
    parts += [("file", ("a", _BODY)), ("file", ("b", b"another")), ("success_action_status", (None, "200"))]

    assert requests.post(url, files=parts, timeout=60).status_code == 204
    assert form_bucket.get_object("k").read() == _BODY


# ---- the answer ----


@pytest.mark.parametrize(
    ("asked", "status"), [(None, 204), ("", 204), ("200", 200), ("201", 201), ("204", 204), ("301", 204), ("x", 204)]
)
def test_the_status_is_the_one_that_was_asked_for(form_bucket: Any, url: str, asked: str | None, status: int) -> None:
    answer = post_form(url, _form(form_bucket) | ({} if asked is None else {"success_action_status": asked}))

    location = f"{url}/k"
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<PostResponse><Location>{location}</Location><Bucket>{form_bucket.bucket_name}</Bucket><Key>k</Key>"
        f"<ETag>{_ETAG.replace(chr(34), '&quot;')}</ETag></PostResponse>"
    )
    assert (answer.status_code, answer.text) == (status, document if status == 201 else "")
    crc = oss2.utils.Crc64(0)
    crc.update(_BODY)
    assert (answer.headers["ETag"], answer.headers[_CRC], answer.headers[_SSE]) == (_ETAG, str(crc.crc), "AES256")
    assert answer.headers["Location"] == location


@pytest.mark.parametrize(
    ("redirect", "location"),
    [
        ("https://example.com/done", "https://example.com/done?bucket={}&key=k&etag={}"),
        ("http://example.com/?a=1", "http://example.com/?a=1&bucket={}&key=k&etag={}"),
    ],
)
def test_a_browser_is_redirected(form_bucket: Any, url: str, redirect: str, location: str) -> None:
    answer = post_form(url, _form(form_bucket, success_action_redirect=redirect, success_action_status="200"))

    etag = _ETAG.replace('"', "%22")
    assert (answer.status_code, answer.headers["Location"]) == (303, location.format(form_bucket.bucket_name, etag))


def test_a_redirect_to_nowhere_leaves_the_status(form_bucket: Any, url: str) -> None:
    answer = post_form(
        url, _form(form_bucket, success_action_redirect="javascript:alert(1)", success_action_status="200")
    )

    assert (answer.status_code, form_bucket.get_object("k").read()) == (200, _BODY)


def test_a_version_is_told(form_bucket: Any, url: str) -> None:
    form_bucket.put_bucket_versioning(oss2.models.BucketVersioningConfig("Enabled"))

    answer = post_form(url, _form(form_bucket))

    assert answer.headers["x-oss-version-id"] == form_bucket.head_object("k").headers["x-oss-version-id"]


# ---- encryption that comes as a header (§1.2: clients in wide use send it so) ----


@pytest.mark.parametrize("name", ["X-OSS-server-side-encrpytion", "x-oss-server-side-encryption"])
def test_an_encryption_header_of_the_post_counts_where_no_field_says_anything(
    form_bucket: Any, url: str, name: str
) -> None:
    files = {"file": ("a", _BODY)}

    def post(fields: dict[str, str], value: str) -> requests.Response:
        return requests.post(url, data=_form(form_bucket) | fields, files=files, headers={name: value}, timeout=60)

    assert post({}, "SM4").headers[_SSE] == "SM4"
    assert post({_SSE: "AES256"}, "SM4").headers[_SSE] == "AES256"
    assert form_error(post({}, "ROT13"))[:2] == (400, "InvalidEncryptionAlgorithmError")
    assert form_bucket.head_object("k").headers[_SSE] == "AES256"


def test_a_field_names_the_cmk(oss_alone: Server, form_bucket: Any, url: str) -> None:
    own = create_key(oss_alone.data, alias=f"alias/{form_bucket.bucket_name}")

    answer = post_form(url, _form(form_bucket) | {_SSE: "KMS", f"{_SSE}-key-id": own})

    shown = {name: form_bucket.head_object("k").headers[name] for name in (_SSE, f"{_SSE}-key-id")}
    assert shown == {name: answer.headers[name] for name in shown} == {_SSE: "KMS", f"{_SSE}-key-id": own}


# ---- what is refused ----


def test_nothing_is_overwritten_where_a_field_forbids_it(form_bucket: Any, url: str) -> None:
    forbid = {"x-oss-forbid-overwrite": "true"}

    assert post_form(url, _form(form_bucket) | forbid).status_code == 204
    for file in (b"second", bytes(2 << 20)):
        assert form_error(post_form(url, _form(form_bucket) | forbid, file)) == (
            409, "FileAlreadyExists", "The object you specified already exists and can not be overwritten."
        )  # fmt: skip
    assert form_bucket.list_multipart_uploads().upload_list == []
    assert form_bucket.get_object("k").read() == _BODY
    assert post_form(url, _form(form_bucket) | {"x-oss-forbid-overwrite": "false"}, b"second").status_code == 204


_NEEDED = "Bucket POST must contain a field named '{}'.  If it is specified, please check the order of the fields."


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"key": ""}, (400, "InvalidArgument", _NEEDED.format("key"))),
        ({"key": "/k"}, (400, "InvalidObjectName", "The specified object is not valid.")),
        ({"key": "\\k"}, (400, "InvalidObjectName", "The specified object is not valid.")),
        ({"key": "k" * 1024}, (400, "InvalidObjectName", "The specified object is not valid.")),
        ({"x-oss-object-acl": "open"}, (400, "InvalidArgument")),
        ({"x-oss-storage-class": "Cold"}, (400, "InvalidStorageClass")),
        ({"x-oss-forbid-overwrite": "perhaps"}, (400, "InvalidArgument")),
        ({"x-oss-tagging": "a=b"}, (400, "InvalidArgument", "The form field x-oss-tagging is not supported.")),
        ({"x-oss-traffic-limit": "1"}, (400, "InvalidArgument")),
        ({"callback": "e30="}, (400, "NotImplemented")),
        ({"x-oss-callback": "e30="}, (400, "NotImplemented")),
        ({"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, (400, "InvalidDigest")),
        ({"x-oss-meta-a": "b\x01"}, (400, "InvalidArgument", "The form field x-oss-meta-a holds control characters.")),
        (
            {"x-oss-meta-\u00fc": "n"},
            (400, "InvalidArgument", "The name of a form field cannot be that of a header."),
        ),
        ({"x-oss-meta-a b": "n"}, (400, "InvalidArgument", "The name of a form field cannot be that of a header.")),
        ({"x-oss-meta-big": "x" * 8190}, (400, "InvalidArgument")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_field_that_cannot_be_stores_nothing(
    form_bucket: Any, url: str, fields: dict[str, str], refusal: tuple[int | str, ...]
) -> None:
    assert oss_refusal(form_bucket, post_form(url, _form(form_bucket) | fields))[: len(refusal)] == refusal


@pytest.mark.parametrize(
    ("missing", "refusal"),
    [
        ("key", (400, "InvalidArgument", _NEEDED.format("key"))),
        ("policy", (400, "InvalidArgument", _NEEDED.format("policy"))),
        ("Signature", (400, "InvalidArgument", _NEEDED.format("signature"))),
        ("OSSAccessKeyId", (400, "InvalidArgument", _NEEDED.format("OSSAccessKeyId"))),
    ],
)
def test_a_form_without_what_it_needs_stores_nothing(
    form_bucket: Any, url: str, missing: str, refusal: tuple[int, str, str]
) -> None:
    form = {name: value for name, value in _form(form_bucket).items() if name != missing}

    assert oss_refusal(form_bucket, post_form(url, form)) == refusal


def test_a_form_that_nobody_signed_stores_nothing(form_bucket: Any, url: str) -> None:
    assert oss_refusal(form_bucket, post_form(url, {"key": "k"})) == (
        403, "AccessDenied", "Anonymous user has no right to access this bucket."
    )  # fmt: skip


def test_a_policy_that_is_over_or_none_stores_nothing(form_bucket: Any, url: str) -> None:
    over = oss_refusal(form_bucket, post_form(url, _form(form_bucket, expires="2020-01-01T00:00:00.000Z")))
    ranged = {
        size: oss_refusal(form_bucket, post_form(url, _form(form_bucket, ["content-length-range", 3, 4]), bytes(size)))
        for size in (2, 5, 3 * 1024 * 1024)
    }

    assert over == (403, "AccessDenied", "Invalid according to Policy: Policy expired.")
    too_large = (400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size.")
    too_small = (400, "EntityTooSmall", "Your proposed upload smaller than the minimum allowed size.")
    assert ranged == {2: too_small, 5: too_large, 3 * 1024 * 1024: too_large}


@pytest.mark.parametrize(
    "policy", [b"no JSON", b"[]", b"{}", json.dumps({"expiration": "soon", "conditions": []}).encode()]
)
def test_a_policy_that_cannot_be_read_stores_nothing(form_bucket: Any, url: str, policy: bytes) -> None:
    encoded = b64encode(policy)
    signature = b64encode(hmac.digest(SECRET_KEY.encode(), encoded, "sha1")).decode()
    form = _form(form_bucket) | {"policy": encoded.decode(), "Signature": signature}

    assert oss_refusal(form_bucket, post_form(url, form))[:2] == (400, "InvalidPolicyDocument")


def test_a_form_has_one_file(form_bucket: Any, url: str) -> None:
    parts = {name: (None, value) for name, value in _form(form_bucket).items()}

    assert oss_refusal(form_bucket, requests.post(url, files=parts, timeout=60)) == (
        400, "IncorrectNumberOfFilesInPOSTRequest", "POST requires exactly one file upload per request."
    )  # fmt: skip


def test_a_form_for_a_bucket_that_is_not_there_is_told_so(oss_alone: Server) -> None:
    answer = post_form(f"{oss_alone.url}/nowhere-at-all", oss_form("nowhere-at-all", key="k"))

    assert form_error(answer) == (404, "NoSuchBucket", "The specified bucket does not exist.")
    assert oss2_refusal(oss2_bucket(oss_alone, "nowhere-at-all").get_bucket_info)[1] == "NoSuchBucket"
