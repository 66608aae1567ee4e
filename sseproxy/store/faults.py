"""What the store answers when it refuses: a neutral name, told in the words of the request's dialect.

The names are the codes of S3; `OSS_CODES` says where OSS has another status, code or text (S3 dossier §11,
OSS dossier §3.4). A name without an entry in either table is a mistake in this package and raises `KeyError`.
"""

from collections.abc import Mapping
from dataclasses import dataclass


class Fault(Exception):
    """A refusal. `details` become elements of the error document, `headers` headers of the answer."""

    def __init__(
        self,
        name: str,
        message: str | None = None,
        /,
        *,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.message = message
        self.details = dict(details or {})
        self.headers = dict(headers or {})
        super().__init__(message or name)


@dataclass(frozen=True, slots=True)
class Code:
    """How a fault looks on the wire."""

    status: int
    code: str
    message: str


def _table(rows: Mapping[str, tuple[int, str]]) -> dict[str, Code]:
    return {name: Code(status, name, message) for name, (status, message) in rows.items()}


_CALLED_OTHERWISE: Mapping[str, Code] = {  # what S3 and OSS have no name in common for
    "InvalidVersionId": Code(400, "InvalidArgument", "Invalid version id specified"),
    "NoDigest": Code(
        400, "InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"
    ),
}

S3_CODES: Mapping[str, Code] = {**_CALLED_OTHERWISE} | _table(
    {
        "AccessDenied": (403, "Access Denied"),
        "AuthorizationHeaderMalformed": (400, "The authorization header is malformed."),
        "AuthorizationQueryParametersError": (400, "Query-string authentication parameters are not valid."),
        "BadDigest": (400, "The Content-MD5 you specified did not match what we received."),
        "BadRequest": (400, "The request is not well-formed."),
        "BucketAlreadyOwnedByYou": (
            409,
            "Your previous request to create the named bucket succeeded and you already own it.",
        ),
        "BucketNotEmpty": (409, "The bucket you tried to delete is not empty"),
        "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size"),
        "EntityTooSmall": (400, "Your proposed upload is smaller than the minimum allowed size"),
        "FileAlreadyExists": (409, "The object you specified already exists and can not be overwritten."),
        "IllegalVersioningConfigurationException": (
            400,
            "The versioning configuration specified in the request is invalid.",
        ),
        "IncompleteBody": (
            400,
            "You did not provide the number of bytes specified by the Content-Length HTTP header",
        ),
        "InternalError": (500, "We encountered an internal error. Please try again."),
        "InvalidAccessKeyId": (403, "The AWS Access Key Id you provided does not exist in our records."),
        "InvalidArgument": (400, "Invalid Argument"),
        "InvalidBucketName": (400, "The specified bucket is not valid."),
        "InvalidCRC64": (400, "The x-oss-hash-crc64ecma you specified does not match what we calculated."),
        "InvalidChunkSizeError": (400, "Only the last chunk is allowed to have a size less than 8192 bytes"),
        "InvalidDigest": (400, "The Content-MD5 you specified was invalid."),
        "InvalidObjectName": (400, "The specified object is not valid."),
        "InvalidObjectState": (403, "Restore is not allowed for the object's current storage class"),
        "InvalidPart": (
            400,
            "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
            "specified entity tag may not match the part's entity tag.",
        ),
        "InvalidPartNumber": (416, "The requested partnumber is not satisfiable"),
        "InvalidPartOrder": (
            400,
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        ),
        "InvalidRange": (416, "The requested range is not satisfiable"),
        "InvalidRequest": (400, "Invalid Request"),
        "InvalidStorageClass": (400, "The storage class you specified is not valid"),
        "InvalidTag": (400, "The tag provided was not a valid tag."),
        "InvalidTargetType": (400, "The symbolic's target file type is invalid."),
        "InvalidURI": (400, "Couldn't parse the specified URI."),
        "KeyTooLongError": (400, "Your key is too long"),
        "MalformedACLError": (
            400,
            "The XML you provided was not well-formed or did not validate against our published schema",
        ),
        "MalformedTrailerError": (
            400,
            "The request contained trailing data that was not well-formed or did not conform to our published schema.",
        ),
        "MalformedXML": (
            400,
            "The XML you provided was not well-formed or did not validate against our published schema",
        ),
        "MaxMessageLengthExceeded": (400, "Your request was too big."),
        "MetadataTooLarge": (400, "Your metadata headers exceed the maximum allowed metadata size"),
        "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
        "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
        "NoSuchBucket": (404, "The specified bucket does not exist"),
        "NoSuchBucketPolicy": (404, "The bucket policy does not exist"),
        "NoSuchCORSConfiguration": (404, "The CORS configuration does not exist"),
        "NoSuchKey": (404, "The specified key does not exist."),
        "NoSuchLifecycleConfiguration": (404, "The lifecycle configuration does not exist"),
        "NoSuchPublicAccessBlockConfiguration": (404, "The public access block configuration was not found"),
        "NoSuchTagSet": (404, "The TagSet does not exist"),
        "NoSuchUpload": (
            404,
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
            "aborted or completed.",
        ),
        "NoSuchVersion": (404, "The specified version does not exist."),
        "NoSuchWebsiteConfiguration": (404, "The specified bucket does not have a website configuration"),
        "NotImplemented": (501, "A header you provided implies functionality that is not implemented"),
        "NotSymlink": (400, "The object is not symlink"),
        "ObjectNotAppendable": (409, "The object is not appendable."),
        "ObjectLockConfigurationNotFoundError": (404, "Object Lock configuration does not exist for this bucket"),
        "OwnershipControlsNotFoundError": (404, "The bucket ownership controls were not found"),
        "PositionNotEqualToLength": (409, "Position is not equal to file length"),
        "PreconditionFailed": (412, "At least one of the pre-conditions you specified did not hold"),
        "ReplicationConfigurationNotFoundError": (404, "The replication configuration was not found"),
        "RequestTimeTooSkewed": (
            403,
            "The difference between the request time and the current time is too large.",
        ),
        "RequestTimeout": (
            400,
            "Your socket connection to the server was not read from or written to within the timeout period. "
            "Idle connections will be closed.",
        ),
        "ServerSideEncryptionConfigurationNotFoundError": (
            404,
            "The server side encryption configuration was not found",
        ),
        "SignatureDoesNotMatch": (
            403,
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
        ),
        "SymlinkTargetNotExist": (404, "The symlink target object does not exist."),
        "XAmzContentSHA256Mismatch": (
            400,
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ),
    }
)

