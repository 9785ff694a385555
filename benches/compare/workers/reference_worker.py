"""The independent reference, by Pillow: full decode, upright, sRGB, on white, float Lanczos3.

A request is `{"source", "outputs", "folder"}`. For each output it decodes what a library made and, once a
size, resizes the source in 32-bit float to exactly that size, so that a rounding of one pixel is not
mistaken for damage. The answer names the raw files that `ssim2` reads.
"""

import io
import json
import sys
from pathlib import Path

from PIL import Image, ImageCms, ImageOps

from png_profile import png_profile

try:
    import pillow_heif
except ImportError:
    pass  # the comparison of speed needs no HEIC
else:
    pillow_heif.register_heif_opener()

Image.MAX_IMAGE_PIXELS = 200_000_000
SRGB = ImageCms.createProfile("sRGB")


def readable(data):
    """The profile, or None if littlecms cannot make head or tail of it."""
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(data))
    except (OSError, TypeError):
        return None


def in_srgb(image, profile, mode):
    """Converted by a profile, unless it is for another kind of colour or damaged: then as it stands."""
    alpha = image.getchannel("A") if mode == "RGBA" and "A" in image.getbands() else None
    gray = profile.profile.xcolor_space.strip() == "GRAY"
    if gray and image.mode == "LA":
        image = image.getchannel("L")
    elif image.mode not in ("RGB", "RGBA", "CMYK", "L") or image.mode == "L" and not gray:
        image = image.convert(mode)
    intent = ImageCms.Intent.PERCEPTUAL
    out = "RGB" if gray else mode
    try:
        image = ImageCms.profileToProfile(image, profile, SRGB, renderingIntent=intent, outputMode=out)
    except ImageCms.PyCMSError:
        image = image.convert(mode)
    if alpha is not None:
        image.putalpha(alpha)
    return image


def upright_srgb_on_white(path):
    image = Image.open(path)
    image.load()  # what stands behind the pixels of a PNG is only known then
    image = ImageOps.exif_transpose(image)
    profile = readable(image.info.get("icc_profile"))
    transparent = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    mode = "RGBA" if transparent else "RGB"
    if image.mode.startswith("I"):  # Pillow keeps 16-bit gray apart and clips it when converted
        image = image.convert("F").point(lambda value: value / 257).convert("L")
    numbers = None if profile or "srgb" in image.info else png_profile(image.info)
    if numbers:
        image, profile = image.convert(mode), readable(numbers)
    image = in_srgb(image, profile, mode) if profile else image.convert(mode)
    if transparent:
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def write_reference(image, size, path):
    with open(path, "wb") as out:
        for band in image.split():
            plane = band.convert("F").resize(size, Image.Resampling.LANCZOS)
            out.write(plane.point(lambda value: value / 255 + 0).tobytes())


def answer(request):
    folder = Path(request["folder"])
    image = upright_srgb_on_white(request["source"])
    found = []
    for index, path in enumerate(request["outputs"]):
        output = upright_srgb_on_white(path)
        if abs(output.width * image.height - output.height * image.width) > 2 * max(image.size):
            found.append({"error": f"{output.width} x {output.height} is another shape than the source"})
            continue
        reference = folder / f"reference-{output.width}x{output.height}.f32"
        if not reference.exists():
            write_reference(image, output.size, reference)
        distorted = folder / f"{index}.rgb"
        distorted.write_bytes(output.tobytes())
        found.append({
            "width": output.width, "height": output.height,
            "reference": str(reference), "distorted": str(distorted),
        })
    return {"pixels": image.width * image.height, "found": found}


for line in sys.stdin:
    try:
        reply = answer(json.loads(line))
    except Exception as error:  # a source that Pillow cannot read has no reference; say so
        reply = {"error": f"{type(error).__name__}: {error}"[:2000]}
    print(json.dumps(reply), flush=True)
