"""The extension: its routes, what it serves, what it takes, and what it says when something is wrong."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask, abort, request
from flask.testing import FlaskClient
from werkzeug.middleware.proxy_fix import ProxyFix

import lablink_storage
from lablink_storage import ImageStore, StorageError
from lablink_storage.flask import LablinkStorage

from support import SECRET, Server, catches_everything, make_app, opened, photo, store_of

# --- status, upload-url, promote


def test_status_without_s3(client: FlaskClient) -> None:
    answer = client.get("/api/s3/status")
    assert answer.status_code == 200
    assert answer.json == {"enabled": False, "message": "S3 integration is not configured"}


def test_status_on_s3(tmp_path: Path, server: Server, bucket: str) -> None:
    client = make_app(tmp_path, **server.environment(bucket)).test_client()
    answer = client.get("/api/s3/status")
    assert (answer.status_code, answer.json) == (
        200,
        {
            "enabled": True,
            "bucket": bucket,
            "region": "us-east-1",
            "message": "S3 is configured and accessible",
        },
    )
    missing = f"{bucket}-missing"
    client = make_app(tmp_path, **server.environment(missing)).test_client()
    answer = client.get("/api/s3/status")
    assert answer.status_code == 500 and answer.json is not None
    assert set(answer.json) == {"enabled", "error", "message"}
    assert answer.json["message"] == "S3 is configured but not accessible"
    assert missing not in answer.text


def test_a_direct_upload(client: FlaskClient, app: Flask, picture: bytes) -> None:
    answer = client.post("/api/s3/upload-url", json={"filename": "a.jpg"})
    form = answer.json
    assert answer.status_code == 200 and form is not None
    assert set(form) == {"method", "url", "headers", "fields", "key", "file_url", "expires_at"}
    assert (form["method"], form["headers"]) == ("POST", {})
    assert form["url"] == "http://localhost/uploads" and form["file_url"].startswith("/uploads/")

    sent = client.post("/uploads", data=form["fields"] | {"file": (io.BytesIO(picture), "a.jpg")})
    assert sent.status_code in (200, 201, 204), sent.text
    # Nobody has looked at it yet: it is not served.
    assert client.get(f"/uploads/{form['key']}").status_code == 404
    promoted = client.post("/api/s3/promote", json={"key": form["key"]})
    assert promoted.status_code == 200 and promoted.json is not None
    assert promoted.json["url"] == form["file_url"]
    assert opened(client.get(form["file_url"]).data).size == (1200, 900)
    assert client.post("/api/s3/promote", json={"key": form["key"]}).status_code == 404
    assert store_of(app).exists(form["file_url"])


def test_a_direct_upload_on_s3(tmp_path: Path, server: Server, bucket: str, picture: bytes) -> None:
    import requests

    client = make_app(tmp_path, **server.environment(bucket)).test_client()
    form = client.post("/api/s3/upload-url", json={"filename": "a.jpg", "content_type": "image/jpeg"}).json
    assert form is not None and form["url"].startswith(server.endpoint)
    sent = requests.post(form["url"], data=form["fields"], files={"file": picture}, timeout=30)
    assert sent.status_code < 300
    promoted = client.post("/api/s3/promote", json={"key": form["key"]})
    assert promoted.json is not None and promoted.json["url"] == form["file_url"]
    # There is no local route on S3.
    assert client.get("/uploads/components/a.jpg").status_code == 404
    assert client.post("/uploads").status_code in (404, 405)


def test_a_direct_upload_by_put(tmp_path: Path, server: Server, bucket: str) -> None:
    """For servers without POST Object: Cloudflare R2, Backblaze B2."""
    import requests

    config = server.environment(bucket) | {"LABLINK_STORAGE_DIRECT_UPLOAD": "put"}
    client, data = make_app(tmp_path, **config).test_client(), photo(40, 30)
    for missing in (
        {},
        {"size": None},
        {"size": 0},
        {"size": -1},
        {"size": "9"},
        {"size": True},
        {"size": 1.5},
    ):
        refused = client.post("/api/s3/upload-url", json={"filename": "a.jpg"} | missing)
        assert refused.status_code == 400 and refused.json is not None and "size" in refused.json["message"]
    too_large = client.post("/api/s3/upload-url", json={"filename": "a.jpg", "size": 1 << 40})
    assert too_large.status_code == 413
    wanted = {"filename": "a.jpg", "content_type": "", "size": len(data)}
    put = client.post("/api/s3/upload-url", json=wanted).json
    assert put is not None
    assert set(put) == {"method", "url", "headers", "fields", "key", "file_url", "expires_at"}
    assert (put["method"], put["fields"]) == ("PUT", {})
    longer = requests.put(put["url"], data=data + b"x", headers=put["headers"], timeout=30)
    assert longer.status_code >= 400
    sent = requests.put(put["url"], data=data, headers=put["headers"], timeout=30)
    assert sent.status_code == 200, sent.text
    promoted = client.post("/api/s3/promote", json={"key": put["key"]}).json
    assert promoted is not None and promoted["url"] == put["file_url"]


@pytest.mark.parametrize(
    "path, body, status, kind",
    [
        ("upload-url", {"filename": "a.html"}, (400, 415), None),
        ("upload-url", {"filename": "a.jpg", "content_type": "text/html"}, (400, 415), None),
        ("upload-url", {"filename": ""}, (400,), "invalid_argument"),
        ("upload-url", {"filename": 7}, (400,), "invalid_argument"),
        ("upload-url", {"filename": "a.jpg", "content_type": []}, (400,), "invalid_argument"),
        ("upload-url", {}, (400,), "invalid_argument"),
        ("upload-url", [], (400,), "invalid_argument"),
        ("promote", {"key": "components/a.jpg"}, (400,), "invalid_key"),
        ("promote", {"key": "../../etc/passwd"}, (400,), "invalid_key"),
        ("promote", {"key": None}, (400,), "invalid_argument"),
        ("upload-url", {"filename": "\ud800.jpg"}, (400,), "invalid_argument"),
        ("upload-url", {"filename": "a.jpg", "content_type": "\ud800"}, (400,), "invalid_argument"),
        ("promote", {"key": "\ud800"}, (400,), "invalid_key"),
        (
            "promote",
            {"key": "pending/components/6f9619ff-8b86-4d01-b42d-00cf4fc964ff.jpg"},
            (404,),
            "not_found",
        ),
    ],
)
def test_bad_requests(
    client: FlaskClient, path: str, body: Any, status: tuple[int, ...], kind: str | None
) -> None:
    answer = client.post(f"/api/s3/{path}", json=body)
    assert answer.status_code in status and answer.json is not None
    assert set(answer.json) == {"error", "message", "hint"} and answer.json["message"]
    if kind is not None:
        assert answer.json["error"] == kind


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 60_000, b'{"key": NaN'])
def test_bodies_that_are_no_json(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/api/s3/promote", data=body, content_type="application/json")
    assert answer.status_code == 400 and answer.json is not None
    assert answer.json["error"] == "invalid_argument"


def test_a_json_body_is_capped(client: FlaskClient) -> None:
    answer = client.post("/api/s3/promote", json={"key": "a" * 100_000})
    assert answer.status_code == 413


# --- the guard


def test_without_a_guard_the_routes_are_closed(tmp_path: Path) -> None:
    client = make_app(tmp_path, guard=None).test_client()
    for call in (
        client.get("/api/s3/status"),
        client.post("/api/s3/upload-url", json={"filename": "a.jpg"}),
        client.post("/api/s3/promote", json={"key": "x"}),
    ):
        assert call.status_code == 403 and call.json is not None
        assert "guard" in call.json["hint"]


def test_a_guard_of_the_applications(tmp_path: Path) -> None:
    import functools

    def token_required(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if request.headers.get("Authorization") != "Bearer right":
                abort(401)
            return view(*args, **kwargs)

        return guarded

    client = make_app(tmp_path, guard=token_required).test_client()
    assert client.get("/api/s3/status").status_code == 401
    right = {"Authorization": "Bearer right"}
    assert client.get("/api/s3/status", headers=right).status_code == 200
    # Published images stay open.
    assert client.get("/uploads/components/missing.jpg").status_code == 404


@pytest.mark.parametrize(
    "path, body, status, kind",
    [
        ("upload-url", {"filename": "a.svg"}, 415, "unsupported_format"),
        ("upload-url", {}, 400, "invalid_argument"),
        ("upload-url", {"filename": "x" * 100_000 + ".jpg"}, 413, "limit_exceeded"),
        ("promote", {"key": "components/a.jpg"}, 400, "invalid_key"),
        (
            "promote",
            {"key": "pending/components/94c63eac-45e9-4991-8148-fc1737ee7b30.jpg"},
            404,
            "not_found",
        ),
    ],
)
def test_a_guard_that_catches_everything(
    tmp_path: Path, path: str, body: dict[str, str], status: int, kind: str
) -> None:
    client = make_app(tmp_path, guard=catches_everything).test_client()
    answer = client.post(f"/api/s3/{path}", json=body)
    assert answer.json is not None
    assert (answer.status_code, answer.json["error"]) == (status, kind)


def test_a_guard_that_catches_everything_and_a_store_that_is_broken(
    tmp_path: Path, server: Server, bucket: str
) -> None:
    missing = f"{bucket}-missing"
    app = make_app(tmp_path, guard=catches_everything, **server.environment(missing))
    key = "pending/components/94c63eac-45e9-4991-8148-fc1737ee7b30.jpg"
    answer = app.test_client().post("/api/s3/promote", json={"key": key})
    assert answer.status_code == 502 and answer.json is not None
    assert answer.json["error"] == "no_such_bucket" and missing not in answer.text


def test_a_defect_in_a_guarded_route_is_no_failed_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lablink_storage.flask as extension

    def defect(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(extension, "_status_body", defect)
    app = make_app(tmp_path, guard=catches_everything)
    assert app.test_client().get("/api/s3/status").status_code == 500


def test_the_applications_own_error_handlers_count(tmp_path: Path) -> None:
    app = make_app(tmp_path, guard=catches_everything)
    app.register_error_handler(lablink_storage.NotFoundError, lambda error: ("mine", 410))
    key = "pending/components/94c63eac-45e9-4991-8148-fc1737ee7b30.jpg"
    answer = app.test_client().post("/api/s3/promote", json={"key": key})
    assert (answer.status_code, answer.text) == (410, "mine")


@pytest.mark.parametrize(
    "body, content_type",
    [
        ({"filename": "a.webp", "content_type": ""}, "image/webp"),
        ({"filename": "a.jfif", "content_type": "application/octet-stream"}, "image/jpeg"),
        ({"filename": "a.png", "content_type": None}, "image/png"),
    ],
)
def test_content_types_that_browsers_do_not_know(
    client: FlaskClient, body: dict[str, str], content_type: str
) -> None:
    form = client.post("/api/s3/upload-url", json=body).json
    assert form is not None and form["fields"]["Content-Type"] == content_type


def test_a_declared_heic_is_named(client: FlaskClient) -> None:
    for body in ({"filename": "a.heic", "content_type": "image/heic"}, {"filename": "IMG_1.HEIC"}):
        answer = client.post("/api/s3/upload-url", json=body)
        assert answer.status_code == 415 and answer.json is not None
        assert "HEIC" in answer.json["message"] and "convert to JPEG" in answer.json["hint"]


# --- served files


def test_a_served_file(client: FlaskClient, app: Flask, picture: bytes) -> None:
    image = store_of(app).upload(picture)
    answer = client.get(image.url)
    assert answer.status_code == 200 and answer.data == store_of(app).get(image.key)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Accept-Ranges"] == "bytes"
    etag = answer.headers["ETag"]
    again = client.get(image.url, headers={"If-None-Match": etag})
    assert again.status_code == 304 and again.data == b"" and again.headers["ETag"] == etag
    since = {"If-Modified-Since": answer.headers["Last-Modified"]}
    assert client.get(image.url, headers=since).status_code == 304
    assert client.get(image.url, headers={"If-None-Match": '"other"'}).status_code == 200
    head = client.head(image.url)
    assert head.status_code == 200 and head.data == b""
    assert int(head.headers["Content-Length"]) == image.size
    assert client.get(image.variants["thumb"].url).status_code == 200


def test_preconditions(client: FlaskClient, app: Flask) -> None:
    """RFC 9110 (13.2.2); S3 answers the same."""
    image = store_of(app).upload(photo(40, 30))
    plain = client.get(image.url)
    etag, modified = plain.headers["ETag"], plain.headers["Last-Modified"]
    past = "Wed, 21 Oct 2015 07:28:00 GMT"
    cases: list[tuple[dict[str, str], int]] = [
        ({"If-Match": '"other"'}, 412),
        ({"If-Match": f"W/{etag}"}, 412),
        ({"If-Match": '"other"', "Range": "bytes=0-9"}, 412),
        ({"If-Match": etag}, 200),
        ({"If-Match": f'"other", {etag}'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": etag, "Range": "bytes=0-9"}, 206),
        ({"If-Match": etag, "If-None-Match": etag}, 304),
        ({"If-Unmodified-Since": past}, 412),
        ({"If-Unmodified-Since": modified}, 200),
        ({"If-Match": etag, "If-Unmodified-Since": past}, 200),
        ({"If-Unmodified-Since": "no date"}, 200),
    ]
    for headers, status in cases:
        assert client.get(image.url, headers=headers).status_code == status, headers


@pytest.mark.parametrize(
    "asked, start, end",
    [("bytes=0-9", 0, 10), ("bytes=5-", 5, None), ("bytes=-7", -7, None), ("bytes=3-3", 3, 4)],
)
def test_ranges(
    client: FlaskClient, app: Flask, picture: bytes, asked: str, start: int, end: int | None
) -> None:
    image = store_of(app).upload(picture)
    whole = store_of(app).get(image.key)
    answer = client.get(image.url, headers={"Range": asked})
    assert answer.status_code == 206 and answer.data == whole[start:end]
    first = start % image.size
    last = (end or image.size) - 1
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{image.size}"


@pytest.mark.parametrize(
    "asked",
    ["items=0-5", "bytes=0-1,5-9", "bytes", "bytes=", "bytes=a-b", "bytes=9-5", "bytes=--5", "x"],
)
def test_ranges_that_are_ignored(client: FlaskClient, app: Flask, asked: str) -> None:
    image = store_of(app).upload(photo(40, 30))
    answer = client.get(image.url, headers={"Range": asked})
    assert answer.status_code == 200 and answer.data == store_of(app).get(image.key)
    assert answer.headers["Accept-Ranges"] == "bytes" and "Content-Range" not in answer.headers


def test_a_range_longer_than_the_image(client: FlaskClient, app: Flask) -> None:
    image = store_of(app).upload(photo(40, 30))
    for asked, status in ((f"bytes=-{image.size + 9}", 200), (f"bytes=0-{image.size + 9}", 206)):
        answer = client.get(image.url, headers={"Range": asked})
        assert answer.status_code == status and answer.data == store_of(app).get(image.key)


def test_a_range_beyond_the_end(client: FlaskClient, app: Flask, picture: bytes) -> None:
    image = store_of(app).upload(picture)
    answer = client.get(image.url, headers={"Range": f"bytes={image.size}-"})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{image.size}"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


TRAVERSALS = [
    "/uploads/../secret.jpg",
    "/uploads/components/../../secret.jpg",
    "/uploads/%2e%2e/secret.jpg",
    "/uploads/..%2fsecret.jpg",
    "/uploads/%2e%2e%2fsecret.jpg",
    "/uploads/components/%2e%2e/%2e%2e/secret.jpg",
    "/uploads/%252e%252e/secret.jpg",
    "/uploads/%252e%252e%252fsecret.jpg",
    "/uploads/..%5csecret.jpg",
    "/uploads/..\\secret.jpg",
    "/uploads/%c0%ae%c0%ae/secret.jpg",
    "/uploads/%uff0e%uff0e/secret.jpg",
    "/uploads/....//secret.jpg",
    "/uploads//etc/passwd",
    "/uploads/%2fetc%2fpasswd",
    "/uploads///secret.jpg",
    "/uploads/components//a.jpg",
    "/uploads/components/a.jpg%00.png",
    "/uploads/components/%0a.jpg",
    "/uploads/file:///etc/passwd",
    "/uploads/http://localhost/uploads/components/a.jpg",
    "/uploads//uploads/components/a.jpg",
    "/uploads/pending/components/a.jpg",
    "/uploads/%70ending/components/a.jpg",
    "/uploads/",
    "/uploads/components",
    "/uploads/components/",
    "/uploads/elsewhere/a.jpg",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_what_is_not_a_published_image_is_not_found(
    app: Flask, client: FlaskClient, tmp_path: Path, path: str
) -> None:
    store_of(app).upload(photo(20, 20))
    for secret in ("secret.jpg", "uploads/pending/components/a.jpg", "uploads/elsewhere/a.jpg"):
        (tmp_path / secret).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / secret).write_bytes(b"the secret")
    answer = client.get(path)
    assert answer.status_code == 404 and b"the secret" not in answer.data
    assert "Traceback" not in answer.text and str(tmp_path) not in answer.text


def test_links_and_files_that_are_no_images(app: Flask, client: FlaskClient, tmp_path: Path) -> None:
    folder = tmp_path / "uploads" / "components"
    folder.mkdir(parents=True)
    (tmp_path / "secret.jpg").write_bytes(b"the secret")
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "page.html").write_text("<script>alert(1)</script>")
    (folder / "image.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    for name in ("link.jpg", "page.html", "image.svg"):
        assert client.get(f"/uploads/components/{name}").status_code == 404, name


def test_a_presigned_get(app: Flask, client: FlaskClient, picture: bytes) -> None:
    image = store_of(app).upload(picture)
    request = store_of(app).presigned_get(image.key, download_as="das Gerät.jpg")
    answer = client.get(request.url)
    assert answer.status_code == 200 and "attachment" in answer.headers["Content-Disposition"]
    forged = client.get(request.url[:-3] + "000")
    assert forged.status_code == 403 and forged.json is not None
    assert forged.json["error"] == "policy_violation"
    assert client.get(image.url + "?v=2").status_code == 200


# --- errors


def test_the_applications_own_views_answer_in_the_same_way(app: Flask) -> None:
    @app.post("/photos")
    def add() -> dict[str, str]:
        return {"url": store_of(app).upload(request.files["image"]).url}

    client = app.test_client()
    cases = [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_format"),
        (photo(200, 200)[:900], 400, "invalid_image"),
        (photo(4000, 4000, format="BMP"), 413, "limit_exceeded"),
    ]
    for data, status, kind in cases:
        answer = client.post("/photos", data={"image": (io.BytesIO(data), "a.jpg")})
        assert answer.json is not None
        assert (answer.status_code, answer.json["error"]) == (status, kind)
        assert answer.json["hint"] and "Traceback" not in answer.text
    assert list(store_of(app).list()) == []


@pytest.mark.parametrize("name", lablink_storage.__all__)
def test_every_kind_has_the_status_of_the_contract(app: Flask, name: str, caplog: Any) -> None:
    kind = getattr(lablink_storage, name)
    if not (isinstance(kind, type) and issubclass(kind, StorageError)) or kind is StorageError:
        return
    statuses = {
        "configuration": 500,
        "invalid_argument": 400,
        "invalid_key": 400,
        "foreign_url": 400,
        "invalid_image": 400,
        "limit_exceeded": 413,
        "unsupported_format": 415,
        "policy_violation": 403,
        "not_found": 404,
        "already_exists": 409,
        "not_supported": 501,
        "credentials": 502,
        "access_denied": 502,
        "no_such_bucket": 502,
        "internal": 502,
        "unavailable": 503,
        "timeout": 504,
    }

    @app.get("/fail")
    def fail() -> str:
        raise kind("arn:aws:s3:::hidden-bucket", "grant s3:GetObject on arn:aws:s3:::hidden-bucket")

    answer = app.test_client().get("/fail")
    assert answer.status_code == statuses[kind.code] and answer.json is not None
    assert answer.json["error"] == kind.code
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if answer.status_code >= 500:
        assert "hidden-bucket" not in (answer.json["hint"] or "")
        assert "hidden-bucket" in caplog.text
        if kind.code != "not_supported":
            assert "hidden-bucket" not in answer.text


# --- several applications, other places, commands


def test_several_applications_in_one_process(tmp_path: Path) -> None:
    extension = LablinkStorage()
    with pytest.raises(RuntimeError, match="init_app"):
        extension.store  # noqa: B018
    apps = []
    for name in ("one", "two"):
        app = Flask(name)
        app.config["LABLINK_STORAGE_DIR"] = str(tmp_path / name)
        extension.init_app(app, guard=False)
        apps.append(app)
    for app, name in zip(apps, ("one", "two"), strict=True):
        assert store_of(app).directory == str(tmp_path / name)
        with app.app_context():
            assert extension.store is store_of(app)


def test_other_places(tmp_path: Path, picture: bytes) -> None:
    app = Flask("lab")
    app.config.update(
        LABLINK_STORAGE_DIR=str(tmp_path),
        LABLINK_STORAGE_BASE_URL="https://img.lab.example/media/pictures",
        LABLINK_STORAGE_SECRET=SECRET,
    )
    LablinkStorage(app, guard=False, url_prefix="/images/")
    client = app.test_client()
    image = store_of(app).upload(picture)
    assert image.url.startswith("https://img.lab.example/media/pictures/components/")
    assert client.get(f"/media/pictures/{image.key}").status_code == 200
    form = client.post("/images/upload-url", json={"filename": "a.jpg"}).json
    assert form is not None and form["url"].startswith("https://img.lab.example/media/pictures")


@pytest.mark.parametrize("base_url", ["https://img.lab.example", "https://img.lab.example/", "/"])
def test_a_base_url_without_a_path(tmp_path: Path, base_url: str) -> None:
    picture = photo(40, 30)
    app = make_app(tmp_path, LABLINK_STORAGE_BASE_URL=base_url)

    @app.get("/")
    def home() -> str:
        return "the application's own page"

    client = app.test_client()
    form = client.post("/api/s3/upload-url", json={"filename": "a.jpg"}).json
    assert form is not None
    path = urlsplit(form["url"]).path or "/"  # as every client sends it
    answer = client.post(path, data=form["fields"] | {"file": (io.BytesIO(picture), "a.jpg")})
    assert answer.status_code in (200, 201, 204), answer.text
    promoted = client.post("/api/s3/promote", json={"key": form["key"]}).json
    assert promoted is not None and client.get(promoted["url"]).status_code == 200
    assert client.get("/").text == "the application's own page"
    assert client.get("/missing").status_code == 404


def test_every_setting_may_be_in_the_applications_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    app = make_app(
        tmp_path,
        AWS_S3_BUCKET="lab-images",
        AWS_DEFAULT_REGION="eu-central-1",  # before the environment's, whatever its name there
        AWS_ACCESS_KEY_ID="AKIDEXAMPLE",
        AWS_SECRET_ACCESS_KEY="example",
        AWS_USE_DUALSTACK_ENDPOINT=True,
        LABLINK_STORAGE_FORMER_URLS=["https://old.example/images/", "/uploads"],
        LABLINK_STORAGE_MAX_UPLOAD_BYTES=5000,
        LABLINK_STORAGE_DEADLINE=timedelta(seconds=7),
        LABLINK_STORAGE_STORAGE_CLASS="STANDARD_IA",
        LABLINK_STORAGE_CACHE_CONTROL="no-cache",
        LABLINK_STORAGE_OPTIMIZE={"format": "webp", "background": (1, 2, 3)},
        LABLINK_STORAGE_VARIANTS='{"card": {"max_width": 640}}',
        LABLINK_STORAGE_LIMITS={"max_bytes": 6000, "max_duration": timedelta(seconds=3)},
    )
    store = store_of(app)
    assert (store.region, store.variants, store.max_bytes) == ("eu-central-1", ["card"], 6000)
    assert store.key_from_url("https://old.example/images/components/a.jpg") == "components/a.jpg"
    form = app.test_client().post("/api/s3/upload-url", json={"filename": "a.jpg"}).json
    assert form is not None and form["file_url"].endswith(".webp")
    assert form["url"].startswith("https://lab-images.s3.dualstack.eu-central-1.amazonaws.com")
    assert form["fields"]["x-amz-storage-class"] == "STANDARD_IA"
    assert form["fields"]["Cache-Control"] == "no-cache"
    policy = json.loads(base64.b64decode(form["fields"]["policy"]))
    assert ["content-length-range", 1, 5000] in policy["conditions"]


@pytest.mark.parametrize(
    "config",
    [
        {"LABLINK_STORAGE_OPTIMIZE": {"max_widht": 100}},
        {"LABLINK_STORAGE_LIMITS": '{"max_bytes": 10'},
        {"LABLINK_STORAGE_DEADLINE": "soon"},
        {"LABLINK_STORAGE_REQUIRE_S3": "maybe"},
    ],
)
def test_a_setting_that_is_wrong_is_named(tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(lablink_storage.ConfigurationError, match=next(iter(config))):
        make_app(tmp_path, **config)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"LABLINK_STORAGE_BASE_URL": "/lab/uploads"},
        {"LABLINK_STORAGE_BASE_URL": "/lab/uploads", "APPLICATION_ROOT": "/lab"},
        {"LABLINK_STORAGE_BASE_URL": "https://lab.example.org/lab/uploads"},
    ],
)
@pytest.mark.parametrize("wrapped", ["before", "after", "script_name"])
def test_behind_a_prefix(tmp_path: Path, config: dict[str, str], wrapped: str) -> None:
    """nginx with X-Forwarded-Prefix and ProxyFix, or gunicorn's SCRIPT_NAME."""
    app = Flask("lab")
    app.config.update(LABLINK_STORAGE_DIR=tmp_path, LABLINK_STORAGE_SECRET=SECRET, **config)
    seen: list[str | None] = []

    @app.before_request
    def audit() -> None:
        seen.append(request.path)

    if wrapped == "before":
        app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1, x_prefix=1)  # type: ignore[method-assign]
    LablinkStorage(app, guard=False)

    @app.get("/<path:anything>")
    def page(anything: str) -> str:
        return f"the page {anything}"

    if wrapped == "after":
        app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1, x_prefix=1)  # type: ignore[method-assign]
    client = app.test_client()
    if wrapped == "script_name":
        more: dict[str, Any] = {"base_url": "https://lab.example.org/lab"}
    else:
        headers = {"Proto": "https", "Host": "lab.example.org", "Prefix": "/lab"}
        more = {"headers": {f"X-Forwarded-{name}": value for name, value in headers.items()}}

    form = client.post("/api/s3/upload-url", json={"filename": "a.jpg"}, **more).json
    assert form is not None and form["url"] == "https://lab.example.org/lab/uploads"
    data = form["fields"] | {"file": (io.BytesIO(photo(40, 30)), "a.jpg")}
    # The proxy takes the prefix off.
    assert client.post("/uploads", data=data, **more).status_code == 201
    promoted = client.post("/api/s3/promote", json={"key": form["key"]}, **more).json
    assert promoted is not None and promoted["url"] == form["file_url"]
    served = client.get(f"/uploads/{promoted['key']}", **more)
    assert served.status_code == 200 and served.headers["Content-Type"] == "image/jpeg"
    assert client.get("/uploads/pending/components/x.jpg", **more).status_code == 404
    assert client.get("/elsewhere", **more).text == "the page elsewhere"
    assert len(seen) == 6


