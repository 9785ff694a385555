"""Log in as faculty and get a bearer token."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable
from typing import Any, ParamSpec

from flask import Blueprint, Flask, current_app, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.security import check_password_hash, generate_password_hash

import database

P = ParamSpec("P")

DEMO_EMAIL, DEMO_PASSWORD = "faculty@lablink.example", "faculty"
TOKEN_SECONDS = 8 * 3600

routes = Blueprint("auth", __name__)


def init_app(app: Flask) -> None:
    """Mounts the route, and makes the configured account."""
    app.register_blueprint(routes)
    with app.app_context():
        _configure(app.config["FACULTY_EMAIL"], app.config["FACULTY_PASSWORD"])


def _configure(email: str, password: str) -> None:
    """Of the accounts that configuration has ever made, the demonstration's too, this one stays."""
    connection = database.connection()
    connection.execute("BEGIN IMMEDIATE")  # several workers may start at once
    connection.execute(
        "DELETE FROM users WHERE email != ? AND (email = ? OR email IN (SELECT email FROM configured))",
        (email, DEMO_EMAIL),
    )
    connection.execute("DELETE FROM configured")
    connection.execute("INSERT INTO configured VALUES (?)", (email,))
    row = _account(email)
    # A new hash ends the logins so far: only a new password gets one.
    if row is None or not check_password_hash(row["password_hash"], password):
        connection.execute(
            "INSERT INTO users VALUES (?, ?, 'faculty') "
            "ON CONFLICT (email) DO UPDATE SET password_hash = excluded.password_hash",
            (email, generate_password_hash(password)),
        )
    connection.commit()


def _account(email: str) -> sqlite3.Row | None:
    found = database.connection().execute("SELECT * FROM users WHERE email = ?", (email,))
    row: sqlite3.Row | None = found.fetchone()
    return row


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="token")


def json_body() -> dict[str, Any]:
    """The request's JSON object; empty if it has none."""
    try:
        body = request.get_json(silent=True)
    except RecursionError:
        body = None
    return body if isinstance(body, dict) else {}


@routes.post("/api/auth/login")
def login() -> tuple[dict[str, Any], int]:
    """``{"email", "password"}`` -> ``{"access_token", "user"}``."""
    body = json_body()
    email = database.text(body.get("email") or body.get("username"), "e-mail address")
    password = database.text(body.get("password"), "password")
    row = _account(email)
    if row is None or not check_password_hash(row["password_hash"], password):
        return _refusal("The e-mail address or the password is wrong.")
    token = _signer().dumps({"email": email, "hash": _mark(row)})
    return {"access_token": token, "user": {"email": email, "role": row["role"]}}, 200


def _mark(row: sqlite3.Row) -> str:
    """Ties a token to the account's password. It tells nothing of it without the salt, which stays here."""
    return str(row["password_hash"])[-16:]


def login_required(view: Callable[P, Any]) -> Callable[P, Any]:
    """Lets requests with a faculty member's token through."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            claims = _signer().loads(token, max_age=TOKEN_SECONDS)
        except BadSignature:
            claims = {}
        row = _account(claims.get("email", "")) if scheme.lower() == "bearer" else None
        if row is None or row["role"] != "faculty" or claims.get("hash") != _mark(row):
            return _refusal("Please log in: this is for faculty.")
        return view(*args, **kwargs)

    return guarded


def _refusal(message: str) -> tuple[dict[str, Any], int]:
    return {"error": "unauthorized", "message": message, "hint": None}, 401
