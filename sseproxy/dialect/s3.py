"""The S3 dialect: header names, words, limits and error codes (S3 dossier §1, §3.8, §7.1, §11)."""

from sseproxy import errors as e
from sseproxy.dialect.base import (
    CustomerKeyHeaders,
    Dialect,
    ErrorCode,
    Limits,
    Operation,
    SseVocabulary,
    UnsatisfiableRange,
)
from sseproxy.dialect.names import check_s3_names
from sseproxy.dialect.s3_ceph import as_ceph
from sseproxy.dialect.s3_routes import S3_ROUTES
from sseproxy.dialect.s3_xml import S3_XML
from sseproxy.model import Algorithm

_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30
_SSE = "x-amz-server-side-encryption"
_COPY_SSE = "x-amz-copy-source-server-side-encryption"


def _code(code: str, status: int = 400, message: str | None = None) -> ErrorCode:
    return ErrorCode(code=code, status=status, message=message)


def _customer_key_headers(prefix: str) -> CustomerKeyHeaders:
    return CustomerKeyHeaders(f"{prefix}-customer-algorithm", f"{prefix}-customer-key", f"{prefix}-customer-key-md5")


_VOCABULARY = SseVocabulary(
    algorithm_header=_SSE,
    key_id_header=f"{_SSE}-aws-kms-key-id",
    refused_headers=frozenset(),
    algorithms={"AES256": Algorithm.AES256, "aws:kms": Algorithm.KMS},
    words={Algorithm.AES256: "AES256", Algorithm.KMS: "aws:kms"},
    legal_on=frozenset({Operation.PUT_OBJECT, Operation.COPY_OBJECT, Operation.CREATE_UPLOAD}),
    echoed_on=frozenset({
        Operation.PUT_OBJECT,
        Operation.COPY_OBJECT,
        Operation.CREATE_UPLOAD,
        Operation.UPLOAD_PART,
        Operation.UPLOAD_PART_COPY,
        Operation.COMPLETE_UPLOAD,
        Operation.GET_OBJECT,
        Operation.HEAD_OBJECT,
    }),
    tolerated_on=frozenset({Operation.UPLOAD_PART, Operation.UPLOAD_PART_COPY, Operation.COMPLETE_UPLOAD}),
    refused_words=frozenset({"aws:kms:dsse"}),
    bucket_key_header=f"{_SSE}-bucket-key-enabled",
    context_header=f"{_SSE}-context",
    key_arn_prefix="arn:aws:kms:::",
    key_id_needs_kms=(
        "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms"
    ),
    customer_key=_customer_key_headers(_SSE),
    source_customer_key=_customer_key_headers(_COPY_SSE),
    customer_key_on=frozenset({
        Operation.PUT_OBJECT,
        Operation.COPY_OBJECT,
        Operation.CREATE_UPLOAD,
        Operation.UPLOAD_PART,
        Operation.UPLOAD_PART_COPY,
        Operation.COMPLETE_UPLOAD,
        Operation.LIST_PARTS,
        Operation.GET_OBJECT,
        Operation.HEAD_OBJECT,
        Operation.GET_OBJECT_ATTRIBUTES,
    }),
    default_key_alias="alias/aws/s3",
    prefix=_SSE,
)  # fmt: skip

