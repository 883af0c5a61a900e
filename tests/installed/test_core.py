"""Whoever only trains installs no Beam, no codec and no encoder: `pip install favor-data` without extras."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from packaging.requirements import Requirement

from pipelines.commands import command
from tests.installed.conftest import Environment
from tests.installed.declared import CORE, EXTRAS, ROOT
from tests.installed.test_wheel import READ

IMPORTS = {
    "apache-beam": "apache_beam",
    "faiss-cpu": "faiss",
    "huggingface-hub": "huggingface_hub",
    "openai-whisper": "whisper",
    "pillow": "PIL",
    "pillow-heif": "pillow_heif",
    "pillow-jxl-plugin": "pillow_jxl",
    "silero-vad": "silero_vad",
}


def modules(requirements: list[str]) -> set[str]:
    names = {Requirement(text).name for text in requirements}
    return {IMPORTS.get(name, name) for name in names}


def test_nothing_that_builds_is_there(core: Environment) -> None:
    builds = modules(EXTRAS["build"]) - modules(CORE) - {"jinja2"}  # which torch brings
    assert {"apache_beam", "av", "transformers"} <= builds <= set(command.EXTRAS)
    code = f"from importlib.util import find_spec; print([name for name in {builds} if find_spec(name)])"
    assert core.run("python", "-c", code).stdout == "[]\n"


def test_all_that_reading_needs_is_there(core: Environment) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--python", core.python, "check"], capture_output=True, text=True
    )
    assert not done.returncode, done.stdout


def test_every_module_of_the_readers_imports(core: Environment) -> None:
    code = """
import importlib, pkgutil
for room in ("schemas", "storage", "loaders"):
    package = importlib.import_module(room)
    for module in pkgutil.walk_packages(package.__path__, room + "."):
        if not module.name.startswith("loaders.libraries."):  # each needs the library that calls it
            importlib.import_module(module.name)
"""
    done = core.run("python", "-c", code)
    assert not done.returncode, done.stderr


def test_a_corpus_is_read_in_batches(core: Environment) -> None:
    shutil.copytree(ROOT / "tests" / "golden" / "1" / "grown", core.folder / "grown")
    done = core.run("python", "-c", READ, "grown")
    assert not done.returncode, done.stderr
    shapes = json.loads(done.stdout)["shapes"]
    assert shapes["silent.mp4"] == {"clip": [1, 1, 768]}
    assert shapes["voice.flac"] == {"whisper": [1, 25, 384]}


@pytest.mark.parametrize("arguments", [["build", "media", "--output", "corpus"], ["pack", "corpus"]])
def test_what_needs_more_says_so_in_one_line(arguments: list[str], core: Environment) -> None:
    done = core.run("favor-data", *arguments)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "pip install 'favor-data[build]'" in line
