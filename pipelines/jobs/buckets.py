"""Stores that a build names are asked whether they are there, before anything else is done."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.errors import UsageError
from storage import files


def check_buckets(uris: Iterable[str]) -> None:
    """Each bucket once, within seconds.

    Raises:
        UsageError: there is no such bucket, or nothing reads such a uri.
        StorageError: nobody answers.
    """
    remote = [uri for uri in uris if not files.is_local(uri)]
    for uri in {"/".join(uri.split("/")[:3]): uri for uri in remote}.values():
        try:
            files.check_bucket(uri)
        except FileNotFoundError as error:
            bucket = "/".join(uri.split("/")[: 5 if files.scheme(uri) == "hf" else 3])
            raise UsageError(f"{uri}: there is no {bucket}") from error
        except ValueError as error:
            raise UsageError(f"{uri}: {error}") from error
