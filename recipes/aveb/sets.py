"""The folders of a root, each a set as downloaded, by any spelling of its name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from recipes.annotations import Annotations
from recipes.errors import RecipeError
from recipes.manifest import Made, Rows
from recipes.media import MediaFolder
from recipes.recipe import Recipe, Record
from recipes.registry import recipes


class Sets:
    """What lies under a root.

    Raises:
        RecipeError: no such folder.
    """

    def __init__(self, root: Path, output: Path) -> None:
        self._output = output
        self._all = MediaFolder([root])
        self._folders = {
            _plain(path.name): path
            for path in sorted(root.iterdir())
            if path.is_dir() and path != output and not path.name.startswith(".")
        }
        self.root = root
        self.remarks: Counter[str] = Counter()

    def folder(self, name: str) -> Path:
        """The set's folder: "NExT-QA", "nextqa", "NExTQA_v1" are all nextqa's.

        Raises:
            RecipeError: there is none.
        """
        if name in self._folders:
            return self._folders[name]
        for plain, path in self._folders.items():
            # VGG-SS' name begins VGGSound's, and COCO's stands in SpokenCOCO's: the name must lead, and
            # no other set's may fit better.
            if plain.startswith(name) and not any(
                plain.startswith(o) and len(o) > len(name) for o in recipes()
            ):
                return path
        raise RecipeError(f"no folder {name} under {self.root}")

    def has(self, name: str) -> bool:
        try:
            self.folder(name)
        except RecipeError:
            return False
        return True

    def annotations(self, name: str, files: Sequence[str]) -> Annotations:
        """The set's files of these names, or its folders.

        Raises:
            RecipeError: there are none.
        """
        folder = self.folder(name)
        paths = [folder] if folder.name in files else []
        paths += sorted({path for pattern in files for path in folder.rglob(pattern)})
        if not paths:
            raise RecipeError(f"{folder} holds no {' or '.join(files)}")
        return Annotations(paths, self.remarks)

    def records(self, name: str, files: Sequence[str], split: str) -> Iterator[Record]:
        """A set's items of this split that have an answer to compare with."""
        for record in recipes()[name].records(self.annotations(name, files)):
            if record.split == split and record.columns.get("references"):
                yield record

    def rows(self, name: str, task: str | None = None) -> Rows:
        """Makes rows of a set's records: its own folder's media first, then those of the whole root."""
        recipe: Recipe = recipes()[name]
        media = Nearest(MediaFolder([self.folder(name)]), self._all)
        return Rows(replace(recipe, task=task or recipe.task), media, self._output)

    def made(self, name: str, files: Sequence[str], split: str, task: str | None = None) -> Iterator[Made]:
        return map(self.rows(name, task).row, self.records(name, files, split))


class Nearest:
    """Several places, the first that has a file wins."""

    def __init__(self, *places: MediaFolder) -> None:
        self._places = places

    def find(self, modality: str, names: Sequence[str]) -> str | None:
        found = (place.find(modality, names) for place in self._places)
        return next((path for path in found if path), None)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
