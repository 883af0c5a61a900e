"""What failed in a job, by its type, also where a runner's workers are other processes."""

from __future__ import annotations

from featurizers.errors import ModelUnavailable
from pipelines.errors import StorageError
from pipelines.storage.cache import VanishedError
from schemas.reasons import MachineError

_KINDS = {
    f"{kind.__module__}.{kind.__qualname__}": kind
    for kind in (StorageError, VanishedError, MachineError, ModelUnavailable)
}


def of(error: BaseException) -> Exception | None:
    """The fault that ended a job, as one line without the step that Beam adds; None: of none of our kinds.

    Workers in other processes hand over Python's own account of an exception, at the end of which stands
    its type's full name, a colon and what it says.
    """
    kind = _KINDS.get(f"{type(error).__module__}.{type(error).__qualname__}")
    if kind is not None:
        return kind(_without_step(str(error)))
    for line in reversed(str(error).splitlines()):
        name, _, said = line.partition(": ")
        if name in _KINDS:
            return _KINDS[name](_without_step(said))
    return None


def _without_step(text: str) -> str:
    return text.partition(" [while running")[0]
