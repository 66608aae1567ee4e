from datetime import UTC, datetime
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.dialect.base import Dialect
from sseproxy.dialect.oss import OSS
from sseproxy.dialect.s3 import S3
from sseproxy.dialect.xml_listings import ListedVersion, bucket_names, parse_versions
from sseproxy.errors import UpstreamError
from sseproxy.model import Checksum, ChecksumAlgorithm, ChecksumType

BOTH = pytest.mark.parametrize("dialect", [S3, OSS], ids=lambda dialect: dialect.name)
NS = "http://s3.amazonaws.com/doc/2006-03-01/"
S3_PAGE = f"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="{NS}"><Name>b</Name><Prefix>a&amp;</Prefix>
  <NextContinuationToken>t/+=</NextContinuationToken><KeyCount>2</KeyCount><IsTruncated>true</IsTruncated>
  <Contents><Key>a&amp;1</Key><LastModified>2026-02-21T00:05:13.000Z</LastModified><ETag>&quot;ab&quot;</ETag>"""
S3_PAGE += """<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>1200</Size>
    <StorageClass>STANDARD</StorageClass><Owner><ID>o</ID><Size>7</Size></Owner></Contents>
  <!-- kept --><Contents><Key>a 2</Key><LastModified>2026-02-21T00:05:14.000Z</LastModified><ETag/><Size>0</Size></Contents>
  <CommonPrefixes><Prefix>a&amp;/</Prefix></CommonPrefixes>
