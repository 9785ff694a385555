"""The image of a model: it needs no Pillow, knows its size without being read, and has variants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core import checks
from django.db import models
from django.db.models.fields import files
from django.forms.widgets import FileInput, Widget

from .._exceptions import StorageError
from .._lablink_storage import ImageStore
from .._types import StoredImage
from ._storage import _PREPARED, LablinkStorage


def store_of(file: files.FieldFile) -> ImageStore:
    """The store that the file of a field is in."""
    storage: Any = file.storage  # may be Django's lazy object
    store: ImageStore = storage.store
    return store


def kept_size(file: files.ImageFieldFile) -> tuple[int | None, int | None]:
    """Width and height as the model keeps them: reading the image would take a request."""
    field: Any = file.field
    width, height = (
        getattr(file.instance, name, None) if name else None
        for name in (field.width_field, field.height_field)
    )
    return width, height


def whole_versions(file: files.ImageFieldFile) -> dict[str, int]:
    """The URLs that show the whole picture, each with its width: the image itself and those of its variants
    that uploads write and that crop nothing. Empty where the model keeps no size."""
    store, key = store_of(file), str(file.name)
    width, height = kept_size(file)
    if not width or not height:
        return {}
    found = {}
    for name, (wide, high, lazy) in store._variant_sizes(width, height).items():
        if lazy or abs(wide * height - high * width) > max(width, height):
            continue
        try:
            found[store.variant_url(key, name)] = wide
        except StorageError:
            return {}  # it was not uploaded here, and has no variants
    return found | {store.public_url(key): width}


NEWER = {"avif": "image/avif", "webp": "image/webp"}
"""Formats that a browser is offered before the image's own, the best first, as ``StoredImage.picture`` does."""


def extension(url: str) -> str:
    return url.rpartition(".")[2]


def srcset(versions: Mapping[str, int], of: str) -> str:
    """The versions of an extension as the attribute has them."""
    found = sorted((width, url) for url, width in versions.items() if extension(url) == of)
    return ", ".join(f"{url} {width}w" for width, url in found)


class ImageFieldFile(files.ImageFieldFile):
    """An instance's image: ``url``, ``width``, ``height``, ``variants``."""

    _committed: bool

    @property
    def stored(self) -> StoredImage | None:
        """All that is known of an image that this process has just stored."""
        if self._committed:
            return getattr(self.name, "image", None)
        return getattr(self.file, _PREPARED, None)

    @property
    def width(self) -> int | None:  # type: ignore[override]
        """Its width in pixels, where ``width_field`` keeps it."""
        return self._size()[0]

    @property
    def height(self) -> int | None:  # type: ignore[override]
        """Its height in pixels, where ``height_field`` keeps it."""
        return self._size()[1]

    def _size(self) -> tuple[int | None, int | None]:
        stored = self.stored
        if stored is not None:
            return stored.width, stored.height
        return kept_size(self) if self._committed else (None, None)

    @property
    def srcset(self) -> str:
        """The attribute ``srcset``: the versions in the image's format that show the whole picture, with their
        widths."""
        return srcset(whole_versions(self), extension(self.url)) if self else ""

    def _set_instance_attribute(self, name: str, content: Any) -> None:
        """Newer versions of Django would read the size of what came in, and not of what was made of it."""
        setattr(self.instance, self.field.attname, name)

    @property
    def variants(self) -> dict[str, str]:
        """The URLs of its variants by name, for ``{{ component.photo.variants.thumb }}``. Of an image that
        was not uploaded here, and so has none, its own URL."""
        store = store_of(self)
        found = {}
        for name in store.variants:
            try:
                found[name] = store.variant_url(str(self.name), name)
            except StorageError:
                found[name] = self.url
        return found


class _FormField(forms.FileField):
    def widget_attrs(self, widget: Widget) -> dict[str, Any]:
        attributes = super().widget_attrs(widget)
        if isinstance(widget, FileInput) and "accept" not in widget.attrs:
            attributes["accept"] = "image/*"
        return attributes


class ImageField(models.ImageField):
    """A model's image in a :class:`LablinkStorage`.

    An upload is stored when its form is validated, so that a file that is no image is an error of the form's
    field. ``upload_to`` is not needed: the storage makes the names.
    """

    attr_class = ImageFieldFile

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        file = super().clean(value, model_instance)
        if file and not file._committed and isinstance(file.storage, LablinkStorage):
            file.storage.prepare(file.name, file.file, self.max_length)
        return file

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": _FormField, **kwargs})

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "lablink_storage.django.ImageField", args, kwargs

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        found = super().check(**kwargs)
        if not isinstance(self.storage, LablinkStorage):
            message = "This field takes images, and its storage does not look at what it stores."
            hint = "Use lablink_storage.django.LablinkStorage in STORAGES, or as the field's storage."
            found.append(checks.Error(message, hint=hint, obj=self, id="lablink_storage.E003"))
        return found

    def _check_image_library_installed(self) -> list[checks.CheckMessage]:
        """Pillow is not needed."""
        return []
