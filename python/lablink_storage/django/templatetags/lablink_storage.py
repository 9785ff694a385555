"""``{% load lablink_storage %}``"""

from __future__ import annotations

import itertools
from typing import Any

from django import template
from django.db.models.fields.files import ImageFieldFile
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from lablink_storage import InvalidKeyError
from lablink_storage.django._fields import NEWER, extension, kept_size, srcset, store_of, whole_versions

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
    url, versions = image.url, {} if variant else whole_versions(image)
    width, height = kept_size(image)
    if variant:
        url, width, height = _variant(image, variant, width, height)
    own = srcset(versions, extension(url))
    better = itertools.takewhile(lambda name: name != extension(url), NEWER)
    offered = ((NEWER[name], srcset(versions, name), sizes) for name in better)
    sources = format_html_join(
        "", '<source type="{}" srcset="{}" sizes="{}">', (source for source in offered if source[1])
    )
    shown = {"loading": "lazy", "decoding": "async", **attributes}
    if "," in own:
        shown = {"srcset": own, "sizes": sizes, **shown}
    shown = {"src": url, "width": width, "height": height, "alt": alt, **shown}
    given = ((name, value) for name, value in shown.items() if value is not None)
    return format_html("<picture>{}<img{}></picture>", sources, format_html_join("", ' {}="{}"', given))


def _variant(
    image: ImageFieldFile, name: str, width: int | None, height: int | None
) -> tuple[str, int | None, int | None]:
    """Its URL and size; the image's own where it was not uploaded here, and has no variants."""
    store = store_of(image)
    try:
        url = store.variant_url(str(image.name), name)
    except InvalidKeyError:
        return image.url, width, height
    if not width or not height:
        return url, None, None
    return url, *store._variant_sizes(width, height)[name][:2]
