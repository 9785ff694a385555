"""The page in headless Chromium: both ways of uploading, refusals in words, deleting, images that load."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from playwright.sync_api import BrowserContext, Page, Route, expect

from lab import EMAIL, PASSWORD, Lab
from support import photo


def log_in(page: Page) -> None:
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Add a component")).to_be_visible()


@pytest.fixture
def page(browser: BrowserContext, lab: Lab) -> Iterator[Page]:
    page = browser.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(lab.address)
    log_in(page)
    yield page
    page.evaluate("localStorage.clear()")  # the browser goes on, and would stay logged in
    page.close()
    assert not troubles


def files(tmp_path: Path) -> dict[str, Path]:
    made = {
        "photo.jpg": photo(2400, 1800),
        "notes.pdf": b"%PDF-1.7 not a photo",
        "fake.jpg": b"<html><script>alert(1)</script></html>",
        "large.jpg": b"\xff\xd8\xff" + bytes(11 * 1024 * 1024),
    }
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    return {name: tmp_path / name for name in made}


def add(page: Page, name: str, way: str, file: Path) -> None:
    form = page.locator("#add")
    form.get_by_label("Name").fill(name)
    form.locator("input[type=file]").set_input_files(file)
    form.locator(f"input[value={way}]").check()
    form.get_by_role("button", name="Add component").click()


def natural_width(page: Page, name: str) -> int:
    image = page.locator(".card", has_text=name).locator("img")
    expect(image).to_have_class("loaded", timeout=15_000)
    width: int = image.evaluate("image => image.naturalWidth")
    return width


@pytest.mark.parametrize("way", ["server", "direct"])
def test_add_and_delete(page: Page, lab: Lab, tmp_path: Path, way: str) -> None:
    name = f"Board by {way}"
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    add(page, name, way, files(tmp_path)["photo.jpg"])
    expect(page.locator("#add-message")).to_have_text(f"{name} was added.", timeout=20_000)
    assert natural_width(page, name) > 0

    image = page.locator(".card", has_text=name).locator("img")
    chosen = image.evaluate("image => image.currentSrc")
    assert chosen.endswith((".jpg", ".jpeg")) and image.get_attribute("srcset")
    # The placeholder was decoded in the page.
    photo_box = page.locator(".card", has_text=name).locator(".photo")
    assert "data:image/png" in photo_box.evaluate("box => box.style.backgroundImage")
    if way == "direct":
        form = posts[-2]
        crossed = not form.startswith(lab.address)
        assert crossed == (lab.backend == "s3"), posts

    page.reload()
    assert natural_width(page, name) > 0
    with page.expect_response(lambda response: response.request.method == "DELETE") as deleted:
        page.get_by_role("button", name=f"Delete {name}").click()
    assert deleted.value.status == 200
    expect(page.locator(".card", has_text=name)).to_have_count(0)
    assert page.request.get(lab.absolute(chosen)).status == 404


@pytest.mark.parametrize("way", ["server", "direct"])
def test_refusals_are_in_words(page: Page, lab: Lab, tmp_path: Path, way: str) -> None:
    made, message = files(tmp_path), page.locator("#add-message")
    before = sorted(key for key in lab.stored() if not key.startswith("pending/"))

    add(page, "Wrong type", way, made["notes.pdf"])
    expect(message).to_contain_text("PDF files cannot be used")
    add(page, "Too large", way, made["large.jpg"])
    expect(message).to_contain_text("too large: it has 11.0 MB, at most 10 MB")
    # What only the bytes tell is found on the other side.
    add(page, "Not a photo", way, made["fake.jpg"])
    expect(message).to_contain_text("not a photo that can be used", timeout=20_000)
    assert sorted(key for key in lab.stored() if not key.startswith("pending/")) == before
    expect(page.locator(".card", has_text="Not a photo")).to_have_count(0)


def unchecked(page: Page, path: str, old: str, new: str) -> None:
    """Switches off one of the page's own checks in what the server sends."""

    def changed(route: Route) -> None:
        answer = route.fetch()
        source = answer.text()
        assert old in source
        route.fulfill(body=source.replace(old, new), content_type=answer.headers["content-type"])

    page.route(lambda url: urlsplit(url).path == path, changed)


