"""The wheel, and environments outside the checkout that it is installed in. The big libraries are the running
environment's own: six gigabytes that nobody installs twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.installed.declared import CORE, ROOMS, ROOT

PARTS = ("setup.py", "pyproject.toml", "README.md", "LICENSE")


@dataclass(frozen=True)
class Environment:
    """A virtual environment with our wheel in it, and a folder to work in."""

    python: Path
    folder: Path

    def run(self, *command: object) -> subprocess.CompletedProcess[str]:
        """One of its programs, or `python -c`; nothing of the checkout is on its path."""
        program, *arguments = map(str, command)
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [self.python.with_name(program), *arguments],
            cwd=self.folder,
            env=clean,
            capture_output=True,
            text=True,
            timeout=300,
        )


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sdist and wheel, made from a copy: building leaves things behind."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for part in PARTS:
        shutil.copy(ROOT / part, source)
    for room in ROOMS:
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", built, source]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stdout[-3000:] + done.stderr[-3000:]
    return built


@pytest.fixture(scope="session")
def whole(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """With everything that the running environment has."""
    return _environment(
        built, tmp_path_factory.mktemp("whole"), [p for p in sys.path if "site-packages" in p]
    )


@pytest.fixture(scope="session")
def core(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """With what `pip install favor-data` brings, and not a package more."""
    folder = tmp_path_factory.mktemp("core")
    packages = folder / "packages"
    packages.mkdir()
    for found in _closure([Requirement(text) for text in CORE]):
        for name in {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}:
            if not (packages / name).exists():
                (packages / name).symlink_to(str(found.locate_file(name)))
    return _environment(built, folder, [str(packages)])


def _environment(built: Path, folder: Path, packages: list[str]) -> Environment:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    [site] = (folder / "venv").glob("lib/python*/site-packages")
    (site / "packages.pth").write_text("\n".join(packages))
    [wheel] = built.glob("*.whl")
    # Another favor-data may lie among the packages: ours comes first on the path.
    options = ["--quiet", "--no-index", "--no-deps", "--ignore-installed"]
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    subprocess.run([*pip, "install", *options, str(wheel)], check=True)
    (folder / "work").mkdir()
    return Environment(python, folder / "work")


def _closure(wanted: list[Requirement]) -> Iterator[Distribution]:
    """The distributions that pip would install for `wanted`, each once."""
    seen: dict[str, set[str]] = defaultdict(set)  # name -> extras, "" for none
    while wanted:
        requirement = wanted.pop()
        found = distribution(requirement.name)
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras} - seen[name]:
            for inner in map(Requirement, found.requires or []):
                if inner.marker is None or inner.marker.evaluate({"extra": extra}):
                    wanted.append(inner)
        if not seen[name]:
            yield found
        seen[name] |= {"", *requirement.extras}
