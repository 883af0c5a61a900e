import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from favor_data import MediaError, UsageError, decode, featurizer
from featurizers.errors import ModelUnavailable


@pytest.fixture(scope="module")
def members(corpus: Path, read_samples):
    return read_samples(corpus)


@pytest.mark.parametrize("name", ["talk.mp4", "late.mkv", "silent.ogv", "voice.opus", "still.png"])
def test_a_clip_and_its_features_are_those_of_a_build(name, media, members, clip) -> None:
    """Real decoders and encoders; the corpus is the command's."""
    record = json.loads(members[name]["json"])
    decoded = decode(media / name)
    assert decoded.span_ns == tuple(record["span_ns"])
    assert decoded.steps == record["steps"]
    assert decoded.visual_mask.tolist() == [bool(x) for x in record["visual_mask"]]
    assert decoded.audio_mask.tolist() == [bool(x) for x in record["audio_mask"]]
    times = [None if np.isnan(time) else time for time in decoded.frame_times]
    assert times == record["frame_times"]
    if "clip.npy" in members[name]:
        made = featurizer(f"clip:{clip}", dtype="float32").encode(decoded)
        stored = np.load(BytesIO(members[name]["clip.npy"]))
        assert made.array.dtype == np.float16
        assert np.array_equal(made.array, stored)
        assert decoded.frames.shape == (decoded.steps, 120, 160, 3)
        assert not decoded.frames[~decoded.visual_mask].any()
    else:
        assert decoded.frames is None


def test_sound_is_encoded_and_heard_as_in_a_build(media, members) -> None:
    from ..pipelines.conftest import WHISPER

    decoded = decode(str(media / "late.mkv"))
    assert decoded.sound.dtype == np.float32
    encoder = featurizer(f"whisper:{WHISPER}", dtype="float32")
    made = encoder.encode(decoded)
    assert np.array_equal(made.array, np.load(BytesIO(members["late.mkv"]["whisper.npy"])))
    heard = encoder.words(decoded)
    assert heard["words"]
    assert heard == json.loads(members["late.mkv"]["words.json"])  # one clip is the whole file


def test_words_of_a_span_have_their_times_in_the_media(media) -> None:
    from ..pipelines.conftest import WHISPER

    encoder = featurizer(f"whisper:{WHISPER}", dtype="float32")
    heard = encoder.words(decode(media / "talk.mp4", start=2), "en")
    assert heard["language"] == "en"
    assert all(2 <= word["start"] <= word["end"] <= 5.4 for word in heard["words"])
    assert heard["words"][-1]["end"] > 4
    with pytest.raises(UsageError, match="no sound to hear"):
        encoder.words(decode(media / "silent.ogv"))


def test_a_span_lies_in_the_medias_own_time(media) -> None:
    whole, part = decode(media / "talk.mp4"), decode(media / "talk.mp4", start=1, end="2.5")
    assert part.span_ns == (1_000_000_000, 2_500_000_000)
    assert (part.steps, len(part.sound)) == (3, 24_000)
    assert np.array_equal(part.frames, whole.frames[2:5])
    assert np.array_equal(part.frame_times, whole.frame_times[2:5])
    assert np.abs(part.sound - whole.sound[16_000:40_000]).max() < 1e-6
    assert decode(media / "talk.mp4", start=4, end=99).span_ns[1] == whole.span_ns[1]


def test_a_relative_path_counts_from_here_and_now(media, tmp_path, monkeypatch) -> None:
    decode(media / "still.png")  # the processes that decode are there
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "a.png").write_bytes((media / "still.png").read_bytes())
    monkeypatch.chdir(tmp_path)
    assert decode("moved/a.png").is_image


def test_what_cannot_be_decoded_or_encoded_is_the_products_own_error(media, tmp_path, clip) -> None:
    with pytest.raises(MediaError, match="not_found"):
        decode(tmp_path / "absent.mp4")
    (tmp_path / "noise.mp4").write_bytes(b"noise" * 999)
    with pytest.raises(MediaError, match="not_media"):
        decode(tmp_path / "noise.mp4")
    with pytest.raises(UsageError, match=r"nothing lies in \[99, None\)"):
        decode(media / "talk.mp4", start=99)
    with pytest.raises(UsageError, match="middle"):
        decode(media / "talk.mp4", frame_at="middle")
    with pytest.raises(UsageError, match="no pictures to encode"):
        featurizer(f"clip:{clip}").encode(decode(media / "voice.opus"))
    with pytest.raises(ModelUnavailable, match="KIND"):
        featurizer("klip:x")


def test_they_say_what_they_are(media, clip) -> None:
    decoded = decode(media / "talk.mp4", end=2)
    shown = f"<Clip {media / 'talk.mp4'} [0, 2) s: 4 steps, 4 frames of 160 x 120, 2 s of sound>"
    assert repr(decoded) == shown
    encoder = featurizer(f"clip:{clip}", device="cpu", dtype="float32")
    assert repr(encoder) == f"<ClipEncoder clip:{clip} of video, float32 on cpu>"
    assert repr(encoder.encode(decoded)) == "<Features float16 [4, 16, 16]>"
