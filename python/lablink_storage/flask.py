"""The Flask extension: ``pip install 'lablink-storage[flask]'``.

    from lablink_storage.flask import LablinkStorage

    storage = LablinkStorage()
    storage.init_app(app, guard=jwt_required())

    @app.post("/photos")
    def add_photo():
        image = storage.store.upload(request.files["image"])
        return {"url": image.url}

Configuration comes from ``app.config`` under the names of the environment variables
(``LABLINK_STORAGE_DIR``, ``AWS_S3_BUCKET``, …), then from the environment. ``app.config`` takes Python's
own values as well: a mapping for ``LABLINK_STORAGE_OPTIMIZE``, ``LABLINK_STORAGE_VARIANTS`` and
``LABLINK_STORAGE_LIMITS``, a list, a number, ``True``, a timedelta.

Behind a path prefix (gunicorn's ``SCRIPT_NAME``, nginx with ``ProxyFix(x_prefix=1)``), or for a page on
another origin than the API, set ``LABLINK_STORAGE_BASE_URL`` to the address where browsers find the images:
``/lab/uploads``, or ``https://api.lab.example/uploads``. Stored URLs begin with it.

Views of the application's own that call the store may raise: the extension answers every
``StorageError`` as JSON. Behind a decorator that catches whatever its view raises, they answer it
themselves::

    from lablink_storage.flask import error_response

    try:
        image = storage.store.upload(request.files["image"])
    except StorageError as error:
        return error_response(error)
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from flask import Blueprint, Flask, current_app, has_app_context, request
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.wrappers import Response

from . import _environment, _views
from ._answers import closed, not_allowed
from ._commands import storage_commands
from ._exceptions import StorageError
from ._lablink_storage import ImageStore
from ._prefix import Prefix
from ._requests import MAX_JSON, check_length, json_object
from ._responses import error_response, response_of
from ._serving import receive_file, serve_file

__all__ = ["LablinkStorage", "error_response"]

_View: TypeAlias = Callable[..., Any]
Guard: TypeAlias = Callable[[_View], _View] | Literal[False] | None


class LablinkStorage:
    """An :class:`~lablink_storage.ImageStore` for Flask applications, with its routes and commands.

    Args:
        app: an application to set up at once; else call :meth:`init_app`.
        guard: see :meth:`init_app`.
        variant_guard: see :meth:`init_app`.
        url_prefix: see :meth:`init_app`.
        store: see :meth:`init_app`.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        guard: Guard = None,
        variant_guard: Callable[[_View], _View] | None = None,
        url_prefix: str = "/api/s3",
        store: ImageStore | None = None,
    ) -> None:
        self._store: ImageStore | None = None
        if app is not None:
            self.init_app(app, guard=guard, variant_guard=variant_guard, url_prefix=url_prefix, store=store)

    def init_app(
        self,
        app: Flask,
        *,
        guard: Guard = None,
        variant_guard: Callable[[_View], _View] | None = None,
        url_prefix: str = "/api/s3",
        store: ImageStore | None = None,
    ) -> None:
        """Builds the application's store and mounts its routes, error handler and commands.

        Args:
            app: the application. One extension serves several.
            guard: a decorator of the application's (``jwt_required()``) that is put around the routes
                status, upload-url and promote. Without one these answer 403; ``False`` opens them to
                everyone on purpose. The routes answer their own errors inside of it, so that a guard
                that catches exceptions sees none of theirs.
            variant_guard: a decorator that is put around the route variant, which makes lazy variants and
                redirects to them. Without one it is open, because pages use it; it is bounded as it is.
            url_prefix: where these routes are mounted.
            store: a store built by hand instead of from the configuration.

        Raises:
            ConfigurationError: the configuration is wrong; the hint names the variable and the remedy.
        """
        environment = None
        if store is None:
            environment = _environment.configured(app.config)
            store = ImageStore.from_env(environment)
        if self._store is None:
            self._store = store
        app.extensions["lablink_storage"] = _Bound(store)
        app.register_blueprint(_routes(store, guard, variant_guard, url_prefix.rstrip("/"), app))
        app.register_error_handler(StorageError, error_response)
        app.cli.add_command(storage_commands(store, environment))

    @property
    def store(self) -> ImageStore:
        """The store of the current application, or, outside of one, of the first that was set up."""
        if has_app_context():
            bound = current_app.extensions.get("lablink_storage")
            if isinstance(bound, _Bound):
                return bound.store
        if self._store is None:
            raise RuntimeError("LablinkStorage has no application yet: call init_app(app)")
        return self._store


