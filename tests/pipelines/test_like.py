"""`--like favor` and `--like video-salmonn` on the paper's kind of clip, against bare models fed by hand."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from fractions import Fraction
from io import BytesIO
from math import ceil
from pathlib import Path

import av
import numpy as np
import pytest
import torch
import transformers
import whisper
from transformers import BlipImageProcessorPil

import favor_data
from featurizers.audio.beats import CONFIG
from featurizers.running import untrained
from featurizers.vision.tower import VisionTower
from featurizers.whisper.ctranslate2 import read_checkpoint
from loaders.corpus import open_corpus
from loaders.loader import CorpusLoader
from loaders.synchronise import Synchronise
from pipelines.commands.command import main
from pipelines.jobs.like import completed, presets
from runners.build import digests
from schemas.sample import question_id

from .conftest import FFMPEG, WHISPER, ffmpeg, manifest, pictures

WIDTH = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
QFORMER = {**WIDTH, "encoder_hidden_size": 64, "vocab_size": 40, "max_position_embeddings": 32}
TEXT = {"model_type": "opt", "vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 1, "ffn_dim": 32}
TEXT |= {"num_attention_heads": 2, "word_embed_proj_dim": 32, "max_position_embeddings": 32}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "what", "is", "happening", "who", "speaks"]
QUESTIONS = ["What is happening", "Who speaks"]
IDS = {"What is happening": [2, 5, 6, 7, 3], "Who speaks": [2, 8, 9, 3]}


@pytest.fixture(scope="module")
def instructblip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """InstructBLIP's names and design, small."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("instructblip")
    config = transformers.InstructBlipConfig(
        vision_config={**WIDTH, "image_size": 224, "patch_size": 56},
        qformer_config=QFORMER,
        text_config=TEXT,
        num_query_tokens=32,
    )
    model = transformers.InstructBlipForConditionalGeneration(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                parameter.normal_(std=1 / parameter.shape[-1] ** 0.5)
    model.eval().save_pretrained(path)
    BlipImageProcessorPil(size={"height": 224, "width": 224}).save_pretrained(path)
    tokenizer = transformers.BertTokenizerFast(vocab={word: place for place, word in enumerate(WORDS)})
    tokenizer.save_pretrained(path / "qformer_tokenizer")
    return path


@pytest.fixture(scope="module")
def beats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authors' names, one layer of the true width."""
    path = tmp_path_factory.mktemp("beats") / "BEATs.pt"
    state: dict[str, torch.Tensor] = {}

    class Noted:
        def __call__(self, name: str, *shape: int) -> torch.Tensor:
            return state.setdefault(name, untrained.tensor(name, *shape))

    from featurizers.audio.beats_encoder import BeatsEncoder
    from featurizers.registry import resolve

    described = resolve("beats", "beats:random:base", device="cpu", dtype="float32")
    config = {**CONFIG, "encoder_layers": 1}
    BeatsEncoder(Noted(), config, described)
    torch.save({"cfg": config, "model": state}, path)
    return path


def chosen(path: Path) -> np.ndarray:
    """uint8 [frames, H, W, 3]: the released rule, written out by hand; RGB by the ffmpeg command."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        base, start, header = stream.time_base, stream.start_time, stream.duration
        assert base is not None
        assert start is not None
        assert header is not None
        pts = sorted(frame.pts for frame in container.decode(stream) if frame.pts is not None)
    duration, numbers = (header - start) * base, []
    for second in range(ceil(duration)):
        begin = max(Fraction(0), min(Fraction(second), duration - 1))
        low, high = ceil(begin / base) + start, ceil((begin + 1) / base) + start
        inside = [number for number, p in enumerate(pts) if low <= p < high]
        numbers += [inside[0], inside[-1]]
    raw = run_raw("-i", str(path), "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24")
    return np.frombuffer(raw, np.uint8).reshape(len(pts), 120, 160, 3)[numbers]


def run_raw(*arguments: str) -> bytes:
    return subprocess.run(
        [FFMPEG, "-v", "error", "-nostdin", *arguments, "-"], check=True, capture_output=True
    ).stdout


@torch.inference_mode()
def bare_qformer(path: Path, frames: np.ndarray, question: str) -> np.ndarray:
    """[frames, 32, 64], by transformers; frames resized as the released code does it."""
    model = transformers.InstructBlipForConditionalGeneration.from_pretrained(path).eval()
    floats = torch.from_numpy(frames.copy()).permute(0, 3, 1, 2) / 255
    resized = torch.nn.functional.interpolate(floats, size=(224, 224), mode="bicubic", align_corners=False)
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
    ids = torch.tensor([IDS[question]]).expand(len(frames), -1)
    made = model.get_image_features((resized - mean) / std, qformer_input_ids=ids, return_dict=True)
    return np.asarray(made.qformer_outputs.last_hidden_state[:, :32])


def cosines(a: np.ndarray, b: np.ndarray) -> float:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.mean((a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))))


@pytest.fixture(scope="module")
def corpus(
    film: Path, instructblip: Path, beats: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, int]:
    """One command; and how many frames the vision tower saw in it."""
    folder = tmp_path_factory.mktemp("like")
    still = folder / "still.png"
    ffmpeg(*pictures(0.04), "-frames:v", "1", str(still))

    def talk(question: str) -> list[list[dict[str, str]]]:
        return [[{"from": "human", "value": question}, {"from": "gpt", "value": "Rain."}]]

    rows = [
        {"id": "one", "media": str(film), "conversations": talk(QUESTIONS[0])},
        {"id": "two", "media": str(film), "conversations": talk(QUESTIONS[1])},
        {"id": "picture", "media": str(still), "conversations": talk(QUESTIONS[0])},
    ]
    seen: list[int] = []
    tokens = VisionTower.__call__

    def counted(tower: VisionTower, frames: list[np.ndarray], size: int) -> torch.Tensor:
        seen.append(len(frames))
        return tokens(tower, frames, size)

    command = ["build", str(manifest(folder / "m.jsonl", *rows)), "--output", str(folder / "o")]
    command += ["--like", "video-salmonn", "--whisper", WHISPER, "--dtype", "float32"]
    command += ["--encode", f"clip_prompted=prompted:{instructblip}", "--encode", f"beats=beats:{beats}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VisionTower, "__call__", counted)
        assert main(command) == 0
    assert main(["verify", str(folder / "o")]) == 0
    return folder / "o", sum(seen)


def test_frames_and_prompted_features_are_the_released_ones(
    corpus: tuple[Path, int], film: Path, instructblip: Path, read_samples: Callable
) -> None:
    output, seen = corpus
    samples = {json.loads(m["json"])["id"]: m for m in read_samples(output).values()}
    assert set(samples) == {"one", "picture"}  # two questions about one film are one sample
    record = json.loads(samples["one"]["json"])
    array = np.load(BytesIO(samples["one"]["clip_prompted.npy"]))
    frames = chosen(film)
    assert array.shape == (2, 16, 32, 64)
    assert len(record["frame_times"]) == len(record["visual_mask"]) == len(frames) == 16
    assert seen == len(np.unique(frames, axis=0)) + 1  # each once, whatever is asked, and the still picture
    assert record["features"]["clip_prompted"]["questions"] == [question_id(q) for q in sorted(QUESTIONS)]
    for row, question in enumerate(sorted(QUESTIONS)):
        truth = bare_qformer(instructblip, frames, question)
        assert cosines(array[row], truth) > 0.999
        assert cosines(array[row][1:], truth[:-1]) < 0.999  # a shift of one step is seen
        assert cosines(array[1 - row], truth) < 0.998  # and the other question


def test_sound_is_the_first_channels_padded_window(
    corpus: tuple[Path, int], film: Path, read_samples: Callable
) -> None:
    output, _ = corpus
    [members] = [m for m in read_samples(output).values() if "whisper.npy" in m]
    raw = run_raw("-i", str(film), "-af", "pan=mono|c0=c0", "-ar", "16000", "-f", "f32le")
    checkpoint = read_checkpoint(Path(WHISPER))
    model = whisper.model.Whisper(whisper.model.ModelDimensions(**checkpoint["dims"])).eval()
    model.load_state_dict(checkpoint["model_state_dict"])
    mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(np.frombuffer(raw, np.float32).copy()), 80)
    with torch.inference_mode():
        truth = model.encoder(mel[None])[0].numpy().reshape(60, 25, 384)
    array = np.load(BytesIO(members["whisper.npy"]))
    assert array.shape == truth.shape
    assert cosines(array, truth) > 0.999
    assert cosines(array[1:], truth[:-1]) < 0.98
    patches = np.load(BytesIO(members["beats.npy"]))
    assert patches.shape == (45, 8, 768)  # 7.3 s of 160 ms


def test_what_is_recorded_and_how_it_is_paired(corpus: tuple[Path, int]) -> None:
    output, _ = corpus
    said = json.loads((output / "corpus.json").read_text())["options"]
    assert (said["like"], said["frame_at"], said["fit"]) == ("video-salmonn", "favor", "favor")
    assert (said["audio_channel"], said["audio_tail"], said["first_clip"]) == ("first", True, True)
    opened = open_corpus(str(output))
    for place, steps in (("grid", 60), ("released", 60)):
        collate = Synchronise.of(
            opened, visual="clip_prompted", audio=("whisper", "beats"), place=place, image_steps=60
        )
        [batch] = list(CorpusLoader(opened, 2, collate=collate, conversations="draw", num_workers=0))
        film_row = [sample.id for sample in batch.samples].index("one")
        assert batch.steps.tolist() == [steps, steps]
        assert batch.visual_mask[film_row].sum() == 16
        assert batch.visual_mask[1 - film_row].sum() == 60
        assert batch.audio_mask[film_row].sum() == 60
        held = batch.more["beats"].mask[film_row].sum(-1)
        if place == "released":
            assert held.tolist() == [25] * 14 + [10] + [0] * 45  # 360 patches
        else:
            assert held[:14].tolist() == [32] * 14
            assert not held[15:].any()


def test_from_python_it_is_the_same_recipe(
    corpus: tuple[Path, int], instructblip: Path, beats: Path, tmp_path: Path
) -> None:
    output, _ = corpus
    columns = {"clip_prompted": f"prompted:{instructblip}", "beats": f"beats:{beats}"}
    asked = {"like": "video-salmonn", "whisper": WHISPER, "encode": columns, "dtype": "float32"}
    rows = output.parent / "m.jsonl"
    favor_data.build(rows, tmp_path / "o", **asked)
    assert digests(tmp_path / "o") == digests(output)
    assert completed({"like": "favor", "fit": "crop"})["fit"] == "crop"
    with pytest.raises(favor_data.UsageError, match="like 'flavor' is none of favor, video-salmonn"):
        favor_data.build(rows, tmp_path / "other", like="flavor")


def test_the_recipe_gives_way_to_what_is_asked_for() -> None:
    assert presets(["a.mp4", "--output", "o"]) == {}
    assert presets(["--like", "favor"])["encode"] == [
        "clip_prompted=prompted:Salesforce/instructblip-vicuna-13b"
    ]
    named = presets(["--like=video-salmonn", "--encode", "beats=beats:/b.pt"])
    assert [text.partition("=")[0] for text in named["encode"]] == ["clip_prompted"]
