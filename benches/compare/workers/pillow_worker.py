"""Pillow or pillow-simd, as their documentation advises: `thumbnail`, which scales JPEG while decoding."""

import io
import sys

import PIL
from PIL import Image, ImageOps, features

from loop import serve

CMS = features.check("littlecms2")
if CMS:
    from PIL import ImageCms

    SRGB = ImageCms.createProfile("sRGB")

Image.MAX_IMAGE_PIXELS = 100_000_000


def to_srgb(image, profile):
    if not CMS:
        raise RuntimeError("this build has no colour management, and the file has a profile")
    mode = "RGBA" if image.mode in ("RGBA", "LA", "PA") else "RGB"
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        image = image.convert(mode)
    if image.mode == "L" and source.profile.xcolor_space.strip() != "GRAY":
        image = image.convert("RGB")
    return ImageCms.profileToProfile(image, source, SRGB, outputMode=mode)


def job(data, settings):
    image = Image.open(io.BytesIO(data))
    profile = image.info.get("icc_profile")
    transparent = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    if image.mode in ("P", "1") or "transparency" in image.info:
        image = image.convert("RGBA" if transparent else "RGB")
    image.thumbnail((settings["width"], settings["height"]), Image.Resampling.LANCZOS)
    image = ImageOps.exif_transpose(image)
    if profile:
        image = to_srgb(image, profile)
    keeps_alpha = settings["format"] != "jpeg"
    if transparent and not keeps_alpha:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image).convert("RGB")
    elif image.mode not in ("RGB", "RGBA", "L"):
        image = image.convert("RGBA" if transparent else "RGB")
    image.info = {}  # some writers copy a profile or EXIF from here
    out = io.BytesIO()
    if settings["format"] == "jpeg":
        image.save(out, "JPEG", quality=settings["quality"], optimize=True)
    else:
        image.save(out, "WEBP", quality=settings["quality"], method=4)
    return out.getvalue(), image.width, image.height


name = sys.argv[1]
jpeg = features.version("libjpeg_turbo") or features.version("jpg")
serve(name, f"{name} {PIL.__version__}, libjpeg-turbo {jpeg}", job)
