"""The page for everybody: keyboards and screen readers, two tabs, slow servers, second thoughts."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import BrowserContext, Page, expect
from test_page import add, log_in, natural_width, page

from lab import EMAIL, PASSWORD, Lab, Serving, photographs
from support import ROOT, free_port, photo

__all__ = ["page"]


@pytest.fixture(params=["local"], scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The page does not differ with the storage: one is enough here."""
    yield from serving("/")


def serving(path: str, **more: str) -> Iterator[Lab]:
    import os

    from support import Server

    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        environment = {key: value for key, value in os.environ.items() if "AWS_" not in key}
        environment |= {
            "LABLINK_INSTANCE": name,
            "LABLINK_FACULTY_EMAIL": EMAIL,
            "LABLINK_FACULTY_PASSWORD": PASSWORD,
            "LABLINK_PATIENCE": "3",
        }
        with Serving(environment | more, port, path):
            address = f"http://127.0.0.1:{port}{path}".rstrip("/")
            yield Lab(address, "local", None, Path(name), Server.from_env())


def violations(page: Page) -> list[tuple[str, str]]:
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: BrowserContext, lab: Lab, tmp_path: Path, scheme: str) -> None:
    page = browser.new_page()
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(lab.address)
    assert violations(page) == []
    log_in(page)
    assert violations(page) == []
    (tmp_path / "photo.jpg").write_bytes(photo(400, 300))
    page.locator("#add input[type=file]").set_input_files(tmp_path / "photo.jpg")
    expect(page.locator("#preview")).to_be_visible()
    page.get_by_role("button", name="Add component").click()
    expect(page.locator("#add-message")).to_contain_text("name")
    assert violations(page) == []
    page.locator("#add").get_by_label("Name").fill(f"In {scheme}")
    page.get_by_role("button", name="Add component").click()
    assert natural_width(page, f"In {scheme}") > 0
    assert violations(page) == []
    page.get_by_role("button", name="Log out").click()
    page.close()


def test_the_contrast_of_placeholders_and_borders(browser: BrowserContext, lab: Lab) -> None:
    """WCAG 2.2: 1.4.3 asks 4.5:1 for text, 1.4.11 asks 3:1 for what shows where an input is."""
    page = browser.new_page()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(lab.address)
        text, edge = page.evaluate(
            """() => {
                const light = (color) => {
                    const parts = color.match(/[0-9.]+/g).slice(0, 3).map((part) => part / 255)
                        .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
                    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
                };
                const ratio = (one, other) => {
                    const [a, b] = [light(one), light(other)].sort((a, b) => b - a);
                    return (a + 0.05) / (b + 0.05);
                };
                const input = document.querySelector("#filter"), style = getComputedStyle(input);
                return [ratio(getComputedStyle(input, "::placeholder").color, style.backgroundColor),
                    ratio(style.borderTopColor, style.backgroundColor)];
            }"""
        )
        assert text >= 4.5 and edge >= 3, (scheme, text, edge)
    page.close()


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.name || document.activeElement.id"))


def test_the_focus_goes_where_the_work_goes_on(page: Page) -> None:
    assert focused(page) == "name"
    form = page.locator("#add")
    form.get_by_label("Quantity").fill("-1")
    form.get_by_label("Name").fill("Focus")
    page.get_by_role("button", name="Add component").click()
    expect(form.get_by_label("Quantity")).to_have_attribute("aria-invalid", "true")
    assert focused(page) == "quantity"
    form.get_by_label("Quantity").fill("1")
    page.get_by_role("button", name="Add component").click()
    expect(page.locator("#add-message")).to_have_text("Focus was added.")
    assert focused(page) == "name" and form.locator("[aria-invalid]").count() == 0
    page.get_by_role("button", name="Delete Focus").click()
    expect(page.locator(".card", has_text="Focus")).to_have_count(0)
    assert page.evaluate("document.activeElement !== document.body")
    page.get_by_role("button", name="Log out").click()
    assert focused(page) == "email"


def test_a_filter_without_a_match(page: Page) -> None:
    for name in ("Resistor", "Capacitor"):
        page.locator("#add").get_by_label("Name").fill(name)
        page.get_by_role("button", name="Add component").click()
        expect(page.locator("#add-message")).to_have_text(f"{name} was added.")
    total = page.locator(".card").count()
    page.locator("#filter").fill("resis")
    expect(page.locator("#count")).to_have_text(f"1 of {total}")
    page.locator("#filter").fill("no such thing")
    expect(page.locator("#empty")).to_have_text("No component matches the filter.")
    expect(page.locator("#count")).to_have_text(f"0 of {total}")


