"""Licences as the hub names them, and those of models."""

from __future__ import annotations

import re
from pathlib import Path

from schemas.corpus import Column

UNKNOWN, OTHER = "unknown", "other"
UNTRAINED = "none: random weights"
NOT_STATED = "not stated"
_ANSWER_S = 10
# Identifiers of the hub that people also write in other ways than Creative Commons' below.
_KNOWN = {
    "afl-3.0", "agpl-3.0", "apache-2.0", "bsd", "bsd-2-clause", "bsd-3-clause", "cc", "cdla-permissive-1.0",
    "cdla-permissive-2.0", "cdla-sharing-1.0", "gpl", "gpl-2.0", "gpl-3.0", "isc", "lgpl-3.0", "mit",
    "mpl-2.0", "odbl", "odc-by", "openrail", "pddl", "unlicense", OTHER, UNKNOWN,
}  # fmt: skip
_URL = re.compile(r"creativecommons\.org/(licenses|publicdomain)/([a-z-]+)(?:/(\d\.\d))?")
_CC = re.compile(r"\bcc[ -]?(by(?:[ -](?:nc|nd|sa))*)[ -]?v?(\d\.\d)")
_CC0 = re.compile(r"\bcc[ -]?0\b|\bcc-zero\b")


def identifier(text: str) -> str:
    """What the hub calls a licence: "CC BY-NC 4.0" and its url are "cc-by-nc-4.0"; OTHER: it has no name."""
    said = text.strip().lower()
    if url := _URL.search(said):
        kind, name, version = url.groups()
        if kind == "licenses":
            return f"cc-{name}-{version}" if version else OTHER
        return f"cc0-{version or '1.0'}" if name == "zero" else OTHER
    if _CC0.search(said):
        return "cc0-1.0"
    if written := _CC.search(said):
        return f"cc-{written[1].replace(' ', '-')}-{written[2]}"
    plain = re.sub(r"[ _,]+", "-", re.sub(r"\blicen[cs]e\b|\bthe\b|\bversion\b", "", said).strip(" ,-"))
    return plain if plain in _KNOWN else OTHER


def of_model(column: Column) -> str:
    """As the model's own page, or the README.md in its folder, states it.

    The hub is asked where the model has its name there; without an answer NOT_STATED.
    """
    if column.untrained:
        return UNTRAINED
    path = Path(column.model)
    if path.exists():
        return _of_folder(path if path.is_dir() else path.parent)
    if column.kind == "whisper" and "/" not in column.model:
        return "mit"  # openai/whisper: code and weights
    return _of_hub(column.model)


def _of_folder(folder: Path) -> str:
    from huggingface_hub import metadata_load

    try:
        said = metadata_load(folder / "README.md") or {}
    except (OSError, ValueError):
        return NOT_STATED
    return str(said.get("license_name") or said.get("license") or NOT_STATED)


def _of_hub(model: str) -> str:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError

    from storage.errors import is_storages

    name, _, revision = model.partition("@")
    try:
        said = HfApi().model_info(name, revision=revision or None, timeout=_ANSWER_S).card_data
    except HFValidationError:
        return NOT_STATED
    except Exception as error:
        if not is_storages(error):
            raise
        return NOT_STATED
    return str((said and (said.get("license_name") or said.get("license"))) or NOT_STATED)
