"""``flask storage …``: the command line's commands, on the application's store."""

from __future__ import annotations

import json
from collections.abc import Mapping

import click
from flask.cli import AppGroup

from ._command_line import COMMANDS, run_command
from ._lablink_storage import ImageStore


def storage_commands(store: ImageStore, environment: Mapping[str, str] | None) -> AppGroup:
    """The command group ``storage`` for one application.

    Args:
        store: the application's store.
        environment: the variables that it was built from; ``None`` for one that was built by hand.
    """
    group = AppGroup("storage", help="Look after the application's image store.")

    @group.command("status")
    @click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
    def status(as_json: bool) -> None:
        """Check that the store answers. Exit code 0 if it does, 1 if not."""
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

    for name, about in COMMANDS.items():
        group.add_command(_passed_on(name, about, environment))
    return group


def _passed_on(name: str, about: str, environment: Mapping[str, str] | None) -> click.Command:
    """A command of the command line, on the application's configuration."""

    @click.command(
        name,
        help=f"{about} Arguments as `python -m lablink_storage {name} --help` lists them.",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True},
    )
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def command(arguments: tuple[str, ...]) -> None:
        if environment is None:
            raise click.ClickException("this application's store was built by hand, not from a configuration")
        raise SystemExit(run_command(name, arguments, environment))

    return command
