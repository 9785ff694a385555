"""Reads the form of a direct upload: its fields in bounded memory, its file to a temporary file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, Protocol, TypeAlias

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Event, Field, File, MultipartDecoder, NeedData, State

from ._exceptions import InvalidArgumentError, LimitExceededError, StorageError, UnsupportedFormatError

MAX_FIELDS = 64 * 1024
"""Bytes that all form fields together may have, as on S3 (20 KB) with room to spare."""

MAX_DISCARDED = 64 * 1024 * 1024
"""Bytes of a request that was refused for its length that are still taken from the client."""

_MAX_PARTS = 64
"""Fields that a form may have; a presigned one has about ten."""

_MAX_BOUNDARY = 200
"""Bytes that a boundary may have. RFC 2046 allows 70."""

_CHUNK = 64 * 1024

_IN_MEMORY = 1024 * 1024
"""Bytes of a file that are kept in memory. A longer one goes to the disk."""

Fields: TypeAlias = list[tuple[str, str]]
Read: TypeAlias = Callable[[int], bytes]


def not_a_form() -> InvalidArgumentError:
    return InvalidArgumentError("the body is not a multipart form", "send the form as it was given")


def not_one_file() -> InvalidArgumentError:
    return InvalidArgumentError("the form must have one file, in its last field, 'file'")


def wrong_type() -> UnsupportedFormatError:
    return UnsupportedFormatError("the request is not a multipart form", "send it as multipart/form-data")


class Store(Protocol):
    """What is asked how much a form may bring."""

    @property
    def max_bytes(self) -> int: ...

    def verify_post(self, fields: Fields, /) -> int: ...


@contextmanager
def read_form(read: Read, boundary: str, store: Store) -> Iterator[tuple[Fields, IO[bytes]]]:
    """Reads a multipart form with one file, in the field ``file``.

    Args:
        read: returns at most so many bytes of the body, and none at its end.
        boundary: the boundary that the request's content type names.
        store: says whether the fields are signed, before the file is read.

    Raises:
        InvalidArgumentError: the body is not a multipart form, or has not exactly one file.
        LimitExceededError: the fields or the file are over their limit.
    """
    with FormReader(boundary, store) as form:
        while not form.ended:
            form.feed(read(_CHUNK))
        yield form.fields, form.whole()


class FormReader:
    """Takes a form a chunk at a time.

    Of what is not yet a part's data little is held back. Werkzeug's own bound of the decoder,
    ``max_form_memory_size``, also counts the data that wait for the next chunk, and refuses photographs by
    chance.
    """

    def __init__(self, boundary: str, store: Store) -> None:
        if not 0 < len(boundary) <= _MAX_BOUNDARY:
            raise not_a_form()
        self.fields: Fields = []
        self._decoder = MultipartDecoder(boundary.encode(), max_parts=_MAX_PARTS)
        self._store = store
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by __exit__
        self._name, self._value = "", bytearray()
        self._most: int | None = None
        self._held = self._size = self._waiting = 0

    def __enter__(self) -> FormReader:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._file.close()

    @property
    def ended(self) -> bool:
        """Whether the last part is there. What follows it is not looked at."""
        return self._decoder.state in (State.EPILOGUE, State.COMPLETE)

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes; none are the end of the body."""
        self._waiting += len(chunk)
        try:
            self._decoder.receive_data(chunk or None)
            while not self.ended:
                event = self._decoder.next_event()
                if isinstance(event, NeedData):
                    break
                self._waiting = 0
                self._take(event)
        except StorageError:
            raise
        except RequestEntityTooLarge:
            raise LimitExceededError(f"the form has more than {_MAX_PARTS} fields") from None
        except ValueError:
            raise not_a_form() from None
        if self._waiting > MAX_FIELDS and self._decoder.state in (State.PREAMBLE, State.PART):
            raise not_a_form()
        if not chunk and not self.ended:
            raise not_a_form()

    def whole(self) -> IO[bytes]:
        """The file, once the form has ended."""
        if self._most is None:
            raise not_one_file()
        self._file.seek(0)
        return self._file

    def _take(self, event: Event) -> None:
        if isinstance(event, Field | File):
            if not event.name:
                raise not_a_form()
            self._name, self._value = event.name, bytearray()
            self._held += len(event.name)
            if isinstance(event, File) or event.name == "file":
                if self._most is not None or event.name != "file":
                    raise not_one_file()
                self._most = self._allowed()
        elif isinstance(event, Data) and self._name == "file" and self._most is not None:
            self._size += len(event.data)
            if self._size > self._most:
                raise LimitExceededError(
                    f"the file has more than {self._most} bytes", f"send a file of at most {self._most} bytes"
                )
            self._file.write(event.data)
        elif isinstance(event, Data):
            self._held += len(event.data)
            if self._held > MAX_FIELDS:
                raise LimitExceededError(f"the form's fields have more than {MAX_FIELDS} bytes")
            self._value += event.data
            if not event.more_data:
                self.fields.append((self._name, self._value.decode()))

    def _allowed(self) -> int:
        """Bytes that the file may have. Where it comes before the fields that allow it, they are checked
        when they are there."""
        if not any(name.lower() == "policy" for name, _ in self.fields):
            return self._store.max_bytes
        return min(self._store.verify_post(self.fields), self._store.max_bytes)
