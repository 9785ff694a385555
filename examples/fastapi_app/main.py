"""LabLink in small, on FastAPI: the page of the Flask example.

    pip install './python[fastapi]' uvicorn python-multipart jinja2 itsdangerous
    uvicorn --app-dir examples/fastapi_app main:app

and open http://127.0.0.1:8000. Images go to local files until AWS_S3_BUCKET says otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sqlite3
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import jinja2
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from itsdangerous import BadSignature, URLSafeTimedSerializer
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException as HTTPError

from lablink_storage import (
    AlreadyExistsError,
    AsyncImageStore,
    ForeignUrlError,
    NotFoundError,
    StorageError,
    StoredImage,
)
from lablink_storage.asgi import error_response, router

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "flask_app"
INSTANCE = Path(os.environ.get("LABLINK_INSTANCE", HERE / "instance")).resolve()
INSTANCE.mkdir(parents=True, exist_ok=True)
MAX_PHOTO_BYTES = 10 * 1024 * 1024
TOKEN_SECONDS = 8 * 3600


def kept_secret(name: str) -> str:
    """A secret of this installation's own, kept over restarts. Of workers that start at once one wins."""
    path, own = INSTANCE / name, INSTANCE / secrets.token_hex(8)
    own.touch(mode=0o600)
    own.write_text(secrets.token_hex(32), "ascii")
    with contextlib.suppress(FileExistsError):
        os.link(own, path)
    own.unlink()
    return path.read_text("ascii")


# Both come from the environment where it has them.
os.environ.setdefault("LABLINK_STORAGE_DIR", str(INSTANCE / "uploads"))
os.environ.setdefault("LABLINK_STORAGE_SECRET", kept_secret("storage.key"))
store = AsyncImageStore.from_env(
    limits={"max_bytes": MAX_PHOTO_BYTES},
    variants={
        "thumb": {"max_width": 320, "max_height": 320},
        "card": {"max_width": 640, "max_height": 640},
    },
)
app = FastAPI()


# --- errors, as the routes of the store answer them


def refusal(status: int, kind: str, message: str) -> JSONResponse:
    return JSONResponse({"error": kind, "message": message, "hint": None}, status)


@app.exception_handler(StorageError)
async def storage_error(_request: Request, error: StorageError) -> Response:
    return error_response(error)


@app.exception_handler(HTTPError)
async def http_error(_request: Request, error: HTTPError) -> Response:
    kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return refusal(error.status_code, kind, error.detail)


@app.exception_handler(RequestValidationError)
@app.exception_handler(ValidationError)
async def validation_error(_request: Request, error: RequestValidationError | ValidationError) -> Response:
    first = error.errors()[0]
    return refusal(400, "invalid_argument", f"{['body', *first['loc']][-1]}: {first['msg']}")


async def check_length(request: Request) -> None:
    """Comes before a body is read. FastAPI would read it first, for a parameter, and then ask the guard."""
    length = request.headers.get("Content-Length")
    if length is None:
        raise HTTPException(411, "The request does not say how long it is.")
    if int(length) > MAX_PHOTO_BYTES + 64 * 1024:
        # Until it has sent all, a browser does not look at the answer.
        taken = 0
        async for chunk in request.stream():
            taken += len(chunk)
            if taken > 64 * 1024 * 1024:
                break
        raise HTTPException(413, f"The file is too large: at most {MAX_PHOTO_BYTES // 1024 // 1024} MB.")


# --- who may change something: the account of the environment, with the token that it was given


DEMO_PASSWORD = "faculty"
EMAIL = os.environ.get("LABLINK_FACULTY_EMAIL") or "faculty@lablink.example"
PASSWORD = os.environ.get("LABLINK_FACULTY_PASSWORD") or DEMO_PASSWORD
# Another account or password ends the logins so far.
tokens = URLSafeTimedSerializer("\n".join([kept_secret("session.key"), EMAIL, PASSWORD]), salt="token")


class Login(BaseModel):
    email: str
    password: str


@app.post("/api/auth/login")
async def login(request: Request) -> dict[str, Any]:
    """``{"email", "password"}`` -> ``{"access_token", "user"}``."""
    await check_length(request)
    body = Login.model_validate_json(await request.body())
    right = secrets.compare_digest(body.password.encode(), PASSWORD.encode())
    if body.email != EMAIL or not right:
        raise HTTPException(401, "The e-mail address or the password is wrong.")
    return {"access_token": tokens.dumps(EMAIL), "user": {"email": EMAIL, "role": "faculty"}}


