"""Direct uploads without S3: the route that takes the form a store of the application's own signed."""

from __future__ import annotations

import io
import random
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from werkzeug.test import run_wsgi_app

from support import make_app, photo, store_of

MB = 1024 * 1024
Parts = list[tuple[str, bytes]]


@pytest.fixture
def form(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] | None = client.post("/api/s3/upload-url", json={"filename": "a.jpg"}).json
    assert found is not None
    return found


def refusals(client: FlaskClient, data: Any, **more: Any) -> tuple[int, str]:
    answer = client.post("/uploads", data=data, **more)
    assert answer.json is not None and set(answer.json) == {"error", "message", "hint"}
    return answer.status_code, answer.json["error"]


def test_the_policy_is_enforced(
    client: FlaskClient, app: Flask, form: dict[str, Any], picture: bytes
) -> None:
    fields = form["fields"]
    violation = (403, "policy_violation")
    for changed in ({"key": "components/x.jpg"}, {"Content-Type": "text/html"}, {"extra": "1"}):
        data = fields | changed | {"file": (io.BytesIO(picture), "a.jpg")}
        assert refusals(client, data) == violation
    assert refusals(client, {"file": (io.BytesIO(picture), "a.jpg")})[0] in (400, 403)
    assert store_of(app).sweep(older_than=0).found == []


def test_malformed_forms(client: FlaskClient, form: dict[str, Any], picture: bytes) -> None:
    bad = (400, "invalid_argument")
    assert refusals(client, form["fields"], content_type="multipart/form-data") == bad
    assert refusals(client, {}, content_type="multipart/form-data") == bad
    assert refusals(client, b"garbage", content_type="multipart/form-data") == bad
    assert refusals(client, b"x", content_type="multipart/form-data; boundary=b") == bad
    two = form["fields"] | {
        "file": (io.BytesIO(picture), "a.jpg"),
        "other": (io.BytesIO(picture), "b.jpg"),
    }
    assert refusals(client, two) == bad


def test_the_body_is_capped_before_it_is_parsed(
    client: FlaskClient, app: Flask, form: dict[str, Any]
) -> None:
    large = form["fields"] | {"file": (io.BytesIO(bytes(2_000_000)), "a.jpg")}
    assert refusals(client, large) == (413, "limit_exceeded")

    class Endless(io.RawIOBase):
        given = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            self.given += len(buffer)
            return len(buffer)

    endless = Endless()
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/uploads",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": endless,
        "wsgi.input_terminated": True,
        "wsgi.errors": io.StringIO(),
        "CONTENT_TYPE": "multipart/form-data; boundary=b",
    }
    answer = run_wsgi_app(app, environ)
    assert answer[1].startswith(("400", "413"))
    assert endless.given < 3_000_000
    # What is refused for its length is taken from a client that is still sending, but not without end.
    for length, taken in ((5_000_000, 5_000_000), (10**12, 64 << 20)):
        endless.given = 0
        answer = run_wsgi_app(app, environ | {"CONTENT_LENGTH": str(length)})
        assert answer[1].startswith("413") and endless.given == taken
    fields = form["fields"] | {"note": "x" * 100_000}
    assert refusals(client, fields | {"file": (io.BytesIO(b"x"), "a.jpg")})[0] == 413


# --- what is taken


