"""Log in as faculty and get a bearer token."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

from flask import Blueprint, Flask, current_app, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.security import check_password_hash, generate_password_hash

import database

P = ParamSpec("P")

TOKEN_SECONDS = 8 * 3600

routes = Blueprint("auth", __name__)


def init_app(app: Flask) -> None:
    """Mounts the route, and makes the faculty account if there is none."""
    app.register_blueprint(routes)
    with app.app_context():
        connection = database.connection()
        email = app.config["FACULTY_EMAIL"]
        password_hash = generate_password_hash(app.config["FACULTY_PASSWORD"])
        connection.execute(
            "INSERT INTO users VALUES (?, ?, 'faculty') "
            "ON CONFLICT (email) DO UPDATE SET password_hash = excluded.password_hash",
            (email, password_hash),
        )
        connection.commit()


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="token")


@routes.post("/api/auth/login")
def login() -> tuple[dict[str, Any], int]:
    """``{"email", "password"}`` -> ``{"access_token", "user"}``."""
    body = request.get_json(silent=True)
    body = body if isinstance(body, dict) else {}
    email = str(body.get("email") or body.get("username") or "")
    password = str(body.get("password") or "")
    row = database.connection().execute("SELECT * FROM users WHERE email = ?", (email,)).fetchone()
    if row is None or not check_password_hash(row["password_hash"], password):
        return _refusal("The e-mail address or the password is wrong.")
    token = _signer().dumps({"email": email, "role": row["role"]})
    return {"access_token": token, "user": {"email": email, "role": row["role"]}}, 200


def login_required(view: Callable[P, Any]) -> Callable[P, Any]:
    """Lets requests with a faculty member's token through."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            claims = _signer().loads(token, max_age=TOKEN_SECONDS)
        except BadSignature:
            claims = {}
        if scheme.lower() != "bearer" or claims.get("role") != "faculty":
            return _refusal("Please log in: this is for faculty.")
        return view(*args, **kwargs)

    return guarded


def _refusal(message: str) -> tuple[dict[str, Any], int]:
    return {"error": "unauthorized", "message": message, "hint": None}, 401
