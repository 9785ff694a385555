"""The routes for asyncio: ``pip install 'lablink-storage[asgi]'``.

In FastAPI, at an application's side::

    from lablink_storage import AsyncImageStore
    from lablink_storage.asgi import router

    store = AsyncImageStore.from_env()
    app.include_router(router(store, guard=logged_in))

and on its own, or mounted in Starlette, without any framework::

    application = lablink_storage.asgi.application(store, guard=logged_in)

The guard is called with the request, may be a coroutine function, and raises to refuse: in FastAPI it is a
dependency as any other. Without one status, upload-url and promote answer 403; ``False`` opens them to
everyone on purpose. Served images and received forms are for local files, at the store's base URL.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urljoin, urlsplit

from werkzeug.datastructures import Headers
from werkzeug.sansio.request import Request

from ._answers import (
    Answer,
    closed,
    error_answer,
    image_answer,
    json_answer,
    missing,
    not_found,
    received_answer,
    redirect_answer,
    refusal,
)
from ._asynchronous import AsyncImageStore
from ._exceptions import LimitExceededError, StorageError
from ._forms import MAX_DISCARDED, MAX_FIELDS, FormReader, not_a_form, wrong_type
from ._lablink_storage import ImageStore, start
from ._requests import (
    MAX_JSON,
    check_length,
    json_object,
    post_body,
    put_body,
    status_body,
    text,
    upload_arguments,
)

if TYPE_CHECKING:
    import fastapi
    from starlette.responses import Response

__all__ = ["application", "error_response", "router"]

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Guard: TypeAlias = Callable[..., Any] | Literal[False] | None
_Handler: TypeAlias = Callable[["_Exchange"], Awaitable[Answer]]

_log = logging.getLogger("lablink_storage.asgi")

_HOW = "pass guard=…, or guard=False to open it to everyone"

_PATIENCE = 60
"""Seconds that a client may send nothing."""


class _Exchange:
    """One request, and the sending of its answer."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        root = scope.get("root_path", "").rstrip("/")
        path = scope["path"]
        inner = path[len(root) :] if root and f"{path}/".startswith(f"{root}/") else path
        self.request = Request(
            scope["method"],
            scope.get("scheme", "http"),
            scope.get("server"),
            root,
            inner,
            scope.get("query_string", b""),
            Headers(headers),
            None,
        )
        self.path = inner
        self.key = ""
        """What follows the base URL in the path."""
        self._receive = receive
        self._more = True
        self._taken = 0

    @property
    def described(self) -> str:
        """The request, for a log line."""
        return f"{self.request.method} {self.path}"

    @property
    def public_path(self) -> str:
        """The path as browsers ask for it."""
        return f"{self.request.root_path}{self.path}"

    def absolute(self, url: str) -> str:
        """The address of a form, as a browser has to ask for it."""
        root = self.request.root_path
        if url.startswith("/") and not url.startswith(f"{root}/"):
            url = f"{root}{url}"
        return urljoin(self.request.host_url, url)

    async def read(self) -> bytes:
        """The next bytes of the body; none at its end."""
        while self._more:
            message = await asyncio.wait_for(self._receive(), _PATIENCE)
            if message["type"] != "http.request":
                self._more = False
                raise ConnectionResetError("the client disconnected")
            self._more = message.get("more_body", False)
            chunk: bytes = message.get("body", b"")
            self._taken += len(chunk)
            if chunk:
                return chunk
        return b""

    async def json(self) -> dict[str, Any]:
        check_length(self.request.content_length or 0)
        data = b""
        while len(data) <= MAX_JSON and (chunk := await self.read()):
            data += chunk
        return json_object(data)

    async def discard(self, most: int) -> None:
        """Takes what the client still sends and drops it: browsers send all before they look at the answer,
        and see only a broken connection where the server closes it meanwhile."""
        length = self.request.content_length
        most = most if length is None else min(length, MAX_DISCARDED)
        try:
            while self._taken < most and await self.read():
                pass
        except (OSError, TimeoutError):
            _log.debug("the client disconnected before it had sent everything")


