"""One row of any known form in the manifest's own columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.forms.conversations import (
    Talk,
    is_questions,
    is_talk,
    questions_of,
    talk_of,
)
from schemas.forms.errors import FormError

_MEDIA = ("video", "audio", "image")
_FILE_NAME = "file_name"  # as Hugging Face's imagefolder, audiofolder and videofolder call it


def own_form(values: Any) -> Any:
    """The row with `conversations` in our own form, and its media under `video`, `audio`, `image`.

    What is not understood stays as it is, for the manifest's schema to judge.

    Raises:
        FormError: names the field.
    """
    if not isinstance(values, Mapping):
        return values
    row = dict(values)
    talk = Talk()
    if "conversations" in row:
        if is_talk(row["conversations"]):
            talk = talk_of(row["conversations"], "conversations")
            row["conversations"] = talk.turns
    elif is_talk(row.get("messages")):
        talk = talk_of(row.pop("messages"), "messages")
        row["conversations"] = talk.turns
    elif is_questions(row.get("QA")):
        row["conversations"] = questions_of(row.pop("QA"), "QA")
    if talk.system:
        row.setdefault("system", "\n".join(talk.system))
    if not any(row.get(name) for name in ("media", *_MEDIA)):
        _take_file_names(row)
    for modality in _MEDIA:
        _one(row, modality, talk.media.get(modality, []))
    return row


def _take_file_names(row: dict[str, Any]) -> None:
    """`file_name`, or `video_file_name` and the like."""
    for modality in _MEDIA:
        if isinstance(row.get(f"{modality}_{_FILE_NAME}"), str):
            row[modality] = row.pop(f"{modality}_{_FILE_NAME}")
    if isinstance(row.get(_FILE_NAME), str) and not any(row.get(modality) for modality in _MEDIA):
        row["media"] = row.pop(_FILE_NAME)


def _one(row: dict[str, Any], modality: str, said: list[str]) -> None:
    """`images: [x]`, or a medium named in a conversation, as `image: x`."""
    several = f"{modality}s"
    if row.get(modality) is None and isinstance(row.get(several), list) and row[several]:
        said = said or row.pop(several)
    if not said or row.get(modality) is not None:
        return
    if len(said) > 1:
        raise FormError(f"field '{several}': {len(said)} of them; a row has one {modality}")
    row[modality] = said[0]
