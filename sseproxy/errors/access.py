"""Who may not do what."""

from sseproxy.errors.base import SseProxyError


class AccessRefused(SseProxyError):
    """The caller may not do this."""

    default = "Access Denied"


class AnonymousRefused(AccessRefused):
    """Nobody signed the request, and such requests are not served."""

    default = "Access Denied"


class InsecureTransport(AccessRefused):
    """The request came over plain HTTP, where only TLS is served."""

    default = "Access Denied"


class WrongCustomerKey(AccessRefused):
    """The customer's key of the request is not the one that the object was sealed under."""

    default = (
        "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key."
    )


class UnknownAccessKey(AccessRefused):
    """No such access key (`AWSAccessKeyId` / `OSSAccessKeyId`)."""

    default = "The AWS Access Key Id you provided does not exist in our records."


class SignatureMismatch(AccessRefused):
    """The signature is wrong."""

    default = (
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method."
    )


class ClockSkewed(AccessRefused):
    """The request's time is too far from ours (`RequestTime`, `ServerTime`, `MaxAllowedSkewMilliseconds`)."""

    default = "The difference between the request time and the current time is too large."


class SignatureExpired(AccessRefused):
    """A presigned URL is past its time (`Expires`, `ServerTime`)."""

    default = "Request has expired"


class HeadersNotSigned(AccessRefused):
    """Headers that must be signed were not (`HeadersNotSigned`)."""

    default = "There were headers present in the request which were not signed"


class WrongDialect(AccessRefused):
    """A request in the dialect that this proxy's backend does not speak."""

    default = "This endpoint speaks the other dialect."
