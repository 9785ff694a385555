"""What Chromium makes of the formats that come out: the source it takes of a picture, and animations."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response
from PIL import Image, ImageDraw
from playwright.sync_api import BrowserContext, Page
from werkzeug.serving import make_server

from lablink_storage import ImageStore, optimize

from support import ROOT, make_app, store_of

# Frames and times of two animations as Chromium's decoder has them; frames that look the same are one.
COMPARE = """
async ([source, kept]) => {
  async function timeline({url, type}) {
    const data = await (await fetch(url)).arrayBuffer();
    const decoder = new ImageDecoder({data, type, preferAnimation: true});
    await decoder.tracks.ready;
    await decoder.completed;
    const track = decoder.tracks.selectedTrack, frames = [];
    let size;
    for (let index = 0; index < track.frameCount; index++) {
      const {image} = await decoder.decode({frameIndex: index});
      size = [image.displayWidth, image.displayHeight];
      const context = new OffscreenCanvas(...size).getContext("2d", {willReadFrequently: true});
      context.drawImage(image, 0, 0);
      const pixels = context.getImageData(0, 0, ...size).data;
      const time = image.duration / 1000, last = frames.at(-1);
      if (last && last.pixels.every((value, at) => value === pixels[at])) last.time += time;
      else frames.push({pixels, time});
      image.close();
    }
    return {size, frames, repeats: String(track.repetitionCount)};
  }
  const [one, other] = [await timeline(source), await timeline(kept)];
  const apart = one.frames.map(({pixels}, index) => {
    const theirs = other.frames[index]?.pixels ?? [];
    return Math.max(...pixels.map((value, at) => Math.abs(value - (theirs[at] ?? 1000))));
  });
  const told = ({size, frames, repeats}) => ({size, times: frames.map(({time}) => time), repeats});
  return {source: told(one), kept: told(other), apart: Math.max(...apart)};
}
"""


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """Files at /file/<name>, and the page that ``app.config["PAGE"]`` is."""
    variants: Any = {f"card-{kind}": {"max_width": 400, "format": kind} for kind in ("avif", "webp")}
    variants["poster"] = {"max_width": 120, "lazy": True}
    app = make_app(tmp_path, LABLINK_STORAGE_VARIANTS=variants, LABLINK_STORAGE_LIMITS={}, FILES={}, PAGE="")

    @app.get("/")
    def page() -> str:
        return f"<!doctype html><title>Formats</title>{app.config['PAGE']}"

    @app.get("/file/<name>")
    def file(name: str) -> Response:
        return Response(app.config["FILES"][name], mimetype="application/octet-stream")

    return app


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def test_the_avif_source_of_a_picture_is_fetched_and_shown(app: Flask, address: str, page: Page) -> None:
    store: ImageStore = store_of(app)
    image = store.upload((ROOT / "examples/photo.jpg").read_bytes())
    app.config["PAGE"] = image.picture(sizes="400px", alt="The bench")
    fetched: list[str] = []
    page.on("response", lambda answer: fetched.append(f"{answer.status} {answer.url} {answer.headers['content-type']}"))
    page.goto(address)
    shown = page.locator("img")
    shown.evaluate("image => image.decode()")
    variant = image.variants["card-avif"]
    assert shown.evaluate("image => new URL(image.currentSrc).pathname") == variant.url
    assert shown.evaluate("image => image.naturalWidth / image.naturalHeight") == pytest.approx(
        image.width / image.height, abs=0.02
    )
    images = [answer for answer in fetched if "image/" in answer and "favicon" not in answer]
    assert images == [f"200 {address.rstrip('/')}{variant.url} image/avif"]


def test_a_lazy_variant_is_made_when_a_page_asks_for_it(app: Flask, address: str, page: Page) -> None:
    store: ImageStore = store_of(app)
    image = store.upload((ROOT / "examples/photo.jpg").read_bytes())
    poster = store.key_from_url(store.variant_url(image.key, "poster"))
    assert not store.exists(poster)
    app.config["PAGE"] = f'<img src="/api/s3/variant/poster/{image.key}" alt="The bench">'
    page.goto(address)
    shown = page.locator("img")
    shown.evaluate("image => image.decode()")
    assert shown.evaluate("image => image.naturalWidth") == 120
    assert store.exists(poster)


def _drawn(kind: str, **options: Any) -> bytes:
    """A disc on its way over a ground with a hole; the last two frames are alike."""
    frames = []
    for step in (0, 1, 2, 3, 3):
        frame = Image.new("RGBA", (90, 60), (20, 60 + 20 * step, 160, 255))
        draw = ImageDraw.Draw(frame)
        draw.rectangle((5, 5, 25, 25), (0, 0, 0, 0))
        draw.ellipse((10 * step, 20, 10 * step + 24, 44), (250, 200, 30, 255))
        frames.append(frame)
    file = io.BytesIO()
    frames[0].save(
        file, kind, save_all=True, append_images=frames[1:], duration=[40, 200, 90, 500, 70], **options
    )
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("gif", {"disposal": 2, "loop": 0}),
        ("gif", {"disposal": 1, "loop": 3}),
        ("gif", {"disposal": 3}),
        ("png", {"disposal": 1, "blend": 0, "loop": 2}),
        ("png", {"disposal": 2, "blend": 1, "loop": 0}),
        ("webp", {"lossless": True, "loop": 5}),
    ],
)
def test_an_animation_is_played_as_the_one_that_came_in(
    app: Flask, address: str, page: Page, kind: str, options: dict[str, Any]
) -> None:
    source = _drawn(kind.upper(), **options)
    kept = optimize(source, format="webp", animation="keep", lossless=True)
    app.config["FILES"] |= {"source": source, "kept": kept.data}
    page.goto(address)
    found = page.evaluate(
        COMPARE,
        [
            {"url": "/file/source", "type": f"image/{kind}"},
            {"url": "/file/kept", "type": "image/webp"},
        ],
    )
    assert found["kept"] == found["source"], found
    assert found["kept"]["size"] == [90, 60] and len(found["kept"]["times"]) == 4
    assert found["apart"] <= 2
