"""The drop-in for the boto3 module: same names, arguments and return values.

A backend that has ``from s3_utils import upload_image_to_s3`` changes that line to
``from lablink_storage.s3_utils import upload_image_to_s3`` and is done. Where the old module printed an
error and returned ``None``, this one logs it (logger ``lablink_storage``) and returns ``None``, a wrong
type and a closed file among them. :func:`last_error` returns the reason, to tell the user's mistakes from
a broken store::

    url = upload_image_to_s3(file, file.filename)
    if url is None:
        error = last_error()
        return {"error": str(error)}, getattr(error, "http_status", 500)

New code is better served by :class:`lablink_storage.ImageStore`, whose errors are exceptions.

The environment is looked at on every call, and the store is built anew only when it has changed. The
examples are those of an application whose environment has ``AWS_S3_BUCKET`` and credentials.
"""

from __future__ import annotations

import functools
import inspect
import io
import logging
import os
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple, ParamSpec, TypedDict, TypeVar

from . import _environment
from ._exceptions import NoSuchBucketError, NotSupportedError
from ._lablink_storage import ImageStore, optimize
from ._typing import ImageInput

__all__ = [
    "S3Client",
    "UploadForm",
    "compress_image",
    "delete_image_from_s3",
    "get_image_url",
    "get_s3_client",
    "get_s3_upload_url",
    "is_s3_enabled",
    "last_error",
    "optimize_image",
    "upload_image_to_s3",
]

_log = logging.getLogger(__name__)


class UploadForm(TypedDict):
    """The values with which the front end uploads straight to the bucket."""

    url: str
    fields: dict[str, str]
    file_url: str


class S3Client:
    """Answers the one call that the guide's status route makes."""

    def __init__(self, store: Callable[[], ImageStore]) -> None:
        self._store = store

    def head_bucket(self, *, Bucket: str) -> dict[str, Any]:
        """Returns if the bucket can be reached within five seconds.

        Args:
            Bucket: has to be the configured bucket.

        Raises:
            NoSuchBucketError: there is none, or ``Bucket`` is another one than the configured.
            ConfigurationError: the environment's variables do not make a store.
            CredentialsError, AccessDeniedError: the credentials are missing, wrong, or not enough.
            UnavailableError: it cannot be reached.
            StorageError: another kind of it. The message says why and the hint what to do.

        Example:
            >>> import os
            >>> from lablink_storage.s3_utils import get_s3_client
            >>> client = get_s3_client()
            >>> client.head_bucket(Bucket=os.environ["AWS_S3_BUCKET"])["BucketRegion"]
            'us-east-1'
        """
        store = self._store()
        if Bucket != store.bucket:
            raise NoSuchBucketError(f"{Bucket!r} is not the configured bucket", "check AWS_S3_BUCKET")
        store._check()
        return {"BucketRegion": store.region, "ResponseMetadata": {"HTTPStatusCode": 200}}


class _Current(NamedTuple):
    environment: tuple[str | None, ...]
    store: ImageStore


_current: _Current | None = None


def _store() -> ImageStore:
    """The store of the present environment."""
    global _current
    environment = _environment.snapshot()
    current = _current
    if current is None or current.environment != environment:
        # Two threads may both build one; both work, and the later one is kept.
        _current = current = _Current(environment, ImageStore.from_env())
    return current.store


_last_error: ContextVar[Exception | None] = ContextVar("lablink_storage_last_error", default=None)


def last_error() -> Exception | None:
    """Returns why the latest call in this thread (or task) answered ``None`` or ``False``.

    Returns:
        The exception, mostly a :class:`lablink_storage.StorageError` with its ``hint`` and ``http_status``;
        ``None`` where the call went well, or S3 is off.

    Example:
        >>> from lablink_storage.s3_utils import last_error, upload_image_to_s3
        >>> upload_image_to_s3(b"<svg/>", "board.svg") is None
        True
        >>> last_error().code, last_error().http_status
        ('unsupported_format', 415)
    """
    return _last_error.get()


_P = ParamSpec("_P")
_T = TypeVar("_T")


