"""A run's folder: its checkpoint, whole or not at all, and a log that agrees with it."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from examples.favor.model import Favor
from examples.favor.settings import ModelSettings

CHECKPOINT_NAME = "checkpoint.pt"
LOG_NAME = "log.jsonl"
VERSION = 1


class RunError(ValueError):
    """A run that cannot be read or gone on with: one line that says why."""


def save(run: Path, settings: ModelSettings, model: Mapping[str, torch.Tensor], state: Any = None) -> None:
    """`model`: what is trained, by name. `state`: what going on takes; a run that only answers needs none."""
    path = run / CHECKPOINT_NAME
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        torch.save(
            {"version": VERSION, "settings": settings.to_json(), "model": dict(model), "state": state}, file
        )
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)  # noqa: PTH105 - the one call that replaces atomically


def trained(model: Favor) -> dict[str, torch.Tensor]:
    """The parameters that are trained: the frozen language model is not kept."""
    return {name: p.detach().cpu() for name, p in model.named_parameters() if p.requires_grad}


def read(run: Path) -> dict[str, Any] | None:
    """The checkpoint with its `settings` as an object; None where there is none.

    Raises:
        RunError: not a checkpoint of this program.
    """
    path = run / CHECKPOINT_NAME
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise RunError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise RunError(f"{path} is not a checkpoint of examples.favor, or of another version")
    return {**content, "settings": ModelSettings.from_json(content["settings"])}


def put(weights: Mapping[str, torch.Tensor], model: Favor) -> None:
    """Raises:
    RunError: they are another model's.
    """
    wanted = {name: p.shape for name, p in model.named_parameters() if p.requires_grad}
    for name in sorted(wanted.keys() | weights.keys()):
        own = tuple(wanted[name]) if name in wanted else "nothing"
        theirs = tuple(weights[name].shape) if name in weights else "nothing"
        if own != theirs:
            raise RunError(f"the checkpoint was taken of another model: {name} is {theirs} there, here {own}")
    model.load_state_dict(dict(weights), strict=False)


def cut_log(run: Path, steps: int) -> None:
    """Drops what the log says of steps after the checkpoint's: they are taken again."""
    path = run / LOG_NAME
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] > steps:
                break
        except ValueError:  # a line that a kill cut short
            break
        kept.append(f"{line}\n")
    partial = path.with_suffix(".part")
    partial.write_text("".join(kept), encoding="utf-8")
    os.replace(partial, path)  # noqa: PTH105 - the one call that replaces atomically


def write_lines(path: Path, lines: Sequence[object]) -> None:
    """JSON lines, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.part")
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)  # noqa: PTH105 - the one call that replaces atomically
