"""Every Python example of the READMEs and of docs/ runs."""

from __future__ import annotations

import importlib
import io
import os
import re
import types
from pathlib import Path
from typing import Any

import django
import pytest

from support import ROOT, photo

PAGES = [ROOT / "README.md", ROOT / "python" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = [page for page in PAGES if "```python\n" in page.read_text("utf-8")]

# Where everything is installed, a module that is missing is a failure and not a page less.
FULL = bool(os.environ.get("LABLINK_TEST_FULL") or os.environ.get("CI"))

# What an example takes from its application, and not everybody has.
STAND_INS = {"flask_jwt_extended": {"jwt_required": lambda: lambda view: view}}


def examples(page: Path) -> str:
    """The page's examples as one program, at their lines of the page."""
    lines = page.read_text("utf-8").splitlines()
    inside, program = False, []
    for line in lines:
        fence = line.strip().startswith("```")
        inside = line == "```python" if fence and not inside else inside and not fence
        program.append(line if inside and not fence else "")
    return "\n".join(program)


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = examples(page)
    for module in sorted(set(re.findall(r"^(?:from|import) (\w+)", program, re.M))):
        if module in STAND_INS:
            stand_in = types.ModuleType(module)
            vars(stand_in).update(STAND_INS[module])
            monkeypatch.setitem(__import__("sys").modules, module, stand_in)
        elif FULL:
            importlib.import_module(module)
        else:
            pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AWS_S3_BUCKET", raising=False)
    picture = photo()
    names: dict[str, Any] = {"photo": picture, "file": io.BytesIO(picture), "__name__": "example"}
    if "from django" in program:
        django.setup()
        names["__name__"] = "django_lab.models"  # a model is an application's
    exec(compile(program, str(page), "exec"), names)
