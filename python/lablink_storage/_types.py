"""Results of the calls: plain, immutable, picklable values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from lablink_storage import _lablink_storage


def _timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Html(str):
    """Markup that is escaped already: templates of Jinja and Django take it as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """The facts of an image before it was optimized."""

    format: str
    """MIME type of what came in."""
    size: int
    """Bytes of the encoded input."""
    sha256: str = ""
    """SHA-256 of the encoded input, in lower-case hexadecimal. Empty from optimize() alone."""
    width: int
    """Width in pixels as stored, before orientation."""
    height: int
    """Height in pixels as stored, before orientation."""
    orientation: int
    """EXIF orientation, 1 to 8."""
    frames: int
    """Frames of an animation, or 1."""
    frames_dropped: int
    """Frames that are not in the result."""
    metadata_stripped: bool
    """True if metadata (EXIF, XMP, a profile, trailing bytes) was there and dropped."""
    damaged: float = 0.0
    """Share of the picture that was lost to damage inside the file, 0 to 1."""

    def to_dict(self) -> dict[str, Any]:
        """The same as a dict that JSON takes."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVariant:
    """A named version of a stored image."""

    key: str
    url: str
    content_type: str
    size: int
    """Bytes stored."""
    width: int
    """Width in pixels."""
    height: int
    """Height in pixels."""
    e_tag: str | None

    def to_dict(self) -> dict[str, Any]:
        """The same as a dict that JSON takes."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """An image that has been stored, with all that an application keeps of it."""

    key: str
    """``<prefix>/<uuid>.<ext>``."""
    url: str
    """Its public URL; ``ImageStore.delete`` takes it back."""
    content_type: str
    """MIME type of what is stored."""
    size: int
    """Bytes stored, variants not counted."""
    width: int
    """Width in pixels."""
    height: int
    """Height in pixels."""
    e_tag: str | None
    sha256: str
    """SHA-256 of the stored bytes, in lower-case hexadecimal."""
    placeholder: str
    """A ThumbHash (https://evanw.github.io/thumbhash/) in base64: a blurred preview in 30 characters."""
    dhash: str = ""
    """A difference hash, 64 bits in hexadecimal: of pictures that look the same, few bits differ."""
    variants: Mapping[str, StoredVariant]
    """The variants stored beside it, by name."""
    source: SourceInfo
    """The image that came in."""
    original: str | None = None
    """Key of its original, where one is kept: for ``ImageStore.original``."""

    def to_dict(self) -> dict[str, Any]:
        """The same as a dict that JSON takes."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values["variants"] = {name: variant.to_dict() for name, variant in self.variants.items()}
        values["source"] = self.source.to_dict()
        return values

    def srcset(self) -> Html:
        """The value of a ``srcset`` attribute, escaped for HTML.

        It has the image and the variants in its format that show the whole of it, by their width. Cropped
        variants show something else and are left out.
        """
        return Html(_lablink_storage.srcset(json.dumps(self.to_dict())))

    def picture(self, *, sizes: str, alt: str) -> Html:
        """A ``<picture>`` element, escaped.

        It has a source for each better format that variants have, and an ``<img>`` with a ``srcset``, the
        size, and a blurred preview behind it while it loads.

        Args:
            sizes: the width that the page gives the image, such as ``"(max-width: 600px) 100vw, 600px"``.
            alt: the description of the image; may be empty where it is decoration.
        """
        return Html(_lablink_storage.picture(json.dumps(self.to_dict()), sizes, alt))

    def placeholder_url(self) -> str | None:
        """The placeholder as a ``data:`` URL: a PNG of at most 32 pixels a side."""
        return _lablink_storage.placeholder_url(self.placeholder)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizedImage:
    """An image that is upright, fits, is in sRGB and carries no metadata."""

    data: bytes = field(repr=False)
    """The encoded image."""
    content_type: str
    width: int
    """Width in pixels."""
    height: int
    """Height in pixels."""
    format: str
    """``"jpeg"``, ``"png"``, ``"webp"`` or ``"avif"``."""
    placeholder: str
    """A ThumbHash in base64."""
    dhash: str = ""
    """A difference hash, 64 bits in hexadecimal: of pictures that look the same, few bits differ."""
    source: SourceInfo
    """The image that came in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """An image that is about to be stored, as an inspector sees it."""

    data: bytes = field(repr=False)
    """The bytes as they came in."""
    picture: bytes = field(repr=False)
    """The whole picture as PNG: upright, in sRGB, at most 512 pixels a side."""
    source: SourceInfo
    """The facts: format, size, SHA-256, dimensions."""
    dhash: str
    """A difference hash of the picture, 64 bits in hexadecimal."""
    filename: str | None
    """The name that the file had, where the caller gave one."""
    context: Any
    """The caller's word on this image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """The properties of a stored object."""

    key: str
    size: int
    """Bytes."""
    content_type: str | None
    """Absent in listings of servers that do not tell."""
    cache_control: str | None
    e_tag: str | None
    last_modified: datetime
    variant: str | None = None
    """The variant's name, in listings, where the object is one."""

    def to_dict(self) -> dict[str, Any]:
        """The same as a dict that JSON takes: ``last_modified`` as RFC 3339."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values["last_modified"] = _timestamp(self.last_modified)
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectVersion:
    """A version of an object, in a bucket that keeps them."""

    version: str
    """Its id, for ``ImageStore.restore``."""
    is_latest: bool
    is_deleted: bool
    """True for the mark of a deletion, which has no bytes."""
    size: int
    """Bytes."""
    e_tag: str | None
    last_modified: datetime

    def to_dict(self) -> dict[str, Any]:
        """The same as a dict that JSON takes: ``last_modified`` as RFC 3339."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values["last_modified"] = _timestamp(self.last_modified)
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state of the store, in words that can be shown."""

    enabled: bool
    """True if images go to S3."""
    accessible: bool
    """True if the backend answered."""
    backend: str
    """``"s3"``, ``"local"`` or ``"memory"``."""
    bucket: str | None
    region: str | None
    message: str
    """One sentence for a person."""
    error: str | None
    """The error, if there was one."""
    hint: str | None
    """The remedy."""

    def to_dict(self) -> dict[str, Any]:
        """The same as a dict that JSON takes."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class PresignedRequest:
    """A request for a client without credentials. Whoever has it can use it: do not log it."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    """Headers that have to be sent just so."""
    key: str
    expires_at: datetime
    """The earlier of what was asked and when the credentials end."""

    file_url: str | None = None
    """Of a PUT, the public URL: of a pending key, the one after ``promote``."""

    def to_dict(self) -> dict[str, Any]:
        """The same as a dict that JSON takes: ``expires_at`` as RFC 3339."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values["headers"] = dict(self.headers)
        values["expires_at"] = _timestamp(self.expires_at)
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class PresignedPost:
    """A form with which a client without credentials uploads one file. Do not log it."""

    url: str = field(repr=False)
    """Where the form goes."""
    fields: Mapping[str, str] = field(repr=False)
    """The form's fields in the order in which they have to be sent; the field ``file`` comes last."""
    key: str
    file_url: str
    """The public URL after ``promote`` (for a final key: at once)."""
    expires_at: datetime
    """The earlier of what was asked and when the credentials end. Until then the form can be reused."""

    def to_dict(self) -> dict[str, Any]:
        """The same as a dict that JSON takes: ``expires_at`` as RFC 3339."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values["fields"] = dict(self.fields)
        values["expires_at"] = _timestamp(self.expires_at)
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCookies:
    """CloudFront's signed cookies. Set them ``Secure`` and ``HttpOnly``; do not log them."""

    cookies: Mapping[str, str] = field(repr=False)
    """Name and value of each."""
    expires_at: datetime

    def to_dict(self) -> dict[str, Any]:
        """The same as a dict that JSON takes: ``expires_at`` as RFC 3339."""
        return {"cookies": dict(self.cookies), "expires_at": _timestamp(self.expires_at)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedPost:
    """A file that came with a presigned POST, stored as its policy says."""

    key: str
    status: int
    """The HTTP status that the form asked for: 200, 201 or 204."""
    e_tag: str | None
    size: int
    """Bytes stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetOverrides:
    """Headers that a signed GET of the local or memory backend asks the answer to have."""

    content_type: str | None
    content_disposition: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptObject:
    """One pending upload that a sweep found."""

    key: str
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What a sweep found."""

    found: list[SweptObject]
    """Pending uploads old enough to go."""
    removed: int
    """How many of them were removed, and how many markers of deletions; none in a dry run."""
    staging_files: int
    """Unfinished writes of the local backend that are old enough to go."""
    failures: list[tuple[str, str]]
    """Key and reason of what could not be removed."""
    stopped: str | None = None
    """What ended the sweep early, after it had removed something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegenerateFailure:
    """An image of which something could not be made."""

    image: str
    """Its key, or the line that named none."""
    kind: str
    message: str
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeFailure:
    """A CDN that did not take the order to forget images: until they expire there, it may serve them."""

    kind: str
    message: str
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegenerateReport:
    """The outcome of a regeneration. Reports of shards add up: ``sum(reports, start=RegenerateReport())``."""

    dry_run: bool = False
    """True where nothing was written or removed."""
    images: int = 0
    """Images that were looked at."""
    complete: int = 0
    """Images that lacked nothing."""
    made: int = 0
    """Variants that were written, or would be."""
    present: int = 0
    """Variants that were to be made, and that somebody else had made by then."""
    mains: int = 0
    """Main images that were made anew, or would be."""
    without_original: int = 0
    """Images whose main image was to be made anew, and that have no original."""
    bytes: int = 0
    """Bytes that were written."""
    pruned: int = 0
    """Variants that were removed, or would be."""
    failed: int = 0
    """Images of which something could not be made."""
    failures: list[RegenerateFailure] = field(default_factory=list)
    """The first thousand of them."""
    invalidate: list[str] = field(default_factory=list)
    """Paths in a CDN where another image lies now."""
    purged: bool = False
    """True where CloudFront was told to forget them; otherwise that is left to do."""
    purge_failure: PurgeFailure | None = None
    """The reason why CloudFront did not take that order."""
    stopped: str | None = None
    """The reason why it ended early: run it again, and it makes what is still missing."""
    hint: str | None = None
    """The remedy for that."""

    def __add__(self, other: RegenerateReport) -> RegenerateReport:
        if not isinstance(other, RegenerateReport):
            return NotImplemented
        counts = (
            "images",
            "complete",
            "made",
            "present",
            "mains",
            "without_original",
            "bytes",
            "pruned",
            "failed",
        )
        return RegenerateReport(
            **{name: getattr(self, name) + getattr(other, name) for name in counts},
            dry_run=self.dry_run or other.dry_run,
            failures=[*self.failures, *other.failures],
            invalidate=[*self.invalidate, *other.invalidate],
            purged=all(report.purged for report in (self, other) if report.invalidate)
            and bool(self.invalidate or other.invalidate),
            purge_failure=self.purge_failure or other.purge_failure,
            stopped=self.stopped or other.stopped,
            hint=self.hint if self.stopped else other.hint,
        )

    def to_dict(self) -> dict[str, Any]:
        """The same as a dict that JSON takes."""
        return asdict(self)