def test_a_store_built_by_hand(picture: bytes) -> None:
    app = Flask("lab")
    LablinkStorage(app, guard=False, store=ImageStore.memory())
    assert store_of(app).backend == "memory"
    assert app.test_client().get("/api/s3/status").status_code == 200


def test_the_status_command(app: Flask, tmp_path: Path, server: Server, bucket: str) -> None:
    result = app.test_cli_runner().invoke(args=["storage", "status", "--json"])
    assert result.exit_code == 0 and json.loads(result.output)["backend"] == "local"
    broken = make_app(tmp_path, **server.environment(f"{bucket}-missing"))
    result = broken.test_cli_runner().invoke(args=["storage", "status"])
    assert result.exit_code == 1 and "not accessible" in result.output


def test_the_commands_work_on_the_applications_store(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What a .env file says of the variables that the application left unset is not looked at."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_S3_BUCKET", "LABLINK_STORAGE_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".env").write_text("LABLINK_STORAGE_PREFIX=elsewhere\nAWS_S3_BUCKET=NOT a bucket\n")
    store_of(app).upload(photo(20, 20))
    runner = app.test_cli_runner()
    used = tmp_path / "used"
    used.write_text("")
    assert runner.invoke(args=["storage", "doctor", "--json"]).exit_code == 0
    assert "NOT a bucket" not in capfd.readouterr().out
    result = runner.invoke(args=["storage", "sweep", "--json", "--older-than", "0s", "--used", str(used)])
    swept = capfd.readouterr().out
    assert result.exit_code == 0 and "components/" in swept
    assert runner.invoke(args=["storage", "doctor", "--env-file", ".env"]).exit_code == 2


def test_the_command_lines_commands(app: Flask, capfd: pytest.CaptureFixture[str]) -> None:
    runner = app.test_cli_runner()
    runner.invoke(args=["storage", "sweep", "--json"])
    assert isinstance(json.loads(capfd.readouterr().out), dict)
    assert runner.invoke(args=["storage", "sweep", "--no-such-option"]).exit_code == 2
    assert runner.invoke(args=["storage", "doctor", "--json"]).exit_code == 0
    report = json.loads(capfd.readouterr().out)
    assert report["ok"] is True and report["checks"]
    by_hand = Flask("by hand")
    LablinkStorage(by_hand, guard=False, store=ImageStore.memory())
    result = by_hand.test_cli_runner().invoke(args=["storage", "doctor"])
    assert result.exit_code == 1 and "built by hand" in result.output
