import hashlib
from pathlib import Path

import apache_beam as beam
from apache_beam.testing.util import assert_that

from decoders.limits import Limits
from pipelines.records import Probed, Rejection
from pipelines.steps.probe import ProbeMedia
from pipelines.storage.cache import Cache
from schemas.manifest import InputRow
from schemas.reasons import Reason, Stage

from .conftest import in_process


def test_each_file_is_probed_once_however_many_rows_name_it(
    media: Path, tmp_path: Path, cache: Cache
) -> None:
    talk, broken, absent = str(media / "talk.mp4"), str(tmp_path / "broken.mp4"), str(tmp_path / "absent.mp4")
    Path(broken).write_bytes(b"not media at all" * 100)
    named = (talk, talk, broken, absent)
    rows = [InputRow(input=f"{number}", id="x", media=uri) for number, uri in enumerate(named)]

    def check(found: list[tuple[str, Probed | Rejection]]) -> None:
        assert sorted(uri for uri, _ in found) == sorted([talk, broken, absent])
        probes = dict(found)
        assert probes[talk].sha256 == hashlib.sha256(Path(talk).read_bytes()).hexdigest()
        assert (probes[talk].info.video.width, probes[talk].info.audio.channels) == (160, 1)
        assert (probes[broken].stage, probes[broken].reason) == (Stage.PROBE, Reason.NOT_MEDIA)
        assert probes[absent].reason == Reason.NOT_FOUND

    for _ in range(2):  # the second time from the memo
        with in_process() as pipeline:
            assert_that(pipeline | beam.Create(rows) | ProbeMedia(cache, Limits()), check)
    assert len(list(Path(cache.root).rglob("*.probe"))) == 1