@pytest.mark.parametrize("way", ["server", "direct"])
def test_a_large_file_is_refused_behind_the_page_too(page: Page, lab: Lab, tmp_path: Path, way: str) -> None:
    message = page.locator("#add-message")
    unchecked(page, "/", 'data-max-bytes="10485760"', 'data-max-bytes="1000000000"')
    page.reload()
    add(page, "Too large", way, files(tmp_path)["large.jpg"])
    if way == "server":
        expect(message).to_have_text("The file is too large: at most 10 MB.", timeout=30_000)
    else:
        # The form that the server signed says how much it lets in, and nothing is sent.
        expect(message).to_contain_text("too large: it has 11.0 MB, at most 10 MB", timeout=30_000)
        unchecked(page, "/static/app.js", "?.[2] ?? Infinity", "&& Infinity")
        page.reload()
        add(page, "Too large", way, files(tmp_path)["large.jpg"])
        # S3 may answer, or just close the connection: then the page cannot know why.
        said = "The photo is too large" if lab.backend == "local" else "too large|The upload was cut off"
        expect(message).to_contain_text(re.compile(said), timeout=30_000)
    expect(page.locator(".card", has_text="Too large")).to_have_count(0)


def test_the_badge_says_where_images_live(page: Page, lab: Lab) -> None:
    expected = f"Images on S3 · {lab.bucket}" if lab.bucket else "Images in local files"
    expect(page.locator("#badge")).to_contain_text(expected)


def test_a_wrong_password_is_said(browser: BrowserContext, lab: Lab) -> None:
    page = browser.new_page()
    page.goto(lab.address)
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#login .message")).to_have_text("The e-mail address or the password is wrong.")
    page.close()


def test_a_phones_width(page: Page, lab: Lab, tmp_path: Path) -> None:
    add(page, "On a phone", "server", files(tmp_path)["photo.jpg"])
    expect(page.locator("#add-message")).to_contain_text("was added", timeout=20_000)
    page.set_viewport_size({"width": 360, "height": 740})
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0
    shots = os.environ.get("LABLINK_TEST_SCREENSHOTS")
    if shots:
        page.screenshot(path=f"{shots}/phone-{lab.backend}.png", full_page=True)
        page.set_viewport_size({"width": 1180, "height": 860})
        page.screenshot(path=f"{shots}/desk-{lab.backend}.png")
    page.set_viewport_size({"width": 1180, "height": 860})
    page.get_by_role("button", name="Delete On a phone").click()
    expect(page.locator(".card", has_text="On a phone")).to_have_count(0)


def test_a_quantity_of_none_and_one_that_is_no_number(page: Page) -> None:
    form, message = page.locator("#add"), page.locator("#add-message")
    form.get_by_label("Name").fill("Used up")
    for wrong in ("", "-1", "1.5", "e"):
        form.get_by_label("Quantity").fill("")
        form.get_by_label("Quantity").press_sequentially(wrong)
        form.get_by_role("button", name="Add component").click()
        expect(message).to_have_text("The quantity is a whole number from 0 to 1000000.")
        form.get_by_label("Quantity").fill("1")
        page.evaluate("document.querySelector('#add-message').textContent = ''")
    form.get_by_label("Quantity").fill("0")
    form.get_by_role("button", name="Add component").click()
    expect(message).to_have_text("Used up was added.")
    expect(page.locator(".card", has_text="Used up").locator(".quantity")).to_have_text("0 in stock")
    page.get_by_role("button", name="Delete Used up").click()
    expect(page.locator(".card", has_text="Used up")).to_have_count(0)


def end_login(page: Page, lab: Lab, how: str) -> None:
    token = "forged"
    if how == "expired":
        key = (lab.directory / "session.key").read_text("ascii")
        old = URLSafeTimedSerializer(key, salt="token", signer=OldSigner)
        token = str(old.dumps(old.loads(page.evaluate("localStorage.getItem('lablink-token')"))))
    page.evaluate("token => localStorage.setItem('lablink-token', token)", token)


class OldSigner(TimestampSigner):
    def get_timestamp(self) -> int:
        return super().get_timestamp() - 8 * 3600 - 1


@pytest.mark.parametrize("way, how", [("server", "expired"), ("direct", "forged"), ("delete", "expired")])
def test_a_login_that_has_ended_is_said_where_it_can_be_seen(
    page: Page, lab: Lab, tmp_path: Path, way: str, how: str
) -> None:
    ended, name = page.locator("#login .message"), f"Late, {way}, {how}"
    file = files(tmp_path)["photo.jpg"]
    if way == "delete":
        add(page, name, "server", file)
        expect(page.locator("#add-message")).to_have_text(f"{name} was added.", timeout=20_000)
        page.set_viewport_size({"width": 360, "height": 480})
        delete = page.get_by_role("button", name=f"Delete {name}")
        delete.scroll_into_view_if_needed()
        end_login(page, lab, how)
        delete.click()
    else:
        end_login(page, lab, how)
        add(page, name, way, file)
    expect(ended).to_have_text("Your login has expired. Please log in again.")
    expect(ended).to_be_in_viewport()
    page.set_viewport_size({"width": 1180, "height": 860})

    log_in(page)
    expect(ended).to_be_hidden()
    if way != "delete":
        # What was filled in is still there.
        expect(page.locator("#add-message")).to_be_hidden()
        page.get_by_role("button", name="Add component").click()
        expect(page.locator("#add-message")).to_have_text(f"{name} was added.", timeout=20_000)
    page.get_by_role("button", name=f"Delete {name}").click()
    expect(page.locator(".card", has_text=name)).to_have_count(0)


