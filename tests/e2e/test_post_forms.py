"""Uploads by HTML forms as browsers send them, in both dialects: boto3's and hand-made policies, posted by requests."""

import hashlib
import hmac
import json
from base64 import b64encode
from typing import Any

import oss2
import pytest
import requests

from sseproxy.signing.oss_v4 import derive_key
from tests.support.forms import FAR, form_error, oss_form, post_form
from tests.support.servers import ACCESS_KEY, SECRET_KEY, Launcher, Server, own_state, s3_client

BUCKET = "forms"
_SSE = "x-amz-server-side-encryption"
_OSS_SSE = "x-oss-server-side-encryption"


@pytest.fixture(scope="module")
def boto(dev: Server) -> Any:
    client = s3_client(dev, signature_version="s3v4")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(params=["v4", "v2"])
def signer(request: pytest.FixtureRequest, dev: Server, boto: Any) -> Any:
    """boto3 that signs forms with either of S3's signatures."""
    return boto if request.param == "v4" else s3_client(dev, signature_version="s3")


def test_a_form_of_boto3_is_stored_sealed_and_read_back(boto: Any, signer: Any) -> None:
    fields = {"Content-Type": "text/x", "x-amz-meta-note": "green", _SSE: "AES256", "success_action_status": "201"}
    form = signer.generate_presigned_post(
        BUCKET,
        "user/${filename}",
        Fields=fields,
        Conditions=[["starts-with", f"${name}", ""] for name in fields] + [["content-length-range", 1, 100]],
    )

    answer = post_form(form["url"], form["fields"], b"hello", "b c.txt")

    assert answer.status_code == 201, answer.text
    etag = f'"{hashlib.md5(b"hello").hexdigest()}"'
    location = f"{form['url']}/user/b%20c.txt"
    assert (answer.headers["ETag"], answer.headers["Location"], answer.headers[_SSE]) == (etag, location, "AES256")
    assert answer.text == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<PostResponse><Location>{location}</Location><Bucket>{BUCKET}</Bucket><Key>user/b c.txt</Key>"
        f"<ETag>{etag.replace(chr(34), '&quot;')}</ETag></PostResponse>"
    )
    found = boto.get_object(Bucket=BUCKET, Key="user/b c.txt")
    assert (found["Body"].read(), found["ContentType"], found["ServerSideEncryption"]) == (b"hello", "text/x", "AES256")


@pytest.mark.parametrize("size", [0, 1, 65_536, 1 << 20, (1 << 20) + 1, 20 << 20])
def test_a_file_of_any_size_is_what_comes_back(boto: Any, size: int) -> None:
    data = hashlib.shake_256(b"form").digest(size)
    form = boto.generate_presigned_post(BUCKET, f"size-{size}")

    answer = post_form(form["url"], form["fields"], data)

    assert (answer.status_code, answer.content) == (204, b"")
    found = boto.get_object(Bucket=BUCKET, Key=f"size-{size}")
    assert (found["ContentLength"], found["Body"].read() == data) == (size, True)


def test_a_kms_form_shows_its_key_and_a_checksum_is_verified(boto: Any) -> None:
    fields = {_SSE: "aws:kms", "x-amz-checksum-sha256": b64encode(hashlib.sha256(b"hello").digest()).decode()}
    form = boto.generate_presigned_post(BUCKET, "kms", Fields=fields, Conditions=[{n: v} for n, v in fields.items()])

    answer = post_form(form["url"], form["fields"])
    assert (answer.status_code, answer.headers[_SSE]) == (204, "aws:kms")
    assert answer.headers[f"{_SSE}-aws-kms-key-id"]
    assert answer.headers["x-amz-checksum-sha256"] == fields["x-amz-checksum-sha256"]
    assert form_error(post_form(form["url"], form["fields"], b"hallo")) == (
        400,
        "BadDigest",
        "The SHA256 you specified did not match the calculated checksum.",
    )
    assert boto.get_object(Bucket=BUCKET, Key="kms")["Body"].read() == b"hello"


