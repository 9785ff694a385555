"""The application, for ``INSTALLED_APPS``: system checks, the command ``storage`` and the template tag."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register


class LablinkStorageConfig(AppConfig):
    name = "lablink_storage.django"
    label = "lablink_storage"
    verbose_name = "LabLink storage"

    def ready(self) -> None:
        from ._checks import check_configuration, check_with_doctor

        register(Tags.files)(check_configuration)
        register(Tags.files, deploy=True)(check_with_doctor)
