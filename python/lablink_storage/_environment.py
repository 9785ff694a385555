"""The variables that configure a store, as one snapshot."""

from __future__ import annotations

import os
from collections.abc import Mapping

PUBLIC = (
    "AWS_S3_BUCKET",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_S3_ADDRESSING_STYLE",
    "AWS_S3_USE_ACCELERATE",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_EC2_METADATA_DISABLED",
    "CLOUDFRONT_DOMAIN",
    "CLOUDFRONT_KEY_PAIR_ID",
    "CLOUDFRONT_PRIVATE_KEY_PATH",
    "LABLINK_STORAGE_PREFIX",
    "LABLINK_STORAGE_DIR",
    "LABLINK_STORAGE_BASE_URL",
    "LABLINK_STORAGE_REQUIRE_S3",
)
"""What may be carried to another process or shown."""

CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "CLOUDFRONT_PRIVATE_KEY",
    "LABLINK_STORAGE_SECRET",
)
"""What every process has to get from its own environment."""

WHERE_CREDENTIALS_ARE = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ENDPOINT_URL_STS",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
)
"""What says how to get credentials on the machine where a process runs."""

ALL = PUBLIC + CREDENTIALS + WHERE_CREDENTIALS_ARE


def snapshot() -> tuple[str | None, ...]:
    """The present values of all variables, to see whether one has changed."""
    return tuple(map(os.environ.get, ALL))


def carried(variables: Mapping[str, str]) -> dict[str, str]:
    """Those of a store's variables that travel with it when it is pickled."""
    return {name: variables[name] for name in PUBLIC if name in variables}


def gives_secret(variables: Mapping[str, str]) -> bool:
    """Whether a credential among them is not this process's own: no other process would have it."""
    given = ((name, variables.get(name)) for name in CREDENTIALS)
    return any(value and value != os.environ.get(name) for name, value in given)


def arrived(variables: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, with the variables of a pickled store in the place of its own."""
    environment = {name: value for name, value in os.environ.items() if name not in PUBLIC}
    environment.update(variables)
    return environment
