"""``AsyncImageStore``: the store for asyncio, over the one runtime of the process."""

from __future__ import annotations

import asyncio
import builtins
import inspect
import os
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ._lablink_storage import ImageStore
from ._lablink_storage import start as _start

if TYPE_CHECKING:
    from typing import Self

    from ._types import (
        GetOverrides,
        ObjectInfo,
        ObjectVersion,
        PresignedPost,
        PresignedRequest,
        ReceivedPost,
        RegenerateReport,
        SignedCookies,
        Status,
        StoredImage,
        StoredVariant,
        SweepReport,
    )
    from ._typing import AsyncImageInput, Duration, ImageInput, OptimizeOptions

_CHUNK = 1024 * 1024
"""Bytes that are read from a file object before other tasks have their turn."""

_AT_ONCE = 32
"""Uploads of one loop whose bytes are in memory; others wait before they read theirs."""


class AsyncImageStore:
    """An :class:`ImageStore` whose operations are coroutines.

    Made by ``from_env``, ``s3``, ``local`` or ``memory`` with the keywords of ``ImageStore``, or around an
    ``ImageStore``, which then shares its client. No loop has to run then, and one store serves any number of
    loops. A call has no thread of its own; cancelling the task that awaits it cancels the work, and a
    cancelled upload leaves no object.

    Example:
        >>> import asyncio
        >>> from lablink_storage import AsyncImageStore
        >>> store = AsyncImageStore.memory()
        >>> async def add() -> str:
        ...     image = await store.upload(photo, filename="board.png")
        ...     return image.content_type
        >>> asyncio.run(add())
        'image/jpeg'
    """

    def __init__(self, store: ImageStore) -> None:
        self._store = store
        self._turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]
        self._turns = weakref.WeakKeyDictionary()

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None, **keywords: Any) -> Self:
        """As ``ImageStore.from_env``."""
        return cls(ImageStore.from_env(env, **keywords))

    @classmethod
    def s3(cls, bucket: str, **keywords: Any) -> Self:
        """As ``ImageStore.s3``."""
        return cls(ImageStore.s3(bucket, **keywords))

    @classmethod
    def local(cls, directory: str | os.PathLike[str], **keywords: Any) -> Self:
        """As ``ImageStore.local``."""
        return cls(ImageStore.local(directory, **keywords))

    @classmethod
    def memory(cls, **keywords: Any) -> Self:
        """As ``ImageStore.memory``."""
        return cls(ImageStore.memory(**keywords))

    @property
    def sync(self) -> ImageStore:
        """The same store for code that may wait."""
        return self._store

    @property
    def backend(self) -> str:
        """``"s3"``, ``"local"`` or ``"memory"``."""
        return self._store.backend

    @property
    def bucket(self) -> str | None:
        """The bucket, on S3."""
        return self._store.bucket

    @property
    def region(self) -> str | None:
        """The bucket's region, on S3."""
        return self._store.region

    @property
    def directory(self) -> str | None:
        """The directory, on local files."""
        return self._store.directory

    @property
    def base_url(self) -> str | None:
        """The public base URL, on local files."""
        return self._store.base_url

    @property
    def prefix(self) -> str:
        """The key prefix; may be empty."""
        return self._store.prefix

    @property
    def direct_upload(self) -> str:
        """How browsers upload straight to the store: ``"post"`` or ``"put"``."""
        return self._store.direct_upload

    @property
    def variants(self) -> builtins.list[str]:
        """The names of the variants."""
        return self._store.variants

    @property
    def max_bytes(self) -> int:
        """Bytes that one file may have."""
        return self._store.max_bytes

    @property
    def max_upload_bytes(self) -> int:
        """Bytes that a direct upload may have, unless its presigned request says otherwise."""
        return self._store.max_upload_bytes

    def __repr__(self) -> str:
        return f"<Async{repr(self._store)[1:]}"

    def __reduce__(self) -> tuple[Callable[[ImageStore], AsyncImageStore], tuple[ImageStore]]:
        return type(self), (self._store,)

    async def upload(
        self,
        file: AsyncImageInput,
        filename: str | None = None,
        *,
        optimize: OptimizeOptions | None = None,
        context: Any = None,
    ) -> StoredImage:
        """As ``ImageStore.upload``; ``file`` may also be an async file object (Starlette's ``UploadFile``,
        aiofiles) or an async iterator of bytes."""
        most = ((optimize or {}).get("limits") or {}).get("max_bytes") or self.max_bytes
        name = filename if filename is not None else _name_of(file)
        async with self._turn():
            data = await _bytes_of(file, most)
            return await self._stored(self._store.upload, data, name, optimize=optimize, context=context)

    async def upload_from_url(
        self,
        url: str,
        filename: str | None = None,
        *,
        optimize: OptimizeOptions | None = None,
        context: Any = None,
    ) -> StoredImage:
        """As ``ImageStore.upload_from_url``."""
        async with self._turn():
            return await self._stored(
                self._store.upload_from_url, url, filename, optimize=optimize, context=context
            )

    async def _stored(self, upload: Callable[..., StoredImage], *arguments: Any, **keywords: Any) -> StoredImage:
        storing: asyncio.Future[StoredImage] = _start(upload, *arguments, **keywords)
        try:
            return await storing
        except asyncio.CancelledError:
            # It was done, and its task cancelled before that went on: nobody learns of the image.
            if storing.done() and not storing.cancelled() and storing.exception() is None:
                self._store._take_back(storing.result().key)
            raise

    async def get(self, key: str) -> bytes:
        """As ``ImageStore.get``."""
        data: bytes = await _start(self._store.get, key)
        return data

    async def original(self, key: str) -> bytes:
        """As ``ImageStore.original``."""
        data: bytes = await _start(self._store.original, key)
        return data

    async def presigned_original(
        self, key: str, expires_in: Duration = 3600, download_as: str | None = None
    ) -> PresignedRequest:
        """As ``ImageStore.presigned_original``."""
        call = self._store.presigned_original
        request: PresignedRequest = await _start(call, key, expires_in, download_as)
        return request

    async def ensure_variant(self, key: str, name: str) -> StoredVariant:
        """As ``ImageStore.ensure_variant``."""
        variant: StoredVariant = await _start(self._store.ensure_variant, key, name)
        return variant

    async def regenerate(self, **options: Any) -> RegenerateReport:
        """As ``ImageStore.regenerate``."""
        report: RegenerateReport = await _start(self._store.regenerate, **options)
        return report

    async def handle_event(self, event: str | Mapping[str, Any]) -> dict[str, Any]:
        """As ``ImageStore.handle_event``."""
        report: dict[str, Any] = await _start(self._store.handle_event, event)
        return report

    async def get_range(self, key: str, start: int, end: int) -> bytes:
        """As ``ImageStore.get_range``."""
        data: bytes = await _start(self._store.get_range, key, start, end)
        return data

    async def get_stream(
        self, key: str, start: int | None = None, end: int | None = None
    ) -> tuple[ObjectInfo, AsyncIterator[bytes]]:
        """An object, or a range of it, in pieces of 1 MiB: what is known about it, and an async iterator of
        its bytes."""
        info, pieces = await _start(self._store._open, key, start, end)
        return info, _each(pieces)

    async def head(self, key: str) -> ObjectInfo:
        """As ``ImageStore.head``."""
        info: ObjectInfo = await _start(self._store.head, key)
        return info

    async def exists(self, key: str) -> bool:
        """As ``ImageStore.exists``."""
        found: bool = await _start(self._store.exists, key)
        return found

    async def list(self, prefix: str | None = None) -> AsyncIterator[ObjectInfo]:
        """As ``ImageStore.list``: an async iterator, at once."""
        async for page in _each(self._store._pages(prefix)):
            for info in page:
                if isinstance(info, BaseException):
                    raise info
                yield info

    async def delete(self, key: str) -> None:
        """As ``ImageStore.delete``."""
        await _start(self._store.delete, key)

    async def versions(self, key: str) -> builtins.list[ObjectVersion]:
        """As ``ImageStore.versions``."""
        versions: builtins.list[ObjectVersion] = await _start(self._store.versions, key)
        return versions

    async def restore(self, key: str, version: str | None = None) -> ObjectInfo:
        """As ``ImageStore.restore``."""
        info: ObjectInfo = await _start(self._store.restore, key, version)
        return info

    async def erase(self, key: str) -> None:
        """As ``ImageStore.erase``."""
        await _start(self._store.erase, key)

    async def promote(self, key: str, *, context: Any = None) -> StoredImage:
        """As ``ImageStore.promote``."""
        image: StoredImage = await _start(self._store.promote, key, context=context)
        return image

    async def receive_post(
        self, fields: Mapping[str, str] | Iterable[tuple[str, str]], file: AsyncImageInput
    ) -> ReceivedPost:
        """As ``ImageStore.receive_post``."""
        async with self._turn():
            data = await _bytes_of(file, self.max_bytes)
            received: ReceivedPost = await _start(self._store.receive_post, fields, data)
            return received

    async def presigned_get(
        self,
        key: str,
        expires_in: Duration = 3600,
        download_as: str | None = None,
        response_content_type: str | None = None,
    ) -> PresignedRequest:
        """As ``ImageStore.presigned_get``."""
        call = self._store.presigned_get
        request: PresignedRequest = await _start(call, key, expires_in, download_as, response_content_type)
        return request

    async def presigned_put(
        self,
        filename: str,
        content_type: str | None = None,
        expires_in: Duration = 3600,
        pending: bool = True,
        content_length: int | None = None,
    ) -> PresignedRequest:
        """As ``ImageStore.presigned_put``."""
        call = self._store.presigned_put
        arguments = (filename, content_type, expires_in, pending, content_length)
        request: PresignedRequest = await _start(call, *arguments)
        return request

    async def presigned_post(
        self,
        filename: str,
        content_type: str | None = None,
        max_bytes: int | None = None,
        expires_in: Duration = 3600,
        pending: bool = True,
    ) -> PresignedPost:
        """As ``ImageStore.presigned_post``."""
        call = self._store.presigned_post
        post: PresignedPost = await _start(call, filename, content_type, max_bytes, expires_in, pending)
        return post

    async def sweep(self, older_than: Duration = 86400, dry_run: bool = True) -> SweepReport:
        """As ``ImageStore.sweep``."""
        report: SweepReport = await _start(self._store.sweep, older_than, dry_run)
        return report

    async def status(self) -> Status:
        """As ``ImageStore.status``."""
        status: Status = await _start(self._store.status)
        return status

    def public_url(self, key: str) -> str:
        """As ``ImageStore.public_url``. Nothing is asked."""
        return self._store.public_url(key)

    def variant_url(self, key: str, name: str) -> str:
        """As ``ImageStore.variant_url``. Nothing is asked."""
        return self._store.variant_url(key, name)

    def key_from_url(self, url: str) -> str:
        """As ``ImageStore.key_from_url``. Nothing is asked."""
        return self._store.key_from_url(url)

    def public_key(self, path: str) -> str:
        """As ``ImageStore.public_key``. Nothing is asked."""
        return self._store.public_key(path)

    def signed_url(
        self,
        key: str,
        expires_in: Duration = 3600,
        starts_in: Duration | None = None,
        ip_range: str | None = None,
    ) -> PresignedRequest:
        """As ``ImageStore.signed_url``. Nothing is asked."""
        return self._store.signed_url(key, expires_in, starts_in, ip_range)

    def signed_cookies(
        self,
        path: str | None = None,
        expires_in: Duration = 3600,
        starts_in: Duration | None = None,
        ip_range: str | None = None,
    ) -> SignedCookies:
        """As ``ImageStore.signed_cookies``. Nothing is asked."""
        return self._store.signed_cookies(path, expires_in, starts_in, ip_range)

    def verify_post(self, fields: Mapping[str, str] | Iterable[tuple[str, str]]) -> int:
        """As ``ImageStore.verify_post``. Nothing is asked."""
        return self._store.verify_post(fields)

    def verify_get(self, key: str, query: str) -> GetOverrides | None:
        """As ``ImageStore.verify_get``. Nothing is asked."""
        return self._store.verify_get(key, query)

    def _turn(self) -> asyncio.Semaphore:
        loop = asyncio.get_running_loop()
        return self._turns.setdefault(loop, asyncio.Semaphore(_AT_ONCE))


