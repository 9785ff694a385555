"""The services that answer the routes, each as its framework's users run it, and a client that sends what it
is told to the byte."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from support import ROOT, free_port

HERE = Path(__file__).parent
PYTHON = sys.executable

PENDING = "pending/components/94c63eac-45e9-4991-8148-fc1737ee7b30.jpg"
"""An upload that nobody made."""


Environment = Mapping[str, str]


def _workers(environment: Environment) -> list[str]:
    """What is in memory one process alone has."""
    return ["--workers", "1" if "LABLINK_STORAGE_MEMORY" in environment else "4"]


def _gunicorn(address: str, environment: Environment, application: str) -> list[str]:
    workers = [*_workers(environment), "--threads", "4", "--preload"]
    return [PYTHON, "-m", "gunicorn", *workers, "--bind", address, application]


def _flask(address: str, environment: Environment) -> list[str]:
    return _gunicorn(address, environment, "flask_service:app")


def _axum(address: str, _environment: Environment) -> list[str]:
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    built = os.environ.get("LABLINK_TEST_AXUM", f"{target}/debug/examples/axum_routes")
    return [built, address]


def _fastapi(address: str, environment: Environment) -> list[str]:
    host, port = address.split(":")
    root = ["--root-path", environment["APPLICATION_ROOT"]] if "APPLICATION_ROOT" in environment else []
    command = [PYTHON, "-m", "uvicorn", *_workers(environment), "--no-access-log", *root]
    return [*command, "--host", host, "--port", port, "asgi_service:app"]


def _django(address: str, environment: Environment) -> list[str]:
    return _gunicorn(address, environment, "django_service:app")


def _asgi(address: str, environment: Environment) -> list[str]:
    return ["env", "FRAMEWORK=asgi", *_fastapi(address, environment)]


COMMANDS = {"flask": _flask, "axum": _axum, "fastapi": _fastapi, "asgi": _asgi, "django": _django}
"""By name of the framework: the command that serves the routes at an address."""

ALWAYS = ["flask", "axum"]
"""What a run without ``--full`` looks at."""


@contextlib.contextmanager
def running(framework: str, environment: Mapping[str, str], log: Path) -> Iterator[str]:
    """Starts a service with four workers, and gives its address."""
    address = f"127.0.0.1:{free_port()}"
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LABLINK_STORAGE_"))
    }
    services = os.pathsep.join([str(HERE / "services"), os.environ.get("PYTHONPATH", "")])
    # gunicorn and uvicorn believe a proxy on this machine, unless they are told where it is.
    proxy = "127.0.0.1" if "BEHIND_PROXY" in environment else "192.0.2.1"
    with log.open("wb") as output:
        process = subprocess.Popen(
            COMMANDS[framework](address, environment),
            env=inherited | {"PYTHONPATH": services, "FORWARDED_ALLOW_IPS": proxy} | dict(environment),
            cwd=HERE,
            stdout=output,
            stderr=output,
        )
    try:
        _wait_for(address, process, log)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(timeout=60)
    written = log.read_text(errors="replace")
    assert "Traceback" not in written and "panicked" not in written, written[-4000:]


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            Client(f"http://{address}").get("/api/s3/status")
            return
        except (OSError, http.client.HTTPException):
            up = process.poll() is None and time.monotonic() < deadline
            assert up, f"the service does not start: {log.read_text(errors='replace')[-4000:]}"
            time.sleep(0.05)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        assert self.headers["Content-Type"].startswith("application/json"), self.body[:400]
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def error(self) -> str:
        """The kind of an error, whose answer has the contract's shape."""
        found = self.json
        assert set(found) == {"error", "message", "hint"} and found["message"], found
        kind: str = found["error"]
        return kind


@dataclass(frozen=True)
class Client:
    """Sends requests to a service as they are written: no path is normalised."""

    base: str
    headers: Mapping[str, str] = field(default_factory=dict)
    directory: Path = Path()
    """Where the service's store has its files."""
    log: Path = Path()
    mounted: str = ""
    """A prefix that the proxy in front takes off."""

    def send(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        parts = urlsplit(self.base)
        connection = http.client.HTTPConnection(parts.netloc, timeout=180)
        target = target.removeprefix(f"{parts.scheme}://{parts.netloc}") or "/"
        sent = {**self.headers, **(headers or {})}
        if body or method == "POST":
            sent.setdefault("Content-Length", str(len(body)))
        with contextlib.closing(connection):
            connection.putrequest(method, target.removeprefix(self.mounted), skip_host="Host" in sent)
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders()
            # A service that answers before it has read all is no fault of the test's.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.send(body)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())

    def get(self, target: str, **headers: str) -> Answer:
        return self.send("GET", target, headers=_names(headers))

    def head(self, target: str, **headers: str) -> Answer:
        return self.send("HEAD", target, headers=_names(headers))

    def post_json(self, route: str, value: object, headers: Mapping[str, str] | None = None) -> Answer:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.send(
            "POST", f"/api/s3/{route}", body, {"Content-Type": "application/json", **(headers or {})}
        )

    def post_form(self, target: str, parts: Parts) -> Answer:
        return self.send("POST", target, multipart(parts), {"Content-Type": MULTIPART})

    def form(self, filename: str = "a.jpg", **more: object) -> dict[str, Any]:
        """What a page asks for before it uploads."""
        answer = self.post_json("upload-url", {"filename": filename, **more})
        assert answer.status == 200, answer.body
        return answer.json

    def upload(self, data: bytes, filename: str = "a.jpg") -> dict[str, Any]:
        """What a page does: ask, send, promote."""
        form = self.form(filename)
        sent = self.post_form(form["url"], [*form["fields"].items(), ("file", data)])
        assert sent.status == 201, sent.body
        promoted = self.post_json("promote", {"key": form["key"]})
        assert promoted.status == 200, promoted.body
        return promoted.json


def _names(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


Parts = list[tuple[str, str | bytes]]
MULTIPART = "multipart/form-data; boundary=a-boundary"


def multipart(parts: Parts, end: bytes = b"--a-boundary--\r\n") -> bytes:
    body = []
    for name, value in parts:
        file = b'; filename="a.jpg"\r\nContent-Type: image/jpeg' if name == "file" else b""
        disposition = b'Content-Disposition: form-data; name="%s"%s' % (name.encode(), file)
        data = value if isinstance(value, bytes) else value.encode()
        body.append(b"--a-boundary\r\n%s\r\n\r\n%s\r\n" % (disposition, data))
    return b"".join(body) + end


@cache
def photographs() -> list[Path]:
    """Photographs of 0.5 to 13 MB as cameras made them; without the corpus the project's own."""
    corpus = Path(os.environ.get("LABLINK_CORPUS", ROOT.parent / "shared" / "corpus"))
    found = sorted((corpus / "bench").glob("*.jpg"), key=lambda path: path.stat().st_size)
    if not os.environ.get("LABLINK_TEST_FULL"):
        found = [*found[:1], *found[len(found) // 2 :: len(found)], *found[-1:]]
    return found or [ROOT / "examples" / "photo.jpg"]