class _Bound(LablinkStorage):
    """The extension as one application has it, whichever application is current."""

    def __init__(self, store: ImageStore) -> None:
        super().__init__()
        self._store = store

    @property
    def store(self) -> ImageStore:
        assert self._store is not None
        return self._store


def _guarded(view: _View, guard: Guard) -> _View:
    if guard is False:
        return _answered(view)
    if guard is not None:
        return guard(_answered(view))

    how = "pass init_app(app, guard=jwt_required()), or guard=False to open it to everyone"
    return lambda **_: response_of(closed(how))


def _answered(view: _View) -> _View:
    """The view, with whatever it raises answered as the application answers it. Guards often catch
    exceptions, and would answer a full disk or a wrong file with 401."""

    @functools.wraps(view)
    def answered(*args: object, **kwargs: object) -> Any:
        try:
            return view(*args, **kwargs)
        except Exception as error:
            try:
                return current_app.handle_user_exception(error)
            except Exception as unhandled:
                return current_app.handle_exception(unhandled)

    return answered


def _routes(
    store: ImageStore,
    guard: Guard,
    variant_guard: Callable[[_View], _View] | None,
    url_prefix: str,
    app: Flask,
) -> Blueprint:
    routes = Blueprint("lablink_storage", __name__)
    prefix = Prefix(store.base_url, app)

    def status() -> Response:
        return response_of(_views.status(store))

    def upload_url() -> Response:
        return response_of(_views.upload_url(store, _json_body(), prefix.absolute))

    def promote() -> Response:
        return response_of(_views.promote(store, _json_body()))

    for view, path, method in (
        (status, "/status", "GET"),
        (upload_url, "/upload-url", "POST"),
        (promote, "/promote", "POST"),
    ):
        name = view.__name__
        routes.add_url_rule(url_prefix + path, name, _guarded(view, guard), methods=[method])

    def variant(name: str, key: str) -> Response:
        return response_of(_views.variant(store, name, key))

    routes.add_url_rule(
        f"{url_prefix}/variant/<name>/<path:key>",
        "variant",
        _guarded(variant, variant_guard or False),
        methods=["GET"],
        merge_slashes=False,
    )

    def answer_other_methods() -> Response | None:
        """Refuses a method that a path of ours does not take. Where the application has a rule of its own for
        the path as well, it answers as it answers elsewhere."""
        error = request.routing_exception
        if not isinstance(error, MethodNotAllowed):
            return None
        methods, adapter = error.valid_methods or (), current_app.create_url_adapter(request)
        assert adapter is not None, "it has found the path"
        ends = [adapter.match(method=method)[0] for method in methods]
        ours = all(end.startswith("lablink_storage.") for end in ends)
        return response_of(not_allowed(methods)) if ours else None

    if store.base_url is not None:
        path = prefix.mount_point
        routes.before_app_request(prefix.route)
        routes.add_url_rule(
            f"{path}/<path:key>",
            "serve",
            lambda key: serve_file(store, key),
            methods=["GET"],
            merge_slashes=False,
        )
        # At the root too: a page that the application has there answers GET beside it.
        routes.add_url_rule(path or "/", "receive", lambda: receive_file(store), methods=["POST"])
    routes.before_app_request(answer_other_methods)
    return routes


def _json_body() -> dict[str, Any]:
    length = request.content_length
    if length is None:
        return json_object(request.stream.read(MAX_JSON + 1))
    check_length(length)
    return json_object(request.get_data())
