"""A store that fails: the same answers everywhere, with nothing of the server's in them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from routes.conftest import Serve
from routes.service import PENDING, Client

from support import photo

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>of lab-secret</Message><RequestId>R1</RequestId></Error>"


@pytest.fixture(scope="session")
def endpoints() -> Iterator[dict[str, str]]:
    """Addresses of S3 servers: one has too much to do, and one never answers."""
    over = threading.Event()

    class Busy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def refuse(self) -> None:
            self.send_response(503)
            self.send_header("Content-Length", "0" if self.command == "HEAD" else str(len(SLOW_DOWN)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(SLOW_DOWN)

        do_GET = do_HEAD = do_PUT = do_DELETE = refuse

    class Silent(Busy):
        def refuse(self) -> None:
            over.wait(120)

        do_GET = do_HEAD = do_PUT = do_DELETE = refuse

    with ExitStack() as servers:

        def start(handler: type[BaseHTTPRequestHandler]) -> str:
            server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
            servers.callback(server.server_close)
            servers.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}"

        yield {"busy": start(Busy), "silent": start(Silent)}
        over.set()


@pytest.mark.parametrize(
    ("how", "status", "kind"), [("busy", 503, "unavailable"), ("silent", 504, "timeout")]
)
def test_a_server_that_is_busy_or_silent(
    serve: Serve, endpoints: dict[str, str], how: str, status: int, kind: str
) -> None:
    client = serve(
        "catches",
        AWS_S3_BUCKET="lab-secret",
        AWS_REGION="us-east-1",
        AWS_ENDPOINT_URL_S3=endpoints[how],
        AWS_ACCESS_KEY_ID="AKIDEXAMPLE000000000",
        AWS_SECRET_ACCESS_KEY="x",
        LABLINK_STORAGE_DEADLINE="4",
    )
    before = len(client.log.read_text())
    answer = client.post_json("promote", {"key": PENDING})
    assert (answer.status, answer.error) == (status, kind), answer.body
    assert answer.json["hint"] == "try again in a moment"
    assert answer.headers["Retry-After"] == ("1" if status == 503 else None)
    assert b"lab-secret" not in answer.body
    # The operator learns it from the log.
    assert "lab-secret" in client.log.read_text()[before:]


def test_another_image_under_the_key(client: Client) -> None:
    form = client.form()
    data = photo(60, 45)
    sent = client.post_form(form["url"], [*form["fields"].items(), ("file", data)])
    assert sent.status == 201, sent.body
    other = client.directory / form["key"].removeprefix("pending/")
    other.parent.mkdir(parents=True, exist_ok=True)
    other.write_bytes(photo(30, 30))
    promoted = client.post_json("promote", {"key": form["key"]})
    assert (promoted.status, promoted.error) == (409, "already_exists"), promoted.body
    assert other.read_bytes() == photo(30, 30)
    # Nothing of the upload is lost.
    assert (client.directory / form["key"]).read_bytes() == data


def test_an_image_that_an_inspector_rejects(serve: Serve) -> None:
    client = serve(LABLINK_STORAGE_INSPECTOR="inspector:no_portraits")
    assert client.upload(photo(60, 45))["width"] == 60
    form = client.form()
    sent = client.post_form(form["url"], [*form["fields"].items(), ("file", photo(45, 60))])
    assert (sent.status, sent.error) == (422, "rejected"), sent.body
    assert sent.json["message"] == "the image was rejected: no portraits"
    assert not (client.directory / form["key"]).exists()
    # What lay there before the inspector was named.
    pending = client.directory / client.form()["key"]
    pending.parent.mkdir(parents=True, exist_ok=True)
    pending.write_bytes(photo(45, 60))
    key = str(pending.relative_to(client.directory))
    promoted = client.post_json("promote", {"key": key})
    assert (promoted.status, promoted.error) == (422, "rejected"), promoted.body
    assert pending.exists() and not (client.directory / key.removeprefix("pending/")).exists()


def test_what_the_store_cannot_do(serve: Serve) -> None:
    """Without a secret nothing can be signed."""
    client = serve("catches", LABLINK_STORAGE_SECRET="")
    answer = client.post_json("upload-url", {"filename": "a.jpg"})
    assert (answer.status, answer.error) == (501, "not_supported"), answer.body
    assert answer.json["message"] == "a signed request is not supported here"
    assert answer.json["hint"] == "an administrator finds the cause in the log"
