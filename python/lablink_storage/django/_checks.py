"""System checks: that the options make a store and, with ``check --deploy``, all that ``doctor`` says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.core.files.storage import InvalidStorageError, storages

from .._command_line import NO_FILE
from .._exceptions import StorageError
from ._storage import LablinkStorage

_PATIENCE = 120
"""Seconds that a doctor may take."""


def _configured() -> Iterator[tuple[str, LablinkStorage]]:
    for alias in storages.backends:
        try:
            storage = storages[alias]
        except InvalidStorageError:
            continue  # somebody else's, and Django says so
        if isinstance(storage, LablinkStorage):
            yield f"STORAGES[{alias!r}]", storage


def check_configuration(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    """Fails where the options of a storage make no store."""
    found: list[CheckMessage] = []
    for name, storage in _configured():
        try:
            storage.store  # noqa: B018 - the property builds it
        except (StorageError, TypeError) as error:
            hint = getattr(error, "hint", None) or "see OPTIONS in the documentation"
            found.append(Error(f"{name}: {error}", hint=hint, id="lablink_storage.E001"))
    return found


def check_with_doctor(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    """Says what ``manage.py storage doctor`` says of every storage."""
    found: list[CheckMessage] = []
    for name, storage in _configured():
        try:
            environment = os.environ | storage.environment()
        except (StorageError, TypeError):
            continue  # check_configuration says so
        for check in _doctor(environment):
            kind = {"failure": Error, "warning": Warning}.get(check["status"])
            if kind is not None:
                letter = kind.__name__[0]
                message = f"{name}: {check['name']}: {check['message']}"
                found.append(kind(message, hint=check["hint"], id=f"lablink_storage.{letter}002"))
    return found


def _doctor(environment: dict[str, str]) -> list[dict[str, str]]:
    command = [sys.executable, "-m", "lablink_storage", "doctor", *NO_FILE, "--json"]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_PATIENCE)
        checks: list[dict[str, str]] = json.loads(done.stdout)["checks"]
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        return [{"name": "doctor", "status": "failure", "message": f"it did not run: {error}", "hint": ""}]
    return checks
