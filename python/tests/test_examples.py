"""The examples of Python services, as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from support import ROOT, SECRET, free_port, photo

RIGHT = {"Authorization": "Bearer right"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {
        "TOKEN": "right",
        "LABLINK_STORAGE_SECRET": SECRET,
        "LABLINK_STORAGE_DIR": str(tmp_path / "uploads"),
    }
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(ROOT / "examples"), "--port", str(port)]
    process = subprocess.Popen([*command, "fastapi_service:app"], env=environment)
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            requests.get(f"{address}/api/s3/status", timeout=60)
            break
        except requests.ConnectionError:
            assert process.poll() is None and time.monotonic() < deadline, "it does not start"
            time.sleep(0.05)
    yield address
    process.terminate()
    process.wait(timeout=60)


def test_fastapi(service: str, tmp_path: Path) -> None:
    files = {"file": ("board.jpg", photo(1600, 1200))}
    assert requests.post(f"{service}/images", files=files, timeout=60).status_code == 401
    assert requests.get(f"{service}/api/s3/status", timeout=60).status_code == 401
    assert requests.get(f"{service}/api/s3/status", headers=RIGHT, timeout=60).status_code == 200
    added = requests.post(f"{service}/images", files=files, headers=RIGHT, timeout=60)
    assert added.status_code == 201 and added.json()["width"] == 1200
    key = added.json()["key"]
    served = requests.get(f"{service}{added.json()['url']}", timeout=60)
    assert served.content == (tmp_path / "uploads" / key).read_bytes()
    words = {"file": ("board.jpg", b"just words")}
    refused = requests.post(f"{service}/images", files=words, headers=RIGHT, timeout=60)
    assert (refused.status_code, refused.json()["error"]) == (415, "unsupported_format")
    assert requests.delete(f"{service}/images/{key}", headers=RIGHT, timeout=60).status_code == 204
    assert requests.get(f"{service}/uploads/{key}", timeout=60).status_code == 404
    outside = requests.delete(f"{service}/images/pending/{key}", headers=RIGHT, timeout=60)
    assert (outside.status_code, outside.json()["error"]) == (400, "invalid_key")
