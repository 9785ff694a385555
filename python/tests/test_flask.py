"""The extension within an application: guards, error handlers, errors. routes/ looks at its routes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

import lablink_storage
from lablink_storage import ObjectInfo, StorageError, _views

from support import catches_everything, make_app, photo, reads_heic, store_of


def test_a_defect_in_a_guarded_route_is_no_failed_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(_views, "status", defect)
    app = make_app(tmp_path, guard=catches_everything)
    assert app.test_client().get("/api/s3/status").status_code == 500


def test_the_applications_own_error_handlers_count(tmp_path: Path) -> None:
    app = make_app(tmp_path, guard=catches_everything)
    app.register_error_handler(lablink_storage.NotFoundError, lambda error: ("mine", 410))
    key = "pending/components/94c63eac-45e9-4991-8148-fc1737ee7b30.jpg"
    answer = app.test_client().post("/api/s3/promote", json={"key": key})
    assert (answer.status_code, answer.text) == (410, "mine")


def test_a_declared_heic_is_named(client: FlaskClient) -> None:
    """What no build reads, and what this one may not."""
    refused = [{"filename": "a.heic", "content_type": "image/heic-sequence"}]
    if not reads_heic():
        refused += [{"filename": "a.heic", "content_type": "image/heic"}, {"filename": "IMG_1.HEIC"}]
    for body in refused:
        answer = client.post("/api/s3/upload-url", json=body)
        assert answer.status_code == 415 and answer.json is not None
        assert "HEIC" in answer.json["message"] and "convert to JPEG" in answer.json["hint"]


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


def test_an_image_that_is_replaced_meanwhile(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``regenerate --main`` does: new bytes under the old entity tag would stay in caches for a year."""
    store = store_of(app)
    image = store.upload(photo(60, 45))
    file, head = Path(store.directory or "", image.key), store.head

    def replaced(key: str) -> ObjectInfo:
        info = head(key)
        file.write_bytes(photo(80, 30))
        return info

    monkeypatch.setattr(store, "head", replaced)
    answer = client.get(image.url)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.headers["Cache-Control"] == "no-store" and "ETag" not in answer.headers
    monkeypatch.undo()
    answer = client.get(image.url)
    assert (answer.status_code, answer.data) == (200, photo(80, 30))


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
        "rejected": 422,
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
