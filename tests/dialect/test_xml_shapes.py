from collections.abc import Mapping
from datetime import UTC, datetime
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.dialect.base import (
    CompletedPart,
    CompletedUpload,
    Dialect,
    ErrorCode,
    PartsPage,
    PartView,
    UploadFacts,
)
from sseproxy.dialect.oss import OSS
from sseproxy.dialect.s3 import S3
from sseproxy.errors import MalformedXml, UnsupportedFeature, UpstreamAnswered, UpstreamError
from sseproxy.model import Checksum, ChecksumAlgorithm, ChecksumType

BOTH = pytest.mark.parametrize("dialect", [S3, OSS], ids=lambda dialect: dialect.name)
NS = "http://s3.amazonaws.com/doc/2006-03-01/"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
TIME = datetime(2019, 4, 9, 3, 45, 32, 7999, tzinfo=UTC)
CRC32 = Checksum(algorithm=ChecksumAlgorithm.CRC32, type=ChecksumType.COMPOSITE, value=b"\x0d\x4a\x11\x85")
AS_IT_IS, URL_ENCODED = False, True
ERROR = b"<Error><Code>SlowDown</Code><Message>words</Message><RequestId>1</RequestId></Error>"


def test_an_s3_error_has_its_own_elements_before_the_ids() -> None:
    code = ErrorCode(code="NoSuchKey", status=404)

    document = S3.xml.render_error(code, "It is <gone>.", {"Key": "a&b"}, "REQ", "HOST")

    assert document.decode() == (
        HEAD + "<Error><Code>NoSuchKey</Code><Message>It is &lt;gone&gt;.</Message><Key>a&amp;b</Key>"
        "<RequestId>REQ</RequestId><HostId>HOST</HostId></Error>"
    )


def test_an_oss_error_has_its_own_elements_behind_the_ids_and_its_own_names() -> None:
    code = ErrorCode(code="InvalidAccessKeyId", status=403, message="No such key id.")

    document = OSS.xml.render_error(code, "other words", {"AWSAccessKeyId": "ak"}, "REQ", "HOST")

    assert document.decode() == (
        HEAD + "<Error><Code>InvalidAccessKeyId</Code><Message>No such key id.</Message>"
        "<RequestId>REQ</RequestId><HostId>HOST</HostId><OSSAccessKeyId>ak</OSSAccessKeyId></Error>"
    )


@BOTH
@pytest.mark.parametrize("name", ["Content-MD5", "X-Amz-Expires", "a_b.c"])
def test_error_elements_may_have_header_names(dialect: Dialect, name: str) -> None:
    document = dialect.xml.render_error(ErrorCode(code="X", status=400), "m", {name: "v"}, "r", "h")

    assert dialect.xml.parse_error(document) == ("X", "m", {name: "v", "RequestId": "r", "HostId": "h"})


@BOTH
@pytest.mark.parametrize("name", ["", "a b", "<x>", "1a", "a/b"])
def test_an_error_element_that_cannot_be_one_is_left_out(dialect: Dialect, name: str) -> None:
    document = dialect.xml.render_error(ErrorCode(code="X", status=400), "m", {name: "v"}, "r", "h")

    assert dialect.xml.parse_error(document)[2] == {"RequestId": "r", "HostId": "h"}


@BOTH
@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"plain text",
        b"<html><body>502</body></html>",
        b"<Error><Code>x</Code>",
        b'<!DOCTYPE Error [<!ENTITY a "b">]><Error><Code>&a;</Code></Error>',
        b"<a>" * 100 + b"</a>" * 100,
    ],
)
def test_what_is_no_error_document_says_nothing(dialect: Dialect, document: bytes) -> None:
    assert dialect.xml.parse_error(document) == ("", "", {})


