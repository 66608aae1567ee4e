"""The Alibaba OSS dialect: header names, words, limits and error codes (OSS dossier §1, §3.4, §6)."""

from sseproxy import errors as e
from sseproxy.dialect.base import (
    Dialect,
    ErrorCode,
    Limits,
    Operation,
    SseVocabulary,
    TrafficLimit,
    UnsatisfiableRange,
)
from sseproxy.dialect.names import check_oss_names
from sseproxy.dialect.oss_routes import OSS_ROUTES
from sseproxy.dialect.oss_xml import OSS_XML
from sseproxy.model import Algorithm, Layout, Suite

_KIB, _GIB = 1 << 10, 1 << 30
_SSE = "x-oss-server-side-encryption"
_MISSPELLED = "x-oss-server-side-encrpytion"  # in the wild since the old documents had it (OSS dossier §1.2)
_COPY_SSE = "x-oss-copy-source-server-side-encryption"


def _code(code: str, status: int = 400, message: str | None = None, *, default: str | None = None) -> ErrorCode:
    return ErrorCode(code=code, status=status, message=message, default=default)


_VOCABULARY = SseVocabulary(
    algorithm_header=_SSE,
    key_id_header=f"{_SSE}-key-id",
    refused_headers=frozenset({
        f"{_SSE}-context",
        f"{_SSE}-customer-algorithm",
        f"{_SSE}-customer-key",
        f"{_SSE}-customer-key-md5",
        f"{_COPY_SSE}-customer-algorithm",
        f"{_COPY_SSE}-customer-key",
        f"{_COPY_SSE}-customer-key-md5",
    }),
    algorithms={"AES256": Algorithm.AES256, "KMS": Algorithm.KMS, "SM4": Algorithm.SM4},
    words={Algorithm.AES256: "AES256", Algorithm.KMS: "KMS", Algorithm.SM4: "SM4"},
    legal_on=frozenset({
        Operation.PUT_OBJECT,
        Operation.COPY_OBJECT,
        Operation.CREATE_UPLOAD,
        Operation.APPEND_OBJECT,  # where they count for the first append
        Operation.CREATE_BUCKET,  # where they set the bucket's default
    }),
    echoed_on=frozenset({
        Operation.PUT_OBJECT,
        Operation.COPY_OBJECT,
        Operation.CREATE_UPLOAD,
        Operation.APPEND_OBJECT,
        Operation.UPLOAD_PART,
        Operation.UPLOAD_PART_COPY,
        Operation.COMPLETE_UPLOAD,
        Operation.GET_OBJECT,
        Operation.HEAD_OBJECT,
    }),
    aliases={_MISSPELLED: _SSE, f"{_MISSPELLED}-key-id": f"{_SSE}-key-id"},
    data_algorithm_header="x-oss-server-side-data-encryption",
    data_algorithms={"SM4": Suite.SM4_GCM},
    default_key_inherited=False,  # OSS dossier §1.1: without a key id, the default CMK
    key_id_needs_kms=f"{_SSE}-key-id is not applicable if the sse algorithm is not KMS",
    default_key_alias="alias/acs/oss",
    prefix="x-oss-server-side-",
)  # fmt: skip

