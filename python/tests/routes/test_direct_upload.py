"""Ask for a form, send it, promote: with photographs as cameras make them; and what is refused on the way."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from routes.conftest import Serve
from routes.service import MULTIPART, Client, Parts, multipart, photographs

from support import Server, opened, photo

SMALL = photo(60, 45)
SHAPE = {"method", "url", "headers", "fields", "key", "file_url", "expires_at"}


@pytest.mark.parametrize("path", photographs(), ids=lambda path: path.name)
def test_a_photograph(client: Client, path: Path) -> None:
    form = client.form(path.name, content_type="image/jpeg")
    assert set(form) == SHAPE and (form["method"], form["headers"]) == ("POST", {})
    assert form["url"] == f"{client.base}/uploads" and form["file_url"].startswith("/uploads/components/")
    data = path.read_bytes()
    sent = client.post_form(form["url"], [*form["fields"].items(), ("file", data)])
    assert sent.status == 201 and sent.headers["ETag"], sent.body
    assert (client.directory / form["key"]).read_bytes() == data
    # Nobody has looked at it yet: it is not served.
    assert client.get(f"/uploads/{form['key']}").status == 404

    promoted = client.post_json("promote", {"key": form["key"]})
    assert promoted.status == 200, promoted.body
    image = promoted.json
    assert image["url"] == form["file_url"] and image["source"]["size"] == len(data)
    served = client.get(image["url"])
    assert served.status == 200 and hashlib.sha256(served.body).hexdigest() == image["sha256"]
    assert opened(served.body).size == (image["width"], image["height"])
    assert max(opened(served.body).size) <= 1200
    thumb = client.get(image["variants"]["thumb"]["url"])
    assert thumb.status == 200 and opened(thumb.body).width == min(100, image["width"])
    assert client.post_json("promote", {"key": form["key"]}).error == "not_found"


def test_a_photograph_on_s3(on_s3: Client, server: Server, session_bucket: str) -> None:
    form = on_s3.form("board.jpg", content_type="image/jpeg")
    assert set(form) == SHAPE and form["url"].startswith(server.endpoint)
    files = {"file": photographs()[0].read_bytes()}
    assert requests.post(form["url"], data=form["fields"], files=files, timeout=30).status_code < 300
    promoted = on_s3.post_json("promote", {"key": form["key"]}).json
    assert promoted["url"] == form["file_url"]
    assert opened(requests.get(promoted["url"], timeout=30).content).size == (
        promoted["width"],
        promoted["height"],
    )
    never_sent = on_s3.post_json("promote", {"key": on_s3.form()["key"]})
    assert never_sent.error == "not_found" and never_sent.json["hint"] == "send the file again"
    assert session_bucket.encode() not in never_sent.body
    # There is no local route.
    assert on_s3.get("/uploads/components/a.jpg").status == 404
    assert on_s3.send("POST", "/uploads").status in (404, 405)


def test_by_put(serve: Serve, server: Server, session_bucket: str) -> None:
    """For servers that take no forms: Cloudflare R2, Backblaze B2."""
    client = serve(**server.environment(session_bucket), LABLINK_STORAGE_DIRECT_UPLOAD="put")
    for size in (None, 0, -1, "9", True, 1.5):
        refused = client.post_json("upload-url", {"filename": "a.jpg", "size": size})
        assert (refused.status, refused.error) == (400, "invalid_argument")
        assert "size" in refused.json["message"]
    assert client.post_json("upload-url", {"filename": "a.jpg"}).status == 400
    assert client.post_json("upload-url", {"filename": "a.jpg", "size": 1 << 40}).status == 413
    put = client.form("a.jpg", content_type="", size=len(SMALL))
    assert set(put) == SHAPE and (put["method"], put["fields"]) == ("PUT", {})
    longer = requests.put(put["url"], data=SMALL + b"x", headers=put["headers"], timeout=30)
    assert longer.status_code >= 400
    assert requests.put(put["url"], data=SMALL, headers=put["headers"], timeout=30).status_code == 200
    assert client.post_json("promote", {"key": put["key"]}).json["url"] == put["file_url"]


@pytest.mark.parametrize(
    "route, body, status, kind",
    [
        ("upload-url", {"filename": "a.html"}, 415, "unsupported_format"),
        ("upload-url", {"filename": "a.jpg", "content_type": "text/html"}, 415, "unsupported_format"),
        ("upload-url", {"filename": ""}, 400, "invalid_argument"),
        ("upload-url", {"filename": 7}, 400, "invalid_argument"),
        ("upload-url", {"filename": "a.jpg", "content_type": []}, 400, "invalid_argument"),
        ("upload-url", {"filename": "a.jpg", "size": "many"}, 400, "invalid_argument"),
        ("upload-url", {"filename": "\ud800.jpg"}, 400, "invalid_argument"),
        ("upload-url", {"filename": "a.jpg", "content_type": "\ud800"}, 400, "invalid_argument"),
        ("upload-url", {}, 400, "invalid_argument"),
        ("upload-url", [], 400, "invalid_argument"),
        ("promote", {"key": "components/a.jpg"}, 400, "invalid_key"),
        ("promote", {"key": "../../etc/passwd"}, 400, "invalid_key"),
        ("promote", {"key": None}, 400, "invalid_argument"),
        ("promote", {"key": "\ud800"}, 400, "invalid_argument"),
        ("promote", {"key": "pending/components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg"}, 404, "not_found"),
        ("promote", b"", 400, "invalid_argument"),
        ("promote", b"{", 400, "invalid_argument"),
        ("promote", b"\xff\xfe", 400, "invalid_argument"),
        ("promote", b"[" * 60_000, 400, "invalid_argument"),
        ("promote", b'{"key": NaN', 400, "invalid_argument"),
        ("promote", {"key": "a" * 100_000}, 413, "limit_exceeded"),
    ],
)
def test_requests_that_are_refused(client: Client, route: str, body: object, status: int, kind: str) -> None:
    answer = client.post_json(route, body)
    assert (answer.status, answer.error) == (status, kind)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_what_is_no_image_is_not_promoted(client: Client) -> None:
    cases = [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_format"),
        (b"<!doctype html><script>alert(1)</script>", 415, "unsupported_format"),
        (SMALL[:900], 400, "invalid_image"),
    ]
    for data, status, kind in cases:
        form = client.form()
        assert client.post_form(form["url"], [*form["fields"].items(), ("file", data)]).status == 201
        answer = client.post_json("promote", {"key": form["key"]})
        assert (answer.status, answer.error) == (status, kind) and answer.json["hint"]
        assert client.get(form["file_url"]).status == 404


@pytest.mark.parametrize(
    "given, content_type",
    [
        ({"filename": "a.webp", "content_type": ""}, "image/webp"),
        ({"filename": "a.jfif", "content_type": "application/octet-stream"}, "image/jpeg"),
        ({"filename": "a.png", "content_type": None}, "image/png"),
    ],
)
def test_content_types_that_browsers_do_not_know(
    client: Client, given: dict[str, str], content_type: str
) -> None:
    assert client.form(**given)["fields"]["Content-Type"] == content_type


# --- the form itself


def test_the_policy_is_enforced(client: Client) -> None:
    for changed in ({"key": "components/x.jpg"}, {"Content-Type": "text/html"}, {"extra": "1"}):
        form = client.form()
        fields = form["fields"] | changed
        answer = client.post_form("/uploads", [*fields.items(), ("file", SMALL)])
        assert (answer.status, answer.error) == (403, "policy_violation"), changed
        assert not (client.directory / form["key"]).exists()
    assert client.post_form("/uploads", [("file", SMALL)]).status in (400, 403)


def test_a_form_whose_file_comes_first(client: Client) -> None:
    form = client.form()
    for fields, status in ((form["fields"] | {"key": "components/x.jpg"}, 403), (form["fields"], 201)):
        assert client.post_form("/uploads", [("file", SMALL), *fields.items()]).status == status


def test_a_form_in_other_words(client: Client) -> None:
    """Another boundary, quoted; a preamble; what follows the last part."""
    form = client.form()
    body = multipart([*form["fields"].items(), ("file", SMALL)]).replace(b"--a-boundary", b"--b c")
    headers = {"Content-Type": 'Multipart/Form-Data; charset=utf-8; boundary="b c"'}
    answer = client.send("POST", "/uploads", b"preamble\r\n" + body + b"epilogue", headers)
    assert answer.status == 201, answer.body
    assert (client.directory / form["key"]).read_bytes() == SMALL


def _malformed(fields: Parts) -> dict[str, tuple[str, bytes, int, str]]:
    whole = multipart([*fields, ("file", SMALL)])
    return {
        "json": ("application/json", b"[1]", 415, "unsupported_format"),
        "urlencoded": ("application/x-www-form-urlencoded", b"a=b", 415, "unsupported_format"),
        "no type": ("", b"x", 415, "unsupported_format"),
        "no boundary": ("multipart/form-data", whole, 400, "invalid_argument"),
        "another boundary": ("multipart/form-data; boundary=x", whole, 400, "invalid_argument"),
        "a long boundary": (f"multipart/form-data; boundary={'x' * 500}", whole, 400, "invalid_argument"),
        "empty": (MULTIPART, b"", 400, "invalid_argument"),
        "garbage": (MULTIPART, b"garbage", 400, "invalid_argument"),
        "no end": (MULTIPART, whole[:-60], 400, "invalid_argument"),
        "no file": (MULTIPART, multipart(fields), 400, "invalid_argument"),
        "two files": (
            MULTIPART,
            multipart([*fields, ("file", SMALL), ("file", SMALL)]),
            400,
            "invalid_argument",
        ),
        "a field too long": (
            MULTIPART,
            multipart([*fields, ("note", "x" * 100_000), ("file", SMALL)]),
            413,
            "limit_exceeded",
        ),
        "too many fields": (
            MULTIPART,
            multipart([("a", "1")] * 100 + [*fields, ("file", SMALL)]),
            413,
            "limit_exceeded",
        ),
        "bytes that are no text": (
            MULTIPART,
            multipart([*fields, ("note", b"\xff\xfe"), ("file", SMALL)]),
            400,
            "invalid_argument",
        ),
        "a part without a name": (
            MULTIPART,
            b"--a-boundary\r\nX: y\r\n\r\n1\r\n" + whole,
            400,
            "invalid_argument",
        ),
    }


@pytest.mark.parametrize("kind", _malformed([]))
def test_forms_that_are_refused(client: Client, kind: str) -> None:
    form = client.form()
    content_type, body, status, error = _malformed([*form["fields"].items()])[kind]
    headers = {"Content-Type": content_type} if content_type else {}
    answer = client.send("POST", "/uploads", body, headers)
    assert (answer.status, answer.error) == (status, error), answer.body
    assert not (client.directory / form["key"]).exists()


def test_a_file_over_the_limit(client: Client) -> None:
    """The answer comes although the client sends all of it first, as browsers do."""
    form = client.form()
    large = bytes(17 << 20)
    answer = client.post_form("/uploads", [*form["fields"].items(), ("file", large)])
    assert (answer.status, answer.error) == (413, "limit_exceeded")
    # So does the one to a body that is over every limit.
    answer = client.post_form("/uploads", [*form["fields"].items(), ("file", large * 2)])
    assert (answer.status, answer.error) == (413, "limit_exceeded")
    assert not (client.directory / form["key"]).exists()


def _chunked(data: bytes) -> Iterator[bytes]:
    yield from (data[at : at + 50_000] for at in range(0, len(data), 50_000))


def test_a_body_whose_length_is_not_told(client: Client) -> None:
    form = client.form()
    for data, status in ((photographs()[0].read_bytes(), 201), (bytes(17 << 20), 413)):
        connection = http.client.HTTPConnection(urlsplit(client.base).netloc, timeout=60)
        with contextlib.closing(connection):
            body = _chunked(multipart([*form["fields"].items(), ("file", data)]))
            headers = {"Content-Type": MULTIPART, "Transfer-Encoding": "chunked"}
            connection.request("POST", "/uploads", body, headers, encode_chunked=True)
            assert connection.getresponse().status == status


def test_an_upload_that_is_broken_off(client: Client) -> None:
    form = client.form()
    body = multipart([*form["fields"].items(), ("file", photographs()[0].read_bytes())])
    connection = http.client.HTTPConnection(urlsplit(client.base).netloc, timeout=60)
    connection.putrequest("POST", "/uploads")
    connection.putheader("Content-Type", MULTIPART)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    connection.send(body[: len(body) // 2])
    connection.close()
    assert client.post_json("promote", {"key": form["key"]}).error == "not_found"
    assert not (client.directory / form["key"]).exists()