@BOTH
def test_an_error_of_the_storage_is_read_with_its_plain_elements(dialect: Dialect) -> None:
    document = (
        f'<?xml version="1.0"?>\n<Error xmlns="{NS}">\n <Code>NoSuchKey</Code>\n <Message>It is gone.</Message>'
        "<Key>k</Key><Nested><A>1</A></Nested></Error>"
    ).encode()

    assert dialect.xml.parse_error(document) == ("NoSuchKey", "It is gone.", {"Key": "k"})


@BOTH
def test_an_error_within_a_response_document_is_found(dialect: Dialect) -> None:
    document = b"<ErrorResponse><Error><Code>C</Code><Message>M</Message></Error></ErrorResponse>"

    assert dialect.xml.parse_error(document) == ("C", "M", {})


@BOTH
@pytest.mark.parametrize("namespace", ["", f' xmlns="{NS}"', ' xmlns="http://doc.oss-cn-hangzhou.aliyuncs.com"'])
def test_complete_is_read_in_its_order_and_without_quotes(dialect: Dialect, namespace: str) -> None:
    document = (
        f"<CompleteMultipartUpload{namespace}>"
        "<Part><PartNumber>2</PartNumber><ETag>&quot;AB&quot;</ETag></Part>\n"
        '<Part><ETag>"cd"</ETag><PartNumber>1</PartNumber></Part>'
        "<Part><PartNumber>10000</PartNumber><ETag>ef</ETag></Part>"
        "</CompleteMultipartUpload>"
    ).encode()

    parts = dialect.xml.parse_complete(document)

    assert parts == [
        CompletedPart(number=2, etag="AB"),
        CompletedPart(number=1, etag="cd"),
        CompletedPart(number=10000, etag="ef"),
    ]


def test_complete_keeps_the_checksums_of_the_parts() -> None:
    document = (
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>a</ETag>"
        b"<ChecksumCRC32>AAAAAA==</ChecksumCRC32><ChecksumSHA256>x</ChecksumSHA256></Part></CompleteMultipartUpload>"
    )

    (part,) = S3.xml.parse_complete(document)

    assert part.checksums == {ChecksumAlgorithm.CRC32: "AAAAAA==", ChecksumAlgorithm.SHA256: "x"}


def test_a_checksum_that_cannot_be_checked_is_refused() -> None:
    document = (
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>a</ETag>"
        b"<ChecksumCRC16>x</ChecksumCRC16></Part></CompleteMultipartUpload>"
    )

    with pytest.raises(UnsupportedFeature):
        S3.xml.parse_complete(document)


@BOTH
@pytest.mark.parametrize(
    "document",
    [
        "",
        "<CompleteMultipartUpload>",
        "<Complete/>",
        "<CompleteMultipartUpload><Piece/></CompleteMultipartUpload>",
        "<CompleteMultipartUpload><Part/></CompleteMultipartUpload>",
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>",
        "<CompleteMultipartUpload><Part><ETag>a</ETag></Part></CompleteMultipartUpload>",
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;&quot;</ETag></Part></CompleteMultipartUpload>",
        "<CompleteMultipartUpload><Part><PartNumber>-1</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>",
        "<CompleteMultipartUpload><Part><PartNumber>x</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>",
        "<CompleteMultipartUpload><Part><PartNumber>\u0661</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>",
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>a</ETag><ETag>b</ETag></Part></CompleteMultipartUpload>",
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>a</ETag><Size>1</Size></Part></CompleteMultipartUpload>",
        '<!DOCTYPE a [<!ENTITY b "1">]><CompleteMultipartUpload><Part><PartNumber>&b;</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>',
    ],
)
def test_a_malformed_complete_is_refused(dialect: Dialect, document: str) -> None:
    with pytest.raises(MalformedXml):
        dialect.xml.parse_complete(document.encode())


@BOTH
@given(document=st.binary(max_size=200))
def test_no_bytes_break_the_reader_of_complete(dialect: Dialect, document: bytes) -> None:
    with pytest.raises(MalformedXml):
        dialect.xml.parse_complete(document)


