"""Writes the Python examples of the README and of docs/ as modules, for type checkers.

    python typed_docs.py DIRECTORY

Each line of a page stays at its number. What an example takes from its application is in ``given.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from support import ROOT
from test_docs import EXAMPLES, examples

GIVEN = """
from typing import BinaryIO

photo: bytes
file: BinaryIO
"""

JWT = """
from collections.abc import Callable
from typing import Any

def jwt_required() -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    raise NotImplementedError
"""


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "given.py").write_text(GIVEN)
    (directory / "flask_jwt_extended.py").write_text(JWT)
    for page in EXAMPLES:
        lines = examples(page).splitlines()
        assert lines[0] == "", page
        lines[0] = "from given import *"
        if "from django.db import models" in lines:
            # What a field holds Django's stubs tell mypy's plugin alone.
            lines.append(
                "# pyright: reportUnknownVariableType=false\n# mypy: disable-error-code=var-annotated"
            )
        name = "_".join(page.relative_to(ROOT).with_suffix("").parts).replace("-", "_").lower()
        (directory / f"{name}.py").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
