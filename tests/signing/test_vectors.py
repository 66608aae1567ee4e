"""The published and recomputed vectors of both protocols."""

import hashlib
from datetime import UTC, datetime

import pytest

from sseproxy.errors import SignatureMismatch
from sseproxy.signing.aws_v2 import verify_aws_v2
from sseproxy.signing.aws_v4 import derive_key
from sseproxy.signing.aws_v4_stream import ChunkSigner
from sseproxy.signing.claims import SignedRequest
from sseproxy.signing.find import find_claim
from sseproxy.signing.oss_v4 import canonical_request, sign_oss_v4
from sseproxy.signing.oss_v4 import derive_key as derive_oss_key
from sseproxy.signing.verify import verify

_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
_NOW = datetime(2013, 5, 24, tzinfo=UTC)
_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def _aws(method: str, target: str, signature: str, payload: str, **headers: str) -> SignedRequest:
    path, _, query = target.partition("?")
    every = {
        "Host": "examplebucket.s3.amazonaws.com",
        "x-amz-date": "20130524T000000Z",
        "x-amz-content-sha256": payload,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    signed = ";".join(sorted(name.lower() for name in every))
    every["Authorization"] = (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={signed},Signature={signature}"
    )
    return SignedRequest(
        method=method,
        raw_path=path,
        raw_query=query,
        headers=list(every.items()),
        bucket="examplebucket",
        raw_key=path[1:],
    )


_AWS_V4 = {
    "get-range": _aws("GET", "/test.txt", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41", _EMPTY, Range="bytes=0-9"),
    "put": _aws(
        "PUT", "/test$file.text", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        Date="Fri, 24 May 2013 00:00:00 GMT", x_amz_storage_class="REDUCED_REDUNDANCY",
    ),
    "lifecycle": _aws("GET", "/?lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543", _EMPTY),
    "list": _aws("GET", "/?max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7", _EMPTY),
    "presigned": SignedRequest(
        method="GET", raw_path="/test.txt", headers=[("Host", "examplebucket.s3.amazonaws.com")],
        raw_query="X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F"
        "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", _AWS_V4)
def test_published_aws_v4_requests_verify(name: str) -> None:
    claim = find_claim(_AWS_V4[name])

    assert claim is not None
    assert verify(claim, _AWS_V4[name], _SECRET, _NOW).claim.access_key == "AKIAIOSFODNN7EXAMPLE"


@pytest.mark.parametrize("name", _AWS_V4)
def test_published_aws_v4_requests_do_not_verify_with_another_secret(name: str) -> None:
    claim = find_claim(_AWS_V4[name])

    assert claim is not None
    with pytest.raises(SignatureMismatch):
        verify(claim, _AWS_V4[name], _SECRET + "x", _NOW)


_STREAMED = {
    "payload": ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", {"content-length": "66824"}, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ]),
    "trailer": ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", {"x-amz-trailer": "x-amz-checksum-crc32c"}, "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e", [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", _STREAMED)
def test_a_published_streamed_request_seeds_its_chunk_signatures(name: str) -> None:
    payload, more, seed, signatures = _STREAMED[name]
    headers = {
        "host": "s3.amazonaws.com", "x-amz-date": "20130524T000000Z", "x-amz-content-sha256": payload,
        "x-amz-storage-class": "REDUCED_REDUNDANCY", "content-encoding": "aws-chunked", "x-amz-decoded-content-length": "66560",
        **more,
    }  # fmt: skip
    authorization = (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={';'.join(sorted(headers))},Signature={seed}"
    )
    request = SignedRequest(
        method="PUT", raw_path="/examplebucket/chunkObject.txt", raw_query="",
        headers=[*headers.items(), ("Authorization", authorization)], bucket="examplebucket", raw_key="chunkObject.txt",
    )  # fmt: skip
    claim = find_claim(request)
    assert claim is not None

    signer = ChunkSigner.after(verify(claim, request, _SECRET, _NOW))

    for chunk, signature in zip([b"a" * 65536, b"a" * 1024, b""], signatures, strict=True):
        signer.verify_chunk(hashlib.sha256(chunk).hexdigest(), signature)


def test_published_chunk_signatures_chain() -> None:
    signer = ChunkSigner(
        signing_key=derive_key(_SECRET, "20130524", "us-east-1"),
        timestamp="20130524T000000Z",
        scope="20130524/us-east-1/s3/aws4_request",
        seed_signature="106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    )

    signatures = [
        signer.sign_chunk("bf718b6f653bebc184e1479f1935b8da974d701b893afcf49e701f3e2f9f9c5a"),
        signer.sign_chunk("2edc986847e209b4016e141a6dc8716d3207350f416969382d431539bf292e4a"),
        signer.sign_chunk(_EMPTY),
        signer.sign_trailers({"x-amz-checksum-crc32c": "sOO8/Q=="}),
    ]

    assert signatures == [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435",
    ]


_AWS_V2 = {
    "get": ("GET", "/photos/puppy.jpg", "", "johnsmith", "bWq2s1WEIj+Ydj0vQ697zp+IXMU=", {"Date": "Tue, 27 Mar 2007 19:36:42 +0000"}),
    "put": ("PUT", "/photos/puppy.jpg", "", "johnsmith", "MyyxeRY7whkBe+bq8fHCL/2kKUg=", {"Date": "Tue, 27 Mar 2007 21:15:45 +0000", "Content-Type": "image/jpeg"}),
    "list": ("GET", "/", "prefix=photos&max-keys=50", "johnsmith", "htDYFYduRNen8P9ZfE/s9SuKy0U=", {"Date": "Tue, 27 Mar 2007 19:42:41 +0000"}),
    "acl": ("GET", "/", "acl", "johnsmith", "c2WLPFtWHVgbEmeEG93a4cG37dM=", {"Date": "Tue, 27 Mar 2007 19:44:46 +0000"}),
    "upload": ("PUT", "/db-backup.dat.gz", "", "static.johnsmith.net", "ilyl83RwaSoYIEdixDQcA4OnAnc=", {
        "Date": "Tue, 27 Mar 2007 21:06:08 +0000", "x-amz-acl": "public-read", "Content-Type": "application/x-download",
        "Content-MD5": "4gJE4saaMU4BqNR0kLY+lw==", "X-Amz-Meta-ReviewedBy": "joe@johnsmith.net,jane@johnsmith.net",
        "X-Amz-Meta-FileChecksum": "0x02661779", "X-Amz-Meta-ChecksumAlgorithm": "crc32",
    }),
}  # fmt: skip


@pytest.mark.parametrize("name", _AWS_V2)
def test_published_aws_v2_requests_verify(name: str) -> None:
    method, path, query, bucket, signature, headers = _AWS_V2[name]
    request = SignedRequest(
        method=method, raw_path=path, raw_query=query, bucket=bucket, raw_key=path[1:],
        headers=[*headers.items(), ("Authorization", f"AWS AKIAIOSFODNN7EXAMPLE:{signature}")],
    )  # fmt: skip
    claim = find_claim(request)

    assert claim is not None
    assert verify_aws_v2(claim, request, _SECRET).claim is claim


def test_the_published_aws_v2_url_verifies() -> None:
    query = "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Expires=1175139620&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D"
    request = SignedRequest(
        method="GET",
        raw_path="/photos/puppy.jpg",
        raw_query=query,
        headers=[],
        bucket="johnsmith",
        raw_key="photos/puppy.jpg",
    )
    claim = find_claim(request)

    assert claim is not None
    verify(claim, request, _SECRET, datetime(2007, 3, 28, tzinfo=UTC))


_OSS_V1 = {
    "put": ("OtxrzxIsfpFjA7SwPzILwy8Bw21TLhquhboDYROV", "PUT", "oss-example", "nelson", "", "26NBxoKdsyly4EDv6inkoDft/yA=", {
        "Content-MD5": "ODBGOERFMDMzQTczRUY3NUE3NzA5QzdFNUYzMDQxNEM=", "Content-Type": "text/html",
        "Date": "Thu, 17 Nov 2005 18:49:58 GMT", "X-OSS-Magic": "abracadabra", "X-OSS-Meta-Author": "foo@bar.com"}),
    "oss-date": ("sk", "PUT", "examplebucket", "nelson", "", "kSHKmLxlyEAKtZPkJhG9bZb5k7M=", {
        "Content-MD5": "eB5eJF1ptWaXm4bijSPyxw==", "Content-Type": "text/html", "x-oss-date": "Wed, 28 Dec 2022 10:27:41 GMT",
        "x-oss-meta-author": "alice", "x-oss-meta-magic": "abracadabra"}),
    "acl": ("sk", "PUT", "examplebucket", "nelson", "acl", "/afkugFbmWDQ967j1vr6zygBLQk=", {
        "Content-MD5": "eB5eJF1ptWaXm4bijSPyxw==", "Content-Type": "text/html", "x-oss-date": "Wed, 28 Dec 2022 10:27:41 GMT",
        "x-oss-meta-author": "alice", "x-oss-meta-magic": "abracadabra"}),
    "resource-group": ("sk", "GET", "examplebucket", "", "resourceGroup&non-resousce=null", "vkQmfuUDyi1uDi3bKt67oemssIs=", {
        "x-oss-date": "Wed, 28 Dec 2022 10:27:41 GMT"}),
    "two": ("sk", "GET", "examplebucket", "", "resourceGroup&acl", "x3E5TgOvl/i7PN618s5mEvpJDYk=", {
        "x-oss-date": "Wed, 28 Dec 2022 10:27:41 GMT"}),
}  # fmt: skip


@pytest.mark.parametrize("name", _OSS_V1)
def test_oss_v1_requests_verify(name: str) -> None:
    secret, method, bucket, key, query, signature, headers = _OSS_V1[name]
    request = SignedRequest(
        method=method, raw_path=f"/{bucket}/{key}", raw_query=query, bucket=bucket, raw_key=key,
        headers=[*headers.items(), ("Authorization", f"OSS ak:{signature}")],
    )  # fmt: skip
    claim = find_claim(request)

    assert claim is not None
    assert claim.time is not None
    verify(claim, request, secret, claim.time)
    with pytest.raises(SignatureMismatch):
        verify(claim, request, secret + "x", claim.time)


@pytest.mark.parametrize(
    ("raw_key", "query"),
    [
        ("key", "OSSAccessKeyId=ak&Expires=1699807420&Signature=dcLTea%2BYh9ApirQ8o8dOPqtvJXQ%3D&versionId=versionId"),
        (
            "key%2B123",
            "OSSAccessKeyId=ak&Expires=1699808204&Signature=jzKYRrM5y6Br0dRFPaTGOsbrDhY%3D&security-token=token&versionId=versionId",
        ),
    ],
    ids=["plain", "token"],
)
def test_oss_v1_urls_verify(raw_key: str, query: str) -> None:
    request = SignedRequest(
        method="GET", raw_path=f"/bucket/{raw_key}", raw_query=query, headers=[], bucket="bucket", raw_key=raw_key
    )
    claim = find_claim(request)

    assert claim is not None
    verify(claim, request, "sk", datetime(2023, 11, 12, tzinfo=UTC))


def test_an_oss_v2_request_verifies() -> None:
    headers = {
        "Content-Type": "text/plain", "Date": "Thu, 01 Jan 2026 00:00:00 GMT", "x-oss-server-side-encryption": "AES256",
        "Authorization": "OSS2 AccessKeyId:ak,Signature:uwkDD6LtI9VvA3YZNj5A3ttb8FIz2q5ayr5Ee0KScSo=",
    }  # fmt: skip
    request = SignedRequest(
        method="PUT", raw_path="/bkt/dir/a", raw_query="", headers=list(headers.items()), bucket="bkt", raw_key="dir/a"
    )
    claim = find_claim(request)

    assert claim is not None
    verify(claim, request, "sk", datetime(2026, 1, 1, tzinfo=UTC))


_OSS_V4_QUERY = "param1=value1&%2Bparam1=value3&%7Cparam1=value4&%2Bparam2&%7Cparam2&param2"
_OSS_V4 = {
    "plain": (datetime(2023, 12, 16, 16, 20, 57, tzinfo=UTC), None, (), "e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe"),
    "token": (datetime(2023, 12, 17, 3, 47, 36, tzinfo=UTC), "token", (), "b94a3f999cf85bcdc00d332fbd3734ba03e48382c36fa4d5af5df817395bd9ea"),
    "additional": (datetime(2023, 12, 16, 17, 25, 12, tzinfo=UTC), None, ("ZAbc", "abc"), "4a4183c187c07c8947db7620deb0a6b38d9fbdd34187b6dbaccb316fa251212f"),
}  # fmt: skip


@pytest.mark.parametrize("name", _OSS_V4)
def test_published_oss_v4_signatures_are_made_and_verified(name: str) -> None:
    now, token, additional, signature = _OSS_V4[name]
    headers = {"x-oss-head1": "value", "abc": "value", "ZAbc": "value", "XYZ": "value", "content-type": "text/plain"}
    added = sign_oss_v4(
        method="PUT", bucket="bucket", raw_key="1234%2B-/123/1.txt", raw_query=_OSS_V4_QUERY, headers=headers,
        access_key="ak", secret="sk", token=token, region="cn-hangzhou", now=now, additional_headers=additional,
    )  # fmt: skip
    request = SignedRequest(
        method="PUT", raw_path="/bucket/1234%2B-/123/1.txt", raw_query=_OSS_V4_QUERY,
        headers=[*headers.items(), *added.items()], bucket="bucket", raw_key="1234%2B-/123/1.txt",
    )  # fmt: skip
    claim = find_claim(request)

    assert added["Authorization"].endswith(f"Signature={signature}")
    assert claim is not None
    verify(claim, request, "sk", now, region="cn-hangzhou")


def test_the_published_oss_v4_url_verifies() -> None:
    query = (
        f"{_OSS_V4_QUERY}&x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-date=20231217T025437Z&x-oss-expires=599"
        "&x-oss-credential=ak%2F20231217%2Fcn-hangzhou%2Foss%2Faliyun_v4_request"
        "&x-oss-signature=a39966c61718be0d5b14e668088b3fa07601033f6518ac7b523100014269c0fe"
    )
    headers = {
        "x-oss-head1": "value",
        "abc": "value",
        "ZAbc": "value",
        "XYZ": "value",
        "content-type": "application/octet-stream",
    }
    request = SignedRequest(
        method="PUT", raw_path="/1234%2B-/123/1.txt", raw_query=query, headers=list(headers.items()), bucket="bucket",
        raw_key="1234%2B-/123/1.txt",
    )  # fmt: skip
    claim = find_claim(request)

    assert claim is not None
    verify(claim, request, "sk", datetime(2023, 12, 17, 3, 4, 36, tzinfo=UTC))


def test_oss_v4_signs_odd_keys_as_the_reference_does() -> None:
    added = sign_oss_v4(
        method="PUT", bucket="bkt", raw_key="dir/a%20b+%C3%A9.txt", raw_query="",
        headers={"content-type": "text/plain", "x-oss-server-side-encryption": "AES256"}, access_key="ak", secret="sk",
        token=None, region="cn-hangzhou", now=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip

    assert added["Authorization"].endswith("Signature=ad1e89824898844828b18a2a9b06ccdf05730daf355ad8747d10fffb3ddbe1a4")


@pytest.mark.parametrize(
    ("bucket", "raw_key", "query", "signature"),
    [
        ("bkt", "", "list-type=2&prefix=a+b&delimiter=%2F", "425f29ab35af2be52423309ed9fa3067e0ae6e442b11b0eadf2bed4bd00436f5"),
        (None, "", "", "187ae6a33f3f783e8d7da62208d04ba4552a5788a1ec3738d3c6d31c3562c890"),
    ],
)  # fmt: skip
def test_oss_v4_signatures_of_bucket_and_service_level(
    bucket: str | None, raw_key: str, query: str, signature: str
) -> None:
    added = sign_oss_v4(
        method="GET", bucket=bucket, raw_key=raw_key, raw_query=query, headers={}, access_key="ak", secret="sk",
        token=None, region="cn-hangzhou", now=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip

    assert added["Authorization"].endswith(f"Signature={signature}")


def test_signing_keys_are_those_of_the_published_examples() -> None:
    aws = derive_key(_SECRET, "20130524", "us-east-1")
    oss = derive_oss_key("sk", "20231216", "cn-hangzhou")

    assert aws.hex() == "dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378"
    assert oss.hex() == "b412a03b134ebddd720f5167b5de6db66620ebb3b01cff4d49e3ccb09f8de97f"


def test_the_published_oss_v4_canonical_request_is_ours() -> None:
    headers = {
        "x-oss-head1": "value", "abc": "value", "ZAbc": "value", "XYZ": "value", "content-type": "text/plain",
        "x-oss-content-sha256": "UNSIGNED-PAYLOAD", "x-oss-date": "20231216T162057Z",
    }  # fmt: skip
    request = SignedRequest(
        method="PUT", raw_path="/1234%2B-/123/1.txt", raw_query=_OSS_V4_QUERY, headers=list(headers.items()),
        bucket="bucket", raw_key="1234%2B-/123/1.txt",
    )  # fmt: skip

    text = canonical_request(request, ())

    assert text.startswith("PUT\n/bucket/1234%2B-/123/1.txt\n%2Bparam1=value3&%2Bparam2&%7Cparam1=value4&")
    assert (
        hashlib.sha256(text.encode()).hexdigest() == "f4613657f1b108998e8dbd10a1aa5da621dc2c6e02c9ddec0f163664848704c4"
    )


def test_additional_headers_that_are_signed_anyway_or_are_not_there_change_nothing() -> None:
    now, _, _, signature = _OSS_V4["additional"]
    headers = {"x-oss-head1": "value", "abc": "value", "ZAbc": "value", "XYZ": "value", "content-type": "text/plain"}
    request = SignedRequest(
        method="PUT", raw_path="/1234%2B-/123/1.txt", raw_query=_OSS_V4_QUERY, bucket="bucket",
        raw_key="1234%2B-/123/1.txt", headers=[
            *headers.items(), ("x-oss-date", "20231216T172512Z"), ("x-oss-content-sha256", "UNSIGNED-PAYLOAD"),
            ("Authorization", "OSS4-HMAC-SHA256 Credential=ak/20231216/cn-hangzhou/oss/aliyun_v4_request,"
             f"AdditionalHeaders=abc;x-oss-head1;x-oss-no-exist;zabc,Signature={signature}"),
        ],
    )  # fmt: skip
    claim = find_claim(request)

    assert claim is not None
    verify(claim, request, "sk", now)
