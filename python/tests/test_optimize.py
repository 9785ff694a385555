"""``optimize``: pixels only."""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import os
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lablink_storage import (
    InvalidArgumentError,
    InvalidImageError,
    LimitExceededError,
    LimitOptions,
    OptimizeOptions,
    UnsupportedFormatError,
    optimize,
)

from support import HEIC, ROOT, opened, photo, reads_heic


def options_of_rust(struct: str, file: str) -> set[str]:
    source = (ROOT / "src" / "optimize" / file).read_text("utf-8")
    fields = source.split(f"pub struct {struct} {{")[1].split("\n}")[0]
    return set(re.findall(r"^    pub (\w+):", fields, re.M))


def test_the_options_are_rusts() -> None:
    picture = photo(40, 30)
    limits, options = options_of_rust("Limits", "limits.rs"), options_of_rust("OptimizeOptions", "options.rs")
    assert limits == set(LimitOptions.__annotations__)
    assert options == set(OptimizeOptions.__annotations__)
    defaults = {name: option.default for name, option in inspect.signature(optimize).parameters.items()}
    assert options == defaults.keys() - {"data"}
    del defaults["data"]
    assert optimize(picture, **defaults) == optimize(picture)
    readme = (ROOT / "python" / "README.md").read_text("utf-8")
    for name in limits:
        assert f"`{name}`" in readme
        optimize(picture, limits={name: 1 << 31})  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=name):
            optimize(picture, limits={name: "many"})  # type: ignore[arg-type]


def test_frames_are_limited() -> None:
    buffer = io.BytesIO()
    frames = [Image.new("L", (8, 8), 9 * number) for number in range(20)]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    assert optimize(buffer.getvalue(), limits={"max_frames": 20}).source.frames == 20
    with pytest.raises(LimitExceededError, match="19"):
        optimize(buffer.getvalue(), limits={"max_frames": 19})


def is_red(pixel: Any) -> bool:
    red, green, blue = pixel[:3]
    return bool(red > 180 and green < 80 and blue < 80)


@pytest.mark.parametrize("format", ["jpeg", "png", "webp"])
def test_formats(picture: bytes, format: Any) -> None:
    image = optimize(picture, max_width=400, format=format)
    decoded = opened(image.data)
    assert decoded.format == format.upper() and decoded.size == (400, 300)
    assert (image.content_type, image.format) == (f"image/{format}", format)
    assert (image.width, image.height) == (400, 300)


# EXIF 2.32 table 5: where the first row and column of the stored picture belong.
@pytest.mark.parametrize(
    "orientation, red_at",
    [
        (1, (0, 0)),
        (2, (1, 0)),
        (3, (1, 1)),
        (4, (0, 1)),
        (5, (0, 0)),
        (6, (1, 0)),
        (7, (1, 1)),
        (8, (0, 1)),
    ],
)
def test_photos_are_upright_and_carry_no_metadata(orientation: int, red_at: tuple[int, int]) -> None:
    image = optimize(photo(400, 200, orientation=orientation))
    decoded = opened(image.data).convert("RGB")
    assert decoded.size == ((400, 200) if orientation < 5 else (200, 400))
    assert image.source.orientation == orientation
    assert not opened(image.data).getexif()
    corners = {(x, y) for x in (0, 1) for y in (0, 1)}
    at = {
        corner: decoded.getpixel(
            (5 + corner[0] * (decoded.width - 11), 5 + corner[1] * (decoded.height - 11))
        )
        for corner in corners
    }
    assert {corner for corner in corners if is_red(at[corner])} == {red_at}


def test_transparency_goes_onto_the_matte() -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(buffer, "PNG")
    data = buffer.getvalue()
    white = opened(optimize(data).data).convert("RGB").getpixel((20, 20))
    assert white == (255, 255, 255)
    for background in ("#ff0000", (255, 0, 0)):
        assert is_red(opened(optimize(data, background=background).data).getpixel((20, 20)))
    auto = optimize(data, format="auto")
    assert auto.format == "webp"
    assert opened(auto.data).convert("RGBA").getpixel((20, 20))[3] == 0  # type: ignore[index]


