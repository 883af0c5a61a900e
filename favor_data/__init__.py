"""favor-data from Python: what `__all__` lists is public, the rest of the house is not.

Importing this loads nothing: each name brings what it needs when it is first used. Reading and training need
neither Beam nor a codec.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from favor_data.building import Built, build
    from favor_data.decoding import Clip, decode
    from favor_data.encoding import ClipEncoder, featurizer
    from favor_data.verifying import Verified, verify
    from featurizers.errors import ModelUnavailable
    from loaders.corpus import open_corpus
    from loaders.dataset import CorpusDataset
    from loaders.loader import CorpusLoader
    from loaders.opening import CorpusError
    from loaders.schedule.mixture import Mixture
    from loaders.schedule.pairing import Pairing
    from loaders.schedule.phase import Phase
    from loaders.streaming import StreamingCorpus
    from loaders.synchronise import Synchronise
    from pipelines.errors import StorageError, UsageError
    from pipelines.transforms import BuildCorpus, WriteShards
    from schemas.manifest import ManifestError
    from schemas.reasons import MediaError

    __version__: str

__all__ = [
    "BuildCorpus",
    "Built",
    "Clip",
    "ClipEncoder",
    "CorpusDataset",
    "CorpusError",
    "CorpusLoader",
    "ManifestError",
    "MediaError",
    "Mixture",
    "ModelUnavailable",
    "Pairing",
    "Phase",
    "StorageError",
    "StreamingCorpus",
    "Synchronise",
    "UsageError",
    "Verified",
    "WriteShards",
    "__version__",
    "build",
    "decode",
    "featurizer",
    "open_corpus",
    "verify",
]

_HOMES = {
    "favor_data.building": ("Built", "build"),
    "favor_data.decoding": ("Clip", "decode"),
    "favor_data.encoding": ("ClipEncoder", "featurizer"),
    "favor_data.verifying": ("Verified", "verify"),
    "featurizers.errors": ("ModelUnavailable",),
    "loaders.corpus": ("open_corpus",),
    "loaders.opening": ("CorpusError",),
    "loaders.dataset": ("CorpusDataset",),
    "loaders.loader": ("CorpusLoader",),
    "loaders.schedule.mixture": ("Mixture",),
    "loaders.schedule.pairing": ("Pairing",),
    "loaders.schedule.phase": ("Phase",),
    "loaders.streaming": ("StreamingCorpus",),
    "loaders.synchronise": ("Synchronise",),
    "pipelines.errors": ("StorageError", "UsageError"),
    "pipelines.transforms": ("BuildCorpus", "WriteShards"),
    "schemas.manifest": ("ManifestError",),
    "schemas.reasons": ("MediaError",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("favor-data")
    elif name in _HOME:
        try:
            value = getattr(import_module(_HOME[name]), name)
        except ModuleNotFoundError as error:
            from pipelines.commands.command import EXTRAS

            extra = EXTRAS.get(str(error.name).partition(".")[0])
            if extra is None:
                raise
            raise ImportError(
                f"favor_data.{name} needs {error.name}: pip install 'favor-data[{extra}]'"
            ) from error
    else:
        raise AttributeError(f"module 'favor_data' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
