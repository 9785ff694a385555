"""pyvips: `thumbnail_buffer`, the call that libvips recommends, which scales JPEG and WebP while loading."""

import pyvips

from loop import serve

pyvips.cache_set_max(0)  # the operation cache would answer the second round without any work


def job(data, settings):
    # Only for files with a profile: for the others the conversion of sRGB to itself would treble the time.
    tagged = pyvips.Image.new_from_buffer(data, "").get_typeof("icc-profile-data") != 0
    options = {"output_profile": "srgb"} if tagged else {}
    image = pyvips.Image.thumbnail_buffer(
        data, settings["width"], height=settings["height"], size="down", **options
    )
    if settings["format"] == "jpeg":
        if image.hasalpha():
            image = image.flatten(background=[255, 255, 255])
        out = image.jpegsave_buffer(Q=settings["quality"], optimize_coding=True, keep="none")
    else:
        out = image.webpsave_buffer(Q=settings["quality"], effort=4, keep="none")
    return out, image.width, image.height


vips = ".".join(str(pyvips.version(part)) for part in range(3))
serve("pyvips", f"pyvips {pyvips.__version__}, libvips {vips}", job)
