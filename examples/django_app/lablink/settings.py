"""The project's settings; what belongs to a machine comes from its environment."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "flask_app"
"""The Flask example, whose page this application shows."""

INSTANCE = Path(os.environ.get("LABLINK_INSTANCE", HERE.parent / "instance")).resolve()
INSTANCE.mkdir(parents=True, exist_ok=True)


def _kept_secret(name: str) -> str:
    """A secret of this installation's own, kept over restarts."""
    path = INSTANCE / name
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32), "ascii")
    return path.read_text("ascii")


DEBUG = os.environ.get("LABLINK_DEBUG") == "true"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
SECRET_KEY = _kept_secret("django.key")
ROOT_URLCONF = "lablink.urls"
WSGI_APPLICATION = "lablink.wsgi.application"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": INSTANCE / "lablink.db"}}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "lablink_storage.django",
    "lablink",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES: list[dict[str, Any]] = [
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True},
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [PAGE / "templates"],
        "OPTIONS": {"environment": "lablink.views.page_environment"},
    },
]

# Both come from the environment where it has them.
os.environ.setdefault("LABLINK_STORAGE_DIR", str(INSTANCE / "uploads"))
os.environ.setdefault("LABLINK_STORAGE_SECRET", _kept_secret("storage.key"))
MAX_PHOTO_BYTES = 10 * 1024 * 1024
STORAGES: dict[str, Any] = {
    "default": {
        "BACKEND": "lablink_storage.django.LablinkStorage",
        "OPTIONS": {
            "limits": {"max_bytes": MAX_PHOTO_BYTES},
            "variants": {
                "thumb": {"max_width": 320, "max_height": 320},
                "card": {"max_width": 640, "max_height": 640},
            },
        },
    },
}
