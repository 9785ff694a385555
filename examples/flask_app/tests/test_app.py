"""The application in this process: its account, and requests that no page sends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from support import ROOT

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
    client = make(FACULTY_PASSWORD="another").test_client()
    assert not log_in(client, *DEMO) and log_in(client, DEMO[0], "another")
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
        *((value, None) for value in ("-1", "1.5", "1000001", "1e999", "Infinity", "NaN", "true", "null", "[]")),
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
