"""The store for Django: ``pip install 'lablink-storage[django]'``.

    INSTALLED_APPS = [..., "lablink_storage.django"]
    STORAGES = {
        "default": {
            "BACKEND": "lablink_storage.django.LablinkStorage",
            "OPTIONS": {"directory": BASE_DIR / "uploads", "variants": {"thumb": {"max_width": 320}}},
        },
        ...
    }

The options are the keywords of :class:`~lablink_storage.ImageStore`'s constructors: ``bucket`` makes it S3,
``directory`` local files, and without either the environment says. A model's image::

    class Component(models.Model):
        photo = ImageField(width_field="photo_width", height_field="photo_height", blank=True)

and in a template ``{% load lablink_storage %}{% lablink_picture component.photo alt=component.name %}``. The
routes are one line of the URLconf: ``urlpatterns = [..., *urls(guard=login_required)]``.
"""

from __future__ import annotations

from ._deletion import delete_images, delete_with_images
from ._fields import ImageField, ImageFieldFile
from ._routes import Guard, error_response, urls
from ._storage import LablinkStorage, StoredName

__all__ = [
    "Guard",
    "ImageField",
    "ImageFieldFile",
    "LablinkStorage",
    "StoredName",
    "delete_images",
    "delete_with_images",
    "error_response",
    "urls",
]
