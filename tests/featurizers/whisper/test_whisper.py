"""Whisper features against the bare openai-whisper encoder on sound that the ffmpeg command extracted."""

import re

import numpy as np
import pytest
import torch
import whisper
from whisper.audio import N_SAMPLES, log_mel_spectrogram, pad_or_trim
from whisper.model import ModelDimensions, Whisper

from featurizers.errors import ModelUnavailable
from featurizers.registry import load, load_transcriber, resolve
from featurizers.running import checkpoints
from featurizers.whisper import ctranslate2, download
from featurizers.whisper.description import SAMPLES_PER_WINDOW, Transcription

FLOOR = {"float32": 0.999, "bfloat16": 0.998}


def cosines(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.mean((a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))))


def words(text):
    text = text.lower().replace("mr.", "mister").replace("-", " ")
    return re.sub(r"[^a-z ]", "", text).split()


def word_errors(found, spoken):
    """Levenshtein distance over words, divided by the words spoken."""
    row = list(range(len(spoken) + 1))
    for i, word in enumerate(found, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(spoken, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (word != other))
    return row[-1] / len(spoken)


@pytest.fixture(scope="module")
def bare_model(tiny_en):
    checkpoint = ctranslate2.read_checkpoint(tiny_en)
    model = Whisper(ModelDimensions(**checkpoint["dims"])).eval()
    model.load_state_dict(checkpoint["model_state_dict"])
    return model


@torch.inference_mode()
def bare(model, waveform):
    windows = [waveform[at : at + 480_000] for at in range(0, len(waveform), 480_000)]
    mels = [log_mel_spectrogram(pad_or_trim(window), model.dims.n_mels) for window in windows]
    return np.concatenate([model.encoder(mel[None])[0].numpy() for mel in mels])


def test_the_converted_checkpoint_understands_speech(bare_model, speech):
    """The conversion is right if openai-whisper's own transcribe hears the words."""
    waveform, text = speech[0]
    assert word_errors(words(bare_model.transcribe(waveform, fp16=False)["text"]), words(text)) <= 0.1


@pytest.mark.parametrize("dtype", FLOOR)
def test_same_as_bare_whisper_on_speech_longer_than_a_window(tiny_en, bare_model, speech, dtype):
    joined = np.concatenate([waveform for waveform, _ in speech])
    waveform = np.tile(joined, 3)[: 16_000 * 37 + 1_234]
    truth = bare(bare_model, waveform)
    steps = 75  # 37.077 s
    featurizer = resolve("whisper", f"whisper:{tiny_en}", device="cpu", dtype=dtype)
    (features,) = load(featurizer).encode([waveform])
    assert features.array.dtype == np.float16
    assert features.array.shape == (steps, 25, 384)
    truth = truth[: steps * 25].reshape(steps, 25, 384)
    assert cosines(features.array, truth) >= FLOOR[dtype]
    assert cosines(features.array[1:], truth[:-1]) < 0.9  # a shift of one step is seen


@pytest.mark.parametrize("seconds", [4.4, 34])
def test_the_tail_is_the_padded_window_whole(tiny_en, bare_model, speech, seconds):
    """All 1500 vectors of the first 30 s, also those after the sound's end."""
    waveform = np.tile(speech[0][0], 6)[: int(16_000 * seconds)]
    featurizer = resolve("whisper", f"whisper:{tiny_en}", device="cpu", dtype="float32", audio_tail=True)
    assert featurizer.rate.every_ns == 500_000_000
    (features,) = load(featurizer).encode([waveform])
    truth = bare(bare_model, waveform[:480_000]).reshape(60, 25, 384)
    assert features.array.shape == truth.shape
    assert cosines(features.array, truth) >= 0.999
    assert cosines(features.array[1:], truth[:-1]) < 0.98  # a shift of one step is seen
    plain = resolve("whisper", f"whisper:{tiny_en}", device="cpu", dtype="float32")
    assert plain.fingerprint().options == {}
    assert plain.fingerprint().digest != featurizer.fingerprint().digest


def test_a_silent_window_is_what_the_bare_encoder_makes_of_zeros(tiny_en, bare_model, speech):
    encoder = load(resolve("whisper", f"whisper:{tiny_en}", device="cpu", dtype="float32"))
    waveform = np.concatenate([np.zeros(480_000, np.float32), speech[0][0]])
    (features,) = encoder.encode([waveform])
    truth = bare(bare_model, waveform)[: len(features.array) * 25]
    assert cosines(features.array.reshape(-1, 384), truth) >= 0.999
    assert cosines(features.array[:60].reshape(-1, 384), truth[:1500]) >= 0.999


@pytest.mark.parametrize(("samples", "steps"), [(0, 0), (1, 1), (8_000, 1), (8_001, 2), (480_001, 61)])
def test_steps(tiny_en, samples, steps):
    encoder = load(resolve("whisper", f"whisper:{tiny_en}", device="cpu", dtype="float32"))
    (features,) = encoder.encode([np.full(samples, 0.01, np.float32)])
    assert features.array.shape == (steps, 25, 384)


def test_a_pt_file_is_read_as_whisper_reads_it(tmp_path, bare_model, speech):
    path = tmp_path / "mine.pt"
    torch.save({"dims": vars(bare_model.dims), "model_state_dict": bare_model.state_dict()}, path)
    waveform = speech[0][0]
    (features,) = load(resolve("whisper", f"whisper:{path}", device="cpu", dtype="float32")).encode(
        [waveform]
    )
    truth = bare(whisper.load_model(str(path), device="cpu"), waveform)[: len(features.array) * 25]
    assert cosines(features.array.reshape(-1, 384), truth) >= 0.999


def test_a_pickled_object_in_a_pt_file_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path = tmp_path / "trap.pt"
    torch.save({"dims": Trap(), "model_state_dict": {}}, path)
    with pytest.raises(ModelUnavailable, match="plain tensors"):
        load(resolve("whisper", f"whisper:{path}"))
    assert not (tmp_path / "ran").exists()


def test_a_pt_file_of_something_else(tmp_path):
    path = tmp_path / "other.pt"
    torch.save({"state_dict": {}}, path)
    with pytest.raises(ModelUnavailable, match="not an openai-whisper checkpoint"):
        load(resolve("whisper", f"whisper:{path}"))


def test_named_models_are_known_by_the_digest_in_their_url():
    fingerprint = resolve("whisper", "whisper:large-v2").fingerprint()
    assert fingerprint.weights == "81f7c96c852ee8fc832187b0132e569d6c3065a3252ed18e56effd0b6a73e524"


def test_the_digests_of_named_models_are_whispers_own():
    urls = {
        name: resolve("w", f"whisper:{name}", device="cpu").fingerprint().weights for name in whisper._MODELS
    }
    assert urls == {name: url.split("/")[-2] for name, url in whisper._MODELS.items()}


def test_a_named_model_is_taken_from_whispers_cache(monkeypatch, tmp_path, tiny_en):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = tmp_path / "whisper" / "tiny.en.pt"
    path.parent.mkdir()
    torch.save(ctranslate2.read_checkpoint(tiny_en), path)
    url = f"http://127.0.0.1:9/{checkpoints.file_digest(path)}/tiny.en.pt"
    monkeypatch.setattr(download, "_urls", lambda: {"tiny.en": url})
    featurizer = resolve("w", "whisper:tiny.en", device="cpu", dtype="float32")
    featurizer.prepare()
    sound = [np.full(8_000, 0.01, np.float32)]
    same = load(resolve("w", f"whisper:{tiny_en}", device="cpu", dtype="float32")).encode(sound)
    np.testing.assert_array_equal(load(featurizer).encode(sound)[0].array, same[0].array)
    path.write_bytes(path.read_bytes()[:-1])
    with (
        pytest.warns(UserWarning, match="does not match"),
        pytest.raises(ModelUnavailable, match="cannot be"),
    ):
        featurizer.prepare()


def test_a_checkpoint_in_half_precision(tmp_path, bare_model, speech):
    half = {name: tensor.half() for name, tensor in bare_model.state_dict().items()}
    path = tmp_path / "half.pt"
    torch.save({"dims": vars(bare_model.dims), "model_state_dict": half}, path)
    featurizer = resolve("whisper", f"whisper:{path}", device="cpu", dtype="float32")
    encoder = load(featurizer)
    (features,) = encoder.encode([speech[0][0]])
    listener = load_transcriber(Transcription(featurizer), encoder).listener()
    listener.hear(speech[0][0])
    said = "".join(word.text for word in listener.finish().words)
    assert word_errors(words(said), words(speech[0][1])) <= 0.1
    truth = bare(bare_model, speech[0][0])[: len(features.array) * 25]
    assert cosines(features.array.reshape(-1, 384), truth) >= 0.999


def test_windows_of_another_length_are_refused(tmp_path, bare_model):
    path = tmp_path / "short.pt"
    dims = {**vars(bare_model.dims), "n_audio_ctx": 750}
    torch.save({"dims": dims, "model_state_dict": bare_model.state_dict()}, path)
    with pytest.raises(ModelUnavailable, match="windows of 750 vectors"):
        load(resolve("whisper", f"whisper:{path}"))


@pytest.mark.parametrize("transcribe", [False, True])
@pytest.mark.parametrize(
    ("side", "message"),
    [
        ("encoder.ln_post", r"lacks encoder\.ln_post\.weight$"),
        ("decoder.ln", r"Missing key.*decoder\.ln\.weight"),
    ],
)
def test_a_checkpoint_that_lacks_a_tensor(tmp_path, bare_model, side, message, transcribe):
    path = tmp_path / "lacking.pt"
    state = bare_model.state_dict()
    del state[f"{side}.weight"]
    torch.save({"dims": vars(bare_model.dims), "model_state_dict": state}, path)
    featurizer = resolve("whisper", f"whisper:{path}")
    if side.startswith("decoder"):
        encoder = load(featurizer)  # nothing reads it
        if not transcribe:
            return
        with pytest.raises(ModelUnavailable, match=message) as caught:
            load_transcriber(Transcription(featurizer), encoder)
    else:
        with pytest.raises(ModelUnavailable, match=message) as caught:
            load(featurizer)
    assert "\n" not in str(caught.value)


def test_a_window_is_whispers_own():
    assert SAMPLES_PER_WINDOW == N_SAMPLES


def test_untrained_sizes_have_the_true_shapes():
    (features,) = load(resolve("w", "whisper:random:base", dtype="float32", device="cpu")).encode(
        [np.full(4_000, 0.01, np.float32)]
    )
    assert features.array.shape == (1, 25, 512)
    assert np.isfinite(features.array).all()
    assert features.array.std(dtype=np.float32) > 0.1
