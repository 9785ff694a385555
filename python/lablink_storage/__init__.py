"""Puts an application's images where they belong: checked, upright, resized, re-encoded and stored on S3,
local disk or in memory.

    >>> from lablink_storage import ImageStore
    >>> store = ImageStore.memory()
    >>> image = store.upload(photo, filename="board.png")
    >>> image.content_type
    'image/jpeg'
    >>> store.delete(image.url)

A store may be shared by threads and used after a fork. Every call releases the GIL while it waits or
decodes. Errors are subclasses of :class:`StorageError`.
"""

from ._exceptions import (
    AccessDeniedError,
    AlreadyExistsError,
    ConfigurationError,
    CredentialsError,
    ForeignUrlError,
    InternalError,
    InvalidArgumentError,
    InvalidImageError,
    InvalidKeyError,
    LimitExceededError,
    NoSuchBucketError,
    NotFoundError,
    NotSupportedError,
    PolicyViolationError,
    StorageError,
    StorageTimeoutError,
    UnavailableError,
    UnsupportedFormatError,
)
from ._lablink_storage import ImageStore, ObjectIterator, __version__, optimize
from ._types import (
    GetOverrides,
    ObjectInfo,
    OptimizedImage,
    PresignedPost,
    PresignedRequest,
    ReceivedPost,
    SignedCookies,
    SourceInfo,
    Status,
    StoredImage,
    StoredVariant,
    SweepReport,
    SweptObject,
)
from ._typing import LimitOptions, OptimizeOptions

__all__ = [
    "AccessDeniedError",
    "AlreadyExistsError",
    "ConfigurationError",
    "CredentialsError",
    "ForeignUrlError",
    "GetOverrides",
    "ImageStore",
    "InternalError",
    "InvalidArgumentError",
    "InvalidImageError",
    "InvalidKeyError",
    "LimitExceededError",
    "LimitOptions",
    "NoSuchBucketError",
    "NotFoundError",
    "NotSupportedError",
    "ObjectInfo",
    "ObjectIterator",
    "OptimizeOptions",
    "OptimizedImage",
    "PolicyViolationError",
    "PresignedPost",
    "PresignedRequest",
    "ReceivedPost",
    "SignedCookies",
    "SourceInfo",
    "Status",
    "StorageError",
    "StorageTimeoutError",
    "StoredImage",
    "StoredVariant",
    "SweepReport",
    "SweptObject",
    "UnavailableError",
    "UnsupportedFormatError",
    "__version__",
    "optimize",
]
