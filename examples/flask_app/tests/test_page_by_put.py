"""The page where browsers upload by PUT, to a server that they know by another name than the application does: nginx
has both behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect
from test_page import add, natural_width, page

from lab import EMAIL, PASSWORD, Lab, Serving, photographs
from servers import nginx
from support import Server, free_port

__all__ = ["page"]


LOCATIONS = """
        location / {{
            proxy_pass http://127.0.0.1:{application};
            proxy_set_header Host $http_host;
        }}
        # The name that the browser asked for is part of what is signed.
        location /{bucket}/ {{
            proxy_pass {storage};
            proxy_set_header Host $http_host;
        }}
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    directory, server = tmp_path_factory.mktemp("put"), Server.from_env()
    port, front = free_port(), free_port()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LABLINK_STORAGE_"))
    }
    with server.bucket() as bucket:
        server.make_public(bucket)
        environment |= server.environment(bucket) | {
            "LABLINK_INSTANCE": str(directory),
            "LABLINK_FACULTY_EMAIL": EMAIL,
            "LABLINK_FACULTY_PASSWORD": PASSWORD,
            "LABLINK_STORAGE_DIRECT_UPLOAD": "put",
            "LABLINK_STORAGE_PUBLIC_ENDPOINT": f"http://127.0.0.1:{front}",
        }
        locations = LOCATIONS.format(application=port, bucket=bucket, storage=server.endpoint)
        with Serving(environment, port), nginx(directory, front, locations):
            yield Lab(f"http://127.0.0.1:{front}", "s3", bucket, directory, server)


def test_photographs_go_up_by_put(page: Page, lab: Lab) -> None:
    puts: list[str] = []
    page.on("request", lambda request: puts.append(request.url) if request.method == "PUT" else None)
    for index, file in enumerate(photographs(3)):
        add(page, f"Board {index}", "direct", file)
        expect(page.locator("#add-message")).to_have_text(f"Board {index} was added.", timeout=60_000)
        assert natural_width(page, f"Board {index}") > 0
        assert len(puts) == index + 1
    image = page.locator(".card", has_text="Board 0").locator("img")
    shown = image.evaluate("image => image.currentSrc")
    assert {urlsplit(url).netloc for url in [*puts, shown]} == {urlsplit(lab.address).netloc}
    assert not [key for key in lab.stored() if key.startswith("pending/") and not key.endswith(".gone")]
    page.get_by_role("button", name="Delete Board 0").click()
    expect(page.locator(".card", has_text="Board 0")).to_have_count(0)


def test_a_file_that_is_too_large_is_refused_before_it_goes(page: Page, lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "large.jpg"
    file.write_bytes(b"\xff\xd8\xff" + bytes(11 << 20))
    before = lab.stored()
    add(page, "Too large", "direct", file)
    expect(page.locator("#add-message")).to_contain_text("10 MB", timeout=20_000)
    assert lab.stored() == before
