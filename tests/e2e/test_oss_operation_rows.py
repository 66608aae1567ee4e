"""Promise: what cannot work on sealed objects is refused, what needs no plaintext passes, and what was in the store before
stays what it is (OSS dossier §6.9, §6.10, §6.13).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest
from oss2 import models

from tests.support.oss_clients import created_bucket, oss2_bucket, oss2_refusal, v2_client, v2_refusal
from tests.support.raw_http import Answer, exchange, send_raw, sign_oss, signed
from tests.support.servers import Launcher, Server, own_state

_SSE = "x-oss-server-side-encryption"
_CALLBACK = "eyJjYWxsYmFja1VybCI6Imh0dHA6Ly9leGFtcGxlLmNvbSJ9"
_NO_HEADER = (400, "NotImplemented", "A header you provided implies functionality that is not implemented.")
Call = Callable[[Any], Any]


@pytest.fixture
def bucket(dev: Server, bucket_name: str) -> Iterator[Any]:
    with created_bucket(dev, bucket_name) as bucket:
        bucket.put_object("k", b"a,b\n1,2\n")
        yield bucket


def _no(name: str) -> tuple[int, str, str]:
    return 400, "NotImplemented", f"This endpoint seals objects and does not support {name}."


# ---- §6.9: work on stored bytes ----

REFUSED: Mapping[str, tuple[Call, str]] = {
    "GET with x-oss-process": (lambda b: b.get_object("k", process="image/resize,w_100"), "x-oss-process"),
    "GET of a style": (lambda b: b.get_object("k", process="style/small"), "x-oss-process"),
    "GET into a file": (lambda b: b.get_object_to_file("k", "/dev/null", process="image/info"), "x-oss-process"),
    "HEAD with x-oss-process": (
        lambda b: b._do("HEAD", b.bucket_name, "k", params={"x-oss-process": "image/info"}), "x-oss-process"
    ),
    "PUT with x-oss-process": (
        lambda b: b._do("PUT", b.bucket_name, "k", params={"x-oss-process": "image/info"}, data=b"x"), "x-oss-process"
    ),
    "saveas": (lambda b: b.process_object("k", "image/resize,w_1|sys/saveas,o_dGVzdA"), "x-oss-process"),
    "asynchronous": (lambda b: b.async_process_object("k", "video/convert,f_mp4"), "x-oss-async-process"),
    "select of CSV": (lambda b: b.select_object("k", "select * from ossobject"), "x-oss-process"),
    "select of JSON": (
        lambda b: b.select_object("k", "select *", None, {"Json_Type": "LINES"}), "x-oss-process"
    ),
    "meta of CSV": (lambda b: b.create_select_object_meta("k"), "x-oss-process"),
    "meta of JSON": (lambda b: b.create_select_object_meta("k", {"Json_Type": "LINES"}), "x-oss-process"),
    "a live channel": (lambda b: b.create_live_channel("live", models.LiveChannelInfo(target=models.LiveChannelInfoTarget())), "live"),
    "a play list": (lambda b: b.post_vod_playlist("live", "list.m3u8", 1, 2), "vod"),
    "renaming": (lambda b: b._do("PUT", b.bucket_name, "k", params={"x-oss-rename": ""}), "x-oss-rename"),
    "sealing": (lambda b: b._do("POST", b.bucket_name, "k", params={"seal": "", "position": "8"}), "seal"),
    "fetching": (
        lambda b: b.put_async_fetch_task(models.AsyncFetchTaskConfiguration("http://example.com/a", "fetched")), "asyncFetch"
    ),
    "many at once": (
        lambda b: b._do("POST", b.bucket_name, "", params={"x-oss-batchGet": ""}, data=b"<GetObjectsRequest/>"), "x-oss-batchGet"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_works_on_stored_bytes_is_refused(bucket: Any, name: str) -> None:
    call, told = REFUSED[name]

    assert oss2_refusal(call, bucket) == _no(told)
    assert [entry.key for entry in oss2.ObjectIterator(bucket)] == ["k"]
    assert bucket.get_object("k").read() == b"a,b\n1,2\n"


def test_the_v2_sdk_is_refused_in_the_same_words(dev: Server, bucket: Any) -> None:
    client, place = v2_client(dev), {"bucket": bucket.bucket_name, "key": "k"}

    assert v2_refusal(client.get_object, oss_v2.GetObjectRequest(**place, process="image/info")) == _no("x-oss-process")
    saved = oss_v2.ProcessObjectRequest(**place, process="image/resize,w_1|sys/saveas,o_dGVzdA")
    assert v2_refusal(client.process_object, saved) == _no("x-oss-process")
    later = oss_v2.AsyncProcessObjectRequest(**place, process="video/convert,f_mp4")
    assert v2_refusal(client.async_process_object, later) == _no("x-oss-async-process")


# ---- §6.10: upload callbacks ----


def _upload(bucket: Any) -> tuple[str, list[Any]]:
    upload = bucket.init_multipart_upload("new").upload_id
    return upload, [models.PartInfo(1, bucket.upload_part("new", upload, 1, b"x").etag)]


@pytest.mark.parametrize("name", ["x-oss-callback", "x-oss-callback-var"])
def test_a_callback_in_a_header_is_refused_by_its_name(dev: Server, bucket: Any, name: str) -> None:
    upload, parts = _upload(bucket)
    said = {name: _CALLBACK}

    assert oss2_refusal(bucket.put_object, "new", b"x", headers=said) == _NO_HEADER
    assert oss2_refusal(bucket.complete_multipart_upload, "new", upload, parts, headers=said) == _NO_HEADER
    assert oss2_refusal(bucket.append_object, "new", 0, b"x", headers=said) == _NO_HEADER
    assert signed(dev, "PUT", f"/{bucket.bucket_name}/new", said, b"x", dialect="oss").text("Header") == name
    assert not bucket.object_exists("new")


def test_a_callback_in_a_signed_url_is_refused(bucket: Any) -> None:
    upload, _ = _upload(bucket)
    said = {"callback": _CALLBACK, "callback-var": "e30="}

    put = bucket.sign_url("PUT", "new", 60, params=dict(said))
    complete = bucket.sign_url("POST", "new", 60, params={**said, "uploadId": upload})

    assert oss2_refusal(bucket.put_object_with_url, put, b"x")[:2] == (400, "NotImplemented")
    assert oss2_refusal(bucket._do_url, "POST", complete, data=b"")[:2] == (400, "NotImplemented")
    assert not bucket.object_exists("new")


def test_a_callback_of_the_v2_sdk_is_refused(dev: Server, bucket: Any) -> None:
    place = {"bucket": bucket.bucket_name, "key": "new"}
    request = oss_v2.PutObjectRequest(**place, body=b"x", callback=_CALLBACK, callback_var="e30=")

    assert v2_refusal(v2_client(dev).put_object, request) == _NO_HEADER
    assert not bucket.object_exists("new")


# ---- §6.13: what passes through ----


def test_settings_of_buckets_are_the_storages(bucket: Any) -> None:
    rule = models.LifecycleRule("r", "logs/", expiration=models.LifecycleExpiration(days=3))
    bucket.put_bucket_lifecycle(models.BucketLifecycle([rule]))
    bucket.put_bucket_cors(models.BucketCors([models.CorsRule(["*"], ["GET"])]))
    bucket.put_bucket_logging(models.BucketLogging(bucket.bucket_name, "logs/"))
    bucket.put_bucket_referer(models.BucketReferer(allow_empty_referer=True, referers=["http://example.com"]))
    bucket.put_bucket_website(models.BucketWebsite("index.html", "error.html"))
    bucket.put_bucket_acl(oss2.BUCKET_ACL_PRIVATE)
    bucket.put_bucket_policy('{"Version":"1","Statement":[]}')

    assert [(rule.id, rule.expiration.days) for rule in bucket.get_bucket_lifecycle().rules] == [("r", 3)]
    assert [rule.allowed_methods for rule in bucket.get_bucket_cors().rules] == [["GET"]]
    assert bucket.get_bucket_logging().target_prefix == "logs/"
    assert bucket.get_bucket_referer().referers == ["http://example.com"]
    assert bucket.get_bucket_website().index_file == "index.html"
    assert bucket.get_bucket_acl().acl == "private"
    assert bucket.get_bucket_policy().policy == '{"Version":"1","Statement":[]}'
    assert bucket.get_bucket_location().location.startswith("oss-")
    assert bucket.get_bucket_stat().object_count == 1
    assert bucket.get_bucket_versioning().status is None
    for delete in (bucket.delete_bucket_lifecycle, bucket.delete_bucket_cors, bucket.delete_bucket_website):
        assert delete().status == 204
    assert oss2_refusal(bucket.get_bucket_lifecycle)[:2] == (404, "NoSuchLifecycle")
    assert oss2_refusal(bucket.get_bucket_cors)[:2] == (404, "NoSuchCORSConfiguration")
    assert oss2_refusal(bucket.get_bucket_website)[:2] == (404, "NoSuchWebsiteConfiguration")


# ---- §6.13: what was in the store before ----


@pytest.fixture(scope="module")
def proxy(launcher: Launcher, store: Server) -> Server:
    return launcher.proxy(store, dialect="oss", extra=own_state("operation-rows"))


@pytest.fixture(scope="module")
def found(store: Server) -> str:
    """A bucket with objects that no proxy wrote."""
    bucket = oss2_bucket(store, "found-by-the-proxy")
    bucket.create_bucket()
    headers = {"x-oss-meta-a": "b", "Content-Type": "text/a"}
    bucket.put_object("o", bytes(range(250)) * 4, headers=headers)
    bucket.put_object("empty", b"", headers=headers)
    upload = bucket.init_multipart_upload("parts", headers=headers).upload_id
    sent = [models.PartInfo(n, bucket.upload_part("parts", upload, n, bytes([n]) * 102_400).etag) for n in (1, 2)]
    bucket.complete_multipart_upload("parts", upload, sent)
    bucket.append_object("grown", 0, b"abc", headers=headers)
    bucket.put_symlink("o", "link", headers=headers)
    return str(bucket.bucket_name)


_OF_THE_EXCHANGE = frozenset({"date", "x-oss-request-id", "x-oss-server-time", "connection", "x-oss-err"})
_STANDARD = {"x-oss-range-behavior": "standard"}
_ASKED: Mapping[str, dict[str, str]] = {
    "all": {},
    "a range": {"Range": "bytes=1-2"},
    "a suffix": {"Range": "bytes=-3"},
    "a range beyond the end": {"Range": "bytes=2-999999"},
    "a range beyond the end, standard": {"Range": "bytes=2-999999", **_STANDARD},
    "a range behind the end": {"Range": "bytes=999998-999999"},
    "a range behind the end, standard": {"Range": "bytes=999998-999999", **_STANDARD},
    "ranges": {"Range": "bytes=0-1,2-3"},
    "another ETag": {"If-Match": '"0"'},
    "any ETag": {"If-None-Match": "*"},
    "long ago": {"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
    "since long ago": {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
}


def _told(answer: Answer) -> tuple[int, str, bytes, dict[str, str]]:
    headers = {name: value for name, value in answer.headers.items() if name not in _OF_THE_EXCHANGE}
    if answer.status >= 400:
        return answer.status, answer.text("Code"), b"", {}
    return answer.status, "", answer.body, headers


@pytest.mark.parametrize("asked", _ASKED)
@pytest.mark.parametrize("key", ["o", "empty", "parts", "grown", "link", "missing"])
def test_what_no_proxy_wrote_is_answered_as_the_store_answers_it(
    store: Server, proxy: Server, found: str, key: str, asked: str
) -> None:
    target = f"/{found}/{key}"
    for method in ("GET", "HEAD"):
        direct, through = (signed(server, method, target, _ASKED[asked], dialect="oss") for server in (store, proxy))
        assert _told(through) == _told(direct), method
        assert _SSE not in through.headers


@pytest.mark.parametrize("key", ["o", "empty", "parts", "grown", "missing"])
def test_the_short_form_of_what_no_proxy_wrote_is_the_stores(
    store: Server, proxy: Server, found: str, key: str
) -> None:
    direct, through = (signed(server, "HEAD", f"/{found}/{key}?objectMeta", dialect="oss") for server in (store, proxy))

    assert _told(through) == _told(direct)


def test_overrides_apply_to_what_no_proxy_wrote(store: Server, proxy: Server, found: str) -> None:
    query = f"response-cache-control={quote('max-age=1')}&response-content-type={quote('text/b', safe='')}"
    target = f"/{found}/o?{query}"

    direct, through = (exchange(server, "GET", target, sign_oss(server, "GET", target)) for server in (store, proxy))

    assert _told(through) == _told(direct)
    assert (through.headers["cache-control"], through.headers["content-type"]) == ("max-age=1", "text/b")


# ---- §6.14 ----


def test_plain_http_is_refused_as_a_bucket_policy_refuses_it(launcher: Launcher, store: Server) -> None:
    listen = 'secure_transport_only = true\ntrusted_proxies = ["10.0.0.0/8"]\n'
    bucket = oss2_bucket(
        launcher.proxy(store, dialect="oss", listen=listen, extra=own_state("secure-only")), "secure-only"
    )

    assert oss2_refusal(bucket.create_bucket) == (403, "AccessDenied", "Access denied by bucket policy.")
    with pytest.raises(oss2.exceptions.AccessDenied):
        bucket.put_object("k", b"x")
    assert oss2_refusal(oss2_bucket(store, "secure-only").get_bucket_info)[1] == "NoSuchBucket"


def test_strangers_are_refused_in_the_services_words(proxy: Server, found: str) -> None:
    stranger = oss2.Bucket(oss2.AnonymousAuth(), proxy.url, found)
    config = oss_v2.config.load_default()
    config.credentials_provider = oss_v2.credentials.AnonymousCredentialsProvider()
    config.region, config.endpoint, config.use_path_style, config.retry_max_attempts = "x", proxy.url, True, 1
    request = oss_v2.GetObjectRequest(bucket=found, key="o")
    refusal = (403, "AccessDenied", "Anonymous user has no right to access this bucket.")

    assert oss2_refusal(stranger.get_object, "o") == refusal
    assert oss2_refusal(stranger.put_object, "o", b"x") == refusal
    assert v2_refusal(oss_v2.Client(config).get_object, request) == refusal


def test_what_is_no_http_is_refused_in_the_services_words(proxy: Server) -> None:
    answer = send_raw(proxy, b"oPUT /bkt/k HTTP/1.1\r\nBroken\r\n\r\n")

    assert answer.error == (400, "BadRequest", "An error occurred when parsing the HTTP request.")
    assert answer.headers["server"] == "AliyunOSS"
    assert answer.text("RequestId") == answer.headers["x-oss-request-id"]
