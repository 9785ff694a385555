"""Formats that come out: a format for each variant, HTML for a page, animations, AVIF."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any

import jinja2
import pytest
from PIL import Image, ImageDraw, ImageSequence

from lablink_storage import ConfigurationError, ImageStore, InvalidArgumentError, optimize

from support import ROOT, make_app, opened, photo, store_of

CARD: Any = {"max_width": 64, "max_height": 64}
CORPUS = Path(os.environ.get("LABLINK_CORPUS", ROOT.parent / "shared" / "corpus")) / "valid"
TIMES = [40, 200, 40, 90, 500, 70]


def test_variants_have_the_format_that_they_name(store: ImageStore, tmp_path: Path) -> None:
    variants: Any = {"card": CARD, "card-webp": {**CARD, "format": "webp"}, "card-png": {**CARD, "format": "png"}}
    local = ImageStore.local(tmp_path, variants=variants)
    image = local.upload(photo(120, 80))
    for name, content_type in (("card", "image/jpeg"), ("card-webp", "image/webp"), ("card-png", "image/png")):
        variant = image.variants[name]
        assert variant.content_type == local.head(variant.key).content_type == content_type
        assert variant.url == local.variant_url(image.key, name)
        assert Image.MIME[opened(local.get(variant.key)).format or ""] == content_type
    local.delete(image.url)
    assert list(local.list()) == []
    with pytest.raises(ConfigurationError, match="card"):
        ImageStore.memory(variants={"card": {"format": "auto"}})


def test_the_route_leads_to_the_format_of_the_variant(tmp_path: Path) -> None:
    variants = {"poster": {**CARD, "format": "webp", "lazy": True}}
    app = make_app(tmp_path, LABLINK_STORAGE_VARIANTS=variants)
    store, client = store_of(app), app.test_client()
    image = store.upload(photo(120, 80))
    answer = client.get(f"/api/s3/variant/poster/{image.key}")
    assert answer.status_code == 302
    assert answer.headers["Location"].endswith("/poster.webp")
    served = client.get(store.variant_url(image.key, "poster"))
    assert (served.status_code, served.content_type) == (200, "image/webp")


def test_a_template_takes_the_html_as_it_is() -> None:
    variants: Any = {"card": CARD, "card-webp": {**CARD, "format": "webp"}}
    store = ImageStore.memory(variants=variants)
    image = store.upload(photo(120, 80))
    environment = jinja2.Environment(autoescape=True)
    page = environment.from_string("{{ image.picture(sizes='100vw', alt=alt) }}<img srcset=\"{{ image.srcset() }}\">")
    html = page.render(image=image, alt='<"board">')
    assert html.startswith('<picture><source type="image/webp" srcset="')
    assert 'alt="&lt;&quot;board&quot;&gt;"' in html
    assert f"{image.url} 120w" in html and "&amp;lt;" not in html
    preview = image.placeholder_url()
    assert preview is not None and preview.startswith("data:image/png;base64,") and preview in html
    # A picture with transparent parts would show it for ever.
    clear = Image.new("RGBA", (60, 40), (200, 30, 30, 90))
    file = io.BytesIO()
    clear.save(file, "PNG")
    image = ImageStore.memory(optimize={"format": "png"}).upload(file.getvalue())
    assert "background" not in image.picture(sizes="100vw", alt="")


# --- animations


def _frames(file: bytes) -> list[tuple[Image.Image, int]]:
    """What Pillow shows one after the other, and for how long."""
    with Image.open(io.BytesIO(file)) as image:
        frames = [(frame.convert("RGBA"), int(frame.info.get("duration", 0))) for frame in ImageSequence.Iterator(image)]
    return [(frame.copy(), time if time > 10 else 100) for frame, time in frames]


def _timeline(frames: list[tuple[Image.Image, int]]) -> list[tuple[bytes, int]]:
    """Frames that look the same are one: WebP's encoder makes them one."""
    merged: list[tuple[bytes, int]] = []
    for frame, time in frames:
        # As much of a colour as is seen of it.
        seen = Image.new("RGB", frame.size)
        seen.paste(frame.convert("RGB"), mask=frame.getchannel("A"))
        pixels = seen.tobytes() + frame.getchannel("A").tobytes()
        if merged and merged[-1][0] == pixels:
            merged[-1] = (pixels, merged[-1][1] + time)
        else:
            merged.append((pixels, time))
    return merged


def _same(file: bytes, reference: list[tuple[Image.Image, int]]) -> None:
    found, expected = _timeline(_frames(file)), _timeline(reference)
    assert [time for _, time in found] == [time for _, time in expected]
    for (pixels, _), (wanted, _) in zip(found, expected, strict=True):
        most = max(abs(one - other) for one, other in zip(pixels, wanted, strict=True))
        assert most <= 2