def test_a_photo_is_pasted_and_removed(page: Page) -> None:
    page.evaluate(
        """bytes => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "pasted.jpg", { type: "image/jpeg" }));
            document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, cancelable: true }));
        }""",
        list(photo(60, 40)),
    )
    expect(page.locator("#preview")).to_be_visible()
    page.get_by_role("button", name="Remove the photo").click()
    expect(page.locator("#preview")).to_be_hidden()
    expect(page.locator("#drop-text")).to_be_visible()
    assert page.locator("#add input[type=file]").evaluate("input => input.files.length") == 0
    expect(page.get_by_role("button", name="Remove the photo")).to_be_hidden()


def test_a_photo_that_cannot_be_shown(page: Page, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff not a photo")
    page.locator("#add input[type=file]").set_input_files(tmp_path / "broken.jpg")
    expect(page.locator("#add-message")).to_contain_text("cannot be shown")
    expect(page.locator("#drop-text")).to_be_visible()


@pytest.mark.parametrize("way", ["server", "direct"])
@pytest.mark.parametrize("how", ["cancelled", "silent"])
def test_an_upload_that_does_not_end(page: Page, tmp_path: Path, way: str, how: str) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo(60, 40))
    silent = "**/uploads" if way == "direct" else "**/api/components"
    page.route(silent, lambda route: None if route.request.method == "POST" else route.continue_())
    add(page, "Never", way, tmp_path / "photo.jpg")
    message, button = page.locator("#add-message"), page.get_by_role("button", name="Add component")
    expect(button).to_be_disabled()
    if how == "cancelled":
        expect(page.get_by_role("button", name="Cancel")).to_be_visible()
        page.get_by_role("button", name="Cancel").click()
        expect(message).to_have_text("The upload was cancelled.")
    else:
        expect(message).to_contain_text("no answer for too long", timeout=10_000)
    expect(button).to_be_enabled()
    expect(page.locator("#progress")).to_be_hidden()


def test_leaving_in_the_middle_of_an_upload_asks(page: Page, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo(60, 40))
    page.route(
        "**/api/components", lambda route: None if route.request.method == "POST" else route.continue_()
    )
    kinds: list[str] = []
    page.on("dialog", lambda dialog: kinds.append(dialog.type))
    add(page, "Never", "server", tmp_path / "photo.jpg")
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    page.reload()
    assert kinds == ["beforeunload"]


def test_a_second_tab_is_logged_in(page: Page, lab: Lab) -> None:
    second = page.context.new_page()
    second.goto(lab.address)
    expect(second.get_by_role("heading", name="Add a component")).to_be_visible()
    second.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Faculty login")).to_be_visible()
    second.close()


def test_a_component_that_somebody_else_has_deleted(page: Page) -> None:
    page.locator("#add").get_by_label("Name").fill("Gone")
    page.get_by_role("button", name="Add component").click()
    card = page.locator(".card", has_text="Gone")
    identity = card.get_attribute("data-id")
    page.evaluate(
        """async (id) => fetch(`api/components/${id}`, { method: "DELETE",
            headers: { Authorization: `Bearer ${localStorage.getItem("lablink-token")}` } })""",
        identity,
    )
    page.get_by_role("button", name="Delete Gone").click()
    expect(page.locator("#list-message")).to_contain_text("does not exist any more")
    expect(card).to_have_count(0)


def test_words_and_order_on_a_phone(browser: BrowserContext, lab: Lab) -> None:
    page = browser.new_page()
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(lab.address)
    expect(page.get_by_role("heading", name="Components")).to_be_in_viewport()
    boxes = [page.locator(place).bounding_box() for place in ("#inventory-title", "#login-panel")]
    assert boxes[0] and boxes[1] and boxes[0]["y"] < boxes[1]["y"]
    page.route("**/api/components", lambda route: route.fulfill(json={"components": []}))
    page.reload()
    expect(page.locator("#empty")).to_have_text("Nothing here yet. Log in and add the first component.")
    log_in(page)
    expect(page.locator("#empty")).to_have_text("Nothing here yet. Add the first component.")
    page.get_by_role("button", name="Log out").click()
    page.close()


@pytest.mark.parametrize("way", ["server", "direct"])
def test_behind_a_prefix_with_a_real_photograph(browser: BrowserContext, way: str) -> None:
    for lab in serving(
        "/lab/", SCRIPT_NAME="/lab", LABLINK_STORAGE_BASE_URL="/lab/uploads", LABLINK_PATIENCE="60"
    ):
        page = browser.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"{lab.address}/")
        log_in(page)
        path = photographs(99)[-1] if way == "direct" else ROOT / "examples" / "photo.jpg"
        add(page, "Under a prefix", way, path)
        expect(page.locator("#add-message")).to_have_text("Under a prefix was added.", timeout=60_000)
        assert natural_width(page, "Under a prefix") > 0
        source = page.locator(".card img").evaluate("image => image.currentSrc")
        assert re.match(rf"{lab.address}/uploads/components/", source)
        page.get_by_role("button", name="Delete Under a prefix").click()
        expect(page.locator(".card")).to_have_count(0)
        page.get_by_role("button", name="Log out").click()
        page.close()
