"""The application that test_served.py puts under gunicorn: behind a proxy that takes a prefix off, with a
guard that catches everything, and with a page that can send a file."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from lablink_storage.flask import LablinkStorage

from support import catches_everything

app = Flask(__name__)
app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1, x_prefix=1)  # type: ignore[method-assign]
LablinkStorage(app, guard=catches_everything)


@app.get("/")
def page() -> str:
    return "<!doctype html><title>Send a file</title><input type=file>"
