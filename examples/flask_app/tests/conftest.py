"""The example application, on local files and on Ceph RGW."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect, sync_playwright

from lab import EMAIL, PASSWORD, Lab, Serving
from support import Server, free_port

CHROMIUM = os.environ.get("LABLINK_TEST_CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# Other tests are at work meanwhile, and a log-in costs processor time on purpose.
expect.set_options(timeout=20_000)


# No longer than a file: Playwright's loop, which is in this thread, is in the way of tests with loops of their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserContext]:
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=CHROMIUM,
            args=ARGUMENTS,
            viewport={"width": 1180, "height": 860},
        )
        yield context
        context.close()


@pytest.fixture(scope="session", params=["local", "s3"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    server, port = Server.from_env(), free_port()
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        environment = {key: value for key, value in os.environ.items() if "AWS_" not in key}
        environment |= {
            "LABLINK_INSTANCE": name,
            "LABLINK_FACULTY_EMAIL": EMAIL,
            "LABLINK_FACULTY_PASSWORD": PASSWORD,
        }
        if request.param == "local":
            with Serving(environment, port):
                yield Lab(address, "local", None, directory, server)
            return
        with server.bucket() as bucket:
            server.make_public(bucket)
            server.allow_origin(bucket, address)
            with Serving(environment | server.environment(bucket), port):
                yield Lab(address, "s3", bucket, directory, server)