@BOTH
@given(parts=st.lists(st.tuples(st.integers(1, 10_000), st.text("0123456789abcdef-", min_size=1, max_size=40))))
def test_complete_towards_the_storage_says_what_was_meant(dialect: Dialect, parts: list[tuple[int, str]]) -> None:
    document = dialect.xml.render_complete_request(parts)

    assert dialect.xml.parse_complete(document) == [CompletedPart(number=n, etag=etag) for n, etag in parts]


def test_the_answers_to_complete() -> None:
    upload = CompletedUpload(
        location="http://h/b/a%20b", bucket="b", key="a b", etag="ab-2", url_encoded=True, checksum=CRC32, part_count=2
    )

    assert S3.xml.render_completed(upload).decode() == (
        f'{HEAD}<CompleteMultipartUploadResult xmlns="{NS}"><Location>http://h/b/a%20b</Location><Bucket>b</Bucket>'
        "<Key>a b</Key><ETag>&quot;ab-2&quot;</ETag><ChecksumCRC32>DUoRhQ==-2</ChecksumCRC32>"
        "<ChecksumType>COMPOSITE</ChecksumType></CompleteMultipartUploadResult>"
    )
    assert OSS.xml.render_completed(upload).decode() == (
        f"{HEAD}<CompleteMultipartUploadResult><EncodingType>url</EncodingType><Location>http://h/b/a%20b</Location>"
        "<Bucket>b</Bucket><Key>a%20b</Key><ETag>&quot;AB-2&quot;</ETag></CompleteMultipartUploadResult>"
    )


@BOTH
def test_the_etag_of_a_completed_upload_is_read(dialect: Dialect) -> None:
    answer = f'\n \n<CompleteMultipartUploadResult xmlns="{NS}"><ETag>"x-3"</ETag></CompleteMultipartUploadResult>'

    assert dialect.xml.parse_completed(answer.strip().encode()) == "x-3"
    assert dialect.xml.parse_completed(b"<CompleteMultipartUploadResult/>") == ""


@pytest.mark.parametrize(
    "parse", ["parse_completed", "parse_copied", "parse_copied_part", "parse_parts", "parse_upload_facts"]
)
@BOTH
def test_an_error_inside_a_200_is_an_error(dialect: Dialect, parse: str) -> None:
    with pytest.raises(UpstreamAnswered) as raised:
        getattr(dialect.xml, parse)(b'<?xml version="1.0"?>\n   \n' + ERROR)

    assert (raised.value.status, raised.value.code, raised.value.message) == (503, "SlowDown", "words")
    assert raised.value.details == {}


@pytest.mark.parametrize(
    "parse",
    ["parse_completed", "parse_copied", "parse_copied_part", "parse_parts", "parse_created_upload", "parse_keys"],
)
@pytest.mark.parametrize("document", [b"", b"no xml", b"<html/>", b"<!DOCTYPE a><a/>"])
@BOTH
def test_an_answer_that_cannot_be_read_is_the_storages_fault(dialect: Dialect, parse: str, document: bytes) -> None:
    with pytest.raises(UpstreamError):
        getattr(dialect.xml, parse)(document)


@BOTH
def test_an_unknown_late_error_may_be_tried_again(dialect: Dialect) -> None:
    with pytest.raises(UpstreamAnswered) as raised:
        dialect.xml.parse_completed(b"<Error><Code>Weird</Code></Error>")

    assert raised.value.status == 500


def test_the_answers_to_create() -> None:
    assert S3.xml.render_created_upload("b", "a b", "u", AS_IT_IS).decode() == (
        f'{HEAD}<InitiateMultipartUploadResult xmlns="{NS}"><Bucket>b</Bucket><Key>a b</Key><UploadId>u</UploadId>'
        "</InitiateMultipartUploadResult>"
    )
    assert OSS.xml.render_created_upload("b", "a+b/é\udcff", "u", URL_ENCODED).decode() == (
        f"{HEAD}<InitiateMultipartUploadResult><EncodingType>url</EncodingType><Bucket>b</Bucket>"
        "<Key>a%2Bb/%C3%A9%FF</Key><UploadId>u</UploadId></InitiateMultipartUploadResult>"
    )


