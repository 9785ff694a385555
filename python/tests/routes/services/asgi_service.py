"""The routes in FastAPI, or with FRAMEWORK=asgi without a framework; GUARD and VARIANT_GUARD say which
guards."""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI, HTTPException

from lablink_storage import AsyncImageStore, asgi


async def token_required(request: Any) -> None:
    if request.headers.get("Authorization") != "Bearer right":
        raise HTTPException(401)


def nobody_is_refused(request: Any) -> None:
    """It runs before the route, and so sees nothing of what the route raises."""


GUARDS: dict[str, asgi.Guard] = {
    "none": None,
    "open": False,
    "token": token_required,
    "catches": nobody_is_refused,
}

store = AsyncImageStore.from_env()
guard = GUARDS[os.environ["GUARD"]]
variant_guard = GUARDS[os.environ.get("VARIANT_GUARD", "open")]
app: Any
if os.environ.get("FRAMEWORK") == "asgi":
    app = asgi.application(store, guard=guard, variant_guard=variant_guard)
else:
    app = FastAPI()
    app.include_router(asgi.router(store, guard=guard, variant_guard=variant_guard))