_ERRORS: dict[type[e.SseProxyError], ErrorCode] = {
    e.SseProxyError: _code("InternalError", 500),
    e.RequestError: _code("InvalidRequest"),
    e.InvalidArgument: _code("InvalidArgument"),
    e.InvalidRequest: _code("InvalidRequest"),
    e.UnsupportedFeature: _code(
        "NotImplemented", default="A header you provided implies functionality that is not implemented."
    ),
    e.MethodNotAllowed: _code("MethodNotAllowed", 405),
    e.MalformedXml: _code(
        "MalformedXML",
        default="The XML you provided was not well-formed or did not validate against our published schema.",
    ),
    e.MalformedPath: _code("InvalidObjectName"),
    e.InvalidBucketName: _code("InvalidBucketName"),
    e.KeyTooLong: _code("InvalidObjectName", 400, e.InvalidObjectName.default),
    e.InvalidObjectName: _code("InvalidObjectName"),
    e.MetadataTooLarge: _code("InvalidArgument"),
    e.EntityTooLarge: _code("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size."),
    e.CopySourceTooLarge: _code("EntityTooLarge", 400, "Source object Length exceeds the maximum allowed size."),
    e.EntityTooSmall: _code("EntityTooSmall", 400, "Your proposed upload smaller than the minimum allowed size."),
    e.MissingContentLength: _code("MissingContentLength", 411),
    e.IncompleteBody: _code(
        "IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header."
    ),
    e.RequestTimeout: _code("RequestTimeout"),
    e.BodyTooLarge: _code("EntityTooLarge"),
    e.UnknownAlgorithm: _code(
        "InvalidEncryptionAlgorithmError",
        400,
        "The Encryption request you specified is not valid. Supported value: AES256/SM4/KMS.",
    ),
    e.UnknownDataAlgorithm: _code("InvalidDataEncryptionAlgorithmError"),
    e.CipherUnavailable: _code("InvalidArgument"),
    e.UnknownCustomerAlgorithm: _code("InvalidEncryptionAlgorithmError"),
    e.CustomerKeyNeeded: _code("InvalidRequest"),
    e.CustomerKeyNotApplicable: _code("InvalidRequest"),
    e.SseNotAllowedHere: _code(
        "InvalidArgument", 400, "x-oss-server-side-encryption header is not supported for this operation."
    ),
    e.ClientEncryptionInvalid: _code("InvalidEncryptionRequest"),
    e.InvalidPolicy: _code("InvalidPolicyDocument"),
    e.MalformedForm: _code("MalformedPOSTRequest"),
    e.FormTooLong: _code("MaxPOSTPreDataLengthExceededError"),
    e.FieldTooLong: _code("FieldItemTooLong"),
    e.FormExpected: _code("RequestIsNotMultiPartContent"),
    e.NoFileInForm: _code("IncorrectNumberOfFilesInPOSTRequest"),
    e.InvalidDigest: _code("InvalidDigest"),
    e.DigestMismatch: _code("InvalidDigest", 400, e.InvalidDigest.default),
    e.MalformedChecksum: _code("InvalidRequest"),
    e.ChecksumMismatch: _code("InvalidDigest"),
    e.CrcMismatch: _code("InvalidCRC64"),
    e.PayloadHashMismatch: _code("InvalidDigest"),
    e.MalformedTrailer: _code("InvalidArgument"),
    e.InvalidChunkSize: _code("InvalidArgument"),
    e.InvalidPart: _code(
        "InvalidPart",
        400,
        "One or more of the specified parts could not be found or the specified entity tag might not have matched "
        "the part's entity tag.",
    ),
    e.InvalidPartNumber: _code(
        "InvalidArgument", 400, "Part number must be an integer between 1 and 10000, inclusive."
    ),
    e.NoParts: _code("MalformedXML"),
    e.InvalidPartOrder: _code("InvalidPartOrder", 400, "The list of parts was not in ascending order."),
    e.NotFound: _code("NoSuchKey", 404),
    e.NoSuchBucket: _code("NoSuchBucket", 404, "The specified bucket does not exist."),
    e.NoSuchKey: _code("NoSuchKey", 404),
    e.NoBucketEncryption: _code(
        "NoSuchServerSideEncryptionRule", 404, "The server side encryption configuration was not found."
    ),
    e.NoSuchUpload: _code("NoSuchUpload", 404),
    e.RangeNotSatisfiable: _code("InvalidRange", 416, "The requested range cannot be satisfied"),
    e.PartNumberNotSatisfiable: _code("InvalidRange", 416),
    e.PreconditionFailed: _code(
        "PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold."
    ),
    e.PositionNotEqualToLength: _code("PositionNotEqualToLength", 409),
    e.ObjectNotAppendable: _code("ObjectNotAppendable", 409),
    e.AuthenticationMalformed: _code("InvalidArgument"),
    e.AuthenticationQueryMalformed: _code("AccessDenied", 403),
    e.SecurityTokenRejected: _code("InvalidSecurityToken", 403, "The security token you provided is invalid."),
    e.SecurityTokenEnded: _code("SecurityTokenExpired", 403, "The security token you provided has expired."),
    e.AccessRefused: _code("AccessDenied", 403),
    e.AnonymousRefused: _code("AccessDenied", 403, "Anonymous user has no right to access this bucket."),
    e.InsecureTransport: _code("AccessDenied", 403, "Access denied by bucket policy."),
    e.WrongCustomerKey: _code("AccessDenied", 403),
    e.UnknownAccessKey: _code(
        "InvalidAccessKeyId", 403, "The OSS Access Key Id you provided does not exist in our records."
    ),
    e.SignatureMismatch: _code("SignatureDoesNotMatch", 403),
    e.ClockSkewed: _code("RequestTimeTooSkewed", 403),
    e.SignatureExpired: _code("AccessDenied", 403, "Request has expired."),
    e.HeadersNotSigned: _code("AccessDenied", 403),
    e.WrongDialect: _code("AccessDenied", 403),
    e.IntegrityError: _code("InternalError", 500),
    e.EnvelopeRejected: _code("InternalError", 500),
    e.CommitmentMismatch: _code("InternalError", 500),
    e.WrongPlace: _code("InternalError", 500),
    e.BindingRefused: _code("InternalError", 500),
    e.FooterRejected: _code("InternalError", 500),
    e.FrameRejected: _code("InternalError", 500),
    e.SegmentTruncated: _code("InternalError", 500),
    e.MetadataLost: _code("InternalError", 500),
    e.StateRejected: _code("InternalError", 500),
    e.KeyServiceError: _code("InternalError", 500),
    e.KeyServiceUnavailable: _code("ServiceUnavailable", 503),
    e.KeyServiceBusy: _code("ServiceUnavailable", 503),
    e.KeyNotFound: _code("KeyNotFound", 404, e.KeyNotFound.default),
    e.AliasNotFound: _code("AliasNotFound", 404, e.AliasNotFound.default),
    e.KeyStateRefused: _code("KeyDisabled", 409),
    e.KeyDisabled: _code("KeyDisabled", 409, e.KeyDisabled.default),
    e.KeyPendingDeletion: _code("KeyPendingDeletion", 409, e.KeyPendingDeletion.default),
    e.KeyPendingImport: _code("KeyPendingImport", 409, e.KeyPendingImport.default),
    e.KeyNotApplicable: _code("InvalidParameter", 400, e.KeyNotApplicable.default),
    e.KeyAccessRefused: _code("AccessDenied", 403),
    e.KeyServiceNotEnabled: _code("KmsServiceNotEnabled", 403),
    e.KeyServiceInDebt: _code("KmsInDebt", 403),
    e.KeyServiceOverdue: _code("KmsInDebtOverdue", 403),
    e.WrappedKeyRejected: _code("InternalError", 500),
    e.UpstreamError: _code("InternalError", 500),
    e.UpstreamUnavailable: _code("ServiceUnavailable", 503),
    e.UpstreamAnswered: _code("InternalError", 500),  # carries its own; see Dialect.error_code
    e.Overloaded: _code("ServiceUnavailable", 503),
    e.ConfigurationError: _code("InternalError", 500, e.SseProxyError.default),
}

