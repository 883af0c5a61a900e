"""Where the media lie: every file of some folders, found again by its name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from recipes.disk import Database
from recipes.errors import RecipeError

_SUFFIXES = {
    "video": "mp4 mkv webm avi mov m4v flv ts mpg mpeg ogv 3gp wmv",
    "audio": "wav flac mp3 m4a ogg opus aac wma aif aiff",
    "image": "jpg jpeg png webp bmp tif tiff heic",
    "animation": "gif",
}
_KIND = {suffix: kind for kind, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}
#: Which kinds of file can give a modality, the best first: a film has sound, an animation is a film.
_GIVES = {"video": ("video", "animation"), "audio": ("audio", "video"), "image": ("image", "animation")}


class MediaFolder:
    """The files below some folders, on disk rather than in memory; hidden ones are passed over.

    Raises:
        RecipeError: a folder that is not there.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self.files = 0
        self._database = Database(
            "CREATE TABLE files (stem TEXT, kind TEXT, path TEXT, PRIMARY KEY (stem, path)) WITHOUT ROWID"
        )
        for folder in folders:
            if not folder.is_dir():
                raise RecipeError(f"{folder}: no such folder: name the one that holds the media with --media")
            rows = self._scan(folder.absolute())
            self._database.connection.executemany("INSERT OR IGNORE INTO files VALUES (?, ?, ?)", rows)

    def _scan(self, folder: Path) -> Iterator[tuple[str, str, str]]:
        for parent, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                stem, kind = _stem(name)
                path = f"{parent}/{name}"
                if kind and not name.startswith(".") and _utf8(path):
                    self.files += 1
                    yield stem, kind, path

    def find(self, modality: str, names: Sequence[str]) -> str | None:
        """The file of the first name that one has: a path, a file name or an id. Of several files, one of
        the best kind, then one whose folders agree with the name's, then the first."""
        kinds = _GIVES[modality]
        for name in names:
            wanted = PurePosixPath(name)
            stem, _ = _stem(wanted.name)
            rows = self._database.connection.execute("SELECT kind, path FROM files WHERE stem = ?", (stem,))
            fitting = [(kind, path) for kind, path in rows if kind in kinds]
            if fitting:
                best = min((kinds.index(kind), -_agreeing(wanted, path), path) for kind, path in fitting)
                return str(best[2])
        return None

    def example(self) -> str | None:
        """One of the files, to show what names there are."""
        found = self._database.connection.execute("SELECT path FROM files LIMIT 1").fetchone()
        return str(found[0]) if found else None


class Media(Protocol):
    """Where a recipe's media are looked for."""

    def find(self, modality: str, names: Sequence[str]) -> str | None: ...


def kind_of(name: str) -> str | None:
    """video, audio, image or animation by a file name's suffix."""
    return _stem(PurePosixPath(name).name)[1] or None


def bare(name: str) -> str:
    """A file's name without folders and a medium's suffix; other dots are the id's."""
    return _stem(PurePosixPath(name).name)[0]


def _stem(name: str) -> tuple[str, str]:
    """(name without its suffix, kind); an id may hold dots, so only a medium's suffix is one."""
    stem, dot, suffix = name.rpartition(".")
    kind = _KIND.get(suffix.lower(), "") if dot else ""
    return (stem, kind) if kind else (name, "")


def _utf8(path: str) -> bool:
    """A name that is not UTF-8 can stand in no manifest."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _agreeing(wanted: PurePosixPath, path: str) -> int:
    """How many of the last parts agree."""
    there = PurePosixPath(path)
    count = int(wanted.name == there.name)
    for ours, theirs in zip(wanted.parent.parts[::-1], there.parent.parts[::-1], strict=False):
        if ours != theirs:
            break
        count += 1
    return count
