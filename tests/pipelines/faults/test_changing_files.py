"""A file that changes while it is read: one whole version of it is in the corpus, or a row says why not."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from decoders.processes.pool import DecoderPool, DecodeTicket
from pipelines.commands.command import main
from pipelines.steps.decode import DecodeMedia
from pipelines.steps.probe import _Probe
from schemas.shard import npy_array

from ..conftest import ffmpeg, pictures

Act = Callable[[], None]


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two films of one length, one turned upside down."""
    folder = tmp_path_factory.mktemp("versions")
    ffmpeg(*pictures(3), "-c:v", "libx264", "-g", "12", "-movflags", "+faststart", str(folder / "old.mp4"))
    ffmpeg(
        *pictures(3),
        "-vf",
        "vflip",
        "-c:v",
        "libx264",
        "-g",
        "12",
        "-movflags",
        "+faststart",
        str(folder / "new.mp4"),
    )
    return folder / "old.mp4", folder / "new.mp4"


@pytest.fixture
def film(versions: tuple[Path, Path], tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    shutil.copy2(versions[0], tmp_path / "in" / "film.mp4")
    shutil.copy2(versions[1], tmp_path / "in" / "other.mp4")  # one that nobody touches
    return tmp_path / "in" / "film.mp4"


def replaced(film: Path, new: Path) -> None:
    """In size and time too, what can be told by neither."""
    status = film.stat()
    shutil.copy(new, film.with_suffix(".part"))
    with film.with_suffix(".part").open("ab") as stream:
        stream.truncate(status.st_size)
    film.with_suffix(".part").replace(film)
    os.utime(film, ns=(status.st_atime_ns, status.st_mtime_ns))


def truncated(film: Path, new: Path) -> None:
    os.truncate(film, film.stat().st_size // 2)


def appended(film: Path, new: Path) -> None:
    with film.open("ab") as stream:
        stream.write(new.read_bytes())


def deleted(film: Path, new: Path) -> None:
    film.unlink()


def after_listing(patch: pytest.MonkeyPatch, film: Path, act: Act) -> None:
    real = _Probe.process

    def process(self: Any, element: Any) -> Iterator[Any]:
        if element[0] == str(film):
            act()
        return real(self, element)

    patch.setattr(_Probe, "process", process)


def around_the_probe(before: bool) -> Callable[[pytest.MonkeyPatch, Path, Act], None]:
    def arrange(patch: pytest.MonkeyPatch, film: Path, act: Act) -> None:
        real = DecoderPool.probe

        def probe(self: DecoderPool, path: str, audio_track: str = "") -> Any:
            if before and path == str(film):
                act()
            try:
                return real(self, path, audio_track)
            finally:
                if not before and path == str(film):
                    act()

        patch.setattr(DecoderPool, "probe", probe)

    return arrange


def before_decoding(patch: pytest.MonkeyPatch, film: Path, act: Act) -> None:
    real = DecodeMedia._start

    def start(self: DecodeMedia, running: Any) -> None:
        if running.uri == str(film):
            act()
        real(self, running)

    patch.setattr(DecodeMedia, "_start", start)


def while_decoding(patch: pytest.MonkeyPatch, film: Path, act: Act) -> None:
    """After its first clip."""
    real = DecodeTicket.__next__

    def take(self: DecodeTicket) -> Any:
        clip = real(self)
        if self.job.path == str(film) and clip.grid.span.start_ns:
            act()
        return clip

    patch.setattr(DecodeTicket, "__next__", take)


MOMENTS = {
    "after the listing": after_listing,
    "after the digest": around_the_probe(before=True),
    "after the probe": around_the_probe(before=False),
    "before decoding": before_decoding,
    "while decoding": while_decoding,
}


def features_of(output: Path) -> dict[str, list[np.ndarray]]:
    """Digest of the film that the index names -> its features, in order of time."""
    index = pd.read_parquet(output / "index.parquet").sort_values("start_ns")
    found: dict[str, list[np.ndarray]] = {}
    for row in index.itertuples():
        with (output / row.shard).open("rb") as stream:
            stream.seek(row.offset)
            record = stream.read(row.size)
        begin = record.index(b"\x93NUMPY")
        found.setdefault(row.digests["video"][:64], []).append(npy_array(record[begin:]))
    return found


def build(folder: Path, output: Path, features: list[str]) -> int:
    return main(["build", str(folder), "--output", str(output), *features, "--clip-seconds", "1"])


@pytest.fixture(scope="module")
def reference(
    versions: tuple[Path, Path], features: list[str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[np.ndarray]]:
    """Of every version that a film may come to have."""
    folder = tmp_path_factory.mktemp("reference")
    for act in (replaced, truncated, appended):
        shutil.copy2(versions[0], folder / f"{act.__name__}.mp4")
        act(folder / f"{act.__name__}.mp4", versions[1])
    for path in versions:
        shutil.copy2(path, folder)
    assert build(folder, folder / "out", features) == 0
    return features_of(folder / "out")


CASES = [
    (replaced, "after the listing"),
    (replaced, "after the digest"),
    (replaced, "before decoding"),
    (replaced, "while decoding"),
    (truncated, "while decoding"),
    (appended, "after the probe"),
    (deleted, "after the digest"),
    (deleted, "while decoding"),
]


@pytest.mark.parametrize(("act", "moment"), CASES, ids=lambda value: getattr(value, "__name__", value))
def test_one_whole_version_or_a_row(
    act: Callable[[Path, Path], None],
    moment: str,
    film: Path,
    versions: tuple[Path, Path],
    reference: dict[str, list[np.ndarray]],
    features: list[str],
    tmp_path: Path,
) -> None:
    done: list[int] = []

    def once() -> None:
        if not done:
            done.append(1)
            act(film, versions[1])

    output = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        MOMENTS[moment](patch, film, once)
        assert build(film.parent, output, features) == 0
    assert done, "the moment never came"
    found = features_of(output)
    for name, arrays in found.items():
        assert any(same(arrays, reference[name][first:]) for first in range(len(reference[name]))), name
    ledger = pd.read_parquet(output / "ledger.parquet").set_index("input")
    row = ledger.loc[str(film)]
    whole = [name for name in found if len(found[name]) == len(reference[name])]
    said = f"{row.reason} {row.detail}"
    assert len(whole) == 2 or "changed" in said or "not_found" in said, row

    shutil.copy2(versions[0], film)  # with the time that it had
    assert build(film.parent, output, features) == 0
    restored = features_of(output)
    for path in versions:
        name = hashlib.sha256(path.read_bytes()).hexdigest()
        assert len(restored[name]) == len(reference[name])
        assert same(restored[name], reference[name])
    assert main(["verify", str(output)]) == 0


def same(made: list[np.ndarray], wanted: list[np.ndarray]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(made, wanted, strict=False))
