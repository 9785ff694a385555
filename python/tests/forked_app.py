"""The application that test_fork.py puts under gunicorn. The store is used before the fork under
``--preload``, which is what hangs clients that are not made for it."""

from __future__ import annotations

import io
import os

from flask import Flask

from lablink_storage.flask import LablinkStorage

from support import photo

app = Flask(__name__)
storage = LablinkStorage(app, guard=False)
PHOTO = photo(400, 300)
storage.store.status()
storage.store.delete(storage.store.upload(PHOTO).key)


@app.get("/turn")
def turn() -> dict[str, object]:
    """One image's whole life."""
    store = storage.store
    image = store.upload(io.BytesIO(PHOTO))
    read = len(store.get(image.key))
    store.delete(image.url)
    return {"pid": os.getpid(), "whole": read == image.size, "gone": not store.exists(image.key)}