OSS_CODES: Mapping[str, Code] = {
    **S3_CODES,
    "AccessDenied": Code(403, "AccessDenied", "AccessDenied"),
    "AuthorizationHeaderMalformed": Code(400, "InvalidArgument", "Authorization header is invalid."),
    "AuthorizationQueryParametersError": Code(
        403,
        "AccessDenied",
        "Query string authentication requires the Signature, Expires and OSSAccessKeyId parameters.",
    ),
    "BadDigest": Code(400, "InvalidDigest", "The Content-MD5 you specified was invalid."),
    "BucketNotEmpty": Code(409, "BucketNotEmpty", "The bucket you tried to delete is not empty."),
    "EntityTooSmall": Code(400, "EntityTooSmall", "Your proposed upload smaller than the minimum allowed size."),
    "IllegalVersioningConfigurationException": Code(
        400,
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema.",
    ),
    "InternalError": Code(500, "InternalError", "Please contact the server administrator, oss@service.aliyun.com."),
    "InvalidAccessKeyId": Code(
        403, "InvalidAccessKeyId", "The OSS Access Key Id you provided does not exist in our records."
    ),
    "InvalidObjectState": Code(400, "OperationNotSupported", "The operation is not supported for this resource"),
    "InvalidPart": Code(
        400,
        "InvalidPart",
        "One or more of the specified parts could not be found or the specified entity tag might not have matched "
        "the part's entity tag.",
    ),
    "InvalidPartOrder": Code(400, "InvalidPartOrder", "The list of parts was not in ascending order."),
    "InvalidRange": Code(416, "InvalidRange", "The requested range cannot be satisfied"),
    "KeyTooLongError": Code(400, "InvalidObjectName", "The specified object is not valid."),
    "MalformedXML": Code(
        400,
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema.",
    ),
    "MetadataTooLarge": Code(400, "InvalidArgument", "The user metadata is too large."),
    "InvalidVersionId": Code(400, "InvalidArgument", "Invalid version id specified."),
    "NoDigest": Code(400, "MissingArgument", "Missing Some Required Arguments."),
    "NoSuchBucket": Code(404, "NoSuchBucket", "The specified bucket does not exist."),
    "NoSuchLifecycleConfiguration": Code(404, "NoSuchLifecycle", "No Row found in Lifecycle Table."),
    "NotImplemented": Code(
        400, "NotImplemented", "A header you provided implies functionality that is not implemented."
    ),
    "PreconditionFailed": Code(
        412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold."
    ),
    "ServerSideEncryptionConfigurationNotFoundError": Code(
        404, "NoSuchServerSideEncryptionRule", "The server side encryption rule does not exist."
    ),
}
