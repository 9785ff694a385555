"""The routes as a URLconf has them."""

from __future__ import annotations

import functools
import io
import logging
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt
from werkzeug.datastructures import EnvironHeaders
from werkzeug.sansio.request import Request
from werkzeug.wsgi import get_input_stream

from .. import _views
from .._answers import Answer, closed, error_answer, not_allowed, not_found, received_answer
from .._exceptions import StorageError
from .._forms import Read, not_one_file
from .._lablink_storage import ImageStore
from .._pieces import open_pieces
from .._places import absolute, key_under, mount_points, path_of
from .._requests import MAX_JSON, check_length, json_object
from ._storage import LablinkStorage

_View: TypeAlias = Callable[..., Any]
Guard: TypeAlias = Callable[[_View], _View] | Literal[False] | None

_log = logging.getLogger("lablink_storage.django")

_HOW = "pass urls(guard=login_required), or guard=False to open it to everyone"


def urls(
    using: str = "default",
    *,
    guard: Guard = None,
    variant_guard: Guard = False,
    prefix: str = "/api/s3",
) -> list[URLPattern]:
    """The routes, for the end of the root URLconf: ``urlpatterns = [..., *urls(guard=login_required)]``.

    Args:
        using: the storage's name in ``STORAGES``.
        guard: a decorator of the application's that is put around status, upload-url and promote. Without
            one these answer 403; ``False`` opens them to everyone on purpose. A guard that goes by another
            token than the session's cookie wants ``csrf_exempt`` around it.
        variant_guard: the same around the variants that are made on demand. They are open, because pages use
            them, and bounded as they are.
        prefix: where these routes are. Images and forms are at the storage's base URL.

    Raises:
        ImproperlyConfigured: the storage is none of this package's.
        ConfigurationError: its options make no store.
    """
    api = prefix.strip("/")

    def at(route: str, name: str, methods: tuple[str, ...], view: _View, guard: Guard) -> URLPattern:
        named = functools.partial(view, using)
        return path(route, _guarded(named, methods, guard), name=f"lablink_storage_{name}")

    found = [
        at(f"{api}/status", "status", ("GET", "HEAD"), _status, guard),
        at(f"{api}/upload-url", "upload_url", ("POST",), _upload_url, guard),
        at(f"{api}/promote", "promote", ("POST",), _promote, guard),
        at(f"{api}/variant/<name>/<path:key>", "variant", ("GET", "HEAD"), _variant, variant_guard),
    ]
    base_path = path_of(_store(using).base_url)
    for mounted in [] if base_path is None else mount_points(base_path):
        inner = mounted.lstrip("/")
        route = f"{inner}/<path:key>" if inner else "<path:key>"
        found.append(at(route, "serve", ("GET", "HEAD"), _serve, False))
        found.append(at(inner, "receive", ("POST",), _receive, False))
    return found


def error_response(request: HttpRequest, error: StorageError) -> HttpResponse:
    """The answer to a request that ended in an error, as the routes give it: for views of the application's
    own."""
    return _response(error_answer(error, _log, f"{request.method} {request.path}"))


def _store(using: str) -> ImageStore:
    storage = storages[using]
    if not isinstance(storage, LablinkStorage):
        raise ImproperlyConfigured(f"STORAGES[{using!r}] is not lablink_storage.django.LablinkStorage")
    return storage.store


def _guarded(view: _View, methods: tuple[str, ...], guard: Guard) -> _View:
    """The view behind the guard. It answers its own errors inside of it: guards often catch exceptions, and
    would answer a full disk or a wrong file with 401."""

    def answered(request: HttpRequest, **values: str) -> HttpResponseBase:
        def respond(request: HttpRequest) -> HttpResponseBase:
            if request.method not in methods:
                return _response(not_allowed(methods))
            try:
                if guard is None:
                    return _response(closed(_HOW))
                found: HttpResponseBase = view(request, **values)
            except StorageError as error:
                return error_response(request, error)
            return found

        return convert_exception_to_response(respond)(request)  # type: ignore[return-value]

    return guard(answered) if callable(guard) else csrf_exempt(answered)


def _response(answer: Answer) -> HttpResponse:
    """The answer, with the headers that it has and no others."""
    response = HttpResponse(answer.body, status=answer.status)
    del response["Content-Type"]
    for name, value in answer.headers.items():
        response[name] = value
    return response


def _as_werkzeug(request: HttpRequest) -> Request:
    query = request.META.get("QUERY_STRING", "").encode("latin-1")
    root, headers = request.META.get("SCRIPT_NAME", ""), EnvironHeaders(request.META)
    return Request(
        request.method or "", request.scheme or "", None, root, request.path_info, query, headers, None
    )


def _reader(request: HttpRequest) -> Read:
    """The body, also where its length is not told; or what the application has read of it."""
    if hasattr(request, "_body"):
        return io.BytesIO(request.body).read
    if isinstance(request, WSGIRequest):
        return get_input_stream(request.environ).read
    return request.read


def _json_body(request: HttpRequest) -> dict[str, Any]:
    check_length(_as_werkzeug(request).content_length or 0)
    read, data = _reader(request), b""
    while len(data) <= MAX_JSON and (chunk := read(MAX_JSON + 1)):
        data += chunk
    return json_object(data)


def _status(using: str, request: HttpRequest) -> HttpResponse:
    return _response(_views.status(_store(using)))


def _upload_url(using: str, request: HttpRequest) -> HttpResponse:
    def public(url: str) -> str:
        return absolute(url, _as_werkzeug(request).root_path, request.build_absolute_uri("/"))

    return _response(_views.upload_url(_store(using), _json_body(request), public))


def _promote(using: str, request: HttpRequest) -> HttpResponse:
    return _response(_views.promote(_store(using), _json_body(request)))


def _variant(using: str, request: HttpRequest, name: str, key: str) -> HttpResponse:
    return _response(_views.variant(_store(using), name, key))


def _serve(using: str, request: HttpRequest, key: str) -> HttpResponseBase:
    store = _store(using)
    seen = _as_werkzeug(request)
    found = key_under(path_of(store.base_url) or "", seen.root_path, seen.path)
    if not found:
        return _response(not_found())
    answer, key = _views.serve(store, seen, found, _log)
    if answer.part is None or request.method == "HEAD":
        return _response(answer)
    pieces = open_pieces(store, key, answer.part, answer)
    # Under ASGI Django takes all pieces before it sends the first.
    body = pieces if isinstance(request, WSGIRequest) else [b"".join(pieces)]
    return StreamingHttpResponse(body, status=answer.status, headers=answer.headers)


def _receive(using: str, request: HttpRequest) -> HttpResponse:
    store = _store(using)
    if hasattr(request, "_files"):
        # A middleware has parsed the form already.
        sent = [file for _, files in request.FILES.lists() for file in files]
        if len(sent) != 1 or "file" not in request.FILES:
            raise not_one_file()
        fields = [(name, value) for name, values in request.POST.lists() for value in values]
        return _response(received_answer(store.receive_post(fields, sent[0])))
    opened = functools.partial(_reader, request)
    return _response(_views.receive(store, _as_werkzeug(request), opened, _log))
