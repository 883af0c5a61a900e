"""The alignment task runs from clips to its table, on data as released too."""

import json
import sys
from unittest import mock

from examples.favor.alignment import SHIFTS, main


def test_it_runs_on_features_as_released(tmp_path):
    few = ["--train-clips", "2", "--test-clips", "2", "--pairings", "0", "--epochs", "1", "--batch-size", "2"]
    with mock.patch.object(sys, "argv", ["alignment", "--work", str(tmp_path), "--like", "favor", *few]):
        main()
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["samples"] == {"train": 2, "held out": 2}
    assert [int(shift) for shift in results["shifts"]] == list(SHIFTS)
    said = json.loads((tmp_path / "corpus" / "corpus.json").read_text())["options"]
    assert (said["like"], said["frame_at"], said["audio_tail"]) == ("favor", "favor", True)
    assert sorted(said["columns"]) == ["clip_prompted", "whisper"]
