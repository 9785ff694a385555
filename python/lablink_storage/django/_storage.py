"""Django's storage on an :class:`~lablink_storage.ImageStore`."""

from __future__ import annotations

import functools
import logging
from datetime import datetime
from pathlib import PurePath
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation, ValidationError
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage
from django.utils.timezone import make_naive

from .. import _environment
from .._exceptions import ForeignUrlError, InvalidImageError, InvalidKeyError, RejectedError, StorageError
from .._lablink_storage import ImageStore
from .._types import StoredImage

_log = logging.getLogger("lablink_storage.django")

_NAME = len("/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.webp")
"""Characters that a key has behind the prefix."""

_PREPARED = "_lablink_storage_image"


class StoredName(str):
    """The key of an image that was just stored: the name that Django keeps, with all that is known of it."""

    image: StoredImage


def _named(image: StoredImage) -> StoredName:
    stored = StoredName(image.key)
    stored.image = image
    return stored


class LablinkStorage(Storage):
    """Stores images alone, each optimized and under a key of its own.

    Args:
        options: keywords of ``ImageStore.s3`` with ``bucket``, of ``ImageStore.local`` with ``directory``;
            without either, of ``ImageStore.from_env``.
    """

    def __init__(self, **options: Any) -> None:
        self._options = {name: value for name, value in options.items() if value is not None}

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """As migrations write it down, where a field names its storage; one with secrets is named by a
        callable."""
        return "lablink_storage.django.LablinkStorage", [], dict(self._options)

    @functools.cached_property
    def store(self) -> ImageStore:
        """The store; built when it is first wanted.

        Raises:
            ConfigurationError: an option is wrong; the hint names the remedy.
        """
        options = dict(self._options)
        if "bucket" in options:
            return ImageStore.s3(options.pop("bucket"), **options)
        if "directory" in options:
            return ImageStore.local(options.pop("directory"), **options)
        return ImageStore.from_env(**options)

    def environment(self) -> dict[str, str]:
        """The variables with which the command line works on this store."""
        in_code = bool({"bucket", "directory"} & self._options.keys())
        return _environment.of_keywords(self._options, environment_too=not in_code)

    def save(self, name: str | None, content: IO[Any], max_length: int | None = None) -> StoredName:
        """Stores an image, and returns its key: of ``name`` nothing is kept.

        Raises:
            ValidationError: the content is no image that is accepted, or an inspector rejected it.
            StorageError: the store has a problem.
        """
        image = getattr(content, _PREPARED, None)
        if image is None:
            image = self._upload(name, content, max_length)
        else:
            setattr(content, _PREPARED, None)
        return _named(image)

    def promote(self, key: str) -> StoredName:
        """Makes an image of a direct upload: ``component.photo = default_storage.promote(key)``.

        Raises:
            StorageError: as ``ImageStore.promote``.
        """
        return _named(self.store.promote(key))

    def prepare(self, name: str | None, content: File[Any], max_length: int | None = None) -> StoredImage:
        """Stores an upload while its form is validated, so that the form can say what is wrong with it.

        :meth:`save` of the same content takes the image over. Where it never comes, because another field
        was wrong, the image is deleted when the request closes its uploads.
        """
        image: StoredImage | None = getattr(content, _PREPARED, None)
        if image is None:
            image = self._upload(name, content, max_length)
            setattr(content, _PREPARED, image)
            content.close = functools.partial(self._close, content, content.close)  # type: ignore[method-assign]
        return image

    def _close(self, content: File[Any], close: Any) -> None:
        image: StoredImage | None = getattr(content, _PREPARED, None)
        if image is not None:
            setattr(content, _PREPARED, None)
            try:
                self.store.delete(image.key)
            except StorageError as error:
                _log.warning("an image that no form took is left at %s: %s", image.key, error)
        close()

    def _upload(self, name: str | None, content: IO[Any], max_length: int | None) -> StoredImage:
        if max_length is not None and len(self.store.prefix) + _NAME > max_length:
            raise SuspiciousFileOperation(
                f"the keys of this storage are longer than {max_length} characters: "
                "give the field a larger max_length"
            )
        try:
            if content.seekable():
                content.seek(0)
            return self.store.upload(content, filename=PurePath(name or "").name or None)
        except (InvalidImageError, RejectedError) as error:
            words = f"{error.message}: {error.hint}" if error.hint else error.message
            raise ValidationError(f"{words[:1].upper()}{words[1:]}.", code=error.code) from error

    def open(self, name: str, mode: str = "rb") -> File[bytes]:
        if mode != "rb":
            raise ValueError("stored images are never changed: open them with mode 'rb'")
        return ContentFile(self.store.get(name), name)

    def delete(self, name: str) -> None:
        """Deletes an image, its variants and its original; of one that is gone already nothing is said."""
        if not name:
            raise ValueError("the name must be given to delete()")
        self.store.delete(name)

    def exists(self, name: str) -> bool:
        try:
            return self.store.exists(name)
        except (InvalidKeyError, ForeignUrlError):
            return False

    def size(self, name: str) -> int:
        return self.store.head(name).size

    def url(self, name: str | None) -> str:
        if not name:
            raise ValueError("this file has no URL: it has no name")
        return self.store.public_url(name)

    def get_modified_time(self, name: str) -> datetime:
        modified = self.store.head(name).last_modified
        return modified if settings.USE_TZ else make_naive(modified)

    def get_created_time(self, name: str) -> datetime:
        return self.get_modified_time(name)
