"""An inspector that the services' configuration names."""

from __future__ import annotations

from lablink_storage import Inspection, RejectedError


def no_portraits(image: Inspection) -> None:
    if image.source.height > image.source.width:
        raise RejectedError("no portraits")
