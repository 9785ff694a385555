"""``manage.py storage …``: the command line's commands, on a storage of ``STORAGES``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from django.core.files.storage import storages
from django.core.management.base import BaseCommand, CommandError, CommandParser

from lablink_storage._command_line import COMMANDS, run_command
from lablink_storage._exceptions import StorageError
from lablink_storage.django import LablinkStorage

_ALL = {"status": "Check that the store answers.", **COMMANDS}


class Command(BaseCommand):
    help = "Look after an image store: " + "; ".join(f"{name}: {about[:-1]}" for name, about in _ALL.items())
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--using", default="default", help="the storage's name in STORAGES")
        parser.add_argument("command", choices=list(_ALL))
        parser.add_argument(
            "arguments",
            nargs=argparse.REMAINDER,
            help="as `python -m lablink_storage COMMAND --help` lists them",
        )

    def handle(self, *args: Any, using: str, command: str, arguments: list[str], **options: Any) -> None:
        storage = storages[using]
        if not isinstance(storage, LablinkStorage):
            raise CommandError(f"STORAGES[{using!r}] is not lablink_storage.django.LablinkStorage")
        try:
            environment = storage.environment()
        except StorageError as error:
            raise CommandError(f"{error}: {error.hint}") from error
        sys.exit(run_command(command, arguments, environment))