def _caught(otherwise: Any, problem: str) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Answers with ``otherwise`` where the call fails, as the guide did, and remembers why. ``problem`` is
    what the log says; it may name the call's arguments."""

    def decorate(call: Callable[_P, _T]) -> Callable[_P, _T]:
        @functools.wraps(call)
        def caught(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            _last_error.set(None)
            try:
                return call(*args, **kwargs)
            except Exception as error:
                _last_error.set(error)
                hint = getattr(error, "hint", None)
                # The store has written a line about what failed in it.
                if not getattr(error, "_is_logged", False):
                    what = problem.format_map(inspect.getcallargs(call, *args, **kwargs))
                    _log.error("%s: %s", what, f"{error} ({hint})" if hint else error)
                answer: _T = otherwise
                return answer

        return caught

    return decorate


def is_s3_enabled() -> bool:
    """Returns whether ``AWS_S3_BUCKET`` is set.

    Example:
        >>> from lablink_storage.s3_utils import is_s3_enabled
        >>> is_s3_enabled()
        True
    """
    return bool(os.environ.get("AWS_S3_BUCKET"))


def get_s3_client() -> S3Client | None:
    """An object with ``head_bucket(Bucket=…)``, or ``None`` where S3 is off.

    Where the configuration is wrong, ``head_bucket`` raises the ``ConfigurationError``.

    Example:
        >>> from lablink_storage.s3_utils import get_s3_client
        >>> get_s3_client() is not None
        True
    """
    if not is_s3_enabled():
        return None
    return S3Client(_store)


@_caught(None, "the upload of {original_filename!r} failed")
def upload_image_to_s3(file: ImageInput, original_filename: str | None) -> str | None:
    """Optimizes an image and stores it.

    Args:
        file: bytes, a path object, or a binary file object such as ``request.files["image"]``, which is
            read from where it stands, put back there, and left open.
        original_filename: the name at the user's; key and type come from the bytes.

    Returns:
        The public URL, or ``None`` where S3 is off or the upload failed: the log and :func:`last_error`
        say why.

    Example:
        >>> from lablink_storage.s3_utils import delete_image_from_s3, upload_image_to_s3
        >>> url = upload_image_to_s3(photo, "board.png")
        >>> url.startswith("http") and url.endswith(".jpg")
        True
        >>> delete_image_from_s3(url)
        True
    """
    if not is_s3_enabled():
        return None
    return _store().upload(file, filename=original_filename).url


@_caught(False, "deleting an image failed")
def delete_image_from_s3(image_url: str | None) -> bool:
    """Deletes the image that a public URL of this store stands for, with its variants.

    Args:
        image_url: a URL that this store gave out.

    Returns:
        Whether it is gone. ``False`` for an empty or foreign URL, and where S3 is off or failed.

    Example:
        >>> from lablink_storage.s3_utils import delete_image_from_s3, upload_image_to_s3
        >>> url = upload_image_to_s3(photo, "board.png")
        >>> delete_image_from_s3(url)
        True
        >>> delete_image_from_s3("https://elsewhere.example/board.jpg")
        False
    """
    if not image_url or not is_s3_enabled():
        return False
    store = _store()
    store.delete(store.key_from_url(image_url))
    return True


@_caught(None, "signing an upload of {filename!r} failed")
def get_s3_upload_url(filename: str, content_type: str = "image/jpeg") -> UploadForm | None:
    """A form for one direct upload of at most ``LABLINK_STORAGE_MAX_UPLOAD_BYTES`` (10 MiB), valid for an hour.

    The upload goes to its **final** key, because the guide's front end keeps ``file_url`` at once: type and
    size are enforced by S3, but nobody looks at the bytes, and the form can be used again until it expires.
    ``ImageStore.presigned_post`` with ``promote`` verifies what arrived.

    Args:
        filename: the name at the user's.
        content_type: the type that the upload has to send; one of the accepted raster types.

    Returns:
        ``{"url", "fields", "file_url"}``, or ``None`` where S3 is off or refused: the log says why.

    Example:
        >>> from lablink_storage.s3_utils import get_s3_upload_url
        >>> form = get_s3_upload_url("board.png", "image/png")
        >>> form["fields"]["Content-Type"], form["file_url"].endswith(form["fields"]["key"])
        ('image/png', True)
    """
    if not is_s3_enabled():
        return None
    store = _store()
    if store.direct_upload == "put":
        raise NotSupportedError(
            "this storage takes no form uploads", "sign a PUT with ImageStore.presigned_put"
        )
    post = store.presigned_post(filename, content_type, pending=False)
    return {"url": post.url, "fields": dict(post.fields), "file_url": post.file_url}


@_caught(None, "there is no URL for a key")
def get_image_url(s3_key: str | None) -> str | None:
    """The public URL of a key.

    Args:
        s3_key: the key of an image, such as ``components/board.jpg``.

    Returns:
        The URL, or ``None`` where S3 is off or the key is not valid. Nothing checks that the image exists.

    Example:
        >>> from lablink_storage.s3_utils import get_image_url
        >>> get_image_url("components/board.jpg")
        'http...//.../components/board.jpg'
    """
    if not s3_key or not is_s3_enabled():
        return None
    return _store().public_url(s3_key)


def optimize_image(
    file: ImageInput, max_width: int = 1200, max_height: int = 1200, quality: int = 85
) -> io.BytesIO:
    """Fits an image into a box and re-encodes it as JPEG, upright and without metadata.

    Args:
        file: bytes, a path object or a binary file object.
        max_width: width of the box in pixels.
        max_height: height of the box in pixels.
        quality: JPEG quality, 1 to 100.

    Returns:
        A file object that stands at its beginning.

    Raises:
        InvalidImageError: the bytes are not an acceptable image. They are never passed on.
        InvalidArgumentError: an option is outside its range.

    Example:
        >>> from PIL import Image
        >>> from lablink_storage.s3_utils import optimize_image
        >>> Image.open(optimize_image(photo, 640, 480)).size
        (640, 480)
    """
    image = optimize(file, max_width=max_width, max_height=max_height, quality=quality)
    return io.BytesIO(image.data)


def compress_image(
    file: ImageInput, max_size: tuple[int, int] = (1024, 1024), quality: int = 85
) -> io.BytesIO:
    """:func:`optimize_image` with the box as one pair.

    Args:
        file: bytes, a path object or a binary file object.
        max_size: width and height of the box in pixels.
        quality: JPEG quality, 1 to 100.

    Returns:
        A file object that stands at its beginning.

    Raises:
        InvalidImageError, InvalidArgumentError: as :func:`optimize_image`.

    Example:
        >>> from PIL import Image
        >>> from lablink_storage.s3_utils import compress_image
        >>> Image.open(compress_image(photo, (320, 320))).format
        'JPEG'
    """
    max_width, max_height = max_size
    return optimize_image(file, max_width, max_height, quality)
