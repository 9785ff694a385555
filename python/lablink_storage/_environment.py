"""The variables that configure a store, as one snapshot."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ._exceptions import NotSupportedError
from ._lablink_storage import settings

_SETTINGS = settings()


def _reaching(reach: str) -> tuple[str, ...]:
    return tuple(name for setting in _SETTINGS if setting["reach"] == reach for name in setting["variables"])


PUBLIC = _reaching("store")
"""Settings that may be carried to another process or shown."""

CREDENTIALS = _reaching("secret")
"""Settings that every process takes from its own environment."""

ALL = PUBLIC + CREDENTIALS + _reaching("machine")


def configured(config: Mapping[str, Any]) -> dict[str, str]:
    """The process's variables, with an application's configuration in their place: under the same names,
    as text or as Python's own values."""
    environment = dict(os.environ)
    for setting in _SETTINGS:
        given = {name: config[name] for name in setting["variables"] if config.get(name) is not None}
        if not given:
            continue
        # Of a setting with two names neither is the environment's then.
        for name in setting["variables"]:
            environment.pop(name, None)
        environment.update({name: _text(value) for name, value in given.items()})
    return environment


def of_keywords(keywords: Mapping[str, Any], *, environment_too: bool) -> dict[str, str]:
    """The variables for what a store was told in code, for the command line to work on the same store.

    Args:
        keywords: a constructor's keywords, ``bucket`` and ``directory`` among them.
        environment_too: whether the store reads the environment where the keywords say nothing.
    """
    given = {keyword: value for keyword, value in keywords.items() if value is not None}
    if callable(given.get("inspector")):
        raise NotSupportedError(
            "the command line cannot call this inspector", "name it as a str, 'module:callable'"
        )
    named = {
        setting["variables"][0]: given[setting["keyword"]]
        for setting in _SETTINGS
        if setting["variables"] and setting["keyword"] in given
    }
    if environment_too:
        return configured(named)
    # Credentials of AWS may be the machine's still.
    others = {name for name in CREDENTIALS if not name.startswith("AWS_")}
    environment = {name: value for name, value in arrived({}).items() if name not in others}
    return environment | {name: _text(value) for name, value in named.items()}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return str(value.total_seconds())
    if isinstance(value, Mapping):
        return json.dumps(value, default=_plain)
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(map(str, value))
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be configured")


def snapshot() -> tuple[str | None, ...]:
    """The present values of all variables, to see whether one has changed."""
    return tuple(map(os.environ.get, ALL))


def carried(variables: Mapping[str, str]) -> dict[str, str]:
    """Those of a store's variables that travel with it when it is pickled."""
    return {name: variables[name] for name in PUBLIC if name in variables}


def gives_secret(variables: Mapping[str, str]) -> bool:
    """Returns whether a credential among them is not this process's own: no other process would have it."""
    given = ((name, variables.get(name)) for name in CREDENTIALS)
    return any(value and value != os.environ.get(name) for name, value in given)


def arrived(variables: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, with the variables of a pickled store in the place of its own."""
    environment = {name: value for name, value in os.environ.items() if name not in PUBLIC}
    environment.update(variables)
    return environment
