"""The same bytes on every engine: what is not on this machine is skipped, and the reason said.

Starts Java and Go programs and takes minutes: runs where FAVOR_DATA_ENGINES names engines, as
FAVOR_DATA_ENGINES=two-processes,prism,flink.
"""

import os
from pathlib import Path

import pytest

from runners.__main__ import LIGHT
from runners.build import digests, start
from runners.clips import make_clips
from runners.engines import ENGINES
from runners.shuffle import moved
from runners.tools import Unavailable

ASKED = [name for name in os.environ.get("FAVOR_DATA_ENGINES", "").split(",") if name]

if not ASKED:
    pytest.skip("FAVOR_DATA_ENGINES names no engine (Flink needs Java, Prism Go)", allow_module_level=True)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    make_clips(folder, 18)
    return folder


@pytest.fixture(scope="module")
def reference(media: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    build = start(media, tmp_path_factory.mktemp("reference") / "corpus", LIGHT)
    assert build.wait(600) == 0, build.log.read_text()
    return digests(build.output)


@pytest.mark.parametrize("engine", ASKED)
def test_same_bytes(engine: str, media: Path, reference: dict[str, str], tmp_path: Path) -> None:
    try:
        with ENGINES[engine](tmp_path / "run") as arguments:
            build = start(media, tmp_path / "corpus", LIGHT + arguments)
            assert build.wait(600) == 0, build.log.read_text()
    except Unavailable as error:
        pytest.skip(str(error))
    assert digests(build.output) == reference
    if engine == "flink":
        assert (
            0
            < moved(tmp_path / "run" / "archive").shuffled
            < moved(tmp_path / "run" / "archive").between_tasks
        )
