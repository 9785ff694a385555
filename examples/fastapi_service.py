"""A small image service: upload, delete, and the routes of direct uploads and stored images.

    pip install './python[fastapi]' uvicorn python-multipart
    TOKEN=… LABLINK_STORAGE_SECRET=… uvicorn --app-dir examples fastapi_service:app
    curl -F file=@examples/photo.jpg -H 'Authorization: Bearer …' http://127.0.0.1:8000/images

It lets those in who know TOKEN. The store is the environment's.
"""

from __future__ import annotations

import os
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request, UploadFile
from starlette.responses import Response

from lablink_storage import AsyncImageStore, StorageError
from lablink_storage.asgi import error_response, router

store = AsyncImageStore.from_env()


async def token_required(request: Request) -> None:
    """Without a token in the environment nobody is let in."""
    token = os.environ.get("TOKEN")
    if not token or request.headers.get("Authorization") != f"Bearer {token}":
        raise HTTPException(401)


Guarded = Annotated[None, Depends(token_required)]

app = FastAPI()
app.include_router(router(store, guard=token_required))


@app.exception_handler(StorageError)
async def failed(_request: Request, error: StorageError) -> Response:
    """Errors of the application's own routes are answered as those of the others."""
    return error_response(error)


@app.post("/images", status_code=201)
async def upload(file: UploadFile, _guard: Guarded) -> dict[str, Any]:
    image = await store.upload(file)
    return image.to_dict()


@app.delete("/images/{key:path}", status_code=204)
async def remove(key: str, _guard: Guarded) -> None:
    await store.delete(store.public_key(key))
