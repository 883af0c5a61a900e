"""From media to a trained model by the commands that a user types, stopped and resumed on the way."""

import json
from functools import partial
from unittest import mock
from xml.etree import ElementTree

import pytest
import torch

from examples.favor.alignment import SHIFTS, shifted, small_language_model
from examples.favor.chart import write_chart
from examples.favor.settings import ModelSettings
from examples.favor.train import main
from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset
from loaders.synchronise import Synchronise


def logged(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_what_the_pipeline_made_is_what_training_gets(corpus):
    dataset = CorpusDataset(open_corpus(corpus), verify=True)
    assert len(dataset) == 6
    for sample in (dataset[index] for index in range(6)):
        assert sample.steps == 10
        assert sample.features["whisper"].shape == (10, 25, 384)
        assert sample.features["qformer"].shape == (10, 32, 24)
        assert sample.audio_mask.all()
        assert sample.visual_mask.all()
        assert len(sample.conversations[0]) == 2
    batch = Synchronise.of(dataset.corpus, visual="qformer")([dataset[0], dataset[1]])
    assert batch.audio.shape == (2, 10, 32, 384)
    assert batch.visual.shape == (2, 10, 32, 24)


def test_training_goes_on_where_it_stopped(arguments, tmp_path):
    assert main([*arguments, "--epochs", "1"]) == 0
    assert main([*arguments, "--epochs", "2", "--batch-size", "3"]) == 0
    steps = logged(tmp_path / "run")
    assert [step["step"] for step in steps] == [1, 2, 3, 4, 5]
    assert [step["epoch"] for step in steps] == [0, 0, 0, 1, 1]
    assert all(step["total"] > 0 for step in steps)
    checkpoint = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert any("lora_" in name for name in checkpoint["model"])
    assert not any("embed_tokens" in name for name in checkpoint["model"])
    assert checkpoint["state"]["options"]["learning_rate"] == "0.0001"
    assert checkpoint["settings"]["visual"] == "qformer"


def test_another_model_does_not_go_on_with_it(arguments, tmp_path, capsys):
    assert main(arguments) == 0
    capsys.readouterr()
    assert main([*arguments, "--mask", "released"]) == 2
    assert "begun with mask 'paper', not 'released'" in capsys.readouterr().err


def test_multi_resolution_trains_too(arguments, tmp_path):
    assert main([*arguments, "--multi-resolution", "--mask", "released"]) == 0
    assert len(logged(tmp_path / "run")) == 3


def test_no_corpus_is_one_line_and_exit_2(arguments, tmp_path, capsys):
    assert main([str(tmp_path / "nothing"), *arguments[1:]]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--llm", "/nowhere/llm"], "--llm /nowhere/llm"),
        (["--llm", "random:huge"], "there is random:tiny"),
        (["--lora-targets", "nothing_like_it"], "nothing_like_it"),
        (["--width", "25"], "does not divide among 12 heads"),
        (["--where", "stepz > 1"], "stepz"),
        (["--where", "steps > 99"], "no sample"),
        (["--held-out-where", "true"], "holds out 6 of 6"),
        (["--held-out-where", "id = 'train-0001'"], "one medium"),
        (["--held-out", "0.3"], "hang together"),
    ],
)
def test_a_users_mistake_is_one_line(arguments, capsys, more, said):
    assert main([*arguments, *more]) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith("train: ")
    assert said in line


def saved_as(llm_folder, dtype, folder):
    """The language model as another project saved it: Vicuna's weights are float16."""
    llm, tokenizer = small_language_model()
    llm.to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_language_model_saved_in_float16_is_trained_in_float32(arguments, tmp_path, llm_folder, precision):
    llm = saved_as(llm_folder, torch.float16, tmp_path / "half")
    more = ["--llm", llm, "--lora-rank", "0", "--precision", precision, "--learning-rate", "1e-3"]
    assert main([*arguments, *more, "--epochs", "3"]) == 0
    losses = [step["answer"] for step in logged(tmp_path / "run")]
    assert len(losses) == 9
    assert losses[-1] < losses[0]  # and so none of them NaN
    weights = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["model"]
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    assert all(weight.isfinite().all() for weight in weights.values())


def test_lora_over_frozen_bfloat16_trains(arguments, tmp_path):
    assert main([*arguments, "--precision", "bfloat16"]) == 0
    assert all(step["total"] > 0 for step in logged(tmp_path / "run"))


def test_a_loss_that_is_no_number_stops_and_leaves_the_last_good_checkpoint(arguments, tmp_path, capsys):
    more = ["--learning-rate", "1e30", "--warmup", "0", "--checkpoint-every", "1", "--lora-rank", "0"]
    assert main([*arguments, *more]) == 1
    assert "step 2: the loss is" in capsys.readouterr().err
    assert [step["step"] for step in logged(tmp_path / "run")] == [1]
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["state"]["steps"] == 1


def test_accumulated_batches_are_one_large_batch(arguments, tmp_path):
    more = ["--lora-rank", "0", "--epochs", "2"]
    with mock.patch("examples.favor.training.options.ModelSettings", partial(ModelSettings, dropout=0.0)):
        whole = main([*arguments, *more, "--output", str(tmp_path / "a"), "--batch-size", "6"])
        parts = main([*arguments, *more, "--output", str(tmp_path / "b"), "--accumulate", "3"])
    assert whole == parts == 0
    for one, other in zip(logged(tmp_path / "a"), logged(tmp_path / "b"), strict=True):
        assert one["samples"] == other["samples"] == 6
        assert one["answer"] == pytest.approx(other["answer"], rel=1e-4)


def test_a_shift_moves_the_sound_alone(corpus):
    dataset = CorpusDataset(open_corpus(corpus))
    batch = Synchronise.of(dataset.corpus, visual="qformer")([dataset[0]])
    late = shifted(batch, 2)
    assert torch.equal(late.visual, batch.visual)
    assert torch.equal(late.audio[:, 2:], batch.audio[:, :-2])
    assert torch.equal(late.audio[:, :2], batch.audio[:, -2:])
    assert torch.equal(shifted(late, -2).audio, batch.audio)


def test_the_chart_is_an_svg_of_both_curves(tmp_path):
    curve = [{"step": n, "aligned": n / 10, "shifted by 2": 0.3} for n in range(1, 10)]
    write_chart(tmp_path / "chart.svg", {"curve": curve, "shifts": {str(n): 0.5 for n in SHIFTS}})
    tree = ElementTree.parse(tmp_path / "chart.svg")
    lines = tree.findall("{http://www.w3.org/2000/svg}polyline")
    assert [len(line.get("points").split()) for line in lines] == [9, 9, len(SHIFTS)]
