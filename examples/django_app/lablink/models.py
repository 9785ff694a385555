"""The inventory."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator
from django.db import models

from lablink_storage.django import ImageField


class Component(models.Model):
    """Something that the lab has, with a photograph."""

    name: Any = models.CharField(max_length=120)
    category: Any = models.CharField(max_length=60, blank=True)
    quantity: Any = models.PositiveIntegerField(default=1, validators=[MaxValueValidator(1_000_000)])
    location: Any = models.CharField(max_length=120, blank=True)
    image: Any = ImageField(width_field="image_width", height_field="image_height", blank=True)
    image_width: Any = models.PositiveIntegerField(null=True, editable=False)
    image_height: Any = models.PositiveIntegerField(null=True, editable=False)
    placeholder: Any = models.CharField(max_length=64, blank=True, editable=False)

    def as_json(self) -> dict[str, Any]:
        """As the page takes it."""
        return {
            "id": self.pk,
            "name": self.name,
            "category": self.category,
            "quantity": self.quantity,
            "location": self.location,
            "image_url": self.image.url if self.image else None,
            "image_width": self.image_width,
            "image_height": self.image_height,
            "placeholder": self.placeholder or None,
            "thumbnail_url": self.image.variants["thumb"] if self.image else None,
            "srcset": self.image.srcset,
        }
