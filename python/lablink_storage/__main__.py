"""``python -m lablink_storage``: the command line."""

from __future__ import annotations

import signal
import sys

from ._lablink_storage import run_cli

if __name__ == "__main__":
    # The command runs outside of the interpreter, whose own handler would wait for it to come back.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(run_cli(["lablink-storage", *sys.argv[1:]]))
