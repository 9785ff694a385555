"""LabLink in small: an inventory of lab components with photographs.

    pip install './python[flask]'
    python examples/flask_app/app.py

and open http://127.0.0.1:5000. Images go to local files until AWS_S3_BUCKET says otherwise.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from lablink_storage.flask import LablinkStorage

import auth
import components
import database

MAX_PHOTO_BYTES = 10 * 1024 * 1024

storage = LablinkStorage()


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Builds the application; ``config`` overrides what the environment says."""
    app = Flask(__name__, instance_path=str(_instance_path()))
    instance = Path(app.instance_path)
    instance.mkdir(parents=True, exist_ok=True)
    app.config.from_mapping(
        SECRET_KEY=_kept_secret(instance / "session.key"),
        MAX_CONTENT_LENGTH=MAX_PHOTO_BYTES + 64 * 1024,
        PATIENCE=int(os.environ.get("LABLINK_PATIENCE", "60")),  # seconds without progress
        DATABASE=str(instance / "lablink.db"),
        FACULTY_EMAIL=os.environ.get("LABLINK_FACULTY_EMAIL"),
        FACULTY_PASSWORD=os.environ.get("LABLINK_FACULTY_PASSWORD"),
        LABLINK_STORAGE_DIR=os.environ.get("LABLINK_STORAGE_DIR", str(instance / "uploads")),
        LABLINK_STORAGE_SECRET=os.environ.get("LABLINK_STORAGE_SECRET")
        or _kept_secret(instance / "storage.key"),
        LABLINK_STORAGE_LIMITS={"max_bytes": MAX_PHOTO_BYTES},
        LABLINK_STORAGE_VARIANTS={
            "thumb": {"max_width": 320, "max_height": 320},
            "card": {"max_width": 640, "max_height": 640},
        },
    )
    app.config.from_mapping(config)
    app.config["FACULTY_EMAIL"] = app.config["FACULTY_EMAIL"] or auth.DEMO_EMAIL
    app.config["FACULTY_PASSWORD"] = app.config["FACULTY_PASSWORD"] or auth.DEMO_PASSWORD

    database.init_app(app)
    auth.init_app(app)
    storage.init_app(app, guard=auth.login_required)
    app.register_blueprint(components.routes)
    app.register_error_handler(HTTPException, _http_error)
    app.after_request(_security_headers)

    @app.get("/")
    def index() -> str:
        store = storage.store
        return render_template(
            "index.html",
            backend=store.backend,
            bucket=store.bucket,
            max_bytes=store.max_bytes,
            patience=app.config["PATIENCE"] * 1000,
            demo_email=_demo(app, "FACULTY_EMAIL"),
            demo_password=_demo(app, "FACULTY_PASSWORD"),
        )

    return app


def _instance_path() -> Path:
    return Path(os.environ.get("LABLINK_INSTANCE", Path(__file__).parent / "instance")).resolve()


def _kept_secret(path: Path) -> str:
    """A secret of this installation's own, shared by its workers and kept over restarts."""
    if not path.exists():
        # Several workers may start at once: each writes a file of its own, and the first link wins.
        own = path.with_suffix(f".{secrets.token_hex(8)}")
        own.touch(mode=0o600)
        own.write_text(secrets.token_hex(32), "ascii")
        try:
            os.link(own, path)
        except FileExistsError:
            pass
        finally:
            own.unlink()
    return path.read_text("ascii")


def _demo(app: Flask, name: str) -> str | None:
    """The account to show on the page: only as long as its password is the one that everybody knows."""
    return str(app.config[name]) if app.config["FACULTY_PASSWORD"] == auth.DEMO_PASSWORD else None


def _http_error(error: HTTPException) -> tuple[dict[str, str | None], int]:
    words = {
        404: "This page does not exist.",
        405: "This address does not take that kind of request.",
        413: f"The file is too large: at most {MAX_PHOTO_BYTES // 1024 // 1024} MB.",
    }
    status = error.code or 500
    if status == 413:
        _discard_body()
    message = words.get(status, error.description or "Something went wrong.")
    return {"error": error.name.lower().replace(" ", "_"), "message": message, "hint": None}, status


def _discard_body() -> None:
    """Takes what the browser still sends, within bounds: until it has sent all it does not look at the
    answer, and a connection that is closed meanwhile is all it would see."""
    left = min(request.content_length or 0, 64 * 1024 * 1024)
    while left > 0:
        taken = len(request.environ["wsgi.input"].read(min(left, 64 * 1024)))
        left = left - taken if taken else 0


def _security_headers(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'self'; img-src 'self' blob: data: http: https:; connect-src 'self' http: https:; "
        "object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    )
    return response


if __name__ == "__main__":
    create_app().run(host="127.0.0.1", port=int(os.environ.get("PORT", "5000")), threaded=True)
