"""What the docs promise of the job as it is submitted, read from its portable proto."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apache_beam.internal.cloudpickle import cloudpickle

from runners.graph import fused, pickled, shuffles, steps

GPU_STEPS = ("Decode/", "Featurize ")


def encodes(name: str) -> bool:
    return name.startswith(GPU_STEPS)


def test_the_page_says_about_how_many_steps_and_shuffles_there_are(on_gpus: Any) -> None:
    page = (Path(__file__).parents[2] / "docs" / "dataflow.md").read_text(encoding="utf-8")
    [said] = re.findall(r"about (\d+) steps, (\d+) shuffles, ([\d.]+) MB", page)
    found = (len(steps(on_gpus)), len(shuffles(on_gpus)), on_gpus.ByteSize() / 1e6)
    assert found == pytest.approx(tuple(map(float, said)), rel=0.3)


def test_only_the_stage_that_decodes_and_encodes_asks_for_accelerator_and_memory(on_gpus: Any) -> None:
    found = {step.name: step.hints for step in steps(on_gpus)}
    assert {name for name, hints in found.items() if hints} == {name for name in found if encodes(name)}
    asked = {"accelerator": "type:nvidia-l4;count:1;install-nvidia-driver", "min_ram_bytes": "12000000000"}
    assert all(hints == asked for name, hints in found.items() if encodes(name))


def test_without_an_accelerator_no_step_asks_for_anything(job: Callable[..., Any]) -> None:
    assert not any(step.hints for step in steps(job()))


def test_hints_do_not_part_decoding_from_the_encoders(on_gpus: Any) -> None:
    [stage] = [stage for stage in fused(on_gpus) if "Decode/ParDo(DecodeMedia)" in stage]
    wanted = {step.name for step in steps(on_gpus) if encodes(step.name)}
    assert {"Featurize whisper/Cache features", "Featurize clip/Cache features"} < wanted
    assert wanted <= stage, "frames or features would leave the stage that makes them"


def test_no_shuffle_lies_between_decoding_and_the_cache(on_gpus: Any) -> None:
    assert len(shuffles(on_gpus)) > 5
    assert not [step.name for step in shuffles(on_gpus) if encodes(step.name)]


def test_what_travels_as_a_pickle_holds_no_arrays_and_is_small(on_gpus: Any) -> None:
    seen = list(pickled(on_gpus))
    assert "Decode/ParDo(DecodeMedia)" in {name for name, _ in seen}
    for name, code in seen:
        arrays: list[Any] = []  # pickle hands every array's buffer here
        size = len(cloudpickle.dumps(code, protocol=5, buffer_callback=arrays.append))
        assert not arrays, name
        assert size < 20_000, name


def test_the_job_does_not_grow_with_its_inputs(job: Callable[..., Any]) -> None:
    few, many = job(files=2), job(files=300)
    assert abs(many.ByteSize() - few.ByteSize()) < 1000


def test_the_job_fits_what_dataflow_takes(on_gpus: Any) -> None:
    assert on_gpus.ByteSize() < 1 << 20  # of 10 MB, https://cloud.google.com/dataflow/quotas
