"""Which of a window's attempts stands: tiny.en's for espeak-ng's voices, temperature by temperature."""

import torch
from whisper.decoding import DecodingResult
from whisper.model import ModelDimensions, Whisper

from featurizers.whisper.decoder import TEMPERATURES, Decoder

SENTENCE = " My brother has bought a small house with a garden near the station." * 7
REPEATED = [
    (113, -0.16, 6.17),
    (113, -0.17, 6.17),
    (113, -0.25, 6.17),
    (113, -0.26, 5.97),
    (127, -0.45, 5.99),
]
OKAY = [(113, -0.17, 9.82)] + [(224, -0.12, 31.9)] * 4
NOTHING = (26, -5.65, 0.9)


def stands(monkeypatch, attempts, text, no_speech, spoken_s):
    """Its temperature; `attempts`: tokens, log probability, compression of each but the last."""
    decoder = Decoder(Whisper(ModelDimensions(80, 1500, 8, 1, 1, 51864, 448, 8, 1, 1)), "cpu", half=False)

    def decode(vectors, options):
        tokens, likely, compression = [*attempts, NOTHING][TEMPERATURES.index(options.temperature)]
        said = {"tokens": [0] * tokens, "avg_logprob": likely, "compression_ratio": compression}
        said |= {"no_speech_prob": no_speech, "temperature": options.temperature, "text": text}
        return DecodingResult(audio_features=vectors, language="en", **said)

    monkeypatch.setattr(decoder, "_decode", decode)
    result = decoder.decode(torch.zeros(1500, 8).numpy(), "en", [], spoken_s)
    return None if result is None else result.temperature


def test_a_sentence_said_again_and_again_is_heard_at_its_likeliest(monkeypatch):
    assert stands(monkeypatch, REPEATED, SENTENCE, 0.77, 22.0) == 0.0


def test_words_faster_than_people_talk_are_a_loop(monkeypatch):
    assert stands(monkeypatch, REPEATED, SENTENCE, 0.77, 4.0) is None


def test_one_word_all_the_time_is_a_loop(monkeypatch):
    assert stands(monkeypatch, OKAY, " Okay." * 37, 0.45, 24.0) is None