def test_only_the_storages_trouble_is_the_badges(page: Page, lab: Lab) -> None:
    badge = page.locator("#badge")
    end_login(page, lab, "expired")
    page.reload()
    expect(page.locator("#login .message")).to_have_text("Your login has expired. Please log in again.")
    expect(badge).not_to_have_class(re.compile("trouble"))

    def answers(status: int, body: dict[str, object]) -> None:
        page.unroute_all()
        page.route("**/api/s3/status", lambda route: route.fulfill(status=status, json=body))

    answers(502, {"error": "bad_gateway", "message": "no", "hint": None})
    log_in(page)
    expect(page.locator("#list-message")).to_contain_text("The server cannot store images")
    expect(badge).not_to_have_class(re.compile("trouble"))
    answers(500, {"enabled": True, "error": "the bucket did not answer", "message": "not accessible"})
    page.reload()
    expect(badge).to_have_class(re.compile("trouble"))
    page.unroute_all()
    page.get_by_role("button", name="Log out").click()
    log_in(page)
    expect(badge).not_to_have_class(re.compile("trouble"))


def test_the_progress_of_a_direct_upload_moves(page: Page, tmp_path: Path) -> None:
    page.evaluate(
        """() => {
            const progress = document.querySelector("#progress"), bar = progress.querySelector(".bar");
            window.seen = [];
            new MutationObserver(() => progress.hidden || seen.push([
                Number(bar.getAttribute("aria-valuenow")), bar.firstElementChild.style.width,
                progress.querySelector("#progress-text").innerText, bar.checkVisibility()]))
                .observe(progress, { attributes: true, childList: true, subtree: true });
        }"""
    )
    file = tmp_path / "photo.jpg"
    file.write_bytes(photo(1200, 900) + bytes(4_000_000))  # what follows the picture's end does not matter
    slow = page.context.new_cdp_session(page)
    slow.send("Network.enable")
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 2_000_000}
    slow.send("Network.emulateNetworkConditions", limits)
    add(page, "In steps", "direct", file)
    expect(page.locator("#add-message")).to_have_text("In steps was added.", timeout=30_000)
    expect(page.locator("#progress")).to_be_hidden()

    seen = page.evaluate("seen")
    percents = [percent for percent, *_ in seen]
    assert percents == sorted(percents) and percents[-1] == 100
    assert len({percent for percent in percents if 0 < percent < 100}) >= 3, seen
    for percent, width, words, visible in seen:
        assert width == f"{percent}%" and visible
        # 99.6 % is shown as 100 %.
        assert words == f"Uploading to storage … {percent} %" or (percent, words) == (100, "Verifying …")
    assert seen[-1][2] == "Verifying …"
    page.get_by_role("button", name="Delete In steps").click()
    expect(page.locator(".card", has_text="In steps")).to_have_count(0)


def test_a_photo_that_is_dropped(page: Page, tmp_path: Path) -> None:
    file, area = files(tmp_path)["photo.jpg"], page.locator("#drop")
    box = area.bounding_box()
    assert box
    mouse = page.context.new_cdp_session(page)

    def drag(kind: str, x: float = box["x"] + 20, y: float = box["y"] + 20) -> None:
        data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
        mouse.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})

    drag("dragEnter")
    drag("dragOver")
    expect(area).to_have_class("drop over")
    drag("dragOver", 5, 5)
    expect(area).to_have_class("drop")
    drag("dragOver")
    drag("drop")
    expect(area).to_have_class("drop")
    expect(page.locator("#preview")).to_be_visible()

    form = page.locator("#add")
    form.get_by_label("Name").fill("Dropped")
    form.get_by_role("button", name="Add component").click()
    expect(page.locator("#add-message")).to_have_text("Dropped was added.", timeout=20_000)
    assert natural_width(page, "Dropped") > 0
    page.get_by_role("button", name="Delete Dropped").click()
    expect(page.locator(".card", has_text="Dropped")).to_have_count(0)
