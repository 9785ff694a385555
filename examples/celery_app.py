"""A Celery application that promotes uploads and makes new sizes: ``celery -A celery_app worker``.

The store is described by the environment, as everywhere. From the application's side:

    from celery_app import tasks

    tasks.promote.delay(key)
    report = tasks.regenerate(shards=8).get()
"""

import os

from celery import Celery

from lablink_storage import ImageStore
from lablink_storage.celery import register

_REDIS = os.environ.get("REDIS_URL", "redis://localhost:6379/0")

app = Celery("celery_app", broker=_REDIS, backend=_REDIS)
app.conf.broker_transport_options = {
    # A task of a worker that was killed comes again after so many seconds: longer than any takes.
    "visibility_timeout": int(os.environ.get("VISIBILITY_TIMEOUT", "3600")),
    # Workers look for such tasks every 10 seconds, instead of every 100.
    "unacked_restore_throttle": 1,
}
# One task at a time is taken from the broker, so that a worker that dies holds no others.
app.conf.worker_prefetch_multiplier = 1

tasks = register(app, ImageStore.from_env())
