from collections.abc import Iterator

import pytest

from sseproxy import errors as e
from sseproxy.dialect.base import Dialect
from sseproxy.dialect.oss import OSS
from sseproxy.dialect.s3 import S3


def _tree(root: type[e.SseProxyError]) -> Iterator[type[e.SseProxyError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__.startswith(f"{e.__name__}."):
            yield from _tree(child)


ALL = sorted(set(_tree(e.SseProxyError)), key=lambda cls: cls.__name__)


def _made(cls: type[e.SseProxyError]) -> e.SseProxyError:
    return cls(418, "Teapot", "words") if issubclass(cls, e.UpstreamAnswered) else cls()


@pytest.mark.parametrize("dialect", [S3, OSS], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_every_error_has_a_code_of_its_own_branch(dialect: Dialect, cls: type[e.SseProxyError]) -> None:
    code = dialect.error_code(_made(cls))

    assert code.code
    if issubclass(cls, e.RequestError):
        assert 400 <= code.status < 500 or code.status == 501
    elif issubclass(cls, e.AccessRefused):
        assert code.status == 403
    elif issubclass(cls, e.IntegrityError | e.ConfigurationError):
        assert (code.code, code.status) == ("InternalError", 500)


@pytest.mark.parametrize("dialect", [S3, OSS], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_no_error_is_answered_by_its_branch_only_because_it_was_forgotten(
    dialect: Dialect, cls: type[e.SseProxyError]
) -> None:
    assert cls in dialect.errors


@pytest.mark.parametrize(
    ("cls", "s3", "oss"),
    [
        (e.UnknownAlgorithm, ("InvalidArgument", 400), ("InvalidEncryptionAlgorithmError", 400)),
        (e.UnknownDataAlgorithm, ("InvalidArgument", 400), ("InvalidDataEncryptionAlgorithmError", 400)),
        (e.SseNotAllowedHere, ("InvalidArgument", 400), ("InvalidArgument", 400)),
        (e.UnsupportedFeature, ("NotImplemented", 501), ("NotImplemented", 400)),
        (e.ClientEncryptionInvalid, ("InvalidRequest", 400), ("InvalidEncryptionRequest", 400)),
        (e.CopySourceTooLarge, ("InvalidRequest", 400), ("EntityTooLarge", 400)),
        (e.MethodNotAllowed, ("MethodNotAllowed", 405), ("MethodNotAllowed", 405)),
        (e.KeyTooLong, ("KeyTooLongError", 400), ("InvalidObjectName", 400)),
        (e.MetadataTooLarge, ("MetadataTooLarge", 400), ("InvalidArgument", 400)),
        (e.MissingContentLength, ("MissingContentLength", 411), ("MissingContentLength", 411)),
        (e.DigestMismatch, ("BadDigest", 400), ("InvalidDigest", 400)),
        (e.CrcMismatch, ("BadDigest", 400), ("InvalidCRC64", 400)),
        (e.PayloadHashMismatch, ("XAmzContentSHA256Mismatch", 400), ("InvalidDigest", 400)),
        (
            e.NoBucketEncryption,
            ("ServerSideEncryptionConfigurationNotFoundError", 404),
            ("NoSuchServerSideEncryptionRule", 404),
        ),
        (e.RangeNotSatisfiable, ("InvalidRange", 416), ("InvalidRange", 416)),
        (e.PreconditionFailed, ("PreconditionFailed", 412), ("PreconditionFailed", 412)),
        (e.UnknownAccessKey, ("InvalidAccessKeyId", 403), ("InvalidAccessKeyId", 403)),
        (e.SecurityTokenRejected, ("InvalidToken", 400), ("InvalidSecurityToken", 403)),
        (e.SecurityTokenEnded, ("ExpiredToken", 400), ("SecurityTokenExpired", 403)),
        (e.ClockSkewed, ("RequestTimeTooSkewed", 403), ("RequestTimeTooSkewed", 403)),
        (e.FrameRejected, ("InternalError", 500), ("InternalError", 500)),
        (e.KeyServiceUnavailable, ("ServiceUnavailable", 503), ("ServiceUnavailable", 503)),
        (e.KeyServiceBusy, ("SlowDown", 503), ("ServiceUnavailable", 503)),
        (e.KeyNotApplicable, ("KMS.InvalidKeyUsageException", 400), ("InvalidParameter", 400)),
        (e.KeyNotFound, ("KMS.NotFoundException", 400), ("KeyNotFound", 404)),
        (e.KeyDisabled, ("KMS.DisabledException", 400), ("KeyDisabled", 409)),
        (e.KeyPendingDeletion, ("KMS.KMSInvalidStateException", 400), ("KeyPendingDeletion", 409)),
        (e.UpstreamUnavailable, ("ServiceUnavailable", 503), ("ServiceUnavailable", 503)),
        (e.Overloaded, ("SlowDown", 503), ("ServiceUnavailable", 503)),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_an_error_has_the_services_own_code(
    cls: type[e.SseProxyError], s3: tuple[str, int], oss: tuple[str, int]
) -> None:
    found = [(code.code, code.status) for code in (S3.error_code(cls()), OSS.error_code(cls()))]

    assert found == [s3, oss]


def test_a_leaf_that_a_table_does_not_know_is_answered_as_its_branch() -> None:
    class NewLeaf(e.KeyStateRefused):
        """Not in any table."""

    assert OSS.error_code(NewLeaf()) == OSS.errors[e.KeyStateRefused]


@pytest.mark.parametrize("dialect", [S3, OSS], ids=lambda dialect: dialect.name)
def test_what_the_storage_answered_keeps_its_code_and_status(dialect: Dialect) -> None:
    code = dialect.error_code(e.UpstreamAnswered(409, "BucketNotEmpty", "words"))

    assert (code.code, code.status, code.message) == ("BucketNotEmpty", 409, None)


@pytest.mark.parametrize("dialect", [S3, OSS], ids=lambda dialect: dialect.name)
def test_a_configuration_error_is_never_told_to_a_client(dialect: Dialect) -> None:
    assert dialect.error_code(e.ConfigurationError("secret path")).message == e.SseProxyError.default


@pytest.mark.parametrize(
    ("error", "s3", "oss"),
    [
        (
            e.UnsupportedFeature(),
            "A header you provided implies functionality that is not implemented",
            "A header you provided implies functionality that is not implemented.",
        ),
        (e.UnsupportedFeature("Words of its own"), "Words of its own", "Words of its own"),
        (
            e.MalformedXml(),
            "The XML you provided was not well-formed or did not validate against our published schema",
            "The XML you provided was not well-formed or did not validate against our published schema.",
        ),
        (
            e.InvalidPartNumber(),
            "Part number must be an integer between 1 and 10000, inclusive",
            "Part number must be an integer between 1 and 10000, inclusive.",
        ),
        (e.AnonymousRefused(), "Access Denied", "Anonymous user has no right to access this bucket."),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_words_are_the_services_own(error: e.SseProxyError, s3: str, oss: str) -> None:
    assert [dialect.error_code(error).message or error.message for dialect in (S3, OSS)] == [s3, oss]
