"""The family through other people's readers, by their own ways to a time's frame and to the sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.changes.family import Change, Member
from benchmarks.changes.isolated import Alignment
from benchmarks.changes.judge import PADDING_S, decode, judge, right
from benchmarks.changes.source import FPS, HALF, SECONDS, Waveform, lag_seconds, number_of

CENTRES = [step * 0.5 + 0.25 for step in range(2 * SECONDS)]


def ours(member: Member, path: Path, decoders: int = 1) -> Alignment:
    """This project's decoder; a file that is not right counts all of its steps as wrong."""
    verdict = judge(member, decode(path, decoders))
    wrong = verdict.wrong_frames if right(member, verdict) else verdict.steps
    return Alignment(verdict.sound_ms, wrong if wrong or member.format.video else None, verdict.steps)


def with_decord(member: Member, path: Path) -> Alignment:
    """decord: its frames' own timestamps, its sound from its beginning."""
    import decord

    shown: list[tuple[int, float]] = []
    if member.format.video:
        reader = decord.VideoReader(str(path))
        starts = reader.get_frame_timestamp(range(len(reader)))[:, 0]
        for centre in CENTRES:
            index = max(0, int(np.searchsorted(starts, centre, "right")) - 1)
            shown.append((number_of(reader[index].asnumpy()), float(starts[index])))
    sound = None
    if member.format.audio:
        sound = decord.AudioReader(str(path), sample_rate=16_000, mono=True)[:].asnumpy()[0]
    return _held(member, shown, sound, 0.0)


def with_torchcodec(member: Member, path: Path) -> Alignment:
    """torchcodec: the frame played at each step's centre, the sound from where it says that it begins."""
    from torchcodec.decoders import AudioDecoder, VideoDecoder  # type: ignore[import-not-found,unused-ignore]

    shown: list[tuple[int, float]] = []
    if member.format.video:
        decoder = VideoDecoder(str(path), dimension_order="NHWC")
        begin, end = decoder.metadata.begin_stream_seconds, decoder.metadata.end_stream_seconds
        for centre in CENTRES:
            if begin + centre < end:
                frame = decoder.get_frame_played_at(begin + centre)
                shown.append((number_of(frame.data.numpy()), frame.pts_seconds))
            else:
                shown.append((-1, begin + centre))
    sound, late = None, 0.0
    if member.format.audio:
        samples = AudioDecoder(str(path), sample_rate=16_000, num_channels=1).get_all_samples()
        sound, late = samples.data[0].numpy(), samples.pts_seconds
    return _held(member, shown, sound, late)


def _held(
    member: Member, shown: Sequence[tuple[int, float]], sound: Waveform | None, late: float
) -> Alignment:
    """Against what was drawn, by the reader's own clock: the median of the first half's frames sets it."""
    first = [pts - number / FPS for number, pts in shown if 0 <= number < HALF * FPS]
    base = float(np.median(first)) if first else late
    wrong = sum(number < 0 or not -0.01 < pts - number / FPS - base < PADDING_S for number, pts in shown)
    lags = []
    for second in range(SECONDS):
        if sound is not None:
            around = 0.0 if shown else late
            lags.append(lag_seconds(sound, second, 0.0) + late - (base if shown else around))
    worst = max(lags, key=abs) * 1000 if lags else None
    if member.change is Change.LOST and shown:
        wrong = min(wrong, sum(number < 0 for number, _ in shown))
    return Alignment(worst, wrong if member.format.video else None, len(CENTRES))


READERS: dict[str, Callable[[Member, Path], Alignment]] = {
    "favor-data": ours,
    "decord": with_decord,
    "torchcodec": with_torchcodec,
}
