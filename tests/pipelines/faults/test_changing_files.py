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

Act = Callable[[str], None]  # told the path of the file that it is the turn of


Film = tuple[Path, Path]  # as it was, and what it may become


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Film]:
    """For every act two films of one length, one turned upside down; and one that nobody touches."""
    folder = tmp_path_factory.mktemp("versions")
    made = {}
    for number, name in enumerate([*(act.__name__ for act in ACTS), "untouched"]):
        turned = f"hue=h={50 * number}"
        for version, pictured in (("old", turned), ("new", f"{turned},vflip")):
            (folder / version).mkdir(exist_ok=True)
            options = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "12", "-movflags", "+faststart"]
            ffmpeg(*pictures(3), "-vf", pictured, *options, str(folder / version / f"{name}.mp4"))
        made[name] = folder / "old" / f"{name}.mp4", folder / "new" / f"{name}.mp4"
    return made


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


ACTS = (replaced, truncated, appended, deleted)


def after_listing(patch: pytest.MonkeyPatch, act: Act) -> None:
    real = _Probe.process

    def process(self: Any, element: Any) -> Iterator[Any]:
        act(element[0])
        return real(self, element)

    patch.setattr(_Probe, "process", process)


def around_the_probe(before: bool) -> Callable[[pytest.MonkeyPatch, Act], None]:
    def arrange(patch: pytest.MonkeyPatch, act: Act) -> None:
        real = DecoderPool.probe

        def probe(self: DecoderPool, path: str, audio_track: str = "") -> Any:
            if before:
                act(path)
            try:
                return real(self, path, audio_track)
            finally:
                if not before:
                    act(path)

        patch.setattr(DecoderPool, "probe", probe)

    return arrange


def before_decoding(patch: pytest.MonkeyPatch, act: Act) -> None:
    real = DecodeMedia._start

    def start(self: DecodeMedia, running: Any) -> None:
        act(running.uri)
        real(self, running)

    patch.setattr(DecodeMedia, "_start", start)


def while_decoding(patch: pytest.MonkeyPatch, act: Act) -> None:
    """After its first clip."""
    real = DecodeTicket.__next__

    def take(self: DecodeTicket) -> Any:
        clip = real(self)
        if clip.grid.span.start_ns:
            act(self.job.path)
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
    versions: dict[str, Film], features: list[str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[np.ndarray]]:
    """Of every version that a film may come to have."""
    folder = tmp_path_factory.mktemp("reference")
    for name, (old, new) in versions.items():
        for act in (replaced, truncated, appended):
            if act.__name__ == name:
                shutil.copy2(old, folder / f"{name}.mp4")
                act(folder / f"{name}.mp4", new)
        shutil.copy2(old, folder / f"old {name}.mp4")
    assert build(folder, folder / "out", features) == 0
    return features_of(folder / "out")


@pytest.mark.parametrize("moment", MOMENTS)
def test_one_whole_version_or_a_row(
    moment: str,
    versions: dict[str, Film],
    reference: dict[str, list[np.ndarray]],
    features: list[str],
    tmp_path: Path,
) -> None:
    """All four acts at one moment, on a film each."""
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for old, _ in versions.values():
        shutil.copy2(old, folder)
    waiting = {str(folder / f"{act.__name__}.mp4"): act for act in ACTS}

    def once(path: str) -> None:
        if act := waiting.pop(path, None):
            act(Path(path), versions[act.__name__][1])

    with pytest.MonkeyPatch.context() as patch:
        MOMENTS[moment](patch, once)
        assert build(folder, output, features) == 0
    assert not waiting, "the moment never came"
    found = features_of(output)
    for name, arrays in found.items():
        assert any(same(arrays, reference[name][first:]) for first in range(len(reference[name]))), name
    ledger = pd.read_parquet(output / "ledger.parquet").set_index("input")
    for act in ACTS:
        row = ledger.loc[str(folder / f"{act.__name__}.mp4")]
        assert is_whole(row, found, reference) or row.reason in ("changed", "not_found"), row

    for old, _ in versions.values():
        shutil.copy2(old, folder)  # with the time that it had
    assert build(folder, output, features) == 0
    restored = features_of(output)
    for old, _ in versions.values():
        name = hashlib.sha256(old.read_bytes()).hexdigest()
        assert len(restored[name]) == len(reference[name])
        assert same(restored[name], reference[name])
    assert main(["verify", str(output)]) == 0


def is_whole(row: Any, found: dict[str, Any], reference: dict[str, Any]) -> bool:
    """Whether all of one version is there; what is lost in part has a reason for each span."""
    gone = [span for span in row.outcomes if span["reason"]]
    if row.status != "done" or gone:
        return bool(gone) and all(span["reason"] in ("changed", "not_found") for span in gone)
    return all(len(found[name]) == len(reference[name]) for name in found)


def same(made: list[np.ndarray], wanted: list[np.ndarray]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(made, wanted, strict=False))
