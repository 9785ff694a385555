"""The application in this process: its account, and requests that no page sends."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from support import ROOT, photo

Make = Callable[..., Flask]
DEMO = ("faculty@lablink.example", "faculty")


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Starts the application anew on the same files; keywords are configuration."""
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "flask_app"))
    monkeypatch.setenv("LABLINK_INSTANCE", str(tmp_path))
    for name in ("LABLINK_FACULTY_EMAIL", "LABLINK_FACULTY_PASSWORD", "AWS_S3_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    from app import create_app

    return lambda **config: create_app(config)


def log_in(client: FlaskClient, email: str, password: str) -> dict[str, str] | None:
    answer = client.post("/api/auth/login", json={"email": email, "password": password})
    assert answer.status_code in (200, 401)
    token = answer.get_json().get("access_token")
    return {"Authorization": f"Bearer {token}"} if token else None


def test_the_demonstration_account_ends_when_another_is_configured(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make().test_client()
    token = log_in(client, *DEMO)
    assert token and client.get("/api/s3/status", headers=token).status_code == 200
    # Another start with the same account leaves people logged in.
    assert make().test_client().get("/api/s3/status", headers=token).status_code == 200

    monkeypatch.setenv("LABLINK_FACULTY_EMAIL", "one@lab.example")
    monkeypatch.setenv("LABLINK_FACULTY_PASSWORD", "first")
    client = make().test_client()
    assert log_in(client, "one@lab.example", "first")
    assert not log_in(client, *DEMO)
    assert client.get("/api/s3/status", headers=token).status_code == 401

    monkeypatch.setenv("LABLINK_FACULTY_EMAIL", "two@lab.example")
    client = make().test_client()
    assert log_in(client, "two@lab.example", "first") and not log_in(client, "one@lab.example", "first")


def test_a_new_password_ends_logins_with_the_old_one(make: Make) -> None:
    token = log_in(make().test_client(), *DEMO)
    assert token
    client = make(FACULTY_PASSWORD=" another ").test_client()
    assert not log_in(client, *DEMO) and log_in(client, DEMO[0], " another ")
    assert client.get("/api/s3/status", headers=token).status_code == 401


def test_the_page_shows_no_other_password_than_the_demonstrations(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = make().test_client().get("/").text
    assert f'value="{DEMO[0]}"' in shown and f'value="{DEMO[1]}"' in shown
    client = make(FACULTY_EMAIL="one@lab.example", FACULTY_PASSWORD="a-real-one").test_client()
    hidden = client.get("/").text
    assert "a-real-one" not in hidden and "one@lab.example" not in hidden and "demonstration" not in hidden
    assert log_in(client, "one@lab.example", "a-real-one")

    monkeypatch.setenv("LABLINK_FACULTY_EMAIL", "")
    monkeypatch.setenv("LABLINK_FACULTY_PASSWORD", "")
    client = make().test_client()
    assert client.get("/").text == shown
    assert log_in(client, *DEMO) and not log_in(client, DEMO[0], "")


@pytest.mark.parametrize(
    "quantity, stored",
    [
        ("0", 0),
        ("5.0", 5),
        ('"0"', 0),
        ('" 1000000 "', 1_000_000),
        *(
            (value, None)
            for value in ("-1", "1.5", "1000001", "1e999", "Infinity", "NaN", "true", "null", "[]")
        ),
        *((value, None) for value in ('""', '"-0"', '"1_0"', '"1.0"', '"many"', f'"{"9" * 5000}"')),
    ],
)
def test_quantities(make: Make, quantity: str, stored: int | None) -> None:
    client = make().test_client()
    headers = (log_in(client, *DEMO) or {}) | {"Content-Type": "application/json"}
    data = f'{{"name": "Resistor", "quantity": {quantity}}}'
    answer = client.post("/api/components", headers=headers, data=data)
    listed = [row["quantity"] for row in client.get("/api/components").get_json()["components"]]
    if stored is None:
        assert answer.status_code == 400 and "whole number" in answer.get_json()["message"]
        assert listed == []
    else:
        assert answer.status_code == 201 and listed == [stored]


def test_a_photo_is_one_components(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """As two requests at once see it: both have promoted the direct upload before either inserts."""
    app = make()
    client, store = app.test_client(), app.extensions["lablink_storage"].store
    image = store.upload(photo(300, 200), filename="a.jpg")
    import components

    both = SimpleNamespace(promote=lambda _: image, delete=store.delete, variant_url=store.variant_url)
    monkeypatch.setattr(components, "_store", lambda: both)
    headers = log_in(client, *DEMO)
    add = {"name": "Board", "upload_key": "the same"}
    first = client.post("/api/components", headers=headers, json=add)
    second = client.post("/api/components", headers=headers, json=add)
    assert first.status_code == 201 and second.status_code == 409
    assert "added already" in second.get_json()["message"]
    assert len(client.get("/api/components").get_json()["components"]) == 1
    assert client.get(image.url).status_code == 200

    assert client.delete(f"/api/components/{first.get_json()['id']}", headers=headers).status_code == 200
    assert client.get(image.url).status_code == 404


def test_a_photo_whose_component_cannot_be_stored_is_deleted(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make().test_client()
    import components

    def fails(*_: object) -> None:
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(components, "_insert", fails)
    data = {"name": "Board", "image": (io.BytesIO(photo(300, 200)), "a.jpg")}
    assert client.post("/api/components", headers=log_in(client, *DEMO), data=data).status_code == 500
    left = [path for path in (tmp_path / "uploads").rglob("*") if path.is_file()]
    assert [path.suffix for path in left] == [".gone"], "the empty marker of the deletion, and no photo"


def test_an_older_database_in_which_two_share_a_photo(make: Make, tmp_path: Path) -> None:
    make()
    with sqlite3.connect(tmp_path / "lablink.db") as database:
        database.execute("DROP INDEX one_photo_one_component")
        for url in ("/uploads/a.jpg", "/uploads/a.jpg", None, None, "/uploads/b.jpg"):
            database.execute(
                "INSERT INTO components (name, category, quantity, location, image_url, image_width, "
                "image_height) VALUES ('x', '', 1, '', ?, 9, 9)",
                (url,),
            )
    database.close()
    listed = make().test_client().get("/api/components").get_json()["components"]
    assert [row["image_url"] for row in listed] == ["/uploads/b.jpg", None, None, None, "/uploads/a.jpg"]


@pytest.mark.parametrize("field", ["name", "category", "location", "upload_key"])
def test_half_a_character_in_a_component(make: Make, field: str) -> None:
    client = make().test_client()
    values = {"name": "Board", field: "x\ud800"}
    answer = client.post("/api/components", headers=log_in(client, *DEMO), json=values)
    assert answer.status_code == 400
    assert answer.get_json()["message"] == f"The {field} has a character that is not valid."


@pytest.mark.parametrize("field", ["email", "username", "password"])
def test_half_a_character_in_a_login(make: Make, field: str) -> None:
    values = {"password": DEMO[1]} | ({} if field == "username" else {"email": DEMO[0]}) | {field: "\udfff"}
    answer = make().test_client().post("/api/auth/login", json=values)
    assert answer.status_code == 400 and "not valid" in answer.get_json()["message"]


def test_json_too_deep_and_a_number_too_large(make: Make) -> None:
    client = make().test_client()
    headers = log_in(client, *DEMO) or {}
    deep = {"data": "[" * 100_000, "content_type": "application/json"}
    assert client.post("/api/auth/login", **deep).status_code == 401
    assert client.post("/api/components", headers=headers, **deep).status_code == 400
    for number in (2**63 - 1, 2**63):
        assert client.delete(f"/api/components/{number}", headers=headers).status_code == 404
