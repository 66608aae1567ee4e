"""What a dialect is: names, limits, tables and a few functions. Data, not a class hierarchy.

Everything outside `sseproxy.dialect` reads these fields and never asks which dialect it serves.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto
from typing import NamedTuple

from sseproxy.errors import AccessRefused, RequestError, SseProxyError, UpstreamAnswered
from sseproxy.model import Algorithm, Checksum, ChecksumAlgorithm, ChecksumType, Suite


class Operation(Enum):
    """What a request asks for, told by method, level and sub-resource."""

    LIST_BUCKETS = auto()
    CREATE_BUCKET = auto()
    HEAD_BUCKET = auto()
    DELETE_BUCKET = auto()
    LIST_OBJECTS = auto()  # v1 and v2
    LIST_VERSIONS = auto()
    LIST_UPLOADS = auto()
    DELETE_OBJECTS = auto()
    GET_BUCKET_INFO = auto()  # OSS: GET ?bucketInfo, which names the default encryption
    GET_BUCKET_ENCRYPTION = auto()
    PUT_BUCKET_ENCRYPTION = auto()
    DELETE_BUCKET_ENCRYPTION = auto()
    PUT_OBJECT = auto()
    POST_OBJECT = auto()  # an HTML form; told on as a PutObject
    GET_OBJECT = auto()
    HEAD_OBJECT = auto()
    GET_OBJECT_META = auto()  # OSS: HEAD ?objectMeta
    DELETE_OBJECT = auto()
    COPY_OBJECT = auto()
    CREATE_UPLOAD = auto()
    APPEND_OBJECT = auto()  # OSS: POST ?append&position=
    UPLOAD_PART = auto()
    UPLOAD_PART_COPY = auto()
    COMPLETE_UPLOAD = auto()
    ABORT_UPLOAD = auto()
    LIST_PARTS = auto()
    GET_OBJECT_ATTRIBUTES = auto()
    UPDATE_ENCRYPTION = auto()  # S3: PUT ?encryption of an object
    PASS = auto()  # relayed byte for byte
    REFUSE = auto()  # would show or store ciphertext as if it were plaintext


class UnsatisfiableRange(Enum):
    """What a range outside the object gives."""

    REFUSE = auto()  # 416
    SEND_WHOLE_OBJECT = auto()  # 200, unless the request opts into the standard behaviour


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCode:
    """How an error is told. `message` None: the exception's own words, or `default` where it has none of its own."""

    code: str
    status: int
    message: str | None = None
    default: str | None = None


