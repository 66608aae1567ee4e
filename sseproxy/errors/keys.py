"""What key services refuse, or do not answer."""

from sseproxy.errors.base import SseProxyError


class KeyServiceError(SseProxyError):
    """The KMS did not give us the key."""

    default = "The key service could not serve this request."


class KeyServiceUnavailable(KeyServiceError):
    """The KMS cannot be reached or is overloaded: try again."""

    default = "The key service is unavailable. Please try again."


class KeyServiceBusy(KeyServiceUnavailable):
    """The KMS answers, but takes no more requests for the moment."""

    default = "Please reduce your request rate for operations involving the key service."


class KeyNotFound(KeyServiceError):
    """No such CMK or alias."""

    default = "The specified parameter KMS keyId is not found."


class AliasNotFound(KeyNotFound):
    """No CMK has this alias."""

    default = "The specified alias is not found."


class KeyStateRefused(KeyServiceError):
    """The CMK exists, but its state forbids the operation."""

    default = "The request was rejected because of the key state."


class KeyDisabled(KeyStateRefused):
    """The CMK is disabled."""

    default = "The request was rejected because the key state is Disabled."


class KeyPendingDeletion(KeyStateRefused):
    """The CMK is waiting for its deletion."""

    default = "The request was rejected because the key state is PendingDeletion."


class KeyPendingImport(KeyStateRefused):
    """The CMK has no material yet, or no longer."""

    default = "The request was rejected because the key state is PendingImport."


class KeyNotApplicable(KeyServiceError):
    """The CMK is of a kind that wraps no data keys, or the KMS does not take its id."""

    default = "The specified parameter KMS keyId is not valid."


class KeyAccessRefused(KeyServiceError):
    """The caller, or the proxy, may not use the CMK."""

    default = "This request is forbidden by kms."


class KeyServiceNotEnabled(KeyServiceError):
    """The account of the KMS has never turned it on."""

    default = "This user does not turn on KMS service."


class KeyServiceInDebt(KeyServiceError):
    """The account of the KMS owes money."""

    default = "The key service's account is in debt."


class KeyServiceOverdue(KeyServiceInDebt):
    """It owes for so long that the KMS has stopped."""

    default = "The key service's account is in debt for too long."


class WrappedKeyRejected(KeyServiceError):
    """A wrapped key does not open: other material, another context, or damage."""

    default = "The object's data key could not be opened with its key."
