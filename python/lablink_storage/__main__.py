"""``python -m lablink_storage`` and the script ``lablink-storage``: the command line."""

from __future__ import annotations

import logging
import signal
import sys

from ._lablink_storage import run_cli


def main() -> int:
    """Runs the command of ``sys.argv`` and returns its exit code."""
    # The command prints its warnings itself; without any handler Python would print the log's as well.
    logging.getLogger("lablink_storage").addHandler(logging.NullHandler())
    # The command runs outside of the interpreter, whose own handler would wait for it to come back.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return run_cli(["lablink-storage", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