</ListBucketResult>"""
OSS_VERSIONS = """<?xml version="1.0" encoding="UTF-8"?>
<ListVersionsResult><Name>b</Name><EncodingType>url</EncodingType><KeyMarker>a%20</KeyMarker>
<Version><Key>a%20b%2Bc+d</Key><VersionId>v1</VersionId><IsLatest>true</IsLatest><ETag>"AB-2"</ETag><Type>Appendable</Type><Size>10</Size></Version>
<DeleteMarker><Key>gone</Key><VersionId>v2</VersionId><Owner><ID>1</ID></Owner></DeleteMarker>
<Version><Key>%FF</Key><VersionId>null</VersionId><ETag>"CD"</ETag><Type>Normal</Type><Size>20</Size></Version>
</ListVersionsResult>"""


def test_the_objects_of_a_listing_are_read() -> None:
    first, second = S3.xml.parse_listing(S3_PAGE.encode())

    assert (first.key, first.stored_etag, first.stored_size, first.version_id) == ("a&1", "ab", 1200, None)
    assert (first.etag, first.size, first.checksum, first.appendable, first.position) == ("ab", 1200, None, False, 0)
    assert (second.key, second.stored_etag, second.stored_size, second.position) == ("a 2", "", 0, 1)


def test_versions_are_read_without_delete_markers_and_with_decoded_keys() -> None:
    first, second = OSS.xml.parse_listing(OSS_VERSIONS.encode())

    assert (first.key, first.version_id, first.appendable) == ("a b+c d", "v1", True)
    assert (second.key, second.version_id, second.appendable, second.position) == ("\udcff", "null", False, 1)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("Normal", (False, False)),
        ("Multipart", (False, False)),
        ("Appendable", (True, False)),
        ("Symlink", (False, True)),
    ],
)
def test_the_type_tells_appendable_objects_and_links(kind: str, told: tuple[bool, bool]) -> None:
    (entry,) = OSS.xml.parse_listing(
        f"<ListBucketResult><Contents><Key>k</Key><Type>{kind}</Type><Size>1</Size></Contents></ListBucketResult>".encode()
    )

    assert (entry.appendable, entry.link) == told


def test_an_entry_that_is_gone_is_left_out_and_not_counted() -> None:
    entries = S3.xml.parse_listing(S3_PAGE.encode())
    entries[0].is_gone = True

    document = S3.xml.render_listing(S3_PAGE.encode(), entries).decode()

    begin, end = S3_PAGE.index("<Contents>"), S3_PAGE.index("</Contents>") + len("</Contents>")
    rest = (S3_PAGE[:begin] + S3_PAGE[end:]).replace("<KeyCount>2<", "<KeyCount>1<").replace("<ETag/>", "<ETag></ETag>")
    assert document.replace('<ETag>""</ETag>', "<ETag></ETag>").replace("&quot;&quot;", "") == rest


def test_only_sizes_etags_and_checksums_change() -> None:
    entries = S3.xml.parse_listing(S3_PAGE.encode())
    entries[0].size, entries[0].etag = 5, "0a1b"
    entries[1].size, entries[1].etag = 6, "x-0"

    document = S3.xml.render_listing(S3_PAGE.encode(), entries)

    expected = (
        S3_PAGE.replace("&quot;ab&quot;", "&quot;0a1b&quot;")
        .replace("<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>", "")
        .replace("<Size>1200</Size>", "<Size>5</Size>")
        .replace("<ETag/><Size>0</Size>", "<ETag>&quot;x-0&quot;</ETag><Size>6</Size>")
    )
    assert document.decode() == expected


def test_oss_listings_keep_their_encoding_and_show_upper_case() -> None:
    entries = OSS.xml.parse_listing(OSS_VERSIONS.encode())
    entries[0].size, entries[0].etag = 3, "ab-0"
    entries[1].size, entries[1].etag = 4, "cd"

    document = OSS.xml.render_listing(OSS_VERSIONS.encode(), entries)

    expected = (
        OSS_VERSIONS.replace('"AB-2"', "&quot;AB-0&quot;")
        .replace('"CD"', "&quot;CD&quot;")
        .replace("<Size>10<", "<Size>3<")
        .replace("<Size>20<", "<Size>4<")
    )
    assert document.decode() == expected


def test_an_entrys_own_checksum_takes_the_place_of_the_storages() -> None:
    entries = S3.xml.parse_listing(S3_PAGE.encode())
    entries[0].checksum = Checksum(
        algorithm=ChecksumAlgorithm.SHA256, type=ChecksumType.COMPOSITE, value=b"never in a listing"
    )

    document = S3.xml.render_listing(S3_PAGE.encode(), entries).decode()

    assert (
        "</ETag><ChecksumAlgorithm>SHA256</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType><Size>" in document
    )
    assert document.count("<ChecksumAlgorithm>") == 1
    assert "CRC32" not in document


def test_a_checksum_that_is_told_several_times_goes_altogether() -> None:
    twice = S3_PAGE.replace(
        "<ChecksumAlgorithm>CRC32<", "<ChecksumAlgorithm>SHA1</ChecksumAlgorithm><ChecksumAlgorithm>CRC32<"
    )

    document = S3.xml.render_listing(twice.encode(), S3.xml.parse_listing(twice.encode()))

    assert b"Checksum" not in document


def test_a_prefixed_document_keeps_its_prefixes() -> None:
    page = f'<s:ListBucketResult xmlns:s="{NS}"><s:Contents><s:Key>k</s:Key><s:ETag>"a"</s:ETag><s:Size>9</s:Size></s:Contents></s:ListBucketResult>'
    (entry,) = S3.xml.parse_listing(page.encode())
    entry.size = 1
    entry.checksum = Checksum(algorithm=ChecksumAlgorithm.CRC32, type=ChecksumType.FULL_OBJECT, value=b"")

    document = S3.xml.render_listing(page.encode(), [entry]).decode()

    assert "<s:ETag>&quot;a&quot;</s:ETag><s:ChecksumAlgorithm>CRC32</s:ChecksumAlgorithm>" in document
    assert "<s:Size>1</s:Size>" in document


@BOTH
def test_entries_may_come_in_any_order_and_some_may_be_left_as_they_are(dialect: Dialect) -> None:
    page = "".join(f"<Contents><Key>{n}</Key><ETag>e</ETag><Size>{n}</Size></Contents>" for n in range(1, 5))
    document = f"<ListBucketResult>{page}</ListBucketResult>".encode()
    entries = dialect.xml.parse_listing(document)
    for entry in entries:
        entry.size = 100 + entry.position

    changed = dialect.xml.render_listing(document, [entries[3], entries[1]])

    assert [entry.stored_size for entry in dialect.xml.parse_listing(changed)] == [1, 101, 3, 103]


@BOTH
@pytest.mark.parametrize("document", ["<ListBucketResult/>", "<ListBucketResult></ListBucketResult>"])
def test_an_empty_listing_stays_as_it_is(dialect: Dialect, document: str) -> None:
    assert dialect.xml.parse_listing(document.encode()) == []
    assert dialect.xml.render_listing(document.encode(), []) == document.encode()


@BOTH
@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<Error><Code>x</Code></Error>",
        b"<ListBucketResult><Contents></ListBucketResult>",
        b"<ListBucketResult><Contents><Key>k</Key></Contents></ListBucketResult>",
        b"<ListBucketResult><Contents><Size>x</Size></Contents></ListBucketResult>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><ListBucketResult/>',
        "<ListBucketResult/>".encode("utf-16"),
    ],
)
def test_what_is_no_listing_is_the_storages_fault(dialect: Dialect, document: bytes) -> None:
    with pytest.raises(UpstreamError):
        dialect.xml.parse_listing(document)


_LINE = st.tuples(st.text("ab<&>\"' é漢/", max_size=8), st.integers(0, 10**13), st.integers(0, 10**13))


@BOTH
@given(lines=st.lists(_LINE, max_size=20))
def test_a_changed_listing_reads_as_what_was_set(dialect: Dialect, lines: list[tuple[str, int, int]]) -> None:
    body = "".join(
        f"<Contents><Key>{escape(key)}</Key><ETag>e</ETag><Size>{size}</Size></Contents>" for key, size, _ in lines
    )
    document = f"<ListBucketResult>{body}</ListBucketResult>".encode()
    entries = dialect.xml.parse_listing(document)
    for entry, (_, _, size) in zip(entries, lines, strict=True):
        entry.size, entry.etag = size, "0" * 32

    changed = dialect.xml.parse_listing(dialect.xml.render_listing(document, entries))

    assert [(e.key, e.stored_size, e.stored_etag) for e in changed] == [(k, size, "0" * 32) for k, _, size in lines]


@BOTH
def test_our_own_listing_gives_keys_sizes_times_and_the_next_token(dialect: Dialect) -> None:
    page = S3_PAGE.replace("a 2", "a%20+2").replace("<Name>", "<EncodingType>url</EncodingType><Name>")

    keys, token = dialect.xml.parse_keys(page.encode())

    assert keys == [
        ("a&1", 1200, datetime(2026, 2, 21, 0, 5, 13, tzinfo=UTC)),
        ("a  2", 0, datetime(2026, 2, 21, 0, 5, 14, tzinfo=UTC)),
    ]
    assert token == "t/+="


@BOTH
def test_the_last_page_has_no_token(dialect: Dialect) -> None:
    last = S3_PAGE.replace("<IsTruncated>true", "<IsTruncated>false")

    assert dialect.xml.parse_keys(last.encode())[1] is None


BUCKETS = f"""<?xml version="1.0"?>
<ListAllMyBucketsResult xmlns="{NS}"><Owner><ID>1</ID></Owner><Buckets>
<Bucket><Name>a</Name><CreationDate>x</CreationDate></Bucket>
<Bucket><CreationDate>x</CreationDate><Name>sseproxy-state</Name></Bucket><Bucket><Name>sseproxy-state-2</Name></Bucket>
</Buckets><Prefix>p</Prefix></ListAllMyBucketsResult>"""


@BOTH
def test_one_bucket_is_hidden_and_nothing_else_changes(dialect: Dialect) -> None:
    hidden = dialect.xml.hide_bucket(BUCKETS.encode(), "sseproxy-state")

    expected = BUCKETS.replace("<Bucket><CreationDate>x</CreationDate><Name>sseproxy-state</Name></Bucket>", "")
    assert hidden.decode() == expected


@BOTH
@pytest.mark.parametrize(
    "document", [BUCKETS, "<RegionInfoList/>", "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"]
)
def test_a_document_without_that_bucket_stays_as_it_is(dialect: Dialect, document: str) -> None:
    assert dialect.xml.hide_bucket(document.encode(), "another").decode() == document


@BOTH
def test_a_list_of_buckets_that_cannot_be_read_is_not_passed_on(dialect: Dialect) -> None:
    with pytest.raises(UpstreamError):
        dialect.xml.hide_bucket(b"<ListAllMyBucketsResult>", "sseproxy-state")


@pytest.mark.parametrize(
    ("end", "following"),
    [
        ("", None),
        ("<ContinuationToken>a+b/c=</ContinuationToken>", "continuation-token=a%2Bb%2Fc%3D"),
        ("<Marker/><IsTruncated>true</IsTruncated><NextMarker>b2</NextMarker>", "marker=b2"),
        ("<NextMarker></NextMarker>", None),
    ],
)
def test_the_names_of_buckets_are_read_and_how_to_ask_for_more(end: str, following: str | None) -> None:
    buckets = "<Bucket><Name>a</Name><CreationDate>x</CreationDate></Bucket><Bucket><Name>b</Name></Bucket>"
    document = f"<R><Owner><ID>1</ID></Owner><Buckets>{buckets}</Buckets>{end}</R>".encode()

    assert bucket_names(document) == (["a", "b"], following)


_VERSIONS = (
    b"<ListVersionsResult><EncodingType>url</EncodingType><IsTruncated>%s</IsTruncated>%s"
    b"<DeleteMarker><Key>a</Key><VersionId>m</VersionId><IsLatest>true</IsLatest></DeleteMarker>"
    b"<Version><Key>a%%20b</Key><VersionId>v</VersionId><IsLatest>false</IsLatest>"
    b"<LastModified>2026-02-21T00:05:13.000Z</LastModified><ETag>x</ETag><Size>5</Size></Version></ListVersionsResult>"
)


def test_a_page_of_versions_says_where_the_next_begins() -> None:
    markers = b"<NextKeyMarker>a%20b</NextKeyMarker><NextVersionIdMarker>v</NextVersionIdMarker>"

    found, after = parse_versions(_VERSIONS % (b"true", markers))

    moment = datetime(2026, 2, 21, 0, 5, 13, tzinfo=UTC)
    assert found == [ListedVersion(key="a b", version_id="v", is_latest=False, size=5, last_modified=moment)]
    assert after == ("a b", "v")
    assert parse_versions(_VERSIONS % (b"true", b"<NextKeyMarker>p%2F</NextKeyMarker>"))[1] == ("p/", "")
    assert parse_versions(_VERSIONS % (b"false", b""))[1] is None


def test_a_page_of_versions_that_goes_on_nowhere_is_an_error_of_the_storage() -> None:
    with pytest.raises(UpstreamError):
        parse_versions(_VERSIONS % (b"true", b""))
