"""The inventory: list, add with a photo, delete."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, current_app, request

from lablink_storage import (
    AlreadyExistsError,
    ForeignUrlError,
    ImageStore,
    InvalidArgumentError,
    NotFoundError,
    StoredImage,
)
from lablink_storage.flask import LablinkStorage

import database
from auth import json_body, login_required

routes = Blueprint("components", __name__)


def _store() -> ImageStore:
    extension: LablinkStorage = current_app.extensions["lablink_storage"]
    return extension.store


@routes.get("/api/components")
def listing() -> dict[str, Any]:
    """Every component, the newest first."""
    rows = database.connection().execute("SELECT * FROM components ORDER BY id DESC LIMIT 500")
    return {"components": [_as_json(row) for row in rows]}


@routes.post("/api/components")
@login_required
def add() -> tuple[dict[str, Any], int]:
    """Adds a component: multipart with the photo as ``image``, or with ``upload_key``, the key of a
    direct upload that has reached its bucket."""
    values = _values()
    image = _stored_image()
    try:
        row = _insert(values, image)
    except BaseException as error:
        if image is not None:
            if _is_in_use(image):
                raise AlreadyExistsError(
                    "This photo was added already: reload the page to see it."
                ) from error
            _store().delete(image.key)
        raise
    return _as_json(row), 201


@routes.delete(f"/api/components/<int(max={2**63 - 1}):component>")
@login_required
def remove(component: int) -> dict[str, Any]:
    """Deletes a component and its photo."""
    connection = database.connection()
    row = connection.execute("SELECT * FROM components WHERE id = ?", (component,)).fetchone()
    if row is None:
        raise NotFoundError("This component does not exist.")
    # The photo first: if that fails, the component still knows where it is.
    if row["image_url"]:
        try:
            _store().delete(row["image_url"])
        except ForeignUrlError:
            # From before images were moved elsewhere: this store cannot reach it.
            current_app.logger.warning("component %s: its image is in another store", component)
    connection.execute("DELETE FROM components WHERE id = ?", (component,))
    connection.commit()
    return {"message": f"{row['name']} was deleted."}


def _body() -> Mapping[str, Any]:
    """The fields of a form, or of a JSON object."""
    return request.form or json_body()


def _values() -> tuple[str, str, int, str]:
    form = _body()

    def text(name: str, most: int) -> str:
        value = database.text(form.get(name), name).strip()
        if len(value) > most:
            raise InvalidArgumentError(f"The {name} is too long: at most {most} characters.")
        return value

    name = text("name", 120)
    if not name:
        raise InvalidArgumentError("The component needs a name.")
    return name, text("category", 60), _quantity(form.get("quantity", 1)), text("location", 120)


def _quantity(value: object) -> int:
    """``value`` is a form's text or JSON's number."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    digits = str(value).strip()
    if not re.fullmatch("[0-9]{1,7}", digits) or int(digits) > 1_000_000:
        raise InvalidArgumentError("The quantity is a whole number from 0 to 1000000.")
    return int(digits)


def _stored_image() -> StoredImage | None:
    upload_key = database.text(_body().get("upload_key"), "upload_key")
    if upload_key:
        return _store().promote(upload_key)
    file = request.files.get("image")
    if file is None or not file.filename:
        return None
    return _store().upload(file, filename=file.filename)


def _insert(values: tuple[str, str, int, str], image: StoredImage | None) -> sqlite3.Row:
    connection = database.connection()
    found = (
        (image.url, image.width, image.height, image.placeholder)
        if image is not None
        else (None, None, None, None)
    )
    cursor = connection.execute(
        "INSERT INTO components (name, category, quantity, location, image_url, image_width, "
        "image_height, placeholder) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
        values + found,
    )
    row: sqlite3.Row = cursor.fetchone()
    connection.commit()
    return row


def _is_in_use(image: StoredImage) -> bool:
    """Whether it is a component's: two requests may bring the same direct upload."""
    connection = database.connection()
    connection.rollback()
    found = connection.execute("SELECT 1 FROM components WHERE image_url = ?", (image.url,))
    return found.fetchone() is not None


def _as_json(row: sqlite3.Row) -> dict[str, Any]:
    component = {name: row[name] for name in row.keys()}  # noqa: SIM118 - a Row iterates over its values
    component["thumbnail_url"] = None
    component["srcset"] = ""
    if row["image_url"]:
        store = _store()
        width, height = row["image_width"], row["image_height"]
        try:
            versions = [
                (store.variant_url(row["image_url"], name), _fitted(width, height, side))
                for name, side in (("thumb", 320), ("card", 640))
            ]
        except ForeignUrlError:
            component["thumbnail_url"] = row["image_url"]
            return component
        component["thumbnail_url"] = versions[0][0]
        versions.append((row["image_url"], width))
        component["srcset"] = ", ".join(f"{url} {width}w" for url, width in versions)
    return component


def _fitted(width: int, height: int, side: int) -> int:
    """The width of a version that fits a square of ``side`` pixels."""
    return max(1, round(width * min(1.0, side / width, side / height)))
