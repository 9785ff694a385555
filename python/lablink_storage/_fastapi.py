"""The routes as FastAPI mounts them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from ._answers import Answer, closed, not_allowed, not_found, refusal
from ._asgi import HOW, Exchange, Guard, Handler, Receive, Routes, Scope, Send, called, send_answer


class Exchanged(Response):
    """The answer, sent as the application without a framework sends it."""

    def __init__(self, routes: Routes, handler: Handler) -> None:
        super().__init__()
        self._routes = routes
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive)
        answer = await self._routes.answered(self._handler, exchange)
        await send_answer(answer, exchange.pieces, send)


class Route(APIRoute):
    """Says of a method that no route of this path takes what the other frameworks' routes say."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        methods = self.methods or set()
        if scope["method"] in methods:
            await super().handle(scope, receive, send)
        else:
            await send_answer(not_allowed(sorted(methods)), None, send)


def routes_of(routes: Routes, guard: Guard, variant_guard: Guard, prefix: str) -> APIRouter:
    """The router of :func:`lablink_storage.asgi.router`."""

    def endpoint(handler: Handler) -> Callable[..., Any]:
        async def respond() -> Response:
            return Exchanged(routes, handler)

        respond.__annotations__ = {"return": Response}
        return respond

    async def is_closed(_exchange: Exchange) -> Answer:
        return closed(HOW)

    async def variant(exchange: Exchange) -> Answer:
        name, _, key = exchange.path.partition(f"{prefix}/variant/")[2].partition("/")
        return await routes.variant(exchange, name, key)

    async def image(exchange: Exchange) -> Answer:
        key = routes.key_of(exchange)
        if not key:
            return not_found()
        exchange.key = key
        return await routes.serve(exchange)

    async def form(exchange: Exchange) -> Answer:
        if routes.key_of(exchange) is None:
            return refusal(404, "not_found", "there is nothing here", None)
        return await routes.receive(exchange)

    made = APIRouter(route_class=Route)
    dependencies = [Depends(_dependency(guard))] if callable(guard) else []
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


def _dependency(guard: Callable[..., Any]) -> Callable[..., Any]:
    """The guard as FastAPI calls it: ``request`` alone is the request, whatever its annotation says."""
    parameters = list(inspect.signature(guard).parameters.values())
    if [parameter.name for parameter in parameters] != ["request"]:
        return guard

    async def guarded(request: Request) -> None:
        await called(guard, request)

    guarded.__annotations__ = {"request": Request, "return": None}
    return guarded
