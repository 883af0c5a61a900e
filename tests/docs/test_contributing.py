"""What CONTRIBUTING.md adds is added, one file and one test each, to a copy of the house."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.site.blocks import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^<!-- file: (.*?) -->\n```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
ADDED = {
    "a signal": ("signals/sound/crest.py", "tests/signals/sound/test_crest.py"),
    "a recipe": ("recipes/captions/birdsong.py", "tests/recipes/captions/test_birdsong.py"),
    "an encoder": ("featurizers/kinds/loudness.py", "tests/featurizers/test_loudness.py"),
}
TREE = (
    "decoders", "favor_data", "featurizers", "loaders", "pipelines", "recipes", "report", "schemas", "scores",
    "signals", "storage", "tests/featurizers", "tests/recipes", "tests/signals",
)  # fmt: skip


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("house")
    for name in TREE:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name in sum(ADDED.values(), ()):
        (folder / name).write_text(FILES[name], encoding="utf-8")
    return folder


def passes(test: Path, *places: Path) -> None:
    """One test, run where these are on the path."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(test)]
    done = subprocess.run(
        command, cwd=places[0], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "1 passed" in done.stdout


@pytest.mark.parametrize("what", ADDED)
def test_one_file_and_one_test(what: str, house: Path) -> None:
    passes(house / ADDED[what][1], house)


def test_an_encoder_of_another_package(tmp_path: Path) -> None:
    for name in ADDED["an encoder"]:
        (tmp_path / Path(name).name).write_text(FILES[name], encoding="utf-8")
    installed = tmp_path / "loudness-1.dist-info"  # as `pip install --editable` leaves it
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: loudness\nVersion: 1\n")
    [group] = re.findall(r'"(favor_data\.\w+)"\]\n(.*)', FILES["pyproject.toml of your package"], re.DOTALL)
    (installed / "entry_points.txt").write_text(f"[{group[0]}]\n{group[1].replace(chr(34), '')}")
    passes(tmp_path / "test_loudness.py", tmp_path, ROOT)