def test_a_browser_is_sent_where_the_form_says(boto: Any) -> None:
    fields = {"success_action_redirect": "https://example.com/done?a=1"}
    form = boto.generate_presigned_post(BUCKET, "go", Fields=fields, Conditions=[fields])

    answer = post_form(form["url"], form["fields"])

    etag = hashlib.md5(b"hello").hexdigest()
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"https://example.com/done?a=1&bucket={BUCKET}&key=go&etag=%22{etag}%22"


def test_tags_of_a_form_become_the_objects(boto: Any) -> None:
    document = "<Tagging><TagSet><Tag><Key>a</Key><Value>b c</Value></Tag></TagSet></Tagging>"
    form = boto.generate_presigned_post(
        BUCKET, "tags", Fields={"tagging": document}, Conditions=[["starts-with", "$tagging", ""]]
    )

    assert post_form(form["url"], form["fields"]).status_code == 204
    assert boto.get_object_tagging(Bucket=BUCKET, Key="tags")["TagSet"] == [{"Key": "a", "Value": "b c"}]


def test_an_s3_form_against_its_policy_is_refused_with_amazons_words(boto: Any) -> None:
    denied = "Invalid according to Policy: "
    form = boto.generate_presigned_post(
        BUCKET,
        "p/${filename}",
        Fields={"acl": "private"},
        Conditions=[{"acl": "private"}, ["content-length-range", 3, 5]],
    )
    url, fields = form["url"], form["fields"]

    def code(changes: dict[str, str], file: bytes = b"hello") -> tuple[int, str, str]:
        return form_error(post_form(url, {**fields, **changes}, file))

    def without(*names: str) -> tuple[int, str, str]:
        return form_error(post_form(url, {name: value for name, value in fields.items() if name not in names}))

    assert code({"acl": "public-read"}) == (
        403,
        "AccessDenied",
        f'{denied}Policy Condition failed: ["eq", "$acl", "private"]',
    )
    assert code({"key": "q/a"}) == (
        403,
        "AccessDenied",
        f'{denied}Policy Condition failed: ["starts-with", "$key", "p/"]',
    )
    assert code({"x-amz-foo": "1"}) == (403, "AccessDenied", f"{denied}Extra input fields: x-amz-foo")
    assert code({}, b"longer") == (400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
    assert code({}, b"ab") == (400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
    assert code({"x-amz-signature": "0" * 64})[:2] == (403, "SignatureDoesNotMatch")
    assert code({"policy": "e30="})[:2] == (403, "SignatureDoesNotMatch")
    assert code({"x-amz-credential": fields["x-amz-credential"].replace(ACCESS_KEY, "nobody")})[:2] == (
        403,
        "InvalidAccessKeyId",
    )
    assert code({"acl": "x" * 30_000})[:2] == (400, "MaxPostPreDataLengthExceededError")
    missing = "Bucket POST must contain a field named '{}'.  If it is specified, please check the order of the fields."
    assert without("key") == (400, "InvalidArgument", missing.format("key"))
    assert without("policy") == (400, "InvalidArgument", missing.format("policy"))
    assert without(*(name for name in fields if name.startswith("x-amz") or name == "policy"))[:2] == (
        403,
        "AccessDenied",
    )
    assert "Contents" not in boto.list_objects_v2(Bucket=BUCKET, Prefix="p/")


def test_a_form_that_is_none_is_refused(boto: Any, dev: Server) -> None:
    form = boto.generate_presigned_post(BUCKET, "k")
    url, fields = form["url"], form["fields"]
    two: Any = [("key", (None, "k")), ("KEY", (None, "j")), ("file", ("a", b"x"))]

    nameless = requests.post(url, files={name: (None, value) for name, value in fields.items()}, timeout=60)
    assert form_error(nameless) == (400, "InvalidArgument", "POST requires exactly one file upload per request.")
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert form_error(requests.post(url, data=b"--y\r\n", headers=broken, timeout=60))[:2] == (
        400,
        "MalformedPOSTRequest",
    )
    assert form_error(requests.post(url, files=two, timeout=60))[:2] == (400, "InvalidArgument")


def test_a_form_that_breaks_off_inside_its_file_stores_nothing(boto: Any) -> None:
    form = boto.generate_presigned_post(BUCKET, "short")
    request = requests.Request(
        "POST", form["url"], data=form["fields"], files={"file": ("a", b"x" * 3_000_000)}
    ).prepare()
    assert isinstance(request.body, bytes)
    request.body = request.body[:2_000_000]
    request.headers["Content-Length"] = "2000000"

    with requests.Session() as session:
        assert form_error(session.send(request, timeout=60))[:2] == (400, "MalformedPOSTRequest")
    assert "Contents" not in boto.list_objects_v2(Bucket=BUCKET, Prefix="short")
    assert "Uploads" not in boto.list_multipart_uploads(Bucket=BUCKET)


def test_fields_behind_the_file_are_ignored(boto: Any) -> None:
    form = boto.generate_presigned_post(BUCKET, "order")
    parts: Any = [(name, (None, value)) for name, value in form["fields"].items()]

    behind: Any = [("file", ("a", b"hello")), ("success_action_status", (None, "201"))]
    answer = requests.post(form["url"], files=parts + behind, timeout=60)

    assert answer.status_code == 204, answer.text


@pytest.mark.parametrize("version", [1, 4])
def test_an_oss_form_is_stored_sealed_and_read_back(dev: Server, boto: Any, version: int) -> None:
    bucket = oss2.Bucket(oss2.Auth(ACCESS_KEY, SECRET_KEY), dev.url, BUCKET, is_path_style=True)
    form = oss_form(
        BUCKET, ["starts-with", "$key", "user/"], ["content-length-range", 1, 100], {_OSS_SSE: "KMS"},
        version=version, key="user/${filename}", x_oss_server_side_encryption="KMS", x_oss_meta_note="n",
        x_oss_content_type="text/y", success_action_status="200",
    )  # fmt: skip

    answer = post_form(f"{dev.url}/{BUCKET}", form)

    assert (answer.status_code, answer.headers[_OSS_SSE]) == (200, "KMS"), answer.text
    crc = answer.headers["x-oss-hash-crc64ecma"]
    found = bucket.get_object("user/a.txt")
    assert found.read() == b"hello"
    assert (found.headers["x-oss-hash-crc64ecma"], found.headers["Content-Type"]) == (crc, "text/y")
    assert (found.headers["x-oss-meta-note"], found.headers[_OSS_SSE]) == ("n", "KMS")
    assert found.headers["ETag"] == answer.headers["ETag"]


def test_the_misspelt_field_of_old_documents_encrypts(dev: Server, boto: Any) -> None:
    form = oss_form(BUCKET, key="misspelt") | {"X-OSS-server-side-encrpytion": "AES256"}

    answer = post_form(f"{dev.url}/{BUCKET}", form)

    assert (answer.status_code, answer.headers[_OSS_SSE]) == (204, "AES256")


def test_an_oss_form_against_its_policy_is_refused_with_alibabas_codes(dev: Server, boto: Any) -> None:
    url = f"{dev.url}/{BUCKET}"
    ranged = ["content-length-range", 3, 4]

    def code(*conditions: Any, version: int = 1, **fields: str) -> tuple[int, str, str]:
        return form_error(post_form(url, oss_form(BUCKET, *conditions, version=version, **fields)))

    assert code(ranged, key="r") == (400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size.")
    assert code({"x-oss-object-acl": "private"}, key="r")[:2] == (403, "AccessDenied")
    assert code(key="r", secret="wrong")[:2] == (403, "SignatureDoesNotMatch")
    assert code(version=4, key="r", secret="wrong")[:2] == (403, "SignatureDoesNotMatch")
    assert code(key="r", callback="e30=")[:2] == (400, "NotImplemented")
    assert code(key="r", x_oss_tagging="a=b")[:2] == (400, "InvalidArgument")
    assert code(key="r", x_oss_server_side_encryption="ROT13")[:2] == (400, "InvalidEncryptionAlgorithmError")
    assert code(key="r", x_oss_meta_sseproxy="e30=")[:2] == (400, "InvalidArgument")
    assert code(["in", "$key", ["a", "b"]], key="r")[:2] == (403, "AccessDenied")
    assert code()[:2] == (400, "InvalidArgument")
    bare = {"key": "r", "x-oss-meta-a": "b"}
    assert form_error(post_form(url, bare))[:2] == (403, "AccessDenied")


def test_a_v4_policy_must_name_what_it_was_signed_with(dev: Server, boto: Any) -> None:
    form = oss_form(BUCKET, version=4, key="r")
    policy = b64encode(json.dumps({"expiration": FAR, "conditions": []}).encode())
    form["policy"] = policy.decode()
    form["x-oss-signature"] = hmac.digest(derive_key(SECRET_KEY, "20260101", "cn-hangzhou"), policy, "sha256").hex()

    assert form_error(post_form(f"{dev.url}/{BUCKET}", form)) == (
        403,
        "AccessDenied",
        "Invalid according to Policy: Policy misses conditions for: x-oss-signature-version, x-oss-credential, x-oss-date",
    )


def test_an_unsigned_form_is_taken_where_unsigned_requests_are_trusted(launcher: Launcher, store: Server) -> None:
    proxy = launcher.proxy(store, extra=own_state("open-forms") + "[clients]\ntrust_unsigned = true\n")
    client = s3_client(proxy)
    client.create_bucket(Bucket="open-forms")

    assert post_form(f"{proxy.url}/open-forms", {"key": "k"}).status_code == 204
    assert client.get_object(Bucket="open-forms", Key="k")["Body"].read() == b"hello"
    url = f"{proxy.url}/open-forms"
    assert form_error(requests.post(url, data={"key": "k"}, timeout=60))[:2] == (412, "PreconditionFailed")


def test_a_form_through_seaweedfs_is_sealed_there(on_weed: Server, weed: Server) -> None:
    client = s3_client(on_weed)
    client.create_bucket(Bucket="forms-weed")
    form = client.generate_presigned_post("forms-weed", "k")

    assert post_form(form["url"], form["fields"], b"secret text").status_code == 204
    assert client.get_object(Bucket="forms-weed", Key="k")["Body"].read() == b"secret text"
    assert b"secret text" not in s3_client(weed).get_object(Bucket="forms-weed", Key="k")["Body"].read()


_DATA = "x-oss-server-side-data-encryption"


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({_OSS_SSE: "AES256"}, {_OSS_SSE: "AES256"}),
        ({_OSS_SSE: "SM4"}, {_OSS_SSE: "SM4"}),
        ({_OSS_SSE: "KMS"}, {_OSS_SSE: "KMS", f"{_OSS_SSE}-key-id": "…"}),
        ({_OSS_SSE: "KMS", _DATA: "SM4"}, {_OSS_SSE: "KMS", f"{_OSS_SSE}-key-id": "…", _DATA: "SM4"}),
        ({_OSS_SSE: "AES256", _DATA: "SM4"}, {_OSS_SSE: "AES256"}),
    ],
    ids=str,
)
def test_an_oss_form_chooses_its_encryption_in_fields(
    dev: Server, boto: Any, fields: dict[str, str], shown: dict[str, str]
) -> None:
    answer = post_form(f"{dev.url}/{BUCKET}", oss_form(BUCKET, key="chosen") | fields)

    found = {
        name.lower(): "…" if name.lower().endswith("key-id") else value
        for name, value in answer.headers.items()
        if name.lower().startswith("x-oss-server-side-")
    }
    assert (answer.status_code, found) == (204, shown)
    assert boto.get_object(Bucket=BUCKET, Key="chosen")["Body"].read() == b"hello"


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({_OSS_SSE: "KMS", _DATA: "AES256"}, (400, "InvalidDataEncryptionAlgorithmError")),
        ({_OSS_SSE: "KMS", f"{_OSS_SSE}-key-id": "00000000-0000-4000-8000-000000000000"}, (404, "KeyNotFound")),
        ({_OSS_SSE: "AES256", f"{_OSS_SSE}-key-id": "k"}, (400, "InvalidArgument")),
        ({_OSS_SSE: ""}, (400, "InvalidEncryptionAlgorithmError")),
    ],
    ids=str,
)
def test_nonsense_in_an_oss_forms_fields_stores_nothing(
    dev: Server, boto: Any, fields: dict[str, str], refusal: tuple[int, str]
) -> None:
    answer = post_form(f"{dev.url}/{BUCKET}", oss_form(BUCKET, key="nonsense") | fields)

    assert form_error(answer)[:2] == refusal
    assert "Contents" not in boto.list_objects_v2(Bucket=BUCKET, Prefix="nonsense")
