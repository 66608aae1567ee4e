import pytest
from multidict import CIMultiDict

from sseproxy.dialect.base import Dialect
from sseproxy.dialect.oss import OSS
from sseproxy.dialect.s3 import S3
from sseproxy.errors import InvalidArgument
from sseproxy.policy.forwarding import Carried, refuse_reserved, to_backend, to_client

BOTH = pytest.mark.parametrize("dialect", [S3, OSS], ids=lambda dialect: dialect.name)
NEVER_UP = [
    "Authorization", "Connection", "Content-Length", "Cookie", "Date", "Expect", "Host", "Keep-Alive",
    "Accept-Encoding", "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
]  # fmt: skip
NEVER_UP_S3 = [
    "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-trailer", "x-amz-decoded-content-length",
    "x-amz-te", "x-amz-meta-sseproxy", "x-amz-server-side-encryption", "x-amz-server-side-encryption-context",
    "x-amz-server-side-encryption-customer-key", "x-amz-copy-source-server-side-encryption-customer-key",
    "x-amz-s3session-token",
]  # fmt: skip
NEVER_UP_OSS = [
    "x-oss-date", "x-oss-content-sha256", "x-oss-security-token", "security-token", "x-oss-meta-sseproxy",
    "x-oss-server-side-encryption", "x-oss-server-side-encryption-key-id", "x-oss-server-side-data-encryption",
    "x-oss-server-side-encrpytion",
]  # fmt: skip
OF_THE_PLAINTEXT = [
    "Content-MD5",
    "Range",
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
    "If-Range",
]
OF_THE_PLAINTEXT_S3 = [
    "x-amz-checksum-crc32", "x-amz-checksum-mode", "x-amz-checksum-algorithm", "x-amz-sdk-checksum-algorithm",
    "x-amz-mp-object-size", "x-amz-copy-source", "x-amz-copy-source-range", "x-amz-copy-source-if-match",
    "x-amz-metadata-directive",
]  # fmt: skip
OF_THE_PLAINTEXT_OSS = [
    "x-oss-hash-crc64ecma", "x-oss-copy-source", "x-oss-copy-source-if-match", "x-oss-metadata-directive",
    "x-oss-range-behavior", "x-oss-forbid-overwrite",
]  # fmt: skip
ALWAYS_UP = [
    "Content-Type",
    "Cache-Control",
    "Content-Disposition",
    "Content-Language",
    "Expires",
    "User-Agent",
    "Origin",
]
ALWAYS_UP_S3 = [
    "x-amz-meta-a", "x-amz-meta-date", "x-amz-meta-checksum-x", "x-amz-storage-class", "x-amz-tagging", "x-amz-acl",
    "x-amz-grant-read", "x-amz-object-lock-mode", "x-amz-website-redirect-location", "x-amz-request-payer",
    "x-amz-expected-bucket-owner", "x-amz-tagging-directive", "X-Amz-Key-V2",
]  # fmt: skip
ALWAYS_UP_OSS = [
    "x-oss-meta-a", "x-oss-storage-class", "x-oss-tagging", "x-oss-object-acl", "x-oss-request-payer",
    "x-oss-traffic-limit", "x-oss-symlink-target", "x-oss-persistent-headers",
]  # fmt: skip


def _up(dialect: Dialect, name: str, keep: Carried, value: str = "v") -> bool:
    return name in to_backend(CIMultiDict({name.title(): value}), dialect, keep=keep)


@pytest.mark.parametrize("keep", list(Carried), ids=lambda keep: keep.name)
@pytest.mark.parametrize(
    ("dialect", "name"),
    [
        *((dialect, name) for dialect in (S3, OSS) for name in NEVER_UP),
        *((S3, name) for name in NEVER_UP_S3),
        *((OSS, name) for name in NEVER_UP_OSS),
    ],
)
def test_what_is_the_clients_own_affair_never_goes_up(dialect: Dialect, name: str, keep: Carried) -> None:
    assert not _up(dialect, name, keep)


@pytest.mark.parametrize(
    ("dialect", "name"),
    [
        *((dialect, name) for dialect in (S3, OSS) for name in OF_THE_PLAINTEXT),
        *((S3, name) for name in OF_THE_PLAINTEXT_S3),
        *((OSS, name) for name in OF_THE_PLAINTEXT_OSS),
    ],
)
def test_what_is_true_of_the_plaintext_goes_up_only_with_the_plaintext(dialect: Dialect, name: str) -> None:
    assert not _up(dialect, name, Carried.OBJECT)
    assert _up(dialect, name, Carried.VERBATIM)


@pytest.mark.parametrize("keep", list(Carried), ids=lambda keep: keep.name)
@pytest.mark.parametrize(
    ("dialect", "name"),
    [
        *((dialect, name) for dialect in (S3, OSS) for name in ALWAYS_UP),
        *((S3, name) for name in ALWAYS_UP_S3),
        *((OSS, name) for name in ALWAYS_UP_OSS),
    ],
)
def test_what_describes_the_object_goes_up(dialect: Dialect, name: str, keep: Carried) -> None:
    assert _up(dialect, name, keep)


