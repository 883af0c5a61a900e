"""Hugging Face's audio models against the bare library, on small checkpoints that it saved."""

import json

import numpy as np
import pytest
import torch
import torchaudio.functional
import transformers

from featurizers.errors import ModelUnavailable
from featurizers.registry import load, resolve

WIDTH = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 2}
FLOOR = 0.9999


def cosines(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.mean((a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))))


def saved(model, extractor, path):
    """With weights far enough from zero that sound makes a difference."""
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim >= 2 and "parametrizations" not in name:
                parameter.normal_(std=1 / parameter[0].numel() ** 0.5)
    model.eval().save_pretrained(path)
    extractor.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def ast(tmp_path_factory):
    model = transformers.ASTModel(transformers.ASTConfig(**WIDTH))
    return saved(model, transformers.ASTFeatureExtractor(), tmp_path_factory.mktemp("ast"))


@pytest.fixture(scope="module")
def wav2vec2(tmp_path_factory):
    sizes = {"conv_dim": (32,) * 7, "num_conv_pos_embedding_groups": 4, "vocab_size": 32}
    model = transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(**WIDTH, **sizes))
    return saved(model, transformers.Wav2Vec2FeatureExtractor(), tmp_path_factory.mktemp("wav2vec2"))


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    sizes = {"d_model": 64, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 128}
    sizes |= {"decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 64, "num_mel_bins": 128}
    model = transformers.WhisperForConditionalGeneration(transformers.WhisperConfig(**sizes))
    extractor = transformers.WhisperFeatureExtractor(feature_size=128)
    return saved(model, extractor, tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def clap(tmp_path_factory):
    text = {**WIDTH, "vocab_size": 99}
    audio = {
        "patch_embeds_hidden_size": 16,
        "hidden_size": 128,
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [2] * 4,
    }
    config = transformers.ClapConfig(text_config=text, audio_config=audio)
    extractor = transformers.ClapFeatureExtractor(truncation="rand_trunc")
    return saved(transformers.ClapModel(config), extractor, tmp_path_factory.mktemp("clap"))


def encode(path, waveform, dtype="float32"):
    featurizer = resolve("x", f"audio:{path}", device="cpu", dtype=dtype)
    (features,) = load(featurizer).encode([waveform])
    return featurizer, features.array


def agrees(features, truth, floor=FLOOR):
    assert features.shape == truth.shape
    assert cosines(features, truth) >= floor
    assert cosines(features[1:], truth[:-1]) < floor - 0.001  # a shift of one step is seen


@pytest.mark.parametrize(("dtype", "floor"), [("float32", FLOOR), ("bfloat16", 0.995)])
@torch.inference_mode()
def test_ast_is_placed_on_the_grid(ast, speech, dtype, floor):
    waveform = np.tile(speech[0][0], 3)[: 16_000 * 12 + 100]  # more than its ten seconds
    featurizer, features = encode(ast, waveform, dtype)
    assert featurizer.rate is None
    assert features.shape == (25, 5 * 12, 64)
    extractor = transformers.ASTFeatureExtractor.from_pretrained(ast)
    model = transformers.ASTModel.from_pretrained(ast).eval()
    windows = [waveform[:160_000], waveform[160_000:]]
    hidden = [
        model(**extractor(w, sampling_rate=16_000, return_tensors="pt")).last_hidden_state for w in windows
    ]
    patches = torch.cat([h[0, 2:].reshape(12, 101, 64)[:, :100] for h in hidden], 1)  # [bands, time, d]
    truth = patches.transpose(0, 1)[: 25 * 5].reshape(25, 60, 64)
    agrees(features, truth, floor)


@torch.inference_mode()
def test_wav2vec2_is_placed_on_the_grid(wav2vec2, speech):
    waveform = speech[0][0][: 16_000 * 3 + 4_321]
    featurizer, features = encode(wav2vec2, waveform)
    assert featurizer.rate is None
    assert features.shape == (7, 25, 64)
    extractor = transformers.Wav2Vec2FeatureExtractor.from_pretrained(wav2vec2)
    model = transformers.Wav2Vec2Model.from_pretrained(wav2vec2).eval()
    given = extractor(waveform, sampling_rate=16_000, return_tensors="pt").input_values
    given = torch.nn.functional.pad(given, (0, 174 * 320 + 400 - given.shape[1]))  # 175 vectors
    agrees(features, model(given).last_hidden_state[0].reshape(7, 25, 64))


@torch.inference_mode()
def test_whisper_with_128_bands(whisper, speech):
    waveform = np.tile(speech[0][0], 6)[: 16_000 * 31]
    _, features = encode(whisper, waveform)
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(whisper)
    model = transformers.WhisperModel.from_pretrained(whisper).eval()
    given = [
        extractor(w, sampling_rate=16_000, return_tensors="pt")
        for w in (waveform[:480_000], waveform[480_000:])
    ]
    hidden = torch.cat([model.get_encoder()(**part).last_hidden_state[0] for part in given])
    agrees(features, hidden[: 62 * 25].reshape(62, 25, 64))


@torch.inference_mode()
def test_clap_keeps_its_own_times(clap, speech):
    waveform = np.tile(speech[0][0], 3)[: 16_000 * 12]
    featurizer, features = encode(clap, waveform)
    assert featurizer.rate.every_ns == 312_500_000
    assert featurizer.fingerprint().options["every_ns"] == 312_500_000
    assert features.shape == (32 + 7, 2, 128)
    extractor = transformers.ClapFeatureExtractor.from_pretrained(clap)
    model = transformers.ClapModel.from_pretrained(clap).eval()
    truth = []
    for window in (waveform[:160_000], waveform[160_000:]):
        high = torchaudio.functional.resample(torch.from_numpy(window), 16_000, 48_000).numpy()
        given = extractor(high, sampling_rate=48_000, return_tensors="pt")
        hidden = model.audio_model(input_features=given.input_features).last_hidden_state[0]
        truth.append(hidden.permute(2, 1, 0))  # [d, bands, time]
    agrees(features, torch.cat(truth)[:39])


def test_what_has_no_known_times_is_refused_in_one_line(ast, small_clip, tmp_path):
    with pytest.raises(
        ModelUnavailable, match=r"'clip' checkpoint: when its vectors lie is known of .*clap.*only"
    ):
        resolve("x", f"audio:{small_clip}", device="cpu").fingerprint()
    for name, change, said in (("short", {"max_length": 512}, "hears less"), ("ok", {}, "")):
        folder = tmp_path / name
        folder.mkdir()
        for file in ast.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        config = json.loads((folder / "config.json").read_text()) | change
        (folder / "config.json").write_text(json.dumps(config))
        featurizer = resolve("x", f"audio:{folder}", device="cpu")
        if said:
            with pytest.raises(ModelUnavailable, match=said):
                featurizer.fingerprint()
        else:
            assert featurizer.fingerprint().kind == "audio"


def test_a_checkpoint_that_lacks_weights_is_refused(ast, wav2vec2, tmp_path):
    for file in ast.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes((wav2vec2 / "model.safetensors").read_bytes())
    with pytest.raises(ModelUnavailable, match="lacks"):
        load(resolve("x", f"audio:{tmp_path}", device="cpu"))
