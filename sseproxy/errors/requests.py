"""What a request did wrong, or asks of what is not there."""

from sseproxy.errors.base import SseProxyError


class RequestError(SseProxyError):
    """The caller's request cannot be served as it stands."""

    default = "The request is not valid."


class InvalidArgument(RequestError):
    """An argument has a value that is not allowed (`ArgumentName`, `ArgumentValue`)."""

    default = "Invalid Argument"


class InvalidRequest(RequestError):
    """Headers or parameters contradict each other or the state of the object."""


class UnsupportedFeature(RequestError):
    """Something this proxy refuses openly instead of doing it wrongly (`Header`)."""

    default = "A header you provided implies functionality that is not implemented"


class MethodNotAllowed(RequestError):
    """The method is not allowed against this resource (`Method`, `ResourceType`)."""

    default = "The specified method is not allowed against this resource."


class MalformedXml(RequestError):
    """A request document could not be parsed or misses an element."""

    default = "The XML you provided was not well-formed or did not validate against our published schema"


class MalformedPath(RequestError):
    """The request target cannot be understood."""

    default = "Couldn't parse the specified URI."


class InvalidBucketName(RequestError):
    """The bucket name is not legal (`BucketName`)."""

    default = "The specified bucket is not valid."


class KeyTooLong(RequestError):
    """The object key is longer than the protocol allows."""

    default = "Your key is too long"


class InvalidObjectName(RequestError):
    """The object key is not legal in this dialect."""

    default = "The specified object is not valid."


class MetadataTooLarge(RequestError):
    """User metadata plus envelope exceed what the backend takes."""

    default = "Your metadata headers exceed the maximum allowed metadata size"


class EntityTooLarge(RequestError):
    """The object or part is larger than can be stored (`ProposedSize`, `MaxSizeAllowed`)."""

    default = "Your proposed upload exceeds the maximum allowed size"


class CopySourceTooLarge(RequestError):
    """What is to be copied is larger than can be stored in one request."""

    default = "The specified copy source is larger than the maximum allowable size for a copy source"


class EntityTooSmall(RequestError):
    """A part other than the last is too small (`ProposedSize`, `MinSizeAllowed`, `PartNumber`, `ETag`)."""

    default = "Your proposed upload is smaller than the minimum allowed size"


class MissingContentLength(RequestError):
    """The body's length was not announced where the protocol demands it."""

    default = "You must provide the Content-Length HTTP header."


class IncompleteBody(RequestError):
    """The body ended early, or had more or fewer bytes than announced."""

    default = "You did not provide the number of bytes specified by the Content-Length HTTP header"


class RequestTimeout(RequestError):
    """The client stopped sending."""

    default = (
        "Your socket connection to the server was not read from or written to within the timeout period. "
        "Idle connections will be closed."
    )


class BodyTooLarge(RequestError):
    """A request document (not an object) is longer than the limit."""

    default = "Your request was too big."


class UnknownAlgorithm(RequestError):
    """The server-side-encryption header names an algorithm that does not exist."""

    default = "The encryption method specified is not supported"


class UnknownDataAlgorithm(RequestError):
    """OSS: the data-encryption header names something other than SM4."""

    default = "The KMS Data Encryption request you specified is not valid. Supported value:SM4"


class CipherUnavailable(InvalidArgument):
    """SM4 was asked for, by a client or by an object, and this host's cryptography library has none.

    The words are those that OSS has for accounts without SM4 (OSS dossier §2.3).
    """

    default = "SM4 is not applicable if user is not in white list."


class UnknownCustomerAlgorithm(RequestError):
    """A customer's key is meant for another algorithm than AES256 (`ArgumentName`, `ArgumentValue`)."""

    default = "The Encryption request you specified is not valid. Supported value: AES256."


class CustomerKeyNeeded(InvalidRequest):
    """The object was sealed under a customer's key, and the request has none."""

    default = (
        "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to "
        "retrieve the object."
    )


class CustomerKeyNotApplicable(InvalidRequest):
    """The request has a customer's key, but the object was not sealed under one."""

    default = "The encryption parameters are not applicable to this object."


class SseNotAllowedHere(RequestError):
    """A server-side-encryption header on an operation that takes none."""

    default = "x-amz-server-side-encryption header is not supported for this operation."


class InvalidPolicy(RequestError):
    """The policy of an upload by a form cannot be read."""

    default = "Invalid Policy: Invalid JSON."


class MalformedForm(RequestError):
    """The body of an upload by a form is no form."""

    default = "The body of your POST request is not well-formed multipart/form-data."


class FormTooLong(RequestError):
    """The fields of a form in front of its file are too long."""

    default = "Your POST request fields preceding the upload file were too large."


class FieldTooLong(FormTooLong):
    """A single field of a form is longer than all of them may be together, or its name too long."""

    default = "A field of your POST request is too large."


