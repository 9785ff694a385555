"""Components with photographs and their parts, and albums of both."""

from __future__ import annotations

from typing import Any

from django.core.files.storage import FileSystemStorage
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


class Album(models.Model):
    cover: Any = models.FileField(blank=True)
    scan: Any = models.FileField(storage=FileSystemStorage("scans"), blank=True)
    """In another storage."""


class Yearbook(Album):
    """With a table of its own, for the back alone."""

    back: Any = ImageField(blank=True)


class Shelved(Album):
    class Meta:
        proxy = True


class Archived(models.Model):
    """Of a database that the tests do not have."""

    photo: Any = ImageField()

    class Meta:
        managed = False
