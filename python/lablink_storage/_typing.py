"""Types that the stubs and the Python modules share. Nothing here is needed at run time."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Mapping
from datetime import timedelta
from typing import Any, Literal, Protocol, TypeAlias, TypedDict, Union

__all__ = [
    "AsyncBinaryFile",
    "AsyncImageInput",
    "BinaryFile",
    "Duration",
    "Gravity",
    "ImageInput",
    "LimitOptions",
    "OptimizeOptions",
    "VariantOptions",
    "WerkzeugFile",
]


class BinaryFile(Protocol):
    """A file object opened in binary mode. ``tell`` and ``seek`` are used where it has them."""

    def read(self, size: int, /) -> bytes: ...


class WerkzeugFile(Protocol):
    """Flask's ``request.files["image"]``, whose ``read`` type checkers do not see."""

    @property
    def stream(self) -> BinaryFile: ...


class AsyncBinaryFile(Protocol):
    """A file object whose ``read`` is awaited: Starlette's ``UploadFile``, aiofiles."""

    def read(self, size: int, /) -> Awaitable[bytes]: ...


ImageInput: TypeAlias = Union[bytes, bytearray, memoryview, "os.PathLike[str]", BinaryFile, WerkzeugFile]
AsyncImageInput: TypeAlias = ImageInput | AsyncBinaryFile | AsyncIterator[bytes]
Duration: TypeAlias = int | float | timedelta
Gravity: TypeAlias = (
    Literal[
        "center",
        "north",
        "northeast",
        "east",
        "southeast",
        "south",
        "southwest",
        "west",
        "northwest",
        "attention",
    ]
    | tuple[float, float]
    | list[float]
)
"""Which part of an image stays when it is cropped."""


class LimitOptions(TypedDict, total=False):
    """What one file may cost. Defaults in brackets."""

    max_bytes: int
    """Bytes of the encoded input [32 MiB]."""
    max_pixels: int
    """Width times height [64 million]."""
    max_side: int
    """Pixels a side [16384]."""
    max_scans: int
    """Scans of a JPEG [100]."""
    max_frames: int
    """Frames of an animation, even where only the first is decoded [10,000]."""
    max_decode_bytes: int
    """Bytes that decoding may hold at once [512 MiB]."""
    max_duration: Duration
    """CPU time of decoding, resizing and encoding together, seconds [10]."""


class OptimizeOptions(TypedDict, total=False):
    """Options for optimizing an image. Defaults in brackets."""

    max_width: int
    """Width of the box in pixels [1200]."""
    max_height: int
    """Height of the box in pixels [1200]."""
    fit: Literal["inside", "contain", "cover"]
    """Way to fit the image to the box ["inside"]; none of them enlarges."""
    gravity: Gravity
    """Part that stays when "cover" crops ["center"]: a name, or a point from the left and the top, 0 to 1."""
    quality: int
    """Encoder quality, 1 to 100 [85]."""
    format: Literal["jpeg", "webp", "png", "avif", "auto"]
    """Format of the result ["jpeg"]."""
    background: str | tuple[int, int, int]
    """Matte behind transparent pixels where the output has no alpha ["#ffffff"]."""
    progressive: bool
    """Progressive JPEG [False]."""
    lossless: bool
    """Lossless WebP [False]."""
    palette: bool
    """PNG of a drawing with 256 colours that stand for all, where the difference does not show [True]."""
    speed: int
    """Speed of the AVIF encoder, 1 to 10 [8]; slower ones make smaller files."""
    animation: Literal["first_frame", "reject", "keep"]
    """Treatment of animations ["first_frame"]; "keep" makes animated WebP and wants "webp" or "auto"."""
    keep_copyright: bool
    """Keep the copyright notice and the artist [False]."""
    accept_truncated: bool
    """Take a truncated file as far as it decodes [False]."""
    max_damage: float
    """Share of the picture that may be lost to damage inside the file, 0 to 1 [0.05]."""
    limits: LimitOptions | Mapping[str, Any]
    """Limits on the cost of a file."""


class VariantOptions(OptimizeOptions, total=False):
    """How a variant is made, and when. Its ``format`` is its image's unless it is named; not ``"auto"``."""

    lazy: bool
    """Leave it to be made when somebody asks for it [False]."""
