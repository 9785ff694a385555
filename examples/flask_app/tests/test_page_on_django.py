"""The same page on Django: ``examples/django_app`` under gunicorn."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from test_page import (
    add,
    files,
    page,
    test_a_wrong_password_is_said,
    test_add_and_delete,
    test_refusals_are_in_words,
    test_the_badge_says_where_images_live,
)

from lab import EMAIL, PASSWORD, Lab, Serving
from support import ROOT, Server, free_port

__all__ = [
    "page",
    "test_a_wrong_password_is_said",
    "test_add_and_delete",
    "test_refusals_are_in_words",
    "test_the_badge_says_where_images_live",
]

DJANGO = ROOT / "examples" / "django_app"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    directory, port = tmp_path_factory.mktemp("django"), free_port()
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "LABLINK_STORAGE_", "DJANGO_"))
    }
    environment |= {"LABLINK_INSTANCE": str(directory), "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    account = ["createsuperuser", "--no-input", "--username", EMAIL, "--email", EMAIL]
    for command in (["migrate", "--verbosity", "0"], account, ["check", "--fail-level", "WARNING"]):
        subprocess.run([sys.executable, str(DJANGO / "manage.py"), *command], env=environment, check=True)
    with Serving(environment, port, application=("django_app", "lablink.wsgi")):
        yield Lab(f"http://127.0.0.1:{port}", "local", None, directory, Server.from_env())


def test_the_catalogue(browser: BrowserContext, page: Page, lab: Lab, tmp_path: Path) -> None:
    add(page, "In the catalogue", "direct", files(tmp_path)["photo.jpg"])
    expect(page.locator("#add-message")).to_have_text("In the catalogue was added.", timeout=20_000)
    catalogue = browser.new_page()
    catalogue.goto(f"{lab.address}/catalogue")
    image = catalogue.get_by_alt_text("In the catalogue")
    expect(image).to_have_attribute("width", "1200")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    # The browser chose a variant: the picture is shown small.
    assert image.evaluate("image => image.currentSrc").endswith(("/thumb.jpg", "/card.jpg"))
    catalogue.close()
    page.get_by_role("button", name="Delete In the catalogue").click()
    expect(page.locator(".card", has_text="In the catalogue")).to_have_count(0)
    assert [key for key in lab.stored() if not key.startswith("pending/")] == []
