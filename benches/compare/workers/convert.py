"""Makes inputs for `--job png-in` and the like: `convert.py FORMAT` with `source<TAB>target` lines."""

import sys
from pathlib import Path

from PIL import Image, ImageOps

Image.MAX_IMAGE_PIXELS = 200_000_000

for line in sys.stdin:
    source, target = (Path(name) for name in line.rstrip("\n").split("\t"))
    try:
        image = ImageOps.exif_transpose(Image.open(source))
        if image.mode not in ("RGB", "RGBA", "L"):
            image = image.convert("RGBA" if "transparency" in image.info else "RGB")
        image.info = {}
        part = target.with_suffix(".part")
        if sys.argv[1] == "png":
            image.save(part, "PNG")
        elif sys.argv[1] == "avif":
            image.thumbnail((1200, 1200), Image.Resampling.LANCZOS)
            image.save(part, "AVIF", quality=75, speed=8)
        else:
            image.save(part, "WEBP", quality=90, method=4)
        part.rename(target)
    except OSError as error:
        print(f"{source.name}: {error}", file=sys.stderr)
