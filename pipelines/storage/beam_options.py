"""Beam's own `--s3_…` options, for one more version: handed on as what every tool reads."""

from __future__ import annotations

import os
from collections.abc import Callable

from apache_beam.options.pipeline_options import PipelineOptions, S3Options

_VARIABLES = {
    "s3_endpoint_url": "AWS_ENDPOINT_URL",
    "s3_access_key_id": "AWS_ACCESS_KEY_ID",
    "s3_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "s3_session_token": "AWS_SESSION_TOKEN",
    "s3_region_name": "AWS_DEFAULT_REGION",
}


def adopt(beams: PipelineOptions, warn: Callable[[str], object]) -> None:
    """Sets this process's environment from the options given, and says so."""
    given = beams.view_as(S3Options)
    for option, variable in _VARIABLES.items():
        if value := getattr(given, option):
            os.environ[variable] = value
            warn(f"--{option} goes with the next version: set {variable} instead")
