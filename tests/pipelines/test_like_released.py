"""docs/favor.md's command on encoders of the released widths and names: against the bare models, and on other
engines."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
import whisper
from safetensors.torch import load_file

from runners import tools
from runners.build import digests
from runners.engines import ENGINES

from .conftest import manifest
from .test_like import QUESTIONS, chosen, cosines, run_raw

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "favor.md").read_text(encoding="utf-8")
PROGRAMS = {"favor-data": [sys.executable, "-m", "pipelines"], "python": [sys.executable]}
PRISM = tools.BUILD / "bin" / "prism"


def typed(line: str, folder: Path, *more: str) -> None:
    program, *arguments = shlex.split(line)
    environment = {**tools.environment(), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*PROGRAMS[program], *arguments, *more],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def lines() -> list[str]:
    """The page's: weights, then the corpus."""
    [block] = re.findall(r"^<!-- released -->\n```\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    weights, build = block.splitlines()
    return [weights, build]


@pytest.fixture(scope="module")
def here(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which both were typed; one layer of each encoder."""
    folder = tmp_path_factory.mktemp("released")
    rows = [
        {"id": str(number), "media": str(film), "conversations": [[{"from": "human", "value": question}]]}
        for number, question in enumerate(QUESTIONS)
    ]
    manifest(folder / "manifest.jsonl", *rows)
    weights, build = lines()
    typed(weights, folder, "--layers", "1")
    typed(build, folder)
    return folder


def test_columns_have_the_released_shapes_and_the_bare_models_numbers(
    here: Path, film: Path, read_samples: Callable
) -> None:
    [members] = read_samples(here / "corpus").values()
    pictures = np.load(BytesIO(members["clip_prompted.npy"]))
    sound = np.load(BytesIO(members["whisper.npy"]))
    assert (pictures.shape, sound.shape) == ((2, 16, 32, 768), (60, 25, 1280))
    raw = run_raw("-i", str(film), "-af", "pan=mono|c0=c0", "-ar", "16000", "-f", "f32le")
    model = whisper.load_model(str(here / "large-v2.pt"), device="cpu").float()  # the package's own reader
    mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(np.frombuffer(raw, np.float32).copy()), 80)
    with torch.inference_mode():
        heard = model.encoder(mel[None])[0].numpy().reshape(60, 25, 1280)
    assert cosines(sound, heard) > 0.999
    assert cosines(sound[1:], heard[:-1]) < 0.99
    for row, question in enumerate(sorted(QUESTIONS)):
        seen = bare(here / "Salesforce" / "instructblip-vicuna-13b", chosen(film)[[0, 15]], question)
        assert cosines(pictures[row][[0, 15]], seen) > 0.999
        assert cosines(pictures[row][[1, 14]], seen) < 0.999
        assert cosines(pictures[1 - row][[0, 15]], seen) < 0.999


@torch.inference_mode()
def bare(checkpoint: Path, frames: np.ndarray, question: str) -> np.ndarray:
    """[frames, 32, 768] by transformers' modules, loaded strictly."""
    state: dict[str, torch.Tensor] = {}
    for shard in checkpoint.glob("*.safetensors"):
        state |= load_file(shard)
    said = json.loads((checkpoint / "config.json").read_text())
    tower = transformers.InstructBlipVisionModel(
        transformers.InstructBlipVisionConfig(**said["vision_config"])
    )
    reader = transformers.InstructBlipQFormerModel(
        transformers.InstructBlipQFormerConfig(**said["qformer_config"])
    )
    for module, prefix in ((tower, "vision_model."), (reader, "qformer.")):
        named = {name.removeprefix(prefix): t.float() for name, t in state.items() if name.startswith(prefix)}
        module.eval().load_state_dict(named)
    floats = torch.from_numpy(frames.copy()).permute(0, 3, 1, 2) / 255
    resized = torch.nn.functional.interpolate(floats, size=(224, 224), mode="bicubic", align_corners=False)
    processor = json.loads((checkpoint / "preprocessor_config.json").read_text())
    mean, std = (torch.tensor(processor[name])[:, None, None] for name in ("image_mean", "image_std"))
    hidden = tower((resized - mean) / std).last_hidden_state
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint / "qformer_tokenizer")
    ids = tokenizer([question] * len(frames), return_tensors="pt")["input_ids"]
    queries = state["query_tokens"].float().expand(len(frames), -1, -1)
    made = reader(input_ids=ids, query_embeds=queries, encoder_hidden_states=hidden).last_hidden_state
    return np.asarray(made[:, :32])


def test_another_engine_makes_the_same_bytes(here: Path, tmp_path: Path) -> None:
    """Prism, where `python -m runners prism` has built it; else two workers in processes of their own."""
    engine = ENGINES["prism" if PRISM.exists() else "two-processes"]
    with engine(tmp_path) as arguments:
        typed(lines()[1].replace("--output corpus", f"--output {tmp_path / 'corpus'}"), here, *arguments)
    assert digests(tmp_path / "corpus") == digests(here / "corpus")
