"""How far sound and pictures lie apart, file by file: this decoder's, decord's and torchcodec's.

python -m benchmarks.alignment --write docs/alignment.md
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.changes import rivals
from benchmarks.changes.family import MEMBERS
from benchmarks.changes.family import make as make_member
from benchmarks.changes.isolated import Alignment, Isolated
from benchmarks.flashes import Shown, full_decode, lag_seconds, number_of
from benchmarks.matrix import CASES, Case, make
from benchmarks.progress import told
from decoders.clips import decode_clips
from decoders.probe import probe
from schemas.grid import SECOND_NS, Grid, Span
from schemas.media import ClipRequest, DecodedClip


def decode_whole(path: Path, decoder: str = "pyav") -> DecodedClip:
    """The whole file as one clip, frames untouched."""
    info = probe(str(path))
    grid = Grid(Span(0, info.duration_ns))
    request = ClipRequest(grid, info.video is not None, info.audio is not None)
    (clip,) = decode_clips(str(path), [request], {"rgb": np.copy}, decoder)
    return clip


def measure(case: Case, path: Path, clip: DecodedClip) -> Alignment:
    """Hold a clip against the truth, and against ffmpeg's full decode."""
    wrong, shift = None, 0.0
    if clip.frames is not None:
        shown = full_decode(path, *case.size)
        wrong = len(wrong_steps(clip, shown))
        shift = float(np.median(picture_shifts(case, clip)))
    lag = None if clip.audio is None else (lag_seconds(clip.audio.waveform, case.seed) - shift) * 1000
    return Alignment(lag, wrong, clip.grid.steps)


def picture_shifts(case: Case, clip: DecodedClip) -> npt.NDArray[np.float64]:
    """Seconds by which each step's frame comes later than it was drawn for."""
    assert clip.frames is not None
    pictures = clip.frames.prepared["rgb"]
    shifts = []
    for row, pts_ns in zip(clip.frames.frame_of_step, clip.frames.pts_ns, strict=True):
        if row >= 0:
            drawn = number_of(upright(case, np.asarray(pictures[row])))
            shifts.append(pts_ns / SECOND_NS - drawn / case.fps)
    return np.array(shifts)


