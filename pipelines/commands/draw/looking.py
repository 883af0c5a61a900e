"""What one sample looks and sounds like: out of its shards, or from sources of the same digest."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from decoders.cores import cores
from decoders.limits import Limits
from decoders.processes.pool import DecoderPool
from decoders.processes.worker import DecodeJob
from pipelines.storage.reading import reading
from report.sheet import Medium
from report.thumbnail import thumbnail
from schemas.grid import FrameAt, Grid, Span
from schemas.media import ClipRequest, DecodedClip
from schemas.reasons import MediaError
from schemas.rows import Row
from schemas.sample import Source
from schemas.shard import read_extent
from schemas.state import ANNOTATIONS
from storage import files

Waveform = npt.NDArray[np.float32]


class Looked(NamedTuple):
    """`record`: KEY.json; `said`: conversations and metadata; `words`: of KEY.words.json."""

    record: Mapping[str, Any]
    said: Mapping[str, Any]
    words: list[Mapping[str, Any]]
    medium: Medium
    members: dict[str, int]  # name -> bytes


class Looker:
    """Reads samples of one corpus, from any thread; decodes in processes of their own. Close it."""

    def __init__(self, output: str, options: Mapping[str, Any]) -> None:
        self._output = output
        self._frame_at = FrameAt(options["frame_at"])
        self._track = str(options.get("audio_track", ""))
        self._pool = DecoderPool(cores(), Limits())

    def close(self) -> None:
        self._pool.close()

    def look(self, row: Row) -> Looked:
        """One row of the index.

        Raises:
            StorageError, FileNotFoundError: a shard cannot be read.
        """
        members: dict[str, bytes] = {}
        for extent in (row, *row["columns"]):
            if extent["size"]:
                path = files.join(self._output, *extent["shard"].split("/"))
                members |= read_extent(files.read_range(path, extent["offset"], extent["size"]))
        record = json.loads(members["json"])
        said: Mapping[str, Any] = record
        if any(layer["column"] == ANNOTATIONS for layer in row["columns"]):
            said = {k: json.loads(text) for k, text in json.loads(members["annotations.json"]).items()}
        words = json.loads(members["words.json"])["words"] if "words.json" in members else []
        sizes = {name: len(content) for name, content in sorted(members.items())}
        return Looked(record, said, words, self._medium(row, record, members), sizes)

    def _medium(self, row: Row, record: Mapping[str, Any], members: Mapping[str, bytes]) -> Medium:
        frames = {
            int(name.removeprefix("frame_").removesuffix(".jpg")): content
            for name, content in members.items()
            if name.startswith("frame_")
        }
        waveform = self._kept_sound(row, members["flac"]) if "flac" in members else None
        image, uris, notes = bool(row["uris"]["image"]), row["uris"], []
        missing = ["image" if image else "video"] if not frames and any(record["visual_mask"]) else []
        if waveform is None and any(record["audio_mask"]):
            missing.append("audio")
        together = missing == ["video", "audio"] and uris["video"] == uris["audio"]
        for modalities in [missing] if together else [[one] for one in missing]:
            found = self._from_source(row, modalities)
            if isinstance(found, str):
                notes.append(found)
                continue
            if found.frames is not None:
                pictures = found.frames.prepared["thumbnail"]
                places = enumerate(found.frames.frame_of_step.tolist())
                frames = {step: bytes(pictures[at]) for step, at in places if at >= 0}
            if found.audio is not None:
                waveform = found.audio.waveform.copy()
        if image and 0 in frames:  # held through its sound
            frames = dict.fromkeys(range(row["steps"]), frames[0])
        return Medium(frames, waveform, " ".join(dict.fromkeys(notes)))

    def _kept_sound(self, row: Row, flac: bytes) -> Waveform | None:
        with tempfile.NamedTemporaryFile(suffix=".flac", prefix="favor-data-") as file:
            file.write(flac)
            file.flush()
            grid = Grid(Span(0, row["end_ns"] - row["start_ns"]))
            job = DecodeJob(file.name, (ClipRequest(grid, frames=False, audio=True),), resampled=False)
            [decoded] = self._pool.submit(job)
        return None if decoded.audio is None else decoded.audio.waveform.copy()

    def _from_source(self, row: Row, modalities: Sequence[str]) -> DecodedClip | str:
        """Of one file; or why not, for people."""
        uri, image = row["uris"][modalities[0]], "image" in modalities
        digest = Source.of_content(uri, row["digests"][modalities[0]]).sha256
        grid = Grid(Span(row["start_ns"], row["end_ns"]), self._frame_at)
        request = ClipRequest(
            Grid(Span(0, grid.span.duration_ns)) if image else grid,
            frames=modalities[0] != "audio",
            audio="audio" in modalities,
        )
        try:
            with reading(uri) as copy:
                if copy.sha256() == digest:
                    job = DecodeJob(
                        str(Path(copy.path).absolute()),
                        (request,),
                        {"thumbnail": thumbnail},
                        audio_track=self._track,
                        is_image=image,
                        resampled=request.audio,
                    )
                    [decoded] = self._pool.submit(job)
                    return decoded
                why = "has other bytes now than when it was built"
        except MediaError as error:
            why = f"cannot be had here ({error})"
        return f"{uri} {why}: no {' and no '.join(modalities)} of it is shown."