def test_nothing_is_enlarged_and_fits_are_fitted() -> None:
    small = photo(60, 40)
    assert (optimize(small).width, optimize(small).height) == (60, 40)
    cover = optimize(photo(400, 200), max_width=100, max_height=100, fit="cover", gravity="west")
    assert opened(cover.data).size == (100, 100)
    point = optimize(photo(400, 200), max_width=100, max_height=100, fit="cover", gravity=(0.0, 0.5))
    assert point.data == cover.data
    assert (
        optimize(photo(400, 200), max_width=100, max_height=100, fit="cover", gravity="attention").width
        == 100
    )
    contain = optimize(photo(400, 200), max_width=100, max_height=100, fit="contain")
    assert opened(contain.data).size == (100, 100)


def test_the_result_is_the_same_every_time(picture: bytes) -> None:
    assert optimize(picture).data == optimize(bytearray(picture)).data
    image = optimize(picture)
    assert pickle.loads(pickle.dumps(image)) == image


@pytest.mark.parametrize(
    "keywords",
    [
        {"max_width": 0},
        {"max_height": 20_000},
        {"max_width": -5},
        {"max_width": 10**30},
        {"quality": 0},
        {"quality": 101},
        {"quality": 300},
        {"format": "tiff"},
        {"fit": "stretch"},
        {"gravity": "up"},
        {"gravity": (0.5, 1.5)},
        {"animation": "keep"},
        {"background": "red"},
        {"background": "#12345"},
        {"background": (1, 2)},
        {"limits": {"max_duration": -1}},
        {"limits": {"max_duration": float("nan")}},
        {"limits": {"unknown": 1}},
        {"no_such_option": 1},
    ],
)
def test_options_outside_their_range(picture: bytes, keywords: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        optimize(picture, **keywords)
    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize("keywords", [{"quality": "high"}, {"limits": 5}, {"progressive": "yes"}])
def test_options_of_the_wrong_type(picture: bytes, keywords: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(keywords))):
        optimize(picture, **keywords)


@pytest.mark.skipif(reads_heic(), reason="this build reads HEIC")
def test_heic_is_refused_in_words_that_help() -> None:
    with pytest.raises(UnsupportedFormatError, match="HEIC") as refused:
        optimize(HEIC)
    assert "JPEG" in (refused.value.hint or "")


def test_what_is_refused_is_named() -> None:
    with pytest.raises(UnsupportedFormatError, match="SVG"):
        optimize(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    with pytest.raises(LimitExceededError, match="100"):
        optimize(photo(200, 100), limits={"max_side": 100})
    with pytest.raises(InvalidImageError):
        optimize(photo(200, 100)[:-200])


def test_animations(tmp_path: Any) -> None:
    frames = [Image.new("RGB", (30, 30), color) for color in ("red", "green", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    image = optimize(buffer.getvalue())
    assert (image.source.frames, image.source.frames_dropped) == (3, 2)
    assert is_red(opened(image.data).getpixel((10, 10)))
    with pytest.raises((UnsupportedFormatError, InvalidImageError)):
        optimize(buffer.getvalue(), animation="reject")


def test_the_share_that_is_lost_is_told_and_bounded() -> None:
    # One of sixteen restart intervals has no data.
    damaged = (ROOT / "tests/fixtures/jpeg_odd/restart_empty.jpg").read_bytes()
    with pytest.raises(InvalidImageError, match=r"6\.2 % of the picture"):
        optimize(damaged)
    assert optimize(damaged, max_damage=0.1).source.to_dict()["damaged"] == 1 / 16
    assert optimize(photo(20, 10)).source.damaged == 0
    with pytest.raises(InvalidArgumentError):
        optimize(damaged, max_damage=1.5)


def test_a_placeholder_is_a_thumbhash(picture: bytes) -> None:
    import base64

    raw = base64.b64decode(optimize(picture).placeholder, validate=True)
    # The picture has no alpha (bit 23) and is landscape (bit 39): thumbhash's format description.
    assert 20 <= len(raw) <= 30 and not raw[2] & 0x80 and raw[4] & 0x80


VECTORS = ROOT / "tests" / "vectors"


def test_rust_and_python_give_the_same_bytes() -> None:
    """``tests/storage/vectors.rs`` wrote what Rust made of the same files and options."""
    cases = json.loads((VECTORS / "optimize.json").read_text("utf-8"))["cases"]
    results = json.loads(Path(os.environ["LABLINK_VECTORS_OUT"]).read_text("utf-8"))
    for case, result in zip(cases, results, strict=True):
        image = optimize(VECTORS / case["file"], **case["options"])
        assert [image.width, image.height] == case["size"] == list(opened(image.data).size)
        assert image.content_type == case["content_type"]
        assert hashlib.sha256(image.data).hexdigest() == result["sha256"], case
        assert image.placeholder == result["placeholder"]