_ERRORS: dict[type[e.SseProxyError], ErrorCode] = {
    e.SseProxyError: _code("InternalError", 500),
    e.RequestError: _code("InvalidRequest"),
    e.InvalidArgument: _code("InvalidArgument"),
    e.InvalidRequest: _code("InvalidRequest"),
    e.ClientEncryptionInvalid: _code("InvalidRequest"),
    e.UnsupportedFeature: _code("NotImplemented", 501),
    e.MethodNotAllowed: _code("MethodNotAllowed", 405),
    e.MalformedXml: _code("MalformedXML"),
    e.MalformedPath: _code("InvalidURI"),
    e.InvalidBucketName: _code("InvalidBucketName"),
    e.KeyTooLong: _code("KeyTooLongError"),
    e.InvalidObjectName: _code("InvalidRequest"),
    e.MetadataTooLarge: _code("MetadataTooLarge"),
    e.EntityTooLarge: _code("EntityTooLarge"),
    e.EntityTooSmall: _code("EntityTooSmall"),
    e.MissingContentLength: _code("MissingContentLength", 411),
    e.IncompleteBody: _code("IncompleteBody"),
    e.RequestTimeout: _code("RequestTimeout"),
    e.BodyTooLarge: _code("MaxMessageLengthExceeded"),
    e.UnknownAlgorithm: _code("InvalidArgument", 400, "The encryption method specified is not supported"),
    e.UnknownDataAlgorithm: _code("InvalidArgument"),
    e.CipherUnavailable: _code("NotImplemented", 501, "The object is sealed with SM4-GCM, which this host cannot do."),
    e.UnknownCustomerAlgorithm: _code("InvalidEncryptionAlgorithmError"),
    e.CustomerKeyNeeded: _code("InvalidRequest"),
    e.CustomerKeyNotApplicable: _code("InvalidRequest"),
    e.SseNotAllowedHere: _code(
        "InvalidArgument", 400, "x-amz-server-side-encryption header is not supported for this operation."
    ),
    e.InvalidPolicy: _code("InvalidPolicyDocument"),
    e.MalformedForm: _code("MalformedPOSTRequest"),
    e.FormTooLong: _code("MaxPostPreDataLengthExceededError"),
    e.FormExpected: _code("PreconditionFailed", 412, e.PreconditionFailed.default),
    e.NoFileInForm: _code("InvalidArgument"),
    e.InvalidDigest: _code("InvalidDigest"),
    e.DigestMismatch: _code("BadDigest"),
    e.MalformedChecksum: _code("InvalidRequest"),
    e.ChecksumMismatch: _code("BadDigest"),
    e.CrcMismatch: _code("BadDigest"),
    e.PayloadHashMismatch: _code("XAmzContentSHA256Mismatch"),
    e.MalformedTrailer: _code("MalformedTrailerError"),
    e.InvalidChunkSize: _code("InvalidChunkSizeError"),
    e.InvalidPart: _code("InvalidPart"),
    e.NoParts: _code("InvalidRequest"),
    e.InvalidPartOrder: _code("InvalidPartOrder"),
    e.NotFound: _code("NoSuchKey", 404),
    e.NoSuchBucket: _code("NoSuchBucket", 404),
    e.NoSuchKey: _code("NoSuchKey", 404),
    e.NoBucketEncryption: _code("ServerSideEncryptionConfigurationNotFoundError", 404),
    e.NoSuchUpload: _code("NoSuchUpload", 404),
    e.RangeNotSatisfiable: _code("InvalidRange", 416),
    e.PartNumberNotSatisfiable: _code("InvalidPartNumber", 416),
    e.PreconditionFailed: _code("PreconditionFailed", 412),
    e.PositionNotEqualToLength: _code("PositionNotEqualToLength", 409),
    e.ObjectNotAppendable: _code("ObjectNotAppendable", 409),
    e.AuthenticationMalformed: _code("AuthorizationHeaderMalformed"),
    e.AuthenticationQueryMalformed: _code("AuthorizationQueryParametersError"),
    e.SecurityTokenRejected: _code("InvalidToken"),
    e.SecurityTokenEnded: _code("ExpiredToken"),
    e.AccessRefused: _code("AccessDenied", 403),
    e.InsecureTransport: _code("AccessDenied", 403),
    e.WrongCustomerKey: _code("AccessDenied", 403),
    e.UnknownAccessKey: _code("InvalidAccessKeyId", 403),
    e.SignatureMismatch: _code("SignatureDoesNotMatch", 403),
    e.ClockSkewed: _code("RequestTimeTooSkewed", 403),
    e.SignatureExpired: _code("AccessDenied", 403),
    e.HeadersNotSigned: _code("AccessDenied", 403),
    e.WrongDialect: _code("AccessDenied", 403),
    # Stored bytes that are not what was sealed are nobody's fault but the storage's: the message says what is wrong.
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
    e.KeyServiceBusy: _code("SlowDown", 503),
    e.KeyNotFound: _code("KMS.NotFoundException"),
    e.AliasNotFound: _code("KMS.NotFoundException"),
    e.KeyStateRefused: _code("KMS.KMSInvalidStateException"),
    e.KeyDisabled: _code("KMS.DisabledException"),
    e.KeyPendingDeletion: _code("KMS.KMSInvalidStateException"),
    e.KeyPendingImport: _code("KMS.KMSInvalidStateException"),
    e.KeyNotApplicable: _code("KMS.InvalidKeyUsageException"),
    e.KeyAccessRefused: _code("AccessDenied", 403),
    e.WrappedKeyRejected: _code("InternalError", 500),
    e.UpstreamError: _code("InternalError", 500),
    e.UpstreamUnavailable: _code("ServiceUnavailable", 503),
    e.UpstreamAnswered: _code("InternalError", 500),  # carries its own; see Dialect.error_code
    e.Overloaded: _code("SlowDown", 503),
    e.ConfigurationError: _code("InternalError", 500, e.SseProxyError.default),
}

S3 = Dialect(
    name="s3",
    header_prefix="x-amz-",
    sse=_VOCABULARY,
    limits=Limits(
        smallest_part=5 * _MIB,
        largest_stored_object=5 * _GIB,
        largest_copy=5 * _GIB,
        most_parts=10_000,
        most_metadata=2 * _KIB,
        longest_key=1024,
    ),
    errors=_ERRORS,
    xml=S3_XML,
    route=S3_ROUTES.route,
    refusal=S3_ROUTES.refusal,
    check_names=check_s3_names,
    kms_default_etag_opaque=True,
    etag_upper_case=False,
    single_put_md5_header=False,
    crc64_header=None,
    checksum_headers=True,
    unsatisfiable_range=UnsatisfiableRange.REFUSE,
    range_behavior_header=None,
    object_type_header=None,
    object_types={},
    default_content_type="binary/octet-stream",
    chunked_upload_allowed=False,
    request_id_header="x-amz-request-id",
    host_id_header="x-amz-id-2",
    error_in_head_header=None,
    answer_headers={"Server": "AmazonS3"},
    default_encryption_shown=True,
    uncovered_form_fields=frozenset({"awsaccesskeyid", "bucket", "policy", "signature", "x-amz-signature"}),
    variants={"ceph": as_ceph},
)