class FormExpected(RequestError):
    """A POST to a bucket that is no form (`Condition`)."""

    default = "Bucket POST must be of the enclosure-type multipart/form-data"


class NoFileInForm(RequestError):
    """A form has no field named `file` (`ArgumentName`, `ArgumentValue`)."""

    default = "POST requires exactly one file upload per request."


class ClientEncryptionInvalid(RequestError):
    """OSS: what a request says of its client's encryption does not fit together."""

    default = "Miss some necessary client encryption meta parameters."


class InvalidDigest(RequestError):
    """Content-MD5 is not the base64 of 16 bytes (`Content-MD5`)."""

    default = "The Content-MD5 you specified was invalid."


class DigestMismatch(RequestError):
    """Content-MD5 differs from the received bytes (`CalculatedDigest`, `ExpectedDigest`)."""

    default = "The Content-MD5 you specified did not match what we received."


class MalformedChecksum(InvalidRequest):
    """An `x-amz-checksum-*` value is no base64, or not of its algorithm's length."""

    default = "The value of a checksum header is invalid."


class ChecksumMismatch(RequestError):
    """An `x-amz-checksum-*` value differs from the received bytes."""

    default = "The checksum you specified did not match the calculated checksum."


class CrcMismatch(RequestError):
    """`x-oss-hash-crc64ecma` differs from the received bytes."""

    default = "The x-oss-hash-crc64ecma you specified does not match what we calculated."


class PayloadHashMismatch(RequestError):
    """`x-amz-content-sha256` differs from the received bytes."""

    default = "The provided 'x-amz-content-sha256' header does not match what was computed."


class MalformedTrailer(RequestError):
    """The trailer section of an aws-chunked body is missing, unknown or broken."""

    default = "The request contained trailing data that was not well-formed or did not conform to our published schema."


class InvalidChunkSize(RequestError):
    """A chunk other than the last is smaller than 8,192 bytes (`Chunk`, `BadChunkSize`)."""

    default = "Only the last chunk is allowed to have a size less than 8192 bytes"


class InvalidPart(RequestError):
    """Complete names a part that is not there, or with another ETag (`PartNumber`, `ETag`, `UploadId`)."""

    default = (
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
        "specified entity tag may not match the part's entity tag."
    )


class InvalidPartNumber(InvalidArgument):
    """`partNumber` is none of 1 to 10,000 (`ArgumentName`, `ArgumentValue`)."""

    default = "Part number must be an integer between 1 and 10000, inclusive"


class NoParts(InvalidRequest):
    """Complete's list is empty."""

    default = "You must specify at least one part"


class InvalidPartOrder(RequestError):
    """Complete's list is not in ascending order."""

    default = "The list of parts was not in ascending order. Parts must be ordered by part number."


class NotFound(RequestError):
    """What the request names does not exist."""


class NoSuchBucket(NotFound):
    """No such bucket (`BucketName`)."""

    default = "The specified bucket does not exist"


class NoSuchKey(NotFound):
    """No such object (`Key`)."""

    default = "The specified key does not exist."


class NoBucketEncryption(NotFound):
    """The bucket has no default encryption of its own."""

    default = "The server side encryption configuration was not found"


class NoSuchUpload(NotFound):
    """No such multipart upload (`UploadId`)."""

    default = (
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted "
        "or completed."
    )


class RangeNotSatisfiable(RequestError):
    """The range lies outside the object (`RangeRequested`, `ActualObjectSize`)."""

    default = "The requested range is not satisfiable"


class PartNumberNotSatisfiable(RequestError):
    """`partNumber` is beyond the last part (`ActualPartCount`, `PartNumberRequested`)."""

    default = "The requested partnumber is not satisfiable"


class PreconditionFailed(RequestError):
    """A condition of the request does not hold (`Condition`)."""

    default = "At least one of the pre-conditions you specified did not hold"


class PositionNotEqualToLength(RequestError):
    """An append names another position than the object's length, which a header of the answer tells."""

    default = "Position is not equal to file length"


class ObjectNotAppendable(RequestError):
    """The object was not made by appending, or its bytes are not sealed."""

    default = "The object is not appendable."


class AuthenticationMalformed(RequestError):
    """The Authorization header cannot be parsed (`Region` where that is what is wrong)."""

    default = "The authorization header is malformed."


class AuthenticationQueryMalformed(RequestError):
    """The signature parameters of a presigned URL cannot be parsed."""

    default = "Query-string authentication parameters are not valid."


class SecurityTokenRejected(RequestError):
    """The request's security token (STS) is not the one of its access key."""

    default = "The provided token is malformed or otherwise invalid."


class SecurityTokenEnded(RequestError):
    """The temporary credentials that the request is signed with have come to their end."""

    default = "The provided token has expired."
