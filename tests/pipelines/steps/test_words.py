from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.util import assert_that, equal_to

from featurizers.errors import ModelUnavailable
from pipelines.build import prepare
from pipelines.metrics.progress import Progress
from pipelines.products import WORDS
from pipelines.settings import Settings
from pipelines.steps.words import FindWords
from pipelines.tasks import Hearing, Piece
from schemas.grid import Grid, Span

from ..conftest import WHISPER, ffmpeg, speech
from .conftest import in_process

THIRTY_S = 30_000_000_000


def test_a_files_words_are_in_the_cache_once_its_last_piece_is_heard(tmp_path: Path) -> None:
    ffmpeg(*speech("0880"), "-ac", "1", "-ar", "16000", "-f", "f32le", str(tmp_path / "sound"))
    sound = np.fromfile(tmp_path / "sound", np.float32)
    silence = np.zeros(480_000 - len(sound), np.float32)
    asked = Settings(
        output=str(tmp_path / "out"), whisper=WHISPER, clip="none", transcribe=True, device="cpu"
    )
    build = prepare(asked, Progress(None))
    assert build.transcription is not None
    pieces = tuple(Grid(Span(at * THIRTY_S, (at + 1) * THIRTY_S)) for at in range(2))
    hearing = Hearing("5" * 64, ("a", "b"), 60.0, pieces)
    given = [
        (Piece(hearing, 0), np.concatenate([sound, silence])),
        (Piece(hearing, 1), np.zeros(480_000, np.float32)),
    ]
    with in_process() as pipeline:
        # One element, so that no runner takes the pieces of a file out of their order.
        heard = pipeline | beam.Create([given]) | "In order" >> beam.FlatMap(lambda several: several)
        found = heard | FindWords.step(build, build.transcription)
        assert_that(found, equal_to([("a", None), ("b", None)]))
    content = build.cache.get(hearing.key, WORDS)
    assert b"man" in content.lower()


def test_weights_that_know_no_words_are_refused_before_anything_runs(tmp_path: Path) -> None:
    asked = Settings(output=str(tmp_path), whisper="random:tiny", clip="none", transcribe=True, device="cpu")
    with pytest.raises(ModelUnavailable, match="knows no words"):
        prepare(asked, Progress(None))
