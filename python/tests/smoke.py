"""Uses an installed wheel with nothing else there: one photograph through every part that is compiled.

python smoke.py PHOTO
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import lablink_storage
from lablink_storage import ImageStore, InvalidImageError, UnsupportedFormatError, optimize


def forked(store: ImageStore, photo: bytes) -> None:
    """A store that was used before the fork has to work in the child."""
    child = os.fork()
    if child == 0:
        try:
            store.upload(photo, filename="child.jpg")
        except BaseException as error:
            print(error, file=sys.stderr)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def main(photo: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        store = ImageStore.local(
            directory, secret="s" * 32, variants={"thumb": {"max_width": 320, "max_height": 320}}
        )
        image = store.upload(photo, filename="photo.jpg")
        assert image.content_type == "image/jpeg" and max(image.width, image.height) == 1200
        assert store.head(image.key).size == image.size == len(store.get(image.url))
        thumb = image.variants["thumb"]
        assert store.get(thumb.url).startswith(b"\xff\xd8") and thumb.size < image.size
        assert optimize(photo, format="webp").data[8:12] == b"WEBP"
        form = store.presigned_post("photo.jpg")
        assert form.key.startswith("pending/") and form.fields
        if hasattr(os, "fork"):
            forked(store, photo)
        store.delete(image.url)
        assert not store.exists(image.key) and not store.exists(thumb.key)
        for wrong, expected in (
            (b"<html>", UnsupportedFormatError),
            (photo[: len(photo) // 2], InvalidImageError),
        ):
            try:
                store.upload(wrong, filename="photo.jpg")
            except expected:
                continue
            raise AssertionError(f"taken: {wrong[:10]!r}")
    bucket = ImageStore.s3(
        "lab-images", region="eu-central-1", access_key_id="AKIAIOSFODNN7EXAMPLE", secret_access_key="k" * 40
    )
    request = bucket.presigned_get("components/photo.jpg", expires_in=60)
    assert request.url.startswith("https://lab-images.s3.eu-central-1.amazonaws.com/components/photo.jpg?")
    print("lablink_storage", lablink_storage.__version__, "works under", sys.version.split()[0])


if __name__ == "__main__":
    main(Path(sys.argv[1]).read_bytes())
