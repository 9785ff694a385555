"""AWS Lambda: promotes direct uploads as S3 tells of them.

Name ``lablink_storage.aws_lambda.handler`` as the function's handler, and configure the store by its
environment variables. Behind SQS, turn on ``ReportBatchItemFailures``: messages that could not be dealt with
come again, or go to the dead-letter queue, and the others of their batch do not.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ._exceptions import InvalidArgumentError, StorageError, UnavailableError
from ._lablink_storage import ImageStore

__all__ = ["handler"]

_log = logging.getLogger("lablink_storage.aws_lambda")

_ENOUGH_TIME = 10_000
"""Milliseconds that have to be left for a message to be begun."""

_store: ImageStore | None = None


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Deals with one invocation: a batch of SQS messages, or an event straight from S3 or SNS.

    Args:
        event: the event, as Lambda hands it out.
        context: Lambda's context, which knows how much time is left.

    Returns:
        For SQS, ``{"batchItemFailures": [{"itemIdentifier": messageId}, …]}``; else ``{}``.

    Raises:
        UnavailableError: an event that did not come by SQS could not be dealt with, and should come again.
    """
    store = _opened()
    records = event.get("Records")
    if not isinstance(records, list) or not records or "messageId" not in records[0]:
        _whole(store, event)
        return {}
    failures = []
    for record in records:
        if _has_time(context) and _is_done(store, record):
            continue
        failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def _opened() -> ImageStore:
    """The store, which later invocations of the same instance find open."""
    global _store
    if _store is None:
        _store = ImageStore.from_env()
    return _store


def _has_time(context: Any) -> bool:
    left = getattr(context, "get_remaining_time_in_millis", None)
    return left is None or left() > _ENOUGH_TIME


def _is_done(store: ImageStore, record: Mapping[str, Any]) -> bool:
    message = record["messageId"]
    try:
        report = store.handle_event(record.get("body", ""))
    except InvalidArgumentError as error:
        # It never will be one: the queue's own limit takes it to the dead-letter queue, where it is seen.
        _log.error("message %s: %s", message, error)
        return False
    except StorageError as error:
        _log.warning("message %s: %s", message, error)
        return False
    for outcome in report["outcomes"]:
        if outcome["outcome"] in ("failed", "refused"):
            _log.warning("%s: %s: %s", outcome["key"], outcome["outcome"], outcome["reason"])
    return bool(report["ok"])


def _whole(store: ImageStore, event: Mapping[str, Any]) -> None:
    report = store.handle_event(event)
    failed = [outcome for outcome in report["outcomes"] if outcome["outcome"] == "failed"]
    if failed:
        reason = f"{len(failed)} uploads could not be promoted now: {failed[0]['reason']}"
        raise UnavailableError(reason, failed[0]["hint"], True)
