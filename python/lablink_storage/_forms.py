"""Reads the form of a direct upload: its fields in bounded memory, its file to a temporary file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, TypeAlias

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Event, Field, File, MultipartDecoder, NeedData, State

from ._exceptions import InvalidArgumentError, LimitExceededError, StorageError

MAX_FIELDS = 64 * 1024
"""Bytes that all form fields together may have, as on S3 (20 KB) with room to spare."""

_MAX_PARTS = 64
"""Fields that a form may have; a presigned one has about ten."""

_MAX_BOUNDARY = 200
"""Bytes that a boundary may have. RFC 2046 allows 70."""

_CHUNK = 64 * 1024

_IN_MEMORY = 1024 * 1024
"""Bytes of a file that are kept in memory. A longer one goes to the disk."""

Fields: TypeAlias = list[tuple[str, str]]
Read: TypeAlias = Callable[[int], bytes]
MaxBytes: TypeAlias = Callable[[Fields], int]


def not_a_form() -> InvalidArgumentError:
    return InvalidArgumentError("the body is not a multipart form", "send the form as it was given")


def not_one_file() -> InvalidArgumentError:
    return InvalidArgumentError("the form must have one file, in its last field, 'file'")


@contextmanager
def read_form(read: Read, boundary: str, max_bytes: MaxBytes) -> Iterator[tuple[Fields, IO[bytes]]]:
    """Reads a multipart form with one file, in the field ``file``.

    Args:
        read: returns at most so many bytes of the body, and none at its end.
        boundary: the boundary that the request's content type names.
        max_bytes: returns how many bytes the file may have, given the fields before it. What it raises
            ends the reading.

    Raises:
        InvalidArgumentError: the body is not a multipart form, or has not exactly one file.
        LimitExceededError: the fields or the file are over their limit.
    """
    with SpooledTemporaryFile(_IN_MEMORY) as file:
        try:
            fields = _read_into(file, _events(read, boundary), max_bytes)
        except StorageError:
            raise
        except RequestEntityTooLarge:
            raise LimitExceededError(f"the form has more than {_MAX_PARTS} fields") from None
        except ValueError:
            raise not_a_form() from None
        file.seek(0)
        yield fields, file


def _events(read: Read, boundary: str) -> Iterator[Event]:
    """The events of the form's parts. Of what is not yet a part's data little is held back.

    Werkzeug's own bound of the decoder, ``max_form_memory_size``, also counts the data that wait for the
    next chunk, and refuses photographs by chance.
    """
    if not 0 < len(boundary) <= _MAX_BOUNDARY:
        raise not_a_form()
    decoder = MultipartDecoder(boundary.encode(), max_parts=_MAX_PARTS)
    waiting = 0
    # What follows the last part is not looked at.
    while decoder.state is not State.EPILOGUE:
        event = decoder.next_event()
        if not isinstance(event, NeedData):
            waiting = 0
            yield event
            continue
        chunk = read(_CHUNK)
        waiting += len(chunk)
        if waiting > MAX_FIELDS and decoder.state in (State.PREAMBLE, State.PART):
            raise not_a_form()
        decoder.receive_data(chunk or None)


def _read_into(file: IO[bytes], events: Iterator[Event], max_bytes: MaxBytes) -> Fields:
    fields: Fields = []
    name, value = "", bytearray()
    most: int | None = None
    held = size = 0
    for event in events:
        if isinstance(event, Field | File):
            if not event.name:
                raise not_a_form()
            name, value = event.name, bytearray()
            held += len(name)
            if isinstance(event, File) or name == "file":
                if most is not None or name != "file":
                    raise not_one_file()
                most = max_bytes(fields)
        elif isinstance(event, Data) and name == "file" and most is not None:
            size += len(event.data)
            if size > most:
                raise LimitExceededError(
                    f"the file has more than {most} bytes", f"send a file of at most {most} bytes"
                )
            file.write(event.data)
        elif isinstance(event, Data):
            held += len(event.data)
            if held > MAX_FIELDS:
                raise LimitExceededError(f"the form's fields have more than {MAX_FIELDS} bytes")
            value += event.data
            if not event.more_data:
                fields.append((name, value.decode()))
    if most is None:
        raise not_one_file()
    return fields