class _Routes:
    """What each route answers."""

    def __init__(self, store: AsyncImageStore | ImageStore) -> None:
        self.store = AsyncImageStore(store) if isinstance(store, ImageStore) else store
        base_url = self.store.base_url
        self.base_path = None if base_url is None else urlsplit(base_url).path.rstrip("/")

    def key_of(self, exchange: _Exchange) -> str | None:
        """What follows the base URL in the path, if it is under it: with the prefix of a proxy or without."""
        if self.base_path is None:
            return None
        for path in (exchange.public_path, exchange.path):
            if path == self.base_path or path == f"{self.base_path}/":
                return ""
            if path.startswith(f"{self.base_path}/"):
                return path[len(self.base_path) + 1 :]
        return None

    def mount_points(self) -> list[str]:
        """The base URL's path, and what may be left of it where a proxy's prefix is in it."""
        if self.base_path is None:
            return []
        segments = self.base_path.split("/")[1:]
        return ["/".join(["", *segments[at:]]) for at in range(max(1, len(segments)))]

    async def status(self, _exchange: _Exchange) -> Answer:
        return json_answer(*status_body(await self.store.status()))

    async def upload_url(self, exchange: _Exchange) -> Answer:
        arguments = upload_arguments(await exchange.json(), self.store.direct_upload)
        if self.store.direct_upload == "put":
            return json_answer(put_body(await self.store.presigned_put(**arguments)))
        post = await self.store.presigned_post(**arguments)
        return json_answer(post_body(post, exchange.absolute(post.url)))

    async def promote(self, exchange: _Exchange) -> Answer:
        image = await self.store.promote(text(await exchange.json(), "key"))
        return json_answer(image.to_dict())

    async def variant(self, exchange: _Exchange, name: str, key: str) -> Answer:
        url: str = await start(self.store.sync._serve_variant, key, name)
        return redirect_answer(url)

    async def serve(self, exchange: _Exchange) -> Answer:
        try:
            key = self.store.public_key(exchange.key)
            query = exchange.request.query_string.decode("latin-1")
            overrides = self.store.sync.verify_get(key, query) if query else None
            answer = image_answer(exchange.request, await self.store.head(key), overrides)
        except StorageError as error:
            absent = missing(error, _log, exchange.described)
            if absent is None:
                raise
            return absent
        exchange.key = key
        return answer

    async def receive(self, exchange: _Exchange) -> Answer:
        limit = self.store.max_bytes + MAX_FIELDS
        try:
            with await self._form(exchange, limit) as form:
                return received_answer(await self.store.receive_post(form.fields, form.whole()))
        except BaseException:
            await exchange.discard(limit)
            raise

    async def _form(self, exchange: _Exchange, limit: int) -> FormReader:
        request = exchange.request
        if request.mimetype != "multipart/form-data":
            raise wrong_type()
        if (request.content_length or 0) > limit:
            raise LimitExceededError(
                f"the request has {request.content_length} bytes, at most {limit} are allowed"
            )
        form = FormReader(request.mimetype_params.get("boundary", ""), self.store)
        try:
            taken = 0
            while not form.ended:
                chunk = await exchange.read()
                taken += len(chunk)
                if taken > limit:
                    raise LimitExceededError(f"the request is over the limit of {limit} bytes")
                form.feed(chunk)
        except (OSError, TimeoutError) as error:
            form.__exit__()
            raise not_a_form() from error
        except BaseException:
            form.__exit__()
            raise
        return form

    async def answered(self, handler: _Handler, exchange: _Exchange) -> Answer:
        try:
            return await handler(exchange)
        except StorageError as error:
            await exchange.discard(MAX_JSON)
            return error_answer(error, _log, exchange.described)

    async def pieces(self, exchange: _Exchange, answer: Answer) -> AsyncIterator[bytes] | None:
        """The bytes of an image that is served."""
        if answer.part is None or exchange.request.method == "HEAD":
            return None
        return (await self.store.get_stream(exchange.key, *answer.part))[1]


