"""The example application under its server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

from support import ROOT, Server

EMAIL, PASSWORD = "faculty@lab.example", "a-password-for-tests"


@dataclass(frozen=True)
class Lab:
    """A running application."""

    address: str
    backend: str
    bucket: str | None
    directory: Path
    server: Server

    def log_in(self) -> dict[str, str]:
        """The header that a faculty member's requests have."""
        answer = requests.post(
            f"{self.address}/api/auth/login",
            json={"email": EMAIL, "password": PASSWORD},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def absolute(self, url: str) -> str:
        """A stored URL as a browser on the page would ask for it."""
        return f"{self.address}{url}" if url.startswith("/") else url

    def stored(self) -> list[str]:
        """What is stored, by other means than the library's."""
        if self.bucket is not None:
            return self.server.keys(self.bucket)
        uploads = self.directory / "uploads"
        return [str(path.relative_to(uploads)) for path in uploads.rglob("*") if path.is_file()]


def photographs(count: int) -> list[Path]:
    """Photographs as cameras made them, of 0.3 to 10 MB, the largest first; the project's own without the
    corpus."""
    folder = Path(os.environ.get("LABLINK_CORPUS", ROOT.parent / "shared" / "corpus")) / "bench"
    found = [path for path in folder.glob("*.jpg") if 300_000 < path.stat().st_size < 10_000_000]
    found.sort(key=lambda path: -path.stat().st_size)
    return found[:: max(1, len(found) // count)][:count] or [ROOT / "examples" / "photo.jpg"]


GUNICORN = ["gunicorn", "--workers", "4", "--preload", "--threads", "2", "--bind", "127.0.0.1:{port}"]
UVICORN = ["uvicorn", "--workers", "2", "--no-access-log", "--port", "{port}"]


class Serving:
    """gunicorn with four workers, as in production, or another server."""

    def __init__(
        self,
        environment: dict[str, str],
        port: int,
        path: str = "/",
        application: tuple[str, str] = ("flask_app", "app:create_app()"),
        server: Sequence[str] = GUNICORN,
    ) -> None:
        folder, name = application
        self._address = f"http://127.0.0.1:{port}{path}"
        command = [sys.executable, "-m", *(word.format(port=port) for word in server)]
        self._process = subprocess.Popen(
            [*command, name],
            cwd=ROOT / "examples" / folder,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(self._address, timeout=10).close()
                return
            except OSError:
                up = self._process.poll() is None and time.monotonic() < deadline
                assert up, "the application does not start"
                time.sleep(0.05)

    def __exit__(self, *_exception: object) -> None:
        self._process.terminate()
        log = self._process.communicate(timeout=60)[1]
        assert "Traceback" not in log, log[-4000:]