def filling(size: int, seed: int) -> bytes:
    """Bytes after a picture's end, which decoders do not look at: at random, full of line ends, or none."""
    numbers = random.Random(seed)
    if seed % 3 == 0:
        return numbers.randbytes(size)
    if seed % 3 == 1:
        return b"".join(
            numbers.choices([b"\r", b"\n", b"\r\n", b"--", b"\r\n--b", b"x" * 700], k=size // 120)
        )[:size]
    return bytes(size)


@pytest.mark.parametrize("seed", range(24))
def test_files_of_any_size_and_content_are_taken(tmp_path: Path, seed: int) -> None:
    """A decoder that bounds what it holds back refuses photographs by chance: wherever a line end falls
    near the end of a chunk."""
    client = make_app(
        tmp_path, LABLINK_STORAGE_LIMITS={"max_bytes": 32 * MB}, LABLINK_STORAGE_FSYNC="false"
    ).test_client()
    most = [200_000, 1_000_000, 10 * MB][seed // 8]
    data = photo(40, 30) + filling(random.Random(seed).randrange(60_000, most), seed)
    form = client.post("/api/s3/upload-url", json={"filename": "a.jpg"}).json
    assert form is not None
    sent = client.post("/uploads", data=form["fields"] | {"file": (io.BytesIO(data[: 10 * MB]), "a.jpg")})
    assert sent.status_code == 201, sent.text
    assert (tmp_path / "uploads" / form["key"]).read_bytes() == data[: 10 * MB]


def test_a_form_whose_file_comes_first(client: FlaskClient, form: dict[str, Any]) -> None:
    """It is judged when its fields are there."""
    for fields, status in ((form["fields"], 201), (form["fields"] | {"key": "components/x.jpg"}, 403)):
        body = multipart([("file", photo(40, 30)), *parts_of(fields)])
        assert client.post("/uploads", data=body, content_type=MULTIPART).status_code == status


@pytest.mark.parametrize("look", ["form", "files", "get_data", "values"])
def test_a_body_that_the_application_has_looked_at(tmp_path: Path, look: str) -> None:
    """As CSRF checks, audit logs and request recorders do in ``before_request``."""
    app = make_app(tmp_path)

    @app.before_request
    def peek() -> None:
        looked = getattr(request, look)
        if callable(looked):
            looked()

    client = app.test_client()
    data = photo(40, 30)
    form = client.post("/api/s3/upload-url", json={"filename": "a.jpg"}).json
    assert form is not None
    sent = client.post("/uploads", data=form["fields"] | {"file": (io.BytesIO(data), "a.jpg")})
    assert sent.status_code == 201, sent.text
    assert (tmp_path / "uploads" / form["key"]).read_bytes() == data
    refused = form["fields"] | {"key": "components/x.jpg", "file": (io.BytesIO(data), "a.jpg")}
    assert client.post("/uploads", data=refused).status_code == 403


# --- what refusals cost

MULTIPART = "multipart/form-data; boundary=b"


def parts_of(fields: dict[str, str]) -> Parts:
    return [(name, value.encode()) for name, value in fields.items()]


def multipart(parts: Parts, *, end: bytes = b"--b--\r\n") -> bytes:
    body = b""
    for name, value in parts:
        file = b'; filename="a.jpg"' if name == "file" else b""
        body += b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n' % (name.encode(), file)
        body += value + b"\r\n"
    return body + end


class Repeating:
    """A body that is not in memory: its beginning, then the same bytes until its length is reached."""

    def __init__(self, start: bytes, repeated: bytes, length: int) -> None:
        self.chunks = self.given(start, repeated)
        self.left = length

    @staticmethod
    def given(start: bytes, repeated: bytes) -> Iterator[bytes]:
        yield from (start[at : at + 65536] for at in range(0, len(start), 65536))
        block = repeated * (65536 // len(repeated))
        while True:
            yield block

    def read(self, size: int) -> bytes:
        chunk = next(self.chunks)[: min(self.left, size)]
        self.left -= len(chunk)
        return chunk


def signed_start(form: dict[str, Any]) -> bytes:
    return multipart([*parts_of(form["fields"]), ("file", b"")], end=b"")[:-2]


REFUSED: dict[str, tuple[str, Callable[[dict[str, Any]], bytes], bytes, int]] = {
    "urlencoded": ("application/x-www-form-urlencoded", lambda form: b"a=", b"%41", 415),
    "json": ("application/json", lambda form: b"[", b"1,", 415),
    "no type": ("", lambda form: b"", b"x", 415),
    "no boundary": ("multipart/form-data", lambda form: b"--b\r\n", b"x", 400),
    "a preamble": (MULTIPART, lambda form: b"", b"x", 400),
    "a preamble of boundaries": (MULTIPART, lambda form: b"", b"--bx\r\n", 400),
    "a header": (MULTIPART, lambda form: b"--b\r\nX: ", b"x", 400),
    "headers": (MULTIPART, lambda form: b"--b\r\n", b"X: y\r\n", 400),
    "a field": (MULTIPART, lambda form: multipart([("a", b"")], end=b"")[:-2], b"x", 413),
    "fields": (MULTIPART, lambda form: b"", multipart([("a", b"1")], end=b""), 413),
    "an unsigned file": (
        MULTIPART,
        lambda form: multipart([("policy", b"x"), ("file", b"")], end=b""),
        b"x",
        403,
    ),
    "a signed file": (MULTIPART, signed_start, b"x", 413),
    "a signed file of line ends": (MULTIPART, signed_start, b"\r\n", 413),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refused_body_costs_little_memory(tmp_path: Path, kind: str) -> None:
    app = make_app(tmp_path, LABLINK_STORAGE_LIMITS={"max_bytes": 32 * MB})
    form = app.test_client().post("/api/s3/upload-url", json={"filename": "a.jpg"}).json
    assert form is not None
    content_type, start, repeated, status = REFUSED[kind]
    length = 30 * MB
    body = Repeating(start(form), repeated, length)
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/uploads",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": body,
        "wsgi.errors": io.StringIO(),
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(length),
    }
    tracemalloc.start()
    try:
        answer = run_wsgi_app(app, environ)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer[1].startswith(str(status)), (answer[1], b"".join(answer[0]))
    assert peak < 4 * MB, peak
    # All of it was taken: browsers look at the answer only then.
    assert body.left == 0
    assert store_of(app).sweep(older_than=0).found == []
