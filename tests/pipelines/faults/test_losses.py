"""A film of which a part is lost: ledger, summary and exit status agree, and --retry finds it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from featurizers.vision.encoder import VisionEncoder
from pipelines.commands.command import main


def row_of(output: Path) -> Any:
    [row] = pd.read_parquet(output / "ledger.parquet").itertuples()
    return row


def test_a_loss_in_part_is_said_counted_and_retried(
    media: Path, features: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy2(media / "transport.ts", tmp_path / "film.ts")
    output = tmp_path / "out"
    command = ["build", str(tmp_path / "film.ts"), "--output", str(output), *features, "--clip-seconds", "1"]
    real = VisionEncoder.encode
    first: list[np.ndarray] = []

    def encode(self: VisionEncoder, inputs: Sequence[np.ndarray]) -> Any:
        first[:] = first or [inputs[0]]
        if any(np.array_equal(item, first[0]) for item in inputs):
            raise RuntimeError("no such luck")
        return real(self, inputs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VisionEncoder, "encode", encode)
        assert main(command) == 0
    said = capsys.readouterr().out
    assert "1: 1 done (1 in part), 0 rejected" in said
    assert "in part   film.ts: 1 of 3 spans gave no sample: encoder_failed" in said
    row = row_of(output)
    assert row.status == "done"
    assert sorted(str(span["reason"]) for span in row.outcomes) == ["None", "None", "encoder_failed"]
    assert len(row.keys) == 2

    assert main([*command, "--max-rejected", "33%"]) == 4
    assert "(encoder_failed 1)" in capsys.readouterr().err
    assert main([*command, "--retry", "too_large"]) == 0
    assert len(row_of(output).keys) == 2
    assert main([*command, "--retry", "encoder_failed", "--max-rejected", "0"]) == 0
    assert "1: 1 done, 0 rejected" in capsys.readouterr().out
    assert len(row_of(output).keys) == 3
    assert main(["verify", str(output)]) == 0