def upright(case: Case, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """As it was drawn."""
    turned = np.rot90(picture, case.turns)
    return turned[:, ::-1] if case.mirrored else turned


def wrong_steps(clip: DecodedClip, shown: Shown) -> list[int]:
    """Steps whose frame is not the one on screen at their instant in ffmpeg's full decode."""
    frames = clip.frames
    assert frames is not None
    pictures = frames.prepared["rgb"] if frames.prepared else []
    zero = _zero(
        frames.pts_ns,
        [np.asarray(pictures[row]) if row >= 0 else None for row in frames.frame_of_step],
        shown,
    )
    times = np.round((shown.pts_seconds - zero) * SECOND_NS)
    wrong = []
    for step, instant in enumerate(clip.grid.frame_times_ns(clip.span.end_ns)):
        row = frames.frame_of_step[step]
        at = int(np.searchsorted(times, instant + 1000, "right")) - 1  # 1 us: the table's rounding
        last = at == len(times) - 1
        usual = float(np.median(np.diff(times))) if len(times) > 1 else SECOND_NS
        if row < 0:
            right = at < 0 or (last and instant >= times[-1] + usual * 0.5)
        else:
            right = at >= 0 and _nearest(np.asarray(pictures[row]), shown) == at
            right = right and not (last and instant > times[-1] + usual * 6)
        if not right:
            wrong.append(step)
    return wrong


def _nearest(picture: npt.NDArray[np.uint8], shown: Shown) -> int:
    thin = shown.pictures[:, ::2, ::2].astype(np.int16)
    return int(np.abs(thin - picture[::2, ::2].astype(np.int16)).mean(axis=(1, 2, 3)).argmin())


def _zero(pts_ns: npt.NDArray[np.int64], pictures: list[npt.NDArray[np.uint8] | None], shown: Shown) -> float:
    """The container's time that our time zero is."""
    for pts, picture in zip(pts_ns, pictures, strict=True):
        if picture is not None:
            return float(shown.pts_seconds[_nearest(picture, shown)] - pts / SECOND_NS)
    return 0.0


def with_decord(case: Case, path: Path) -> Alignment:
    """decord's own readers, its own timestamps."""
    import decord

    shift = 0.0
    if case.video:
        reader = decord.VideoReader(str(path))
        numbers = [number_of(upright(case, reader[i].asnumpy())) for i in range(0, len(reader), 7)]
        starts = reader.get_frame_timestamp(range(len(reader)))[::7, 0]
        shift = float(np.median(starts - np.array(numbers) / case.fps))
    if not case.audio:
        return Alignment(None, None, 0)
    sound = decord.AudioReader(str(path), sample_rate=16_000, mono=True)[:].asnumpy()[0]
    return Alignment((lag_seconds(sound, case.seed) - shift) * 1000, None, 0)


def with_torchcodec(case: Case, path: Path) -> Alignment:
    """torchcodec's decoders, their own timestamps."""
    from torchcodec.decoders import AudioDecoder, VideoDecoder  # type: ignore[import-not-found,unused-ignore]

    shift = 0.0
    if case.video:
        decoder = VideoDecoder(str(path), dimension_order="NHWC")
        chosen = [decoder.get_frame_at(i) for i in range(0, len(decoder), 7)]
        numbers = [number_of(upright(case, frame.data.numpy())) for frame in chosen]
        starts = np.array([frame.pts_seconds for frame in chosen])
        shift = float(np.median(starts - np.array(numbers) / case.fps))
    if not case.audio:
        return Alignment(None, None, 0)
    samples = AudioDecoder(str(path), sample_rate=16_000, num_channels=1).get_all_samples()
    lag = lag_seconds(samples.data[0].numpy(), case.seed) + samples.pts_seconds
    return Alignment((lag - shift) * 1000, None, 0)


def with_us(case: Case, path: Path) -> Alignment:
    """This project's decoder."""
    return measure(case, path, decode_whole(path))


READERS: dict[str, Callable[[Case, Path], Alignment]] = {
    "favor-data": with_us,
    "decord": with_decord,
    "torchcodec": with_torchcodec,
}


def serve(reader: str) -> None:
    """Measure the files named on standard input, `CASE PATH` a line; a line of JSON for each."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a reader prints is not an answer
    for line in sys.stdin:
        name, path = line.split()
        try:
            found = asdict(_measured(reader, name, Path(path)))
        except Exception:  # noqa: BLE001 - another project's reader may fail in any way
            found = {}
        print(json.dumps(found), file=answers, flush=True)


def _measured(reader: str, name: str, path: Path) -> Alignment:
    for case in CASES:
        if case.name == name:
            return READERS[reader](case, path)
    [member] = [member for member in MEMBERS if member.name == name]
    return rivals.READERS[reader](member, path)


def page(folder: Path) -> str:
    """Both tables."""
    readers = [name for name in READERS if name == "favor-data" or importlib.util.find_spec(name)]
    isolated = {name: Isolated(name) for name in readers}
    try:
        return matrix_table(folder, isolated, _missing(readers)) + family_table(folder, isolated)
    finally:
        for reader in isolated.values():
            reader.close()


def family_table(folder: Path, isolated: Mapping[str, Isolated]) -> str:
    """A row a member of the family; this decoder's with one decoder and with two."""
    others = [name for name in isolated if name != "favor-data"]
    lines = [
        f"| file | favor-data, ms | {' | '.join(f'{name}, ms' for name in others)} "
        f"| wrong frames | {' | '.join(f'of {name}' for name in others)} |",
        f"|---|{'---:|' * (2 + 2 * len(others))}",
    ]
    right = 0
    for member in told("file that changes", MEMBERS, lambda member: member.name):
        path = make_member(member, folder)
        found = {name: reader.measure(member.name, path) for name, reader in isolated.items()}
        both = [found["favor-data"], rivals.ours(member, path, 2)]
        right += all(isinstance(one, Alignment) and not one.wrong_frames for one in both)
        sounds = " | ".join(_cell(found[name]) for name in ["favor-data", *others])
        frames = " | ".join(_frames(found[name]) for name in others)
        lines.append(f"| {member.name} | {sounds} | {' and '.join(map(_frames, both))} | {frames} |")
        path.unlink()
    return FAMILY_HEAD.format(files=len(MEMBERS), right=right) + "\n".join(lines) + "\n"


def _frames(found: Alignment | str) -> str:
    return "" if isinstance(found, str) or found.wrong_frames is None else str(found.wrong_frames)


def matrix_table(folder: Path, isolated: Mapping[str, Isolated], missing: str) -> str:
    """A row a file of the matrix."""
    readers = list(isolated)
    lines = [
        f"| file | {' | '.join(f'{name}, ms' for name in readers)} | wrong frames | allowed, ms |",
        f"|---|{'---:|' * (len(readers) + 2)}",
    ]
    worst = 0.0
    for case in told("file", CASES, lambda case: case.name):
        path = make(case, folder)
        found = {name: reader.measure(case.name, path) for name, reader in isolated.items()}
        ours = found["favor-data"]
        assert isinstance(ours, Alignment), (case.name, ours)
        if ours.sound_ms is not None and case.tolerance_ms < 10:
            worst = max(worst, abs(ours.sound_ms))
        cells = " | ".join(_cell(found[reader]) for reader in readers)
        frames = "" if ours.wrong_frames is None else f"{ours.wrong_frames} of {ours.steps}"
        allowed = f"{case.tolerance_ms:.0f}" if ours.sound_ms is not None else ""
        lines.append(f"| {case.name} | {cells} | {frames} | {allowed} |")
    head = HEAD.format(files=len(CASES), worst=worst, missing=missing)
    return head + "\n".join(lines) + "\n"


def _missing(readers: list[str]) -> str:
    absent = [name for name in READERS if name not in readers]
    return f" {', '.join(absent)} was not installed where this table was made." if absent else ""


def _cell(found: Alignment | str) -> str:
    if isinstance(found, str):
        return found
    if found.sound_ms is None:
        return ""
    return f"{found.sound_ms:+.1f}" if abs(found.sound_ms) < 60_000 else "nonsense"


HEAD = """# How far apart sound and pictures are

Written by `python -m benchmarks.alignment --write docs/alignment.md`; not to be edited by hand.

{files} files, made by the ffmpeg command: every frame shows its own number, a chirp sounds at random
instants. A cell says by how many milliseconds a reader's sound comes later than its pictures (files without
pictures: than time zero), by the timestamps which that reader itself gives. "Wrong frames" counts the grid's
steps whose frame is not the one that the ffmpeg command's full decode shows at that instant. Where the
container records its timing the largest error of this decoder is {worst:.1f} ms.{missing}

Where it does not (AVI, FLV, MPEG-PS, ASF, bare streams), the encoder's delay cannot be told from sound: AAC
primes 1024 samples (21 ms at 48 kHz), LAME 576 + 529 (23 ms), MP2 481 (10 ms). "Allowed" says so.

"""


FAMILY_HEAD = """
## Media that change in mid-stream

{files} files of eight seconds (benchmarks/changes): half way another picture size, profile, palette, sample
rate or number of channels comes, or time begins again (joined, chained, restarted), or the first keyframe is
missing; keyframes are 5, 30 or 250 frames apart. Frames carry their numbers, every second of sound its own
tone and chirp. {right} are right with one decoder and with two: no frame that was not drawn for its time, and
each half's sound with its pictures (within 5 ms; 60 ms where the container does not record the encoder's
delay). A cell says by how many milliseconds the sound of a half comes later than its pictures, at most;
"wrong frames", of 16 steps, counts those of this decoder with one and with two decoders, and the others'.

"""


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE")
    parser.add_argument("--serve", metavar="READER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    with tempfile.TemporaryDirectory() as folder:
        text = page(Path(folder))
    if arguments.write:
        arguments.write.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
