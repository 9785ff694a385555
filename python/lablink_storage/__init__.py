"""Stores an application's images: checked, upright, resized and re-encoded, on S3,
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
    RejectedError,
    StorageError,
    StorageTimeoutError,
    UnavailableError,
    UnsupportedFormatError,
)
from ._lablink_storage import ImageStore, ObjectIterator, __version__, optimize

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._asynchronous import AsyncImageStore
    from ._types import (
        GetOverrides,
        Html,
        Inspection,
        ObjectInfo,
        ObjectVersion,
        OptimizedImage,
        PresignedPost,
        PresignedRequest,
        PurgeFailure,
        ReceivedPost,
        RegenerateFailure,
        RegenerateReport,
        SignedCookies,
        SourceInfo,
        Status,
        StoredImage,
        StoredVariant,
        SweepReport,
        SweptObject,
    )
    from ._typing import LimitOptions, OptimizeOptions, VariantOptions

__all__ = [
    "AccessDeniedError",
    "AlreadyExistsError",
    "AsyncImageStore",
    "ConfigurationError",
    "CredentialsError",
    "ForeignUrlError",
    "GetOverrides",
    "Html",
    "ImageStore",
    "Inspection",
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
    "ObjectVersion",
    "OptimizeOptions",
    "OptimizedImage",
    "PolicyViolationError",
    "PresignedPost",
    "PresignedRequest",
    "PurgeFailure",
    "ReceivedPost",
    "RegenerateFailure",
    "RegenerateReport",
    "RejectedError",
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
    "VariantOptions",
    "__version__",
    "optimize",
]

if not TYPE_CHECKING:

    def __getattr__(name):
        """Imports the values and types when they are asked for: dataclasses and typing take longer than
        all the rest together."""
        if name in __all__:
            from . import _types, _typing

            modules = [_types, _typing]
            if name == "AsyncImageStore":
                from . import _asynchronous

                modules = [_asynchronous]
            for module in modules:
                if hasattr(module, name):
                    return globals().setdefault(name, getattr(module, name))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *__all__})
