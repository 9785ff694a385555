"""Celery tasks for an image store: ``pip install 'lablink-storage[celery]'``.

    from celery import Celery
    from lablink_storage import ImageStore
    from lablink_storage.celery import register

    app = Celery("lab", broker="redis://localhost", backend="redis://localhost")
    tasks = register(app, ImageStore.from_env())

    tasks.promote.delay(post.key)
    report = tasks.regenerate(shards=8).get()

A worker acknowledges a task when it is done: the task of a worker that is killed comes again, and may run
twice. No task minds: a variant that is there is not written again, and of an upload that was promoted already
``promote`` returns nothing. Behind a broker without acknowledgements of its own, such as Redis, a task comes
again after the broker's visibility timeout: set ``broker_transport_options`` to a time in which every task
ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import celery
from celery.result import GroupResult

from ._exceptions import NotFoundError, StorageError, UnavailableError
from ._lablink_storage import ImageStore
from ._types import PurgeFailure, RegenerateFailure, RegenerateReport

if TYPE_CHECKING:
    _Task: TypeAlias = celery.Task[Any, Any]

__all__ = ["Regeneration", "Tasks", "register"]

_RETRIES = 8
"""How often a task is tried again. With the pauses between, that is four minutes at most."""

_LONGEST_PAUSE = 180
"""Seconds between two tries."""


@dataclass(frozen=True)
class Tasks:
    """The tasks of one application. Each is called by ``delay`` and ``apply_async`` as any task is."""

    promote: _Task
    """``promote(key)`` returns the image as ``StoredImage.to_dict`` has it, and ``None`` where there is no
    such upload any more: it was promoted already."""
    handle_event: _Task
    """``handle_event(document)`` promotes the uploads named in an S3 notification, as text or object."""
    regenerate_shard: _Task
    """``regenerate_shard(index, count, **options)`` does one share of :meth:`regenerate`."""

    def regenerate(self, shards: int = 1, **options: Any) -> Regeneration:
        """Makes the variants that images lack, by as many tasks as there are shards.

        Args:
            shards: how many tasks share the work.
            options: the keywords of :meth:`ImageStore.regenerate`, as far as JSON has them.

        Returns:
            The results of the shards: ``get()`` adds them up to one ``RegenerateReport.to_dict()``, by a result
            backend.
        """
        if shards < 1:
            raise ValueError("shards: at least 1")
        each = [self.regenerate_shard.s(index, shards, **options) for index in range(1, shards + 1)]
        # No chord, which would add up in a worker: of one whose process is killed between the result of a part and
        # its count the end never comes.
        sent: Any = celery.group(each).apply_async()
        return Regeneration(sent.id, sent.results, app=self.regenerate_shard.app)


class Regeneration(GroupResult):
    """The results of the shards of one :meth:`Tasks.regenerate`, one task each."""

    def get(self, *arguments: Any, **keywords: Any) -> dict[str, Any]:  # type: ignore[override]
        """Waits for all shards, as ``GroupResult.get`` does and with its arguments, and adds up what they report.

        Raises:
            celery.exceptions.TimeoutError: they are not done within ``timeout`` seconds.
            StorageError: a shard failed, with what it failed of.
        """
        reports: Iterable[dict[str, Any]] = super().get(*arguments, **keywords)
        return sum(map(_report, reports), start=RegenerateReport()).to_dict()


def register(app: celery.Celery, store: ImageStore, *, name: str = "lablink_storage") -> Tasks:
    """Adds the store's tasks to a Celery application, in its workers as well as where tasks are sent.

    Args:
        app: the application.
        store: the store that the tasks work on. It is made once, before workers fork.
        name: what the tasks' names begin with, for an application with several stores.

    Returns:
        The tasks.
    """

    def task(function: Callable[..., Any]) -> _Task:
        made: _Task = app.task(
            bind=True,
            name=f"{name}.{function.__name__}",
            acks_late=True,
            reject_on_worker_lost=True,
            max_retries=_RETRIES,
        )(function)
        return made

    def promote(self: _Task, key: str) -> dict[str, Any] | None:
        try:
            return store.promote(key).to_dict()
        except NotFoundError:
            return None
        except StorageError as error:
            raise _again(self, error) from None

    def handle_event(self: _Task, document: Any) -> list[dict[str, Any]]:
        try:
            report = store.handle_event(document)
        except StorageError as error:
            raise _again(self, error) from None
        if not report["ok"]:
            failed = [outcome for outcome in report["outcomes"] if outcome["outcome"] == "failed"]
            reason = f"{len(failed)} uploads could not be promoted now: {failed[0]['reason']}"
            raise _again(self, UnavailableError(reason, failed[0]["hint"], True))
        outcomes: list[dict[str, Any]] = report["outcomes"]
        return outcomes

    def regenerate_shard(self: _Task, index: int, count: int, **options: Any) -> dict[str, Any]:
        try:
            report = store.regenerate(shard=(index, count), **options)
        except StorageError as error:
            raise _again(self, error) from None
        if report.stopped and self.request.retries < _RETRIES:
            # It goes on where it stopped.
            raise _again(self, UnavailableError(report.stopped, report.hint, True))
        return report.to_dict()

    return Tasks(task(promote), task(handle_event), task(regenerate_shard))


def _again(task: _Task, error: StorageError) -> Exception:
    """What a task raises: to be tried again where that may help."""
    if not error.retryable:
        return error
    pause = min(2**task.request.retries, _LONGEST_PAUSE)
    return task.retry(exc=error, countdown=pause, throw=False)


def _report(values: dict[str, Any]) -> RegenerateReport:
    failures = [RegenerateFailure(**failure) for failure in values["failures"]]
    purge = values["purge_failure"] and PurgeFailure(**values["purge_failure"])
    return RegenerateReport(**{**values, "failures": failures, "purge_failure": purge})
