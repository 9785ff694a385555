"""Deleting images together with the rows that they belong to, without signals."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.db import models, router, transaction
from django.db.models.deletion import Collector
from django.db.models.fields.files import FieldFile, FileField


def delete_with_images(rows: models.Model | models.QuerySet[Any]) -> tuple[int, dict[str, int]]:
    """Deletes rows as their ``delete()`` does, and the images of all that went, cascades included, once the
    transaction is committed.

    Args:
        rows: an instance or a queryset.

    Returns:
        What ``delete()`` returns.
    """
    if isinstance(rows, models.QuerySet):
        using, found = rows.db, list(rows)
    else:
        using, found = router.db_for_write(type(rows), instance=rows), [rows]
    collector = Collector(using=using, origin=rows)
    collector.collect(found)
    images = list(_images(collector))
    deleted = collector.delete()
    delete_images(*images, using=using)
    return deleted


def delete_images(*images: FieldFile, using: str | None = None) -> None:
    """Deletes stored images once the transaction is committed: of a row that has got another one, say.

    An image that a row still has is kept. A failure is logged, and leaves an orphan for ``storage sweep``.

    Args:
        images: what a model's field has; what has no file is passed over.
        using: the database whose transaction is waited for.
    """
    for image in images:
        if image:
            transaction.on_commit(partial(_delete, image, str(image.name), using), using=using, robust=True)


def _images(collector: Collector) -> Iterator[FieldFile]:
    batches: list[tuple[type[models.Model], Any]] = list(collector.data.items())
    batches += [(rows.model, rows) for rows in collector.fast_deletes]
    for model, rows in batches:
        fields = [field for field in model._meta.concrete_fields if isinstance(field, FileField)]
        if fields:
            yield from (getattr(row, field.name) for row in rows for field in fields)


def _delete(image: FieldFile, name: str, using: str | None) -> None:
    rows = image.field.model._base_manager.using(using)
    if not rows.filter(**{image.field.attname: name}).exists():
        image.storage.delete(name)
