"""``flask storage …``: the command line's commands, on the application's store."""

from __future__ import annotations

import json

import click
from flask.cli import AppGroup

from ._lablink_storage import ImageStore


def storage_commands(store: ImageStore) -> AppGroup:
    """The command group ``storage`` for one application."""
    group = AppGroup("storage", help="Look after the application's image store.")

    @group.command("status")
    @click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
    def status(as_json: bool) -> None:
        """Tell whether the store answers. Exit code 0 if it does, 1 if not."""
        found = store.status()
        if as_json:
            click.echo(json.dumps(found.to_dict()))
        else:
            click.echo(f"{store!r}: {found.message}")
            if found.error:
                click.echo(f"error: {found.error}", err=True)
            if found.hint:
                click.echo(f"hint: {found.hint}", err=True)
        if not found.accessible:
            raise SystemExit(1)

    return group
