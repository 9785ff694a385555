"""The exceptions: one class for each kind of error, all under :class:`StorageError`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar


class StorageError(Exception):
    """Base of every error of this package.

    Attributes:
        code: the kind, in snake_case, the same as Rust's ``ErrorKind``.
        http_status: the status with which a web service answers its own client.
        message: what happened, one line, never with a secret or a signed query in it.
        hint: what to do about it, or ``None``.
        retryable: whether the same call may succeed later without anything being changed.
        service_code: the error code that S3 gave (``"SlowDown"``), or ``None``.
        request_id: the id that S3 gave the request, or ``None``.

    What failed underneath (a refused connection, a certificate, the server's own words) is its
    ``__cause__``, and the cause of that.
    """

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 502

    _is_logged = False
    """True if the store has written a line about it already."""

    _is_ours = False
    """True if the store raised it: an application that raises one has words of its own for its users."""

    def __init__(
        self,
        message: str = "",
        hint: str | None = None,
        retryable: bool = False,
        service_code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retryable = retryable
        self.service_code = service_code
        self.request_id = request_id

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[type[StorageError], tuple[object, ...]]:
        arguments = (self.message, self.hint, self.retryable, self.service_code, self.request_id)
        return type(self), arguments


class ConfigurationError(StorageError):
    """The configuration is wrong or incomplete; the hint names the variable and the remedy."""

    code = "configuration"
    http_status = 500


class InvalidArgumentError(StorageError, ValueError):
    """An argument is outside its range."""

    code = "invalid_argument"
    http_status = 400


class InvalidKeyError(StorageError, ValueError):
    """A key breaks a rule, or is not one that the call takes."""

    code = "invalid_key"
    http_status = 400


class ForeignUrlError(StorageError, ValueError):
    """A URL that does not lead into this store."""

    code = "foreign_url"
    http_status = 400


class InvalidImageError(StorageError, ValueError):
    """Bytes that are not an image, or a damaged one."""

    code = "invalid_image"
    http_status = 400


class LimitExceededError(InvalidImageError):
    """An image over a limit; the message has the limit and the value."""

    code = "limit_exceeded"
    http_status = 413


class UnsupportedFormatError(InvalidImageError):
    """An image in a format that is not accepted; the message names it."""

    code = "unsupported_format"
    http_status = 415


class PolicyViolationError(StorageError):
    """A direct upload that its policy does not allow (the message says which condition failed), or a URL that may not
    be fetched."""

    code = "policy_violation"
    http_status = 403


class RejectedError(StorageError, ValueError):
    """An image that an inspector rejected. An inspector raises it, with the reason for the sender."""

    code = "rejected"
    http_status = 422


class NotFoundError(StorageError, FileNotFoundError):
    """There is no such object."""

    code = "not_found"
    http_status = 404


class AlreadyExistsError(StorageError):
    """There is such an object already, and it is not overwritten."""

    code = "already_exists"
    http_status = 409


class NotSupportedError(StorageError):
    """The backend cannot do this, or not as it is configured."""

    code = "not_supported"
    http_status = 501


class CredentialsError(StorageError):
    """No credentials, or ones that the server does not take."""

    code = "credentials"


class AccessDeniedError(StorageError):
    """The credentials do not allow this call; the hint says which permission is missing."""

    code = "access_denied"


class NoSuchBucketError(StorageError):
    """The bucket is not there, or in another region."""

    code = "no_such_bucket"


class UnavailableError(StorageError):
    """Throttled, overloaded or unreachable; a later try may succeed."""

    code = "unavailable"
    http_status = 503


class StorageTimeoutError(StorageError, TimeoutError):
    """It was not done within its deadline."""

    code = "timeout"
    http_status = 504


class InternalError(StorageError):
    """Anything else: an answer that makes no sense, a failing disk, a defect of this package."""

    code = "internal"
