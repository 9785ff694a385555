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

from typing import TYPE_CHECKING

from werkzeug.sansio.request import Request

from ._answers import Answer, closed, error_answer, not_allowed, not_found, refusal
from ._asgi import HOW, Exchange, Guard, Handler, Receive, Routes, Scope, Send, called, log, send_answer
from ._asynchronous import AsyncImageStore
from ._exceptions import StorageError
from ._lablink_storage import ImageStore

if TYPE_CHECKING:
    import fastapi
    from starlette.responses import Response

__all__ = ["Guard", "application", "error_response", "router"]


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
        self._routes = routes = Routes(store)
        self._guard, self._variant_guard = guard, variant_guard
        prefix = prefix.rstrip("/")
        self._variants = f"{prefix}/variant/"
        self._guarded: dict[str, tuple[tuple[str, ...], Handler]] = {
            f"{prefix}/status": (("GET", "HEAD"), routes.status),
            f"{prefix}/upload-url": (("POST",), routes.upload_url),
            f"{prefix}/promote": (("POST",), routes.promote),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await _lifespan(receive, send)
        if scope["type"] != "http":
            raise RuntimeError(f"there is nothing here for {scope['type']}")
        exchange = Exchange(scope, receive)
        answer = await self._routes.answered(self._answer, exchange)
        await send_answer(answer, exchange.pieces, send)

    async def _answer(self, exchange: Exchange) -> Answer:
        if exchange.path in self._guarded:
            methods, handler = self._guarded[exchange.path]
            if exchange.request.method not in methods:
                return not_allowed(methods)
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
            return not_allowed(("GET", "HEAD") if key else ("POST",))
        return not_found()

    async def _variant(self, exchange: Exchange) -> Answer:
        name, _, key = exchange.path.removeprefix(self._variants).partition("/")
        if exchange.request.method not in ("GET", "HEAD"):
            return not_allowed(("GET", "HEAD"))
        refused = await self._refused(exchange.request, self._variant_guard)
        return refused or await self._routes.variant(exchange, name, key)

    async def _refused(self, request: Request, guard: Guard) -> Answer | None:
        if guard is None:
            return closed(HOW)
        if guard is False:
            return None
        try:
            await called(guard, request)
        except StorageError:
            raise
        except Exception as error:
            status = getattr(error, "status_code", 403)
            if status == 403 and not isinstance(error, PermissionError):
                log.warning("the guard refused %s", request.path, exc_info=error)
            words = getattr(error, "detail", None) or "the request was refused"
            return refusal(status, "forbidden" if status == 403 else "refused", str(words), None)
        return None


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
    from ._fastapi import routes_of

    return routes_of(Routes(store), guard, variant_guard, prefix.rstrip("/"))


def error_response(error: StorageError) -> Response:
    """The answer of the routes to an error, as Starlette's: for handlers of the application's own, or
    ``app.add_exception_handler(StorageError, lambda request, error: error_response(error))``."""
    from starlette.responses import Response

    answer = error_answer(error, log, "request")
    return Response(answer.body, answer.status, answer.headers)
