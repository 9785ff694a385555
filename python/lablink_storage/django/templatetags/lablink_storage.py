"""``{% load lablink_storage %}``"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from typing import Any

from django import template
from django.db.models.fields.files import ImageFieldFile
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from lablink_storage import StorageError
from lablink_storage.django._fields import kept_size, store_of

register = template.Library()


@register.simple_tag
def lablink_picture(
    image: ImageFieldFile | None,
    alt: str = "",
    sizes: str = "100vw",
    variant: str | None = None,
    **attributes: Any,
) -> SafeString:
    """The image as ``<picture>``, with its variants for the browser to choose from.

    Those that show the whole picture are offered, if the model keeps width and height; ``variant`` names one
    to be shown alone. Other keywords are attributes of the ``<img>``.
    """
    if not image:
        return SafeString("")
    store, key = store_of(image), str(image.name)
    width, height = kept_size(image)
    sized = store._variant_sizes(width, height) if width and height else {}
    url, versions = store.public_url(key), {}
    try:
        if variant is not None:
            url = store.variant_url(key, variant)
            width, height = sized[variant][:2] if sized else (None, None)
        elif width and height:
            versions = {
                store.variant_url(key, name): wide
                for name, (wide, high, lazy) in sized.items()
                if not lazy and abs(wide * height - high * width) <= max(width, height)
            } | {url: width}
    except StorageError:
        versions = {}  # it was not uploaded here, and has no variants
    main = mimetypes.guess_type(url)[0]
    by_type: dict[str | None, dict[str, int]] = {}
    for version, wide in sorted(versions.items(), key=lambda item: item[1]):
        by_type.setdefault(mimetypes.guess_type(version)[0], {})[version] = wide
    own = by_type.pop(main, {})
    sources = format_html_join(
        "",
        '<source type="{}" srcset="{}" sizes="{}">',
        ((kind, _srcset(found), sizes) for kind, found in by_type.items()),
    )
    shown = {"loading": "lazy", "decoding": "async", **attributes}
    if len(own) > 1:
        shown = {"srcset": _srcset(own), "sizes": sizes, **shown}
    shown = {"src": url, "width": width, "height": height, "alt": alt, **shown}
    given = ((name, value) for name, value in shown.items() if value is not None)
    return format_html("<picture>{}<img{}></picture>", sources, format_html_join("", ' {}="{}"', given))


def _srcset(versions: Mapping[str, int]) -> str:
    return ", ".join(f"{url} {width}w" for url, width in versions.items())
