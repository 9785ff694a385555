"""The settings of the tests."""

from __future__ import annotations

from typing import Any

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["lablink_storage.django", "django_lab"]
SECRET_KEY = "of a test"
STORAGES: dict[str, Any] = {"default": {"BACKEND": "lablink_storage.django.LablinkStorage"}}
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
