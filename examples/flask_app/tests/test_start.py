"""The one command: `python app.py`, with nothing set up."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import BrowserContext, expect

from support import ROOT, free_port


def test_one_command_and_no_account(browser: BrowserContext, tmp_path: Path) -> None:
    # A copy, since it keeps its files beside itself.
    app, empty, port = tmp_path / "flask_app", tmp_path / "empty", free_port()
    shutil.copytree(
        ROOT / "examples" / "flask_app",
        app,
        ignore=shutil.ignore_patterns("instance", "tests", "__pycache__"),
    )
    empty.mkdir()
    process = subprocess.Popen(
        [sys.executable, str(app / "app.py")],
        cwd=empty,
        env={"PORT": str(port)},  # the only variable: another may have port 5000
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # As in a terminal: what runs in the background may have been told to ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(address, timeout=10).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, "it does not start"
                time.sleep(0.05)

        page = browser.new_page()
        page.goto(address)
        expect(page.locator("#badge")).to_contain_text("Images in local files")
        expect(page.get_by_label("E-mail")).to_have_value("faculty@lablink.example")
        expect(page.get_by_label("Password")).to_have_value("faculty")
        expect(page.locator("#login-panel")).to_contain_text("This is the demonstration account.")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="Add a component")).to_be_visible()

        process.send_signal(signal.SIGINT)
        log = process.communicate(timeout=20)[0]
        page.close()
        assert process.returncode == 0 and "Traceback" not in log, log
        assert not list(empty.iterdir())
    finally:
        process.kill()
        process.wait()