@BOTH
def test_the_upload_id_is_read(dialect: Dialect) -> None:
    assert dialect.xml.parse_created_upload(dialect.xml.render_created_upload("b", "k", "u~1", AS_IT_IS)) == "u~1"
    with pytest.raises(UpstreamError):
        dialect.xml.parse_created_upload(dialect.xml.render_created_upload("b", "k", "", AS_IT_IS))


def test_the_answers_to_copies() -> None:
    assert S3.xml.render_copied(TIME, "ab", CRC32).decode() == (
        f'{HEAD}<CopyObjectResult xmlns="{NS}"><LastModified>2019-04-09T03:45:32.007Z</LastModified>'
        "<ETag>&quot;ab&quot;</ETag><ChecksumCRC32>DUoRhQ==</ChecksumCRC32><ChecksumType>COMPOSITE</ChecksumType>"
        "</CopyObjectResult>"
    )
    assert OSS.xml.render_copied_part(TIME, "ab", CRC32).decode() == (
        f"{HEAD}<CopyPartResult><LastModified>2019-04-09T03:45:32.007Z</LastModified><ETag>&quot;AB&quot;</ETag>"
        "</CopyPartResult>"
    )


@BOTH
def test_time_and_etag_of_a_copy_are_read(dialect: Dialect) -> None:
    copied = dialect.xml.render_copied(TIME, "0a", None)
    part = dialect.xml.render_copied_part(TIME, "0a", None)

    assert dialect.xml.parse_copied(copied)[0] == TIME.replace(microsecond=7000)
    assert dialect.xml.parse_copied(part)[1].lower() == "0a"
    assert dialect.xml.parse_copied_part is not None
    assert dialect.xml.parse_copied_part(part).lower() == "0a"


def _page(**changes: object) -> PartsPage:
    values: dict[str, object] = {
        "bucket": "b",
        "key": "a b",
        "upload_id": "u",
        "marker": 0,
        "next_marker": 1,
        "most": 1,
        "truncated": True,
        "url_encoded": False,
        "parts": [PartView(number=1, last_modified=TIME, etag="ab", plaintext_size=5, checksum=CRC32, crc64=2**64 - 1)],
    }
    return PartsPage(**(values | changes))  # type: ignore[arg-type]  # a page for tests


def test_pages_of_parts() -> None:
    page = _page(checksum_algorithm=ChecksumAlgorithm.CRC32, checksum_type=ChecksumType.COMPOSITE, url_encoded=True)

    assert S3.xml.render_parts(page).decode() == (
        f'{HEAD}<ListPartsResult xmlns="{NS}"><Bucket>b</Bucket><Key>a b</Key><UploadId>u</UploadId>'
        "<PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>1</NextPartNumberMarker><MaxParts>1</MaxParts>"
        "<IsTruncated>true</IsTruncated><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>"
        "<ChecksumType>COMPOSITE</ChecksumType><Part><PartNumber>1</PartNumber>"
        "<LastModified>2019-04-09T03:45:32.007Z</LastModified><ETag>&quot;ab&quot;</ETag><Size>5</Size>"
        "<ChecksumCRC32>DUoRhQ==</ChecksumCRC32></Part></ListPartsResult>"
    )
    assert OSS.xml.render_parts(page).decode() == (
        f"{HEAD}<ListPartsResult><EncodingType>url</EncodingType><Bucket>b</Bucket><Key>a%20b</Key>"
        "<UploadId>u</UploadId><PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>1</NextPartNumberMarker>"
        "<MaxParts>1</MaxParts><IsTruncated>true</IsTruncated><Part><PartNumber>1</PartNumber>"
        "<LastModified>2019-04-09T03:45:32.007Z</LastModified><ETag>&quot;AB&quot;</ETag><Size>5</Size>"
        "<HashCrc64ecma>18446744073709551615</HashCrc64ecma></Part></ListPartsResult>"
    )


