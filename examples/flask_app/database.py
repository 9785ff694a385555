"""One SQLite file."""

from __future__ import annotations

import sqlite3

from flask import Flask, current_app, g

from lablink_storage import InvalidArgumentError

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    email TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS configured (
    email TEXT PRIMARY KEY
);
CREATE TABLE IF NOT EXISTS components (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    category TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    location TEXT NOT NULL,
    image_url VARCHAR(255) CHECK (length(image_url) <= 255),
    image_width INTEGER,
    image_height INTEGER,
    placeholder TEXT
);
-- One photo is one component's: of two that share it, which older versions let happen, the first keeps it.
UPDATE components SET image_url = NULL, image_width = NULL, image_height = NULL, placeholder = NULL
WHERE id NOT IN (SELECT min(id) FROM components GROUP BY image_url) AND image_url IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS one_photo_one_component ON components (image_url);
"""


def connection() -> sqlite3.Connection:
    """The connection of the current request."""
    if "database" not in g:
        g.database = sqlite3.connect(current_app.config["DATABASE"], timeout=10)
        g.database.row_factory = sqlite3.Row
    found: sqlite3.Connection = g.database
    return found


def text(value: object, name: str) -> str:
    """The value as text that can be stored: JSON can also spell halves of characters."""
    found = str(value or "")
    try:
        found.encode()
    except UnicodeEncodeError:
        raise InvalidArgumentError(f"The {name} has a character that is not valid.") from None
    return found


def init_app(app: Flask) -> None:
    """Makes the tables, and closes every request's connection."""

    @app.teardown_appcontext
    def close(_error: BaseException | None) -> None:
        opened = g.pop("database", None)
        if opened is not None:
            opened.close()

    with app.app_context():
        database = connection()
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(SCHEMA)
        database.commit()