async def logged_in(request: Request) -> None:
    """The guard. No cookie says who asks: nobody can forge a request."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        tokens.loads(token if scheme.lower() == "bearer" else "", max_age=TOKEN_SECONDS)
    except BadSignature:
        raise HTTPException(401, "Please log in: this is for faculty.") from None


# --- the inventory


def execute(sql: str, *values: object) -> list[sqlite3.Row]:
    """One statement, which is a transaction."""
    with contextlib.closing(sqlite3.connect(INSTANCE / "lablink.db", timeout=10)) as connection, connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(sql, values).fetchall()


execute(
    "CREATE TABLE IF NOT EXISTS components (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, "
    "category TEXT NOT NULL, quantity INTEGER NOT NULL, location TEXT NOT NULL, image_url TEXT UNIQUE, "
    "image_width INTEGER, image_height INTEGER, placeholder TEXT, thumbnail_url TEXT, srcset TEXT NOT NULL)"
)


class Component(BaseModel):
    """What multipart says, or JSON; ``upload_key`` is the key of a direct upload."""

    model_config = ConfigDict(str_strip_whitespace=True)
    name: Annotated[str, Field(min_length=1, max_length=120)]
    category: Annotated[str, Field(max_length=60)] = ""
    quantity: Annotated[int, Field(ge=0, le=1_000_000)] = 1
    location: Annotated[str, Field(max_length=120)] = ""
    upload_key: str = ""


@app.get("/api/components")
async def listing() -> dict[str, Any]:
    """Every component, the newest first."""
    rows = await asyncio.to_thread(execute, "SELECT * FROM components ORDER BY id DESC LIMIT 500")
    return {"components": [dict(row) for row in rows]}


@app.post("/api/components", status_code=201, dependencies=[Depends(logged_in)])
async def add(request: Request) -> dict[str, Any]:
    """Adds a component, as multipart with its photo as ``image`` or as JSON."""
    await check_length(request)
    if request.headers.get("Content-Type", "").startswith("application/json"):
        component = Component.model_validate_json(await request.body())
        return await insert(component, await stored_image(component, None))
    async with request.form(max_files=1, max_fields=10) as form:
        component = Component.model_validate(dict(form))
        return await insert(component, await stored_image(component, form.get("image")))


async def stored_image(component: Component, file: UploadFile | str | None) -> StoredImage | None:
    if component.upload_key:
        return await store.promote(component.upload_key)
    return await store.upload(file) if isinstance(file, UploadFile) and file.filename else None


async def insert(component: Component, image: StoredImage | None) -> dict[str, Any]:
    values: dict[str, Any] = component.model_dump(exclude={"upload_key"}) | {"srcset": ""}
    if image:
        versions = [(made.url, made.width) for made in image.variants.values()] + [(image.url, image.width)]
        values |= {
            "image_url": image.url,
            "image_width": image.width,
            "image_height": image.height,
            "placeholder": image.placeholder,
            "thumbnail_url": image.variants["thumb"].url,
            "srcset": ", ".join(f"{url} {width}w" for url, width in versions),
        }
    sql = f"INSERT INTO components ({', '.join(values)}) VALUES ({', '.join('?' * len(values))}) RETURNING *"
    try:
        return dict((await asyncio.to_thread(execute, sql, *values.values()))[0])
    except sqlite3.IntegrityError:
        # Two requests brought the same direct upload: the image is the first one's.
        raise AlreadyExistsError("This photo was added already: reload the page to see it.") from None
    except sqlite3.Error:
        if image:
            await store.delete(image.key)
        raise


@app.delete("/api/components/{component}", dependencies=[Depends(logged_in)])
async def remove(component: Annotated[int, InPath(ge=1, le=2**63 - 1)]) -> dict[str, str]:
    """Deletes a component and its photo."""
    rows = await asyncio.to_thread(execute, "SELECT * FROM components WHERE id = ?", component)
    if not rows:
        raise NotFoundError("This component does not exist.")
    # The photo first: if that fails, the component still knows where it is.
    if rows[0]["image_url"]:
        # One from before images were moved elsewhere this store cannot reach.
        with contextlib.suppress(ForeignUrlError):
            await store.delete(rows[0]["image_url"])
    await asyncio.to_thread(execute, "DELETE FROM components WHERE id = ?", component)
    return {"message": f"{rows[0]['name']} was deleted."}


# --- the page


pages = jinja2.Environment(loader=jinja2.FileSystemLoader(PAGE / "templates"), autoescape=True)


def url_for(_endpoint: str, filename: str) -> str:
    """The template of the Flask example asks Flask for the addresses of its files."""
    return f"static/{filename}"


@app.get("/")
async def index() -> HTMLResponse:
    demo = PASSWORD == DEMO_PASSWORD
    page = pages.get_template("index.html").render(
        url_for=url_for,
        backend=store.backend,
        bucket=store.bucket,
        max_bytes=store.max_bytes,
        patience=60_000,
        demo_email=EMAIL if demo else None,
        demo_password=PASSWORD if demo else None,
    )
    policy = (
        "default-src 'self'; img-src 'self' blob: data: http: https:; connect-src 'self' http: https:; "
        "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": policy})


app.mount("/static", StaticFiles(directory=PAGE / "static"))
app.include_router(router(store, guard=logged_in))