async def _send(answer: Answer, pieces: AsyncIterator[bytes] | None, send: Send) -> None:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if answer.status not in (204, 304):
        headers.setdefault("content-length", str(len(answer.body)))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    if pieces is not None:
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": answer.body if pieces is None else b""})


class application:  # noqa: N801 - it is called like a function
    """An ASGI application with the routes, for a server or to be mounted.

    Args:
        store: the store, of either kind.
        guard: called with the request (``.headers``, ``.cookies``, ``.args``, ``.path``) before status,
            upload-url and promote; may be a coroutine function. What it raises refuses: with its
            ``status_code`` where it has one, else 403. ``None`` closes the routes, ``False`` opens them.
        variant_guard: the same around the variants that are made on demand. They are open, because pages use
            them, and bounded as they are.
        prefix: where these routes are.
    """

    def __init__(
        self,
        store: AsyncImageStore | ImageStore,
        *,
        guard: Guard = None,
        variant_guard: Guard = False,
        prefix: str = "/api/s3",
    ) -> None:
        self._routes = routes = _Routes(store)
        self._guard, self._variant_guard = guard, variant_guard
        prefix = prefix.rstrip("/")
        self._variants = f"{prefix}/variant/"
        self._guarded: dict[str, tuple[tuple[str, ...], _Handler]] = {
            f"{prefix}/status": (("GET", "HEAD"), routes.status),
            f"{prefix}/upload-url": (("POST",), routes.upload_url),
            f"{prefix}/promote": (("POST",), routes.promote),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await _lifespan(receive, send)
        if scope["type"] != "http":
            raise RuntimeError(f"there is nothing here for {scope['type']}")
        exchange = _Exchange(scope, receive)
        answer = await self._routes.answered(self._answer, exchange)
        await _send(answer, await self._routes.pieces(exchange, answer), send)

    async def _answer(self, exchange: _Exchange) -> Answer:
        if exchange.path in self._guarded:
            methods, handler = self._guarded[exchange.path]
            if exchange.request.method not in methods:
                return _not_allowed(methods)
            return await self._refused(exchange.request, self._guard) or await handler(exchange)
        if exchange.path.startswith(self._variants):
            return await self._variant(exchange)
        key = self._routes.key_of(exchange)
        if key is None:
            return refusal(404, "not_found", "there is nothing here", None)
        exchange.key = key
        if exchange.request.method in ("GET", "HEAD") and key:
            return await self._routes.serve(exchange)
        if exchange.request.method == "POST" and not key:
            return await self._routes.receive(exchange)
        if key or exchange.request.method not in ("GET", "HEAD"):
            return _not_allowed(("GET", "HEAD") if key else ("POST",))
        return not_found()

    async def _variant(self, exchange: _Exchange) -> Answer:
        name, _, key = exchange.path.removeprefix(self._variants).partition("/")
        if exchange.request.method not in ("GET", "HEAD"):
            return _not_allowed(("GET", "HEAD"))
        refused = await self._refused(exchange.request, self._variant_guard)
        return refused or await self._routes.variant(exchange, name, key)

    async def _refused(self, request: Request, guard: Guard) -> Answer | None:
        if guard is None:
            return closed(_HOW)
        if guard is False:
            return None
        try:
            await _called(guard, request)
        except StorageError:
            raise
        except Exception as error:
            status = getattr(error, "status_code", 403)
            if status == 403 and not isinstance(error, PermissionError):
                _log.warning("the guard refused %s", request.path, exc_info=error)
            words = getattr(error, "detail", None) or "the request was refused"
            return refusal(status, "forbidden" if status == 403 else "refused", str(words), None)
        return None


def _not_allowed(methods: tuple[str, ...]) -> Answer:
    answer = refusal(405, "invalid_argument", "this address does not take that method", None)
    answer.headers["Allow"] = ", ".join(methods)
    return answer


async def _called(guard: Callable[..., Any], request: Any) -> None:
    """A guard that waits for nothing may still take its time: it has a thread of the loop's executor."""
    if inspect.iscoroutinefunction(guard):
        await guard(request)
        return
    outcome = await asyncio.to_thread(guard, request)
    if inspect.isawaitable(outcome):
        await outcome


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def router(
    store: AsyncImageStore | ImageStore,
    *,
    guard: Guard = None,
    variant_guard: Guard = False,
    prefix: str = "/api/s3",
) -> fastapi.APIRouter:
    """The routes for FastAPI: ``app.include_router(router(store, guard=logged_in))``.

    ``guard`` is a dependency of status, upload-url and promote, or a plain callable that takes the request;
    what it raises FastAPI answers. ``variant_guard`` is the same for the variants that are made on demand.
    """
    from fastapi import APIRouter, Depends
    from starlette.responses import Response

    routes = _Routes(store)

    class Exchanged(Response):
        """The answer, sent as the application without a framework sends it."""

        def __init__(self, handler: _Handler) -> None:
            super().__init__()
            self._handler = handler

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            exchange = _Exchange(scope, receive)
            answer = await routes.answered(self._handler, exchange)
            await _send(answer, await routes.pieces(exchange, answer), send)

    def endpoint(handler: _Handler) -> Callable[..., Any]:
        async def respond() -> Response:
            return Exchanged(handler)

        respond.__annotations__ = {"return": Response}
        return respond

    async def is_closed(_exchange: _Exchange) -> Answer:
        return closed(_HOW)

    async def variant(exchange: _Exchange) -> Answer:
        name, _, key = exchange.path.partition(f"{prefix}/variant/")[2].partition("/")
        return await routes.variant(exchange, name, key)

    async def image(exchange: _Exchange) -> Answer:
        key = routes.key_of(exchange)
        if not key:
            return not_found()
        exchange.key = key
        return await routes.serve(exchange)

    async def form(exchange: _Exchange) -> Answer:
        if routes.key_of(exchange) is None:
            return refusal(404, "not_found", "there is nothing here", None)
        return await routes.receive(exchange)

    made = APIRouter()
    dependencies = [Depends(_dependency(guard))] if callable(guard) else []
    prefix = prefix.rstrip("/")
    for name, handler, methods in (
        ("status", routes.status, ["GET", "HEAD"]),
        ("upload-url", routes.upload_url, ["POST"]),
        ("promote", routes.promote, ["POST"]),
    ):
        respond = endpoint(is_closed if guard is None else handler)
        made.add_api_route(f"{prefix}/{name}", respond, methods=methods, dependencies=dependencies)
    made.add_api_route(
        f"{prefix}/variant/{{name}}/{{key:path}}",
        endpoint(is_closed if variant_guard is None else variant),
        methods=["GET", "HEAD"],
        dependencies=[Depends(_dependency(variant_guard))] if callable(variant_guard) else [],
    )
    for path in routes.mount_points():
        made.add_api_route(
            f"{path}/{{key:path}}", endpoint(image), methods=["GET", "HEAD"], include_in_schema=False
        )
        made.add_api_route(path or "/", endpoint(form), methods=["POST"], include_in_schema=False)
    return made


def error_response(error: StorageError) -> Response:
    """The answer of the routes to an error, as Starlette's: for handlers of the application's own, or
    ``app.add_exception_handler(StorageError, lambda request, error: error_response(error))``."""
    from starlette.responses import Response

    answer = error_answer(error, _log, "request")
    return Response(answer.body, answer.status, answer.headers)


def _dependency(guard: Callable[..., Any]) -> Callable[..., Any]:
    """The guard as FastAPI calls it: one whose only parameter says nothing of its type gets the request."""
    from starlette.requests import Request as HttpRequest

    parameters = list(inspect.signature(guard).parameters.values())
    if len(parameters) != 1 or parameters[0].annotation is not inspect.Parameter.empty:
        return guard

    async def guarded(request: HttpRequest) -> None:
        await _called(guard, request)

    guarded.__annotations__ = {"request": HttpRequest, "return": None}
    return guarded
