"""One sample, decoded, and what a reading makes of it: another's sound, a modality left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from pydantic_core import from_json

from loaders.extent import ExtentError, array
from loaders.schedule.pairing import MATCHING_QUESTIONS
from loaders.schedule.phase import Item, Treatment
from schemas.features import SCALE
from schemas.sample import questions_of

Conversation = Sequence[Mapping[str, str]]
_ARRAY = ".npy"
_SCALE = f".{SCALE}".removesuffix(_ARRAY)
_ASKED = (Treatment.MATCH, Treatment.MISMATCH)  # then an item's conversation is a question's number


@dataclass(repr=False)  # frozen, it would cost 2 µs a sample to make
class TrainingSample:
    """One sample, decoded.

    Attributes:
        steps: number of 0.5 s steps.
        span_ns: [start, end) in the media's own time.
        features: column -> float16 tensor: sound [steps, 25, width], pictures [steps, tokens, width],
            a still picture [1, tokens, width]; a column with times of its own [rows, tokens, width]. Of what
            was made for each question, that of the one that this pass drew.
        audio_mask, visual_mask: bool [steps].
        frame_times: seconds of each step's frame in the media's time; None: missing.
        conversations: all of them; `conversation`: the one that this pass drew, None where there is none.
        files: the members kept beside the features (`flac`, `frame_000.jpg`, `txt`), as bytes.
        fill: a repetition, there only to give every rank as many steps; weigh it 0.
        treatment: what this reading did to sound and pictures; `sound_key`: the sample whose sound it has.
    """

    key: str
    id: str
    steps: int
    span_ns: tuple[int, int]
    features: Mapping[str, torch.Tensor]
    audio_mask: torch.Tensor
    visual_mask: torch.Tensor
    frame_times: Sequence[float | None]
    conversations: Sequence[Conversation]
    metadata: Mapping[str, Any]
    media: Mapping[str, Mapping[str, str]]
    conversation: Conversation | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    fill: bool = False
    treatment: Treatment = Treatment.AS_IS
    sound_key: str | None = None

    @property
    def is_image(self) -> bool:
        """Its pictures are one still, shown at every step."""
        return "image" in self.media

    def __repr__(self) -> str:
        held = [f"{name} {list(tensor.shape)}" for name, tensor in self.features.items()]
        talks = f"{len(self.conversations)} conversations"
        return f"<TrainingSample {self.id}: {self.steps} steps, {', '.join([*held, talks])}>"


def decode(
    key: str, found: Mapping[str, memoryview], item: Item, columns: Collection[str] | None = None
) -> TrainingSample:
    """The sample whose members are `KEY.SUFFIX`, with the conversation that `item` drew.

    Raises:
        ExtentError: they are another sample's, or not what a sample holds.
    """
    prefix, cut = f"{key}.", len(key) + 1
    arrays, content = {}, {}
    for name, data in found.items():
        if not name.startswith(prefix):
            raise ExtentError(_others(found))
        if name.endswith(_ARRAY):
            arrays[name[cut:-4]] = data
        else:
            content[name[cut:]] = data
    if "json" not in content:
        raise ExtentError(_others(found))
    record = _record(content.pop("json"))
    conversations, metadata = _annotations(record, content)
    drawn = None
    if item.conversation is not None and item.treatment not in _ASKED:
        drawn = conversations[item.conversation]
    features = {}
    for column in sorted(arrays):
        if (columns is None or column in columns) and not column.endswith(_SCALE):
            feature = _feature(arrays, column)
            features[column] = feature if feature.ndim < 4 else _answering(feature, conversations, drawn)
    return TrainingSample(
        key,
        record["id"],
        record["steps"],
        tuple(record["span_ns"]),
        features,
        _mask(record["audio_mask"]),
        _mask(record["visual_mask"]),
        record["frame_times"],
        conversations,
        metadata,
        record["media"],
        drawn,
        {name: data.tobytes() for name, data in content.items()} if content else {},
        item.fill,
        item.treatment,
    )


def _mask(bits: Sequence[int]) -> torch.Tensor:
    """bool [steps], of zeros and ones."""
    return torch.frombuffer(bytearray(bits), dtype=torch.bool)


def _others(found: Mapping[str, memoryview]) -> str:
    return f"these bytes hold {', '.join(sorted(found))}: was the corpus built again?"


def _feature(arrays: Mapping[str, memoryview], column: str) -> torch.Tensor:
    """float16, whatever it is stored as."""
    stored = torch.from_numpy(array(arrays[column]))
    if (scale := arrays.get(column + _SCALE)) is None:
        return stored
    return (stored * torch.from_numpy(array(scale))).half()


def treated(
    sample: TrainingSample,
    item: Item,
    sound_columns: Collection[str],
    other: TrainingSample | None = None,
    others_columns: Collection[str] = (),
    own_times: Collection[str] = (),
) -> TrainingSample:
    """What `item` makes of its sample.

    Args:
        sound_columns: the features that come from sound.
        other: the sample whose sound it gets; `others_columns`: those of it that come from sound;
            `own_times`: those whose rows are no steps, and stay whole.
    """
    if item.treatment is Treatment.NO_SOUND:
        features = {name: value for name, value in sample.features.items() if name not in sound_columns}
        return replace(sample, features=features, audio_mask=torch.zeros_like(sample.audio_mask))
    if item.treatment is Treatment.NO_PICTURES:
        features = {name: value for name, value in sample.features.items() if name in sound_columns}
        return replace(sample, features=features, visual_mask=torch.zeros_like(sample.visual_mask))
    conversation = None if other is None else _conversation(sample, item, other)
    if item.treatment in (Treatment.MATCH, Treatment.MISMATCH):
        answer = "Yes." if item.treatment is Treatment.MATCH else "No."
        conversation = _exchange(MATCHING_QUESTIONS[item.conversation or 0], answer)
    if other is not None:
        sample = _with_sound(sample, sound_columns, other, others_columns, own_times)
    return replace(sample, conversation=conversation)


def _with_sound(
    sample: TrainingSample,
    sound_columns: Collection[str],
    other: TrainingSample,
    others_columns: Collection[str],
    own_times: Collection[str],
) -> TrainingSample:
    """A mismatch keeps its pictures' length: the sound is cut or ends early. Else the longer one counts, and
    a still picture is shown as long as there is sound."""
    mismatch = sample.treatment is Treatment.MISMATCH
    steps = sample.steps if mismatch else max(sample.steps, other.steps)
    features = {name: value for name, value in sample.features.items() if name not in sound_columns}
    features |= {
        name: value if name in own_times else value[:steps]
        for name, value in other.features.items()
        if name in others_columns
    }
    visual, times = _padded(sample.visual_mask, steps), list(sample.frame_times)
    if sample.is_image:
        visual, times = sample.visual_mask.any().repeat(steps), times[:1] * steps
    return replace(
        sample,
        steps=steps,
        features=features,
        audio_mask=_padded(other.audio_mask, steps),
        visual_mask=visual,
        frame_times=[*times, *[None] * (steps - len(times))],
        sound_key=other.key,
    )


def _padded(mask: torch.Tensor, steps: int) -> torch.Tensor:
    """bool [steps]."""
    padded = torch.zeros(steps, dtype=torch.bool)
    padded[: len(mask)] = mask[:steps]
    return padded


def _conversation(sample: TrainingSample, item: Item, other: TrainingSample) -> Conversation | None:
    """As the released training code does: the first exchange of each, the second one's in small letters.

    An image's question says so even where it stands alone; beside a video's ", and" has one more comma.
    """
    own = sample.conversation
    theirs = None if item.sound_conversation is None else other.conversations[item.sound_conversation]
    if item.treatment is Treatment.SOUNDS_TASK or own is None:
        return theirs
    kind, link = ("image", ", and ") if sample.is_image else ("video", ", and, ")
    question, answer = f"In the {kind}, {own[0]['value'].lower()}", own[1]["value"]
    if item.treatment is Treatment.PICTURES_TASK or theirs is None:
        return [{**own[0], "value": question}, *own[1:]]
    exchanges = [(question, answer), (theirs[0]["value"], theirs[1]["value"])]
    if item.treatment is Treatment.BOTH_TASKS_SOUND_FIRST:
        exchanges.reverse()
    (question, answer), (then, answered) = exchanges
    return _exchange(f"{question}{link}{then.lower()}", f"{answer}, and {answered.lower()}")


def _exchange(question: str, answer: str) -> Conversation:
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]


def _answering(
    features: torch.Tensor, conversations: Sequence[Conversation], drawn: Conversation | None
) -> torch.Tensor:
    """Of a prompted column, [questions, steps, tokens, width], the rows of the conversation that was drawn;
    the first where none was."""
    if features.ndim < 4:
        return features
    return features[questions_of(conversations).index(drawn[0]["value"]) if drawn else 0]


def _annotations(
    record: Mapping[str, Any], content: dict[str, memoryview]
) -> tuple[list[Conversation], dict[str, Any]]:
    """Conversations and metadata: of version 1 in KEY.json."""
    if "annotations.json" not in content:
        return record.get("conversations", []), record.get("metadata", {})
    said = _record(content.pop("annotations.json"))
    talks, metadata = said["conversations"], said["metadata"]
    return from_json(talks) if talks != "[]" else [], from_json(metadata) if metadata != "{}" else {}


def _record(content: memoryview) -> dict[str, Any]:
    try:
        record: dict[str, Any] = from_json(bytes(content), cache_strings="keys")
    except ValueError as error:
        raise ExtentError(f"a sample's json is damaged: {error}") from error
    return record
