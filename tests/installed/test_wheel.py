"""The wheel from a clean environment outside the checkout: what a user has after `pip install`."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import imageio_ffmpeg
import pytest

from tests.installed.conftest import Environment
from tests.installed.declared import ARGUMENTS, ROOMS, ROOT

SMOKE = ["--whisper", "random:tiny", "--clip", "random:vit-b-32", "--clip-tokens", "cls", "--device", "cpu"]
READ = """
import json, sys
from pathlib import Path
from loaders.corpus import open_corpus
from loaders.loader import CorpusLoader
[batch] = CorpusLoader(open_corpus(sys.argv[1]), 8)
shapes = {sample.id: {name: list(f.shape) for name, f in sample.features.items()} for sample in batch}
print(json.dumps({"shapes": shapes, "from": sorted({str(Path(m.__file__).parent) for name, m in
      sys.modules.items() if name.partition(".")[0] in ("loaders", "schemas") and m.__file__})}))
"""


def test_the_registry_would_take_both(built: Path) -> None:
    files = sorted(built.iterdir())
    assert [file.name.rpartition(".")[2] for file in files] == ["whl", "gz"]
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *files], capture_output=True, text=True
    )
    assert not done.returncode, done.stdout


def test_the_wheel_holds_the_rooms_and_the_license(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
    inside = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert inside == set(ROOMS)
    for room in ROOMS:
        here = {str(path.relative_to(ROOT)) for path in (ROOT / room).rglob("*.py")}
        assert here == {name for name in names if name.startswith(f"{room}/") and name.endswith(".py")}
        assert ((ROOT / room / "py.typed").exists()) == (f"{room}/py.typed" in names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_it_builds_verifies_and_opens_a_corpus(whole: Environment) -> None:
    media = whole.folder / "media"
    media.mkdir()
    sources = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10", "-f", "lavfi", "-i", "sine"]
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", *sources, "-t", "1"]
    subprocess.run([*ffmpeg, "-c:v", "libx264", "-c:a", "aac", media / "clip.mp4"], check=True)

    done = whole.run("favor-data", "build", "media", "--output", "corpus", *SMOKE)
    assert done.returncode == 0, done.stderr
    done = whole.run("favor-data", "verify", "corpus")
    assert done.returncode == 0, done.stdout
    done = whole.run("python", "-c", READ, "corpus")
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    assert read["shapes"] == {"clip.mp4": {"whisper": [2, 25, 384], "clip": [2, 1, 768]}}
    assert all(Path(folder).is_relative_to(whole.python.parents[1]) for folder in read["from"])


@pytest.mark.parametrize("program", [["favor-data"], ["python", "-m", "pipelines"]])
def test_it_says_which_it_is(program: list[str], whole: Environment) -> None:
    assert whole.run(*program, "--version").stdout == f"favor-data {ARGUMENTS['version']}\n"
