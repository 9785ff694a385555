"""The Flask extension in an application; GUARD and VARIANT_GUARD say which guards,
APPLICATION_ROOT where it is mounted."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

from flask import Flask, abort, request
from werkzeug.middleware.proxy_fix import ProxyFix

from lablink_storage.flask import Guard, LablinkStorage

View = Callable[..., Any]


def token_required(view: View) -> View:
    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if request.headers.get("Authorization") != "Bearer right":
            abort(401)
        return view(*args, **kwargs)

    return guarded


def catches_everything(view: View) -> View:
    """As many guards do: whatever the view raises counts as a failed login."""

    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return view(*args, **kwargs)
        except Exception as error:
            return {"error": "Authentication required", "message": str(error)}, 401

    return guarded


GUARDS: dict[str, Guard] = {
    "none": None,
    "open": False,
    "token": token_required,
    "catches": catches_everything,
}

app = Flask("lab")
app.config["APPLICATION_ROOT"] = os.environ.get("APPLICATION_ROOT", "/")
variant_guard = token_required if os.environ.get("VARIANT_GUARD") == "token" else None
LablinkStorage(app, guard=GUARDS[os.environ["GUARD"]], variant_guard=variant_guard)
if os.environ.get("BEHIND_PROXY"):
    app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1, x_prefix=1)  # type: ignore[method-assign]