OSS = Dialect(
    name="oss",
    only_if_new_header=("x-oss-forbid-overwrite", "true"),
    replaces_if_match=False,
    header_prefix="x-oss-",
    sse=_VOCABULARY,
    limits=Limits(
        smallest_part=100 * _KIB,
        largest_stored_object=5 * _GIB,
        largest_copy=1_000_000_000,  # the smallest that the documents name (OSS dossier §1.6)
        most_parts=10_000,
        most_metadata=8 * _KIB,
        longest_key=1023,
        longest_form=131_072,  # the service takes 2 MB of values, unsigned as they are
    ),
    errors=_ERRORS,
    xml=OSS_XML,
    route=OSS_ROUTES.route,
    refusal=OSS_ROUTES.refusal,
    check_names=check_oss_names,
    kms_default_etag_opaque=False,
    etag_upper_case=True,
    single_put_md5_header=True,
    crc64_header="x-oss-hash-crc64ecma",
    checksum_headers=False,
    unsatisfiable_range=UnsatisfiableRange.SEND_WHOLE_OBJECT,
    range_behavior_header=("x-oss-range-behavior", "standard"),
    object_type_header="x-oss-object-type",
    object_types={
        Layout.SINGLE.value: "Normal",
        Layout.MULTIPART.value: "Multipart",
        Layout.APPEND.value: "Appendable",
    },
    default_content_type="application/octet-stream",
    chunked_upload_allowed=True,
    request_id_header="x-oss-request-id",
    server_time_header="x-oss-server-time",
    error_in_head_header="x-oss-err",
    answer_headers={"Server": "AliyunOSS"},
    copy_onto_itself_replaces=True,
    object_acl_header="x-oss-object-acl",
    copy_answers_not_modified=True,
    complete_all_header=("x-oss-complete-all", "yes"),
    refused_form_fields=frozenset({"tagging"}),
    form_takes_type_of_file=True,
    form_hears_encryption_headers=True,
    traffic_limit=TrafficLimit(name="x-oss-traffic-limit", least=819_200, most=838_860_800),  # OSS dossier §3.4
    client_encryption_checked=True,
)
