"""``GET /status``, and the guard around it and its neighbours."""

from __future__ import annotations

import pytest
from routes.conftest import Serve
from routes.service import PENDING, Client

from support import Server


def test_without_s3(client: Client) -> None:
    answer = client.get("/api/s3/status")
    assert (answer.status, answer.json) == (
        200,
        {"enabled": False, "message": "S3 integration is not configured"},
    )
    assert client.head("/api/s3/status").status == 200


@pytest.mark.parametrize("guard", ["open", "none"])
@pytest.mark.parametrize(
    "method, path, taken",
    [
        ("POST", "/api/s3/status", {"GET", "HEAD"}),
        ("GET", "/api/s3/upload-url", {"POST"}),
        ("DELETE", "/api/s3/promote", {"POST"}),
        ("POST", "/api/s3/variant/poster/components/a.jpg", {"GET", "HEAD"}),
        ("DELETE", "/uploads/components/a.jpg", {"GET", "HEAD"}),
    ],
)
def test_another_method(serve: Serve, guard: str, method: str, path: str, taken: set[str]) -> None:
    answer = serve(guard).send(method, path)
    assert (answer.status, answer.error) == (405, "invalid_argument"), answer.body
    allowed = {name.strip() for name in answer.headers["Allow"].split(",")}
    assert allowed - {"OPTIONS"} == taken, answer.headers["Allow"]


def test_on_s3(on_s3: Client, session_bucket: str) -> None:
    answer = on_s3.get("/api/s3/status")
    assert (answer.status, answer.json) == (
        200,
        {
            "enabled": True,
            "bucket": session_bucket,
            "region": "us-east-1",
            "message": "S3 is configured and accessible",
        },
    )


def test_a_bucket_that_is_not_there(serve: Serve, server: Server, session_bucket: str) -> None:
    missing = f"{session_bucket}-missing"
    client = serve("catches", **server.environment(missing))
    before = len(client.log.read_text())
    answer = client.get("/api/s3/status")
    assert answer.status == 500 and set(answer.json) == {"enabled", "error", "message"}
    assert answer.json["message"] == "S3 is configured but not accessible"
    promoted = client.post_json("promote", {"key": PENDING})
    assert (promoted.status, promoted.error) == (502, "no_such_bucket")
    assert missing.encode() not in answer.body + promoted.body
    # Each of the two requests wrote the cause to the log, once.
    log = client.log.read_text()[before:]
    told = [line for line in log.splitlines() if missing in line]
    assert len(told) == 2 and all("no_such_bucket" in line for line in told), log


@pytest.mark.parametrize("guard", ["none", "token"])
def test_a_request_that_the_guard_refuses(serve: Serve, guard: str) -> None:
    client = serve(guard)
    for answer in (
        client.get("/api/s3/status"),
        client.post_json("upload-url", {"filename": "a.jpg"}),
        client.post_json("promote", {"key": PENDING}),
    ):
        assert answer.status == (401 if guard == "token" else 403)
        if guard == "none":
            assert answer.error == "forbidden" and "guard" in answer.json["hint"]
    # What is published stays open.
    assert client.get("/uploads/components/missing.jpg").error == "not_found"


def test_a_request_that_the_guard_lets_in(serve: Serve) -> None:
    client = serve("token")
    right = {"Authorization": "Bearer right"}
    assert client.send("GET", "/api/s3/status", headers=right).status == 200
    assert client.post_json("upload-url", {"filename": "a.jpg"}, right).status == 200
    assert client.post_json("promote", {"key": PENDING}, right).status == 404


@pytest.mark.parametrize(
    "route, body, status, kind",
    [
        ("upload-url", {"filename": "a.svg"}, 415, "unsupported_format"),
        ("upload-url", {}, 400, "invalid_argument"),
        ("upload-url", {"filename": "x" * 100_000 + ".jpg"}, 413, "limit_exceeded"),
        ("promote", {"key": "components/a.jpg"}, 400, "invalid_key"),
        ("promote", {"key": PENDING}, 404, "not_found"),
    ],
)
def test_a_guard_that_catches_everything(
    serve: Serve, route: str, body: dict[str, str], status: int, kind: str
) -> None:
    """It sees none of the routes' own errors, and so takes none for a failed login."""
    answer = serve("catches").post_json(route, body)
    assert (answer.status, answer.error) == (status, kind)
