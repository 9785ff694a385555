"""The command line's commands for the command lines of Flask and Django."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence

from ._lablink_storage import run_cli

COMMANDS = {
    "doctor": "Look at everything that can be wrong, and say what to do about it.",
    "setup": "Print all that a bucket needs, as documents or as a script for the AWS CLI.",
    "migrate": "Copy images from a directory or bucket to another, without loss.",
    "regenerate": "Make the variants that are missing, of images that were stored long ago.",
    "sweep": "Find direct uploads that were never promoted, leftovers and orphans.",
}

NO_FILE = ("--env-file", os.devnull)
"""An empty file in the place of ./.env, which would fill in what the application left unset."""


def run_command(name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs a command on an application's configuration, and returns its exit code."""
    # It runs outside of the interpreter, whose own handler would wait for it to come back.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return run_cli(["lablink-storage", name, *NO_FILE, *arguments], environment)
    finally:
        signal.signal(signal.SIGINT, before)