def test_pages_of_parts_tell_what_the_upload_said_of_the_clients_encryption() -> None:
    said = {"part-size": "112", "key": "K", "start": "S", "magic-number-hmac": "h", "cek-alg": "C", "wrap-alg": "W"}
    page = _page(client_encryption=said, parts=[])

    assert "ClientEncryption" not in S3.xml.render_parts(page).decode()
    _, _, shown = OSS.xml.render_parts(page).decode().partition("</IsTruncated>")
    assert shown == (
        "<ClientEncryptionKey>K</ClientEncryptionKey><ClientEncryptionStart>S</ClientEncryptionStart>"
        "<ClientEncryptionCekAlg>C</ClientEncryptionCekAlg><ClientEncryptionWrapAlg>W</ClientEncryptionWrapAlg>"
        "<ClientEncryptionPartSize>112</ClientEncryptionPartSize></ListPartsResult>"
    )


@BOTH
@pytest.mark.parametrize(
    ("changes", "marker"),
    [({}, 1), ({"truncated": False}, None), ({"next_marker": None}, 1), ({"parts": []}, None)],
)
def test_the_storages_parts_are_read_with_the_next_marker(
    dialect: Dialect, changes: Mapping[str, object], marker: int | None
) -> None:
    parts, found = dialect.xml.parse_parts(dialect.xml.render_parts(_page(**changes)))

    assert found == marker
    assert [(part.number, part.etag.lower(), part.plaintext_size) for part in parts] in ([(1, "ab", 5)], [])


@BOTH
@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        (UploadFacts(), ""),
        (UploadFacts(storage_class="IA"), "<StorageClass>IA</StorageClass>"),
        (
            UploadFacts(initiator=("1", "me & you"), owner=("2", None), storage_class="STANDARD"),
            "<Initiator><ID>1</ID><DisplayName>me &amp; you</DisplayName></Initiator><Owner><ID>2</ID></Owner>"
            "<StorageClass>STANDARD</StorageClass>",
        ),
    ],
    ids=["nothing", "class", "all"],
)
def test_whose_an_upload_is_is_told_as_the_storage_tells_it(dialect: Dialect, facts: UploadFacts, shown: str) -> None:
    page = dialect.xml.render_parts(_page(facts=facts))

    assert f"</UploadId>{shown}<PartNumberMarker>" in page.decode()
    assert dialect.xml.parse_upload_facts(page) == facts


@BOTH
@pytest.mark.parametrize("key", ["k", "a b", "<&>\"'", "a\nb\r\tc", "é漢😀", "\udcff\udcfe", "\x01\x1f"])
def test_every_key_gives_a_document_that_can_be_written(dialect: Dialect, key: str) -> None:
    document = dialect.xml.render_delete([key])

    assert b"<Quiet>true</Quiet><Object><Key>" in document
    if key.isprintable():
        found = fromstring(document).findtext(".//{*}Key")
        assert found == key


def test_control_characters_are_written_as_the_services_do() -> None:
    assert b"<Key>&#1;&#10;</Key>" in S3.xml.render_delete(["\x01\n"])


def test_the_documents_of_s3_have_a_namespace_and_those_of_oss_have_none() -> None:
    assert f'<Delete xmlns="{NS}">'.encode() in S3.xml.render_delete(["k"])
    assert b"<Delete>" in OSS.xml.render_delete(["k"])


@BOTH
@pytest.mark.parametrize(("right", "wrong"), [("2019-04-09T03:45:32.007Z", "yesterday"), ("<Size>5<", "<Size>five<")])
def test_a_value_that_cannot_be_read_is_the_storages_fault(dialect: Dialect, right: str, wrong: str) -> None:
    page = dialect.xml.render_parts(_page()).decode()

    with pytest.raises(UpstreamError):
        dialect.xml.parse_parts(page.replace(right, wrong).encode())