async def _each(pieces: Any) -> AsyncIterator[Any]:
    while (piece := await _start(pieces.next)) is not None:
        yield piece


async def _bytes_of(file: Any, most: int) -> ImageInput:
    """What a synchronous call takes: of what has to be read, one byte more than the limit at most."""
    if isinstance(file, bytes | bytearray | memoryview):
        return file
    if hasattr(file, "__fspath__"):
        # A disk may be slow. The loop's own executor has a bound on its threads.
        return await asyncio.get_running_loop().run_in_executor(None, _read_path, file, most)
    if hasattr(file, "read"):
        return await _read(file, most)
    if hasattr(file, "__aiter__"):
        return await _gather(file, most)
    return file  # type: ignore[no-any-return]  # the store says what is wrong with it


def _read_path(path: os.PathLike[str], most: int) -> bytes:
    with open(path, "rb") as file:
        return file.read(most + 1)


async def _read(file: Any, most: int) -> bytes:
    """Reads a file object from where it stands, and puts it back there if it can."""
    start_at = await _called(file, "tell")
    data = bytearray()
    try:
        while len(data) <= most:
            chunk = file.read(min(_CHUNK, most + 1 - len(data)))
            chunk = await chunk if inspect.isawaitable(chunk) else chunk
            if isinstance(chunk, str) or chunk is None:
                raise TypeError("the file object gives no bytes: open it in binary mode, 'rb'")
            if not chunk:
                break
            data += chunk
            await asyncio.sleep(0)
    finally:
        if start_at is not None:
            await _called(file, "seek", start_at)
    return bytes(data)


async def _called(file: Any, name: str, *arguments: int) -> Any:
    """What a method that not every file object has gives."""
    try:
        result = getattr(file, name)(*arguments)
        return await result if inspect.isawaitable(result) else result
    except (AttributeError, OSError):
        return None


async def _gather(chunks: AsyncIterator[bytes], most: int) -> bytes:
    data = bytearray()
    async for chunk in chunks:
        data += chunk
        if len(data) > most:
            break
    return bytes(data)


def _name_of(file: Any) -> str | None:
    """The name that the sender gave the file: an ``UploadFile``'s, or the path's last part."""
    for attribute in ("filename", "name"):
        name = getattr(file, attribute, None)
        if isinstance(name, str) and name:
            return name.replace("\\", "/").rpartition("/")[2] or None
    return None
