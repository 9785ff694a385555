"""Direct uploads as they are in production: gunicorn, nginx with a prefix before it, a guard that catches
everything; photographs by curl, requests and Chromium, and bodies that are refused."""

from __future__ import annotations

import http.client
import io
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from test_receive import MB, REFUSED, Repeating

from servers import nginx, running
from support import ROOT, SECRET, free_port, opened

HERE = Path(__file__).parent
CHROMIUM = os.environ.get("LABLINK_TEST_CHROMIUM", "/usr/bin/chromium")
PATIENCE = 300
Form = dict[str, Any]
LOCATION = """
        location /lab/ {{
            proxy_pass http://127.0.0.1:{behind}/;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Prefix /lab;
        }}
"""


@dataclass(frozen=True)
class Site:
    """The application as a client meets it."""

    address: str
    uploads: Path
    master: int
    """The process of gunicorn that has one worker."""

    def form(self, name: str) -> Form:
        asked = requests.post(f"{self.address}/api/s3/upload-url", json={"filename": name}, timeout=PATIENCE)
        assert asked.status_code == 200, asked.text
        found: Form = asked.json()
        return found


@pytest.fixture(scope="module", params=["gunicorn", "nginx"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("served")
    uploads, port, front = directory / "uploads", free_port(), free_port()
    environment = {name: value for name, value in os.environ.items() if "AWS_" not in name} | {
        "PYTHONPATH": str(HERE),
        "LABLINK_STORAGE_DIR": str(uploads),
        "LABLINK_STORAGE_SECRET": SECRET,
        "LABLINK_STORAGE_MAX_UPLOAD_BYTES": str(32 * MB),
        "LABLINK_STORAGE_DEADLINE": str(PATIENCE),
        "LABLINK_STORAGE_LIMITS": f'{{"max_duration": {PATIENCE}}}',
    }
    command = [sys.executable, "-m", "gunicorn", "--workers", "1", "--timeout", str(PATIENCE)]
    command += ["--bind", f"127.0.0.1:{port}", "served_app:app"]
    with running(command, f"http://127.0.0.1:{port}/", env=environment, cwd=HERE) as master:
        if request.param == "gunicorn":
            yield Site(f"http://127.0.0.1:{port}", uploads, master)
            return
        with nginx(directory, front, LOCATION.format(behind=port)):
            yield Site(f"http://127.0.0.1:{front}/lab", uploads, master)


# --- what is taken


def photographs() -> list[Path]:
    """Photographs as cameras made them, of 0.3 to 12 MB; the project's own without the corpus."""
    folder = Path(os.environ.get("LABLINK_CORPUS", ROOT.parent / "shared" / "corpus")) / "bench"
    found = [path for path in folder.glob("*.jpg") if 300_000 < path.stat().st_size < 12_000_000]
    found.sort(key=lambda path: path.stat().st_size)
    return [found[at] for at in (0, len(found) // 2, -1)] if found else [ROOT / "examples" / "photo.jpg"]


def large_photograph(path: Path, number: int) -> Path:
    """A JPEG as large as those of medium-format cameras, 12 to 32 MB at random: noise, which no encoder makes
    small, of a random size, and what follows a picture's end in some cameras' files."""
    numbers = random.Random(number)
    size = numbers.randrange(12_000_000, 32 * MB)
    side = int((size * 0.85) ** 0.5)
    noise = Image.frombytes("RGB", (side, side), numbers.randbytes(3 * side * side))
    buffer = io.BytesIO()
    noise.save(buffer, "JPEG", quality=85)
    picture = buffer.getvalue()
    assert len(picture) <= size, (len(picture), size)
    path.write_bytes(picture + numbers.randbytes(size - len(picture)))
    return path


def by_curl(form: Form, path: Path) -> int:
    command = ["curl", "-s", "--max-time", str(PATIENCE), "-o", "/dev/null", "-w", "%{http_code}"]
    for name, value in form["fields"].items():
        command += ["--form-string", f"{name}={value}"]
    command += ["-F", f"file=@{path}", form["url"]]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def by_requests(form: Form, path: Path) -> int:
    with path.open("rb") as file:
        sent = requests.post(form["url"], data=form["fields"], files={"file": file}, timeout=PATIENCE)
    return sent.status_code


@pytest.fixture(scope="module")
def page(site: Site) -> Iterator[Page]:
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, args=arguments
        )
        found = context.new_page()
        found.set_default_timeout(PATIENCE * 1000)
        found.goto(f"{site.address}/")
        yield found
        context.close()


@pytest.fixture(params=["curl", "requests", "Chromium"])
def send(request: pytest.FixtureRequest) -> Callable[[Form, Path], int]:
    if request.param == "curl":
        return by_curl
    if request.param == "requests":
        return by_requests
    found: Page = request.getfixturevalue("page")

    def by_chromium(form: Form, path: Path) -> int:
        found.locator("input").set_input_files(path)
        status: int = found.evaluate(
            """async ({ url, fields }) => {
                const body = new FormData();
                for (const [name, value] of Object.entries(fields)) body.append(name, value);
                body.append("file", document.querySelector("input").files[0]);
                return (await fetch(url, { method: "POST", body })).status;
            }""",
            form,
        )
        return status

    return by_chromium


def is_taken(site: Site, send: Callable[[Form, Path], int], path: Path) -> Form:
    form = site.form(path.name)
    assert form["url"] == f"{site.address}/uploads"
    assert send(form, path) == 201
    assert (site.uploads / form["key"]).read_bytes() == path.read_bytes()
    return form


def is_published(site: Site, form: Form) -> None:
    asked = requests.post(f"{site.address}/api/s3/promote", json={"key": form["key"]}, timeout=PATIENCE)
    assert asked.status_code == 200, asked.text
    image = asked.json()
    assert image["url"] == form["file_url"]
    address = urlsplit(site.address)
    # The proxy's prefix may be in the stored URL or not.
    path = address.path + image["url"].removeprefix(address.path)
    served = requests.get(f"{address.scheme}://{address.netloc}{path}", timeout=PATIENCE)
    assert served.status_code == 200 and served.headers["Content-Type"] == "image/jpeg"
    assert opened(served.content).size == (image["width"], image["height"])


def test_photographs(site: Site, send: Callable[[Form, Path], int]) -> None:
    for path in photographs():
        is_published(site, is_taken(site, send, path))


@pytest.mark.parametrize("number", range(3))
def test_large_photographs(
    site: Site, send: Callable[[Form, Path], int], tmp_path: Path, number: int
) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    is_taken(site, send, large_photograph(tmp_path / f"{number}.jpg", seed))


def test_what_is_refused_is_no_failed_login(site: Site) -> None:
    """Behind the guard as behind the proxy."""
    routes = {
        "upload-url": ({"filename": "a.svg"}, 415, "unsupported_format"),
        "promote": ({"key": "components/a.jpg"}, 400, "invalid_key"),
    }
    for route, (body, status, kind) in routes.items():
        answer = requests.post(f"{site.address}/api/s3/{route}", json=body, timeout=PATIENCE)
        assert (answer.status_code, answer.json()["error"]) == (status, kind)


# --- what refusals cost


def memory(process: int, what: str) -> int:
    """``VmRSS`` or ``VmHWM`` (the most there was) of a process."""
    status = Path(f"/proc/{process}/status").read_text("ascii")
    (line,) = (line for line in status.splitlines() if line.startswith(what))
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("site", ["gunicorn"], indirect=True)
@pytest.mark.parametrize("kind", REFUSED)
def test_a_refused_body_costs_little_of_a_worker(site: Site, kind: str) -> None:
    (worker,) = Path(f"/proc/{site.master}/task/{site.master}/children").read_text("ascii").split()
    content_type, start, repeated, status = REFUSED[kind]
    length = 30 * MB
    body = Repeating(start(site.form("a.jpg")), repeated, length)
    before = memory(int(worker), "VmRSS")
    Path(f"/proc/{worker}/clear_refs").write_text("5", "ascii")
    connection = http.client.HTTPConnection(urlsplit(site.address).netloc, timeout=PATIENCE)
    # The empty type is no header at all.
    headers = {"Content-Length": str(length)} | ({"Content-Type": content_type} if content_type else {})
    connection.request("POST", "/uploads", iter(lambda: body.read(65536), b""), headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    # Here it is within the limit, and has no end.
    expected = 400 if kind.startswith("a signed file") else status
    assert answer.status == expected, text
    cost = memory(int(worker), "VmHWM") - before
    assert cost < 2 * length, f"{cost} bytes"
