"""Deleting images together with the rows that they belong to, without signals."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

from django.apps import apps
from django.db import DatabaseError, connections, models, router, transaction
from django.db.models.deletion import Collector
from django.db.models.fields.files import FieldFile, FileField

from ._storage import LablinkStorage


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

    An image that a row of any model still has is kept. A failure is logged, and leaves an orphan for
    ``storage sweep``.

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
    if not any(_has(column, name, database) for column, database in _columns(image, using)):
        image.storage.delete(name)


def _columns(image: FieldFile, using: str | None) -> Iterator[tuple[FileField, str]]:
    """All that may name an image, each column once, with a database to look in: names are copied from one
    model to another."""
    place = _place(image.storage)
    # Its own model first: a migration's is not among those of the applications.
    for model in dict.fromkeys([image.field.model, *apps.get_models()]):
        if model._meta.proxy:
            continue  # the columns are those of the model behind it
        # What a model inherits is a column of its parent.
        fields = [field for field in model._meta.local_concrete_fields if isinstance(field, FileField)]
        for field in fields:
            if _place(field.storage) == place:
                yield from ((field, database) for database in _databases(model, image, using))


def _place(storage: Any) -> Any:
    """What storages have in common in which a name leads to the same object."""
    if not isinstance(storage, LablinkStorage):
        return storage
    store = storage.store
    return store.backend, store.bucket, store.directory and os.path.realpath(store.directory)


def _databases(model: type[models.Model], image: FieldFile, using: str | None) -> set[str]:
    """Where the routers put rows of the model beside this one, and where this one was deleted."""
    found = {router.db_for_write(model, instance=image.instance)}
    if using is not None and router.allow_migrate_model(using, model):
        found.add(using)
    return found


def _has(column: FileField, name: str, database: str) -> bool:
    """Whether a row has the name in the column."""
    model = column.model
    try:
        return model._base_manager.using(database).filter(**{column.attname: name}).exists()
    except DatabaseError:
        # Without a table there are no rows: an unmanaged model may have none, or a migration is still to run.
        introspection = connections[database].introspection
        table = introspection.identifier_converter(model._meta.db_table)
        if table in introspection.table_names(include_views=True):
            raise
        return False