def _drawn() -> list[Image.Image]:
    """A disc on its way over a ground with a hole."""
    frames = []
    for step in range(6):
        frame = Image.new("RGBA", (90, 60), (20, 60 + 20 * step, 160, 255))
        draw = ImageDraw.Draw(frame)
        draw.rectangle((5, 5, 25, 25), (0, 0, 0, 0))
        draw.ellipse((10 * step, 20, 10 * step + 24, 44), (250, 200, 30, 255))
        frames.append(frame)
    return frames


def _saved(kind: str, **options: Any) -> bytes:
    frames, file = _drawn(), io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=TIMES, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("animation", "restores"),
    [
        (_saved("GIF", disposal=2, loop=0), False),
        (_saved("GIF", disposal=1, loop=3), False),
        (_saved("GIF", disposal=3), False),
        (_saved("PNG", disposal=1, blend=0, loop=2), False),
        (_saved("PNG", disposal=2, blend=1), True),
        (_saved("WEBP", lossless=True, loop=0), False),
    ],
    ids=["gif-clear", "gif-keep", "gif-restore", "apng-clear", "apng-over", "webp"],
)
def test_every_frame_is_kept(animation: bytes, restores: bool) -> None:
    kept = optimize(animation, format="webp", animation="keep", lossless=True)
    assert (kept.content_type, kept.source.frames, kept.source.frames_dropped) == ("image/webp", 6, 0)
    # Pillow restores frames of APNG wrongly: there, what was drawn is what browsers show.
    drawn = list(zip(_drawn(), TIMES, strict=True))
    _same(kept.data, drawn if restores else _frames(animation))
    small = optimize(animation, format="auto", animation="keep", max_width=45, max_height=45)
    assert (small.width, small.height) == (45, 30)
    assert [time for _, time in _frames(small.data)] == TIMES
    still = optimize(animation, format="webp")
    assert len(_frames(still.data)) == 1 and still.source.frames_dropped == 5


@pytest.mark.parametrize(("kind", "loop", "plays"), [("GIF", 0, 0), ("GIF", 3, 4), ("GIF", None, 1), ("PNG", 2, 2), ("WEBP", 5, 5)])
def test_it_is_played_as_often(kind: str, loop: int | None, plays: int) -> None:
    """A GIF tells how often it is repeated, the others how often it is played."""
    options = {} if loop is None else {"loop": loop}
    kept = optimize(_saved(kind, **options), format="webp", animation="keep")
    assert int.from_bytes(re.search(rb"ANIM\x06\0\0\0....(..)", kept.data, re.DOTALL)[1], "little") == plays  # type: ignore[index]


@pytest.mark.parametrize(
    "name",
    [
        "Pillow__iss634.gif",
        "Pillow__transparent_dispose.gif",
        "image-gif__moon_impact.gif",
        "image-gif__sample_1.gif",
        "image__ball.png.anim_19.png",
        "Pillow__hopper_resized.gif",
    ],
)
def test_animations_that_others_made(name: str) -> None:
    if not CORPUS.is_dir():
        pytest.skip("the corpus is not here")
    animation = (CORPUS / name).read_bytes()
    kept = optimize(animation, format="webp", animation="keep", lossless=True, limits={"max_duration": 120})
    _same(kept.data, _frames(animation))


def test_what_keep_wants() -> None:
    animation = _saved("GIF")
    for format in ("jpeg", "png"):
        with pytest.raises(InvalidArgumentError, match="animation"):
            optimize(animation, format=format, animation="keep")
    # A still image goes its usual way.
    still = optimize(photo(60, 40), format="auto", animation="keep")
    assert still.content_type == "image/jpeg"


def test_an_upload_keeps_its_animation_and_stills_beside_it() -> None:
    variants: Any = {"card": {**CARD}, "card-jpeg": {**CARD, "format": "jpeg"}}
    store = ImageStore.memory(optimize={"format": "auto", "animation": "keep"}, variants=variants)
    image = store.upload(_saved("GIF"))
    assert len(_frames(store.get(image.key))) == len(_frames(store.get(image.variants["card"].key))) == 6
    assert opened(store.get(image.variants["card-jpeg"].key)).format == "JPEG"
    assert image.content_type == image.variants["card"].content_type == "image/webp"


def test_a_direct_upload_knows_its_url_beforehand() -> None:
    store = ImageStore.memory(optimize={"format": "auto", "animation": "keep"}, secret="0123456789abcdef" * 2)
    for filename, extension, frames in (("a.gif", ".webp", 6), ("a.png", ".webp", 6), ("a.jpg", ".jpg", 1)):
        post = store.presigned_post(filename)
        assert post.file_url.endswith(extension)
        store.receive_post(post.fields, _saved("PNG" if filename == "a.png" else "GIF"))
        image = store.promote(post.key)
        assert (image.url, len(_frames(store.get(image.key)))) == (post.file_url, frames)