@BOTH
def test_the_order_values_and_repetitions_of_headers_are_kept(dialect: Dialect) -> None:
    name = f"{dialect.meta_prefix}a"
    headers = CIMultiDict([(name, "1"), ("Content-Type", "text/plain; charset=é"), (name, "2")])

    assert list(to_backend(headers, dialect).items()) == list(headers.items())


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("aws-chunked", []),
        ("aws-chunked,gzip", ["gzip"]),
        ("gzip, AWS-chunked", ["gzip"]),
        ("gzip, br", ["gzip, br"]),
        ("", []),
    ],
)
def test_our_transports_part_of_content_encoding_is_not_stored(sent: str, stored: list[str]) -> None:
    found = to_backend(CIMultiDict({"Content-Encoding": sent}), S3)

    assert found.getall("Content-Encoding", []) == stored


@BOTH
def test_what_connection_names_goes_in_neither_direction(dialect: Dialect) -> None:
    headers = CIMultiDict({"Connection": "close, X-Hop", "X-Hop": "1", "X-Other": "2"})

    assert list(to_backend(headers, dialect)) == ["X-Other"]
    assert list(to_client(headers, dialect, sealed=False)) == ["X-Other"]


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize(
    ("dialect", "name"),
    [
        *(
            (dialect, name)
            for dialect in (S3, OSS)
            for name in ("Connection", "Content-Length", "Date", "Server", "Set-Cookie", "Transfer-Encoding")
        ),
        (S3, "x-amz-meta-sseproxy"),
        (S3, "x-amz-server-side-encryption"),
        (S3, "x-amz-server-side-encryption-aws-kms-key-id"),
        (S3, "x-amz-request-id"),
        (S3, "x-amz-id-2"),
        (OSS, "x-oss-meta-sseproxy"),
        (OSS, "x-oss-server-side-encryption"),
        (OSS, "x-oss-request-id"),
    ],
)
def test_what_is_the_storages_own_affair_never_comes_down(dialect: Dialect, name: str, sealed: bool) -> None:  # noqa: FBT001
    assert not to_client(CIMultiDict({name.title(): "v"}), dialect, sealed=sealed)


@pytest.mark.parametrize(
    ("dialect", "name"),
    [
        *((dialect, name) for dialect in (S3, OSS) for name in ("ETag", "Content-MD5", "Content-Range")),
        (S3, "x-amz-checksum-crc64nvme"),
        (S3, "x-amz-checksum-type"),
        (S3, "x-amz-mp-parts-count"),
        (S3, "x-amz-transfer-encoding"),
        (OSS, "x-oss-hash-crc64ecma"),
        (OSS, "x-oss-object-type"),
        (OSS, "x-oss-next-append-position"),
    ],
)
def test_what_is_true_of_the_ciphertext_comes_down_only_where_there_is_none(dialect: Dialect, name: str) -> None:
    assert name not in to_client(CIMultiDict({name: "v"}), dialect, sealed=True)
    assert name in to_client(CIMultiDict({name: "v"}), dialect, sealed=False)


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize(
    ("dialect", "name"),
    [
        *(
            (dialect, name)
            for dialect in (S3, OSS)
            for name in (
                "Content-Type",
                "Content-Encoding",
                "Cache-Control",
                "Expires",
                "Last-Modified",
                "Accept-Ranges",
                "Access-Control-Allow-Origin",
                "Vary",
                "Retry-After",
            )
        ),
        (S3, "x-amz-meta-a"),
        (S3, "x-amz-version-id"),
        (S3, "x-amz-storage-class"),
        (S3, "x-amz-tagging-count"),
        (S3, "x-amz-restore"),
        (S3, "x-amz-copy-source-version-id"),
        (OSS, "x-oss-meta-a"),
        (OSS, "x-oss-version-id"),
        (OSS, "x-oss-storage-class"),
        (OSS, "x-oss-server-time"),
    ],
)
def test_what_describes_the_object_comes_down(dialect: Dialect, name: str, sealed: bool) -> None:  # noqa: FBT001
    assert to_client(CIMultiDict({name: "v"}), dialect, sealed=sealed)[name] == "v"


def test_names_of_the_dialect_come_down_in_lower_case() -> None:
    assert list(to_client(CIMultiDict({"X-Amz-Meta-Mtime": "1", "ETag": "e"}), S3, sealed=False)) == [
        "x-amz-meta-mtime",
        "ETag",
    ]


@pytest.mark.parametrize("dialect", [S3, OSS], ids=lambda dialect: dialect.name)
def test_what_clients_say_of_their_own_encryption_comes_down_as_they_called_it(dialect: Dialect) -> None:
    stored = CIMultiDict(
        {f"{dialect.meta_prefix}SSEproxy-Client-Key": "K", f"{dialect.meta_prefix}client-side-encryption-start": "S"}
    )

    assert dict(to_client(stored, dialect, sealed=True)) == {
        f"{dialect.meta_prefix}client-side-encryption-key": "K",
        f"{dialect.meta_prefix}client-side-encryption-start": "S",
    }


@pytest.mark.parametrize(
    "name",
    ["x-amz-meta-sseproxy", "X-Amz-Meta-Sseproxy", "x-oss-meta-SSEPROXY", "x-oss-meta-SSEproxy-client-key"],
)
def test_the_envelopes_name_and_what_stands_beside_it_are_reserved_in_every_dialect(name: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        refuse_reserved(["Host", name], (S3, OSS))

    assert raised.value.details["ArgumentName"] == name.lower()


def test_other_metadata_is_not_reserved() -> None:
    refuse_reserved(["x-amz-meta-sseproxy-2", "x-oss-meta-a", "sseproxy"], (S3, OSS))
