"""The bytes of an image that is served: of the very one that the headers describe.

``regenerate --main`` replaces an image under its key. Bytes of the new one, or of both, must not go out under
the entity tag of the old one: caches would keep them for as long as its headers say, which is a year.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ._exceptions import UnavailableError

if TYPE_CHECKING:
    from ._answers import Answer
    from ._lablink_storage import ImageStore
    from ._types import ObjectInfo


def check_same(answer: Answer, info: ObjectInfo) -> None:
    """Fails where the bytes are no longer those that the answer describes. The next request gets the
    new ones.

    Raises:
        UnavailableError: the image was replaced.
    """
    tag = info.e_tag.removeprefix("W/").strip('"') if info.e_tag else None
    if answer.headers.get("ETag") != (f'"{tag}"' if tag else None):
        raise UnavailableError("the image was replaced while it was looked at", "ask for it again", True)


def open_pieces(store: ImageStore, key: str, part: tuple[int, int], answer: Answer) -> Iterator[bytes]:
    """The bytes of an answer, a mebibyte at a time. The first piece is read at once: what fails, fails before
    the headers. Of an image that is replaced later no further piece comes.

    Raises:
        UnavailableError: the image was replaced, at once or from the iterator.
        StorageError: another kind of it.
    """
    info, pieces = store._open(key, *part)
    check_same(answer, info)
    found: Iterator[bytes] = iter(pieces.next, None)
    return found
