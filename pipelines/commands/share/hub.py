"""A dataset on Hugging Face's hub: what it holds, and commits of files into it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pipelines.errors import StorageError, UsageError
from storage.errors import is_storages, reason, status

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_TARGET = re.compile(r"hf://datasets/([\w.-]+/[\w.-]+?)(?:@([\w./-]+))?/?")
_KIND = "dataset"
_COMMIT_FILES, _COMMIT_BYTES = 64, 8 * 10**9  # of one commit: an upload cut off goes on from the last
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@dataclass(frozen=True)
class Remote:
    """A file on the hub: its bytes, and SHA-256, or git's digest of a small file."""

    size: int
    sha256: str | None
    git: str


@dataclass(frozen=True)
class Repository:
    """`hf://datasets/OWNER/NAME[@REVISION]`; credentials as `hf auth login` or HF_TOKEN give them."""

    name: str
    revision: str | None
    api: HfApi = field(repr=False, compare=False)

    @classmethod
    def of(cls, target: str) -> Self:
        """Raises UsageError."""
        found = _TARGET.fullmatch(target)
        if found is None:
            raise UsageError(f"{target}: want hf://datasets/OWNER/NAME, with @REVISION for another branch")
        from huggingface_hub import HfApi

        return cls(found[1], found[2], HfApi(library_name="favor-data"))

    def is_public(self) -> bool | None:
        """None: there is no such dataset, or none that these credentials may see."""
        from huggingface_hub.errors import RepositoryNotFoundError

        with self._answers():
            try:
                return not self.api.repo_info(self.name, repo_type=_KIND).private
            except RepositoryNotFoundError:
                return None

    def create(self, public: bool) -> None:
        """One that is there stays as it is."""
        with self._answers():
            self.api.create_repo(self.name, repo_type=_KIND, private=not public, exist_ok=True)

    def files(self) -> dict[str, Remote]:
        """Name -> file."""
        from huggingface_hub.hf_api import RepoFile

        with self._answers():
            tree = self.api.list_repo_tree(self.name, recursive=True, revision=self.revision, repo_type=_KIND)
            found = [entry for entry in tree if isinstance(entry, RepoFile)]
        return {f.path: Remote(f.size, f.lfs.sha256 if f.lfs else None, f.blob_id) for f in found}

    def commit(self, message: str, put: Mapping[str, str], gone: Sequence[str] = ()) -> None:
        """One commit: files (name there -> path here) and names to delete."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        operations: list[Any] = [CommitOperationAdd(name, path) for name, path in put.items()]
        operations += [CommitOperationDelete(name, is_folder=False) for name in gone]
        with self._answers():
            self.api.create_commit(
                self.name, operations, commit_message=message, revision=self.revision, repo_type=_KIND
            )

    @contextmanager
    def _answers(self) -> Iterator[None]:
        """Raises:
        UsageError: the hub knows no such dataset or revision, or refuses.
        StorageError: everything else that goes wrong on the way.
        """
        from huggingface_hub.errors import HFValidationError

        where = f"hf://datasets/{self.name}"
        try:
            yield
        except HFValidationError as error:
            raise UsageError(f"{where}: {reason(error)}") from error
        except Exception as error:
            # The library wraps what its uploads raise in a RuntimeError; so does its native part.
            cause = error.__cause__ if type(error) is RuntimeError and error.__cause__ else error
            if not (is_storages(cause) or type(error) is RuntimeError):
                raise
            code = status(cause)
            if code in _REFUSED:
                raise UsageError(
                    f"{where}: the hub refuses ({code}): hf auth login, HF_TOKEN, of somebody who may write"
                ) from error
            if code == HTTPStatus.NOT_FOUND:
                what = f"revision {self.revision}" if self.revision else "dataset that you may write to"
                raise UsageError(f"{where}: the hub has no such {what}") from error
            raise StorageError(
                f"{where}: {reason(cause)}: the same command goes on with what is missing"
            ) from error


def same(path: str, remote: Remote | None) -> bool:
    """Whether the hub has these bytes; the file is read only where the sizes agree."""
    if remote is None or Path(path).stat().st_size != remote.size:
        return False
    with Path(path).open("rb") as stream:
        if remote.sha256:
            return hashlib.file_digest(stream, "sha256").hexdigest() == remote.sha256
        blob = hashlib.sha1(f"blob {remote.size}\0".encode(), usedforsecurity=False)
        return hashlib.file_digest(stream, lambda: blob).hexdigest() == remote.git


def commits(names: Sequence[str], size_of: Callable[[str], int]) -> Iterator[list[str]]:
    """Names, in order, as many a commit as its bounds allow."""
    chunk: list[str] = []
    weight = 0
    for name in names:
        size = size_of(name)
        if chunk and (len(chunk) == _COMMIT_FILES or weight + size > _COMMIT_BYTES):
            yield chunk
            chunk, weight = [], 0
        chunk.append(name)
        weight += size
    if chunk:
        yield chunk
