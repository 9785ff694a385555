"""Components with photographs, and their parts."""

from __future__ import annotations

from typing import Any

from django.db import models

from lablink_storage.django import ImageField


class Component(models.Model):
    name: Any = models.CharField(max_length=40)
    photo: Any = ImageField(width_field="width", height_field="height", blank=True)
    width: Any = models.IntegerField(null=True, editable=False)
    height: Any = models.IntegerField(null=True, editable=False)


class Part(models.Model):
    component: Any = models.ForeignKey(Component, models.CASCADE)
    photo: Any = models.ImageField()
    """Django's own field."""