class CustomerKeyHeaders(NamedTuple):
    """The three headers that bring a client's own key, lower case."""

    algorithm: str
    key: str
    md5: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SseVocabulary:
    """The server-side-encryption headers of a dialect and the words in them."""

    algorithm_header: str
    key_id_header: str
    refused_headers: frozenset[str]  # lower case; SSE-C and whatever else this release does not do: openly refused
    algorithms: Mapping[str, Algorithm]
    words: Mapping[Algorithm, str]
    legal_on: frozenset[Operation]  # operations whose requests may carry the headers
    echoed_on: frozenset[Operation]  # operations whose responses carry them
    tolerated_on: frozenset[Operation] = frozenset()  # operations that ignore the headers instead of refusing them
    refused_words: frozenset[str] = frozenset()  # algorithms that exist, but not here: NotImplemented
    aliases: Mapping[str, str] = field(default_factory=dict)  # misspelled header, lower case -> the right one
    are_aliases_heard: bool = True  # else they are overlooked; refused they are never
    data_algorithm_header: str | None = None  # the cipher of KMS objects, where a client may name it
    data_algorithms: Mapping[str, Suite] = field(default_factory=dict)  # the words of that header
    default_key_inherited: bool = True  # KMS without a key id takes the bucket's key, else the default one
    bucket_key_header: str | None = None  # asks for fewer KMS calls
    context_header: str | None = None  # names of the client's that the wrap is bound to
    key_arn_prefix: str = ""  # what stands before "key/" and an id where a key is shown that has no ARN of its own
    key_id_needed: bool = False  # KMS without a key id is refused instead of using the default
    key_id_needs_kms: str = "A key id is only valid with KMS."  # what a key id without KMS is answered
    customer_key: CustomerKeyHeaders | None = None  # for the object itself; None: the dialect has no such keys
    source_customer_key: CustomerKeyHeaders | None = None  # for a copy's source
    customer_key_on: frozenset[Operation] = frozenset()  # operations that take such a key; others ignore it
    is_customer_key_completing: bool = False  # Complete needs the key of its upload, and tells of it
    default_key_alias: str  # the CMK for KMS without a key id, created on first use
    prefix: str  # every request header that starts with it is ours and never reaches the backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes in bytes."""

    smallest_part: int
    largest_stored_object: int  # what the backend takes in one PUT or part
    largest_copy: int  # what the backend copies in one request, stored size
    most_parts: int
    most_metadata: int  # names without prefix plus values
    longest_key: int
    most_listed: int = 1000
    longest_form: int = 20_480  # names and values of an HTML form in front of its file


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficLimit:
    """The header or parameter by which a client limits its own speed, and its bounds in bits per second."""

    name: str
    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SseRequest:
    """What a request said about its encryption."""

    algorithm: Algorithm
    key_id: str | None = None
    context: bytes = b""  # the encryption context: the very bytes of a JSON object of texts
    bucket_key: bool | None = None  # whether a bucket key may be used; None: not said
    customer_keys_blocked: bool | None = None  # of a bucket's rule: customers' keys are refused; None: not said
    suite: Suite = Suite.AES_256_GCM  # the cipher of the data


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedPart:
    """A line of a Complete request: the ETag without quotes, checksums as sent."""

    number: int
    etag: str
    checksums: Mapping[ChecksumAlgorithm, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartView:
    """A part as ListParts shows it."""

    number: int
    last_modified: datetime
    etag: str  # without quotes
    plaintext_size: int
    checksum: Checksum | None = None
    crc64: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadFacts:
    """What the storage's ListParts tells of the upload itself: owners as (id, name), None for what it does not tell."""

    initiator: tuple[str, str | None] | None = None
    owner: tuple[str, str | None] | None = None
    storage_class: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsPage:
    """A page of ListParts."""

    bucket: str
    key: str
    upload_id: str
    marker: int
    next_marker: int | None
    most: int
    truncated: bool
    url_encoded: bool
    parts: Sequence[PartView]
    facts: UploadFacts = UploadFacts()
    checksum_algorithm: ChecksumAlgorithm | None = None
    checksum_type: ChecksumType | None = None
    client_encryption: Mapping[str, str] = field(default_factory=dict)  # as `policy.client_encryption` names it


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPart:
    """A part of an object as GetObjectAttributes shows it."""

    number: int
    plaintext_size: int
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsOfObject:
    """The parts of an object that was uploaded in parts: their count, and a page of them where there is one."""

    count: int
    marker: int = 0
    next_marker: int = 0
    most: int = 0  # 0: nothing but the count is told
    truncated: bool = False
    parts: Sequence[ListedPart] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributesView:
    """What GetObjectAttributes tells; None for what was not asked for, or is not there."""

    etag: str | None = None  # without quotes
    checksum: Checksum | None = None
    parts: PartsOfObject | None = None
    storage_class: str | None = None
    size: int | None = None


@dataclass(slots=True, kw_only=True)
class ListedEntry:
    """An object in a backend's listing. `render_listing` shows what `size`, `etag`, `checksum` and `is_gone` say."""

    key: str  # decoded
    version_id: str | None
    stored_etag: str  # without quotes, as the backend gave it
    stored_size: int
    appendable: bool  # OSS listings name the type; other listings cannot tell: False
    size: int
    etag: str  # without quotes
    link: bool = False  # a symbolic link, which has no bytes of its own; OSS again
    checksum: Checksum | None = None
    last_modified: str = ""  # as the backend wrote it
    position: int = 0  # which element of the document this is
    places: tuple[tuple[str, int, int], ...] = ()  # tag, start and end of what `render_listing` changes
    place: tuple[int, int] = (0, 0)  # start and end of the whole
    is_gone: bool = False  # it is not there any more, and left out


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedUpload:
    """What the answer to Complete tells."""

    location: str
    bucket: str
    key: str
    etag: str  # without quotes
    url_encoded: bool
    checksum: Checksum | None = None
    part_count: int | None = None  # shown behind a COMPOSITE checksum


@dataclass(frozen=True, slots=True, kw_only=True)
class XmlShapes:
    """The documents of a dialect. All take and give bytes.

    Parsers of a client's document raise `MalformedXml` and other `RequestError`s, parsers of the storage's
    `UpstreamError`. ETags are passed without quotes; quoting is the document's business.
    """

    render_error: Callable[
        [ErrorCode, str, Mapping[str, str], str, str], bytes
    ]  # code, message, details, request id, host
    parse_error: Callable[[bytes], tuple[str, str, Mapping[str, str]]]  # code, message, details; ("", "", {}) if none
    parse_complete: Callable[[bytes], list[CompletedPart]]
    render_complete_request: Callable[[Sequence[tuple[int, str]]], bytes]  # towards the backend
    render_completed: Callable[[CompletedUpload], bytes]
    render_created_upload: Callable[[str, str, str, bool], bytes]  # bucket, key, upload id, url-encoded
    parse_created_upload: Callable[[bytes], str]  # the upload id
    render_copied: Callable[[datetime, str, Checksum | None], bytes]  # last modified, etag
    render_copied_part: Callable[[datetime, str, Checksum | None], bytes]
    parse_copied: Callable[[bytes], tuple[datetime, str]]  # also raises UpstreamAnswered for an <Error> under 200
    parse_copied_part: Callable[[bytes], str]  # its ETag; raises as `parse_copied` does
    parse_completed: Callable[
        [bytes], str
    ]  # the backend's Complete: its ETag, "" if none; UpstreamAnswered for <Error>
    render_parts: Callable[[PartsPage], bytes]
    parse_parts: Callable[
        [bytes], tuple[list[PartView], int | None]
    ]  # stored sizes and ETags; next marker if truncated
    parse_upload_facts: Callable[[bytes], UploadFacts]  # from the same document
    parse_listing: Callable[[bytes], list[ListedEntry]]  # objects v1, v2 and versions
    render_listing: Callable[[bytes, Sequence[ListedEntry]], bytes]  # the document again with what the entries say
    parse_keys: Callable[
        [bytes], tuple[list[tuple[str, int, datetime]], str | None]
    ]  # our own state listing: key, size, time; next token
    hide_bucket: Callable[[bytes, str], bytes]  # ListBuckets without one name
    parse_bucket_encryption: Callable[[bytes], SseRequest]
    render_bucket_encryption: Callable[[SseRequest], bytes]
    render_bucket_info: Callable[[bytes, SseRequest | None], bytes] | None = None
    # ^ the storage's GetBucketInfo with our rule; None: the dialect has no such document
    render_delete: Callable[[Sequence[str]], bytes]  # DeleteObjects towards the backend, quiet
    render_attributes: Callable[[AttributesView], bytes] | None = None  # GetObjectAttributes, where there is one
    parse_object_encryption: Callable[[bytes], SseRequest] | None = None  # UpdateObjectEncryption, where there is one


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """A wire dialect."""

    name: str  # "s3" | "oss": for configuration and logs, never for a decision
    header_prefix: str  # "x-amz-"
    sse: SseVocabulary
    limits: Limits
    errors: Mapping[type[SseProxyError], ErrorCode]
    xml: XmlShapes
    route: Callable[[str, str | None, str | None, Mapping[str, str], Mapping[str, str]], Operation]
    # ^ method, bucket, key, decoded query, headers
    refusal: Callable[[str, str | None, str | None, Mapping[str, str], Mapping[str, str]], RequestError]
    # ^ why `route` said REFUSE, in the client's words
    check_names: Callable[[str | None, str | None], None]  # bucket, key; raises what is wrong with them
    kms_default_etag_opaque: bool  # whether KMS objects get an opaque ETag unless configured otherwise
    etag_upper_case: bool
    single_put_md5_header: bool  # Content-MD5 in answers for objects written in one request
    crc64_header: str | None  # where the plaintext's CRC-64/XZ is shown, None: nowhere
    checksum_headers: bool  # x-amz-checksum-*: parse, verify, show
    unsatisfiable_range: UnsatisfiableRange
    range_behavior_header: tuple[str, str] | None  # (name, value) that opts into standard ranges
    object_type_header: str | None  # "x-oss-object-type"
    object_types: Mapping[str, str]  # layout value -> type word
    default_content_type: str | None
    chunked_upload_allowed: bool  # bodies without an announced length
    request_id_header: str
    error_in_head_header: str | None  # where HEAD errors carry the document (base64)
    answer_headers: Mapping[str, str]  # on every answer we make ourselves, e.g. Server
    http_date_in_answers: bool = True
    host_id_header: str | None = None  # names the process that answered, also as `HostId`; None: `HostId` is the host
    server_time_header: str | None = None  # how many milliseconds the answer took
    copy_onto_itself_replaces: bool = False  # metadata is replaced whatever the directive says; never an illegal copy
    copy_answers_not_modified: bool = False  # a copy whose source is not modified gives 304, else 412
    only_if_new_header: tuple[str, str] = ("If-None-Match", "*")  # a PUT with it never replaces an object
    replaces_if_match: bool = True  # whether a PUT or copy with If-Match replaces the object that it names alone
    object_acl_header: str | None = None  # what keeps an ACL in a copy onto itself; None: a copy never keeps it
    told_as: Mapping[type[RequestError | AccessRefused], type[RequestError]] = field(default_factory=dict)
    # ^ errors that this dialect's clients expect as others
    variants: Mapping[str, Callable[["Dialect"], "Dialect"]] = field(default_factory=dict)  # by `encryption.compat`
    complete_all_header: tuple[str, str] | None = None  # a Complete with it lists nothing and means every part
    uncovered_form_fields: frozenset[str] | None = None  # need no condition in a form's policy; None: none needs one
    refused_form_fields: frozenset[str] = frozenset()  # behind `header_prefix`: headers that no form may bring
    form_takes_type_of_file: bool = False  # the file part's own Content-Type wins over the form's
    form_hears_encryption_headers: bool = False  # those of the POST itself count where no field says anything
    client_encryption_checked: bool = False  # what clients say of an encryption of their own must fit together
    traffic_limit: TrafficLimit | None = None  # None: clients cannot limit their speed
    default_encryption_shown: bool = False  # GET ?encryption of a bucket without a rule: the default, else 404

    def header(self, name: str) -> str:
        """Return a header's full name: `header("copy-source")` is `x-amz-copy-source`."""
        return self.header_prefix + name

    @property
    def meta_prefix(self) -> str:
        """The prefix of user metadata."""
        return self.header_prefix + "meta-"

    @property
    def envelope_header(self) -> str:
        """Where the envelope travels (docs/format.md, "Envelope")."""
        return self.meta_prefix + "sseproxy"

    def show_etag(self, etag: str) -> str:
        """Return an ETag as this dialect's headers show it: quoted, in its case."""
        return f'"{etag.upper() if self.etag_upper_case else etag}"'

    def error_code(self, error: SseProxyError) -> ErrorCode:
        """Find the code for an error along its class hierarchy; total, because the root has one.

        What the storage answered keeps its own code and status.
        """
        if isinstance(error, UpstreamAnswered):
            return ErrorCode(code=error.code, status=error.status)
        for cls in type(error).__mro__:
            if cls in self.errors:
                code = self.errors[cls]
                is_own = code.default is None or error.message != error.default
                return code if is_own else replace(code, message=code.default)
        raise AssertionError(f"{self.name} has no code for SseProxyError")
