"""What the doctor looks at. Each gives its findings as they come."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from featurizers.errors import ModelUnavailable
from pipelines.commands.make.summary import bytes_text
from pipelines.settings import Settings
from storage import files


class Mark(StrEnum):
    """WELL; NOTE: a build works, but not as well as it could; FAILS: it will."""

    WELL = "ok"
    NOTE = "note"
    FAILS = "fails"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's.

    Attributes:
        remedy: what to do; "" where nothing is.
    """

    mark: Mark
    what: str
    said: str
    remedy: str = ""


def _well(what: str, said: str) -> Finding:
    return Finding(Mark.WELL, what, said)


def _note(what: str, said: str, remedy: str = "") -> Finding:
    return Finding(Mark.NOTE, what, said, remedy)


def _fails(what: str, said: str, remedy: str) -> Finding:
    return Finding(Mark.FAILS, what, said, remedy)


INSTALL = "pip install 'favor-data[build]'"
# Distribution -> module.
_NEEDED = {
    "apache-beam": "apache_beam", "av": "av", "numpy": "numpy", "openai-whisper": "whisper", "pillow": "PIL",
    "pillow-heif": "pillow_heif", "pillow-jxl-plugin": "pillow_jxl", "pyarrow": "pyarrow", "torch": "torch",
    "torchaudio": "torchaudio", "tqdm": "tqdm", "transformers": "transformers", "webdataset": "webdataset",
}  # fmt: skip
_CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "mpeg2video", "mpeg4", "aac", "mp3", "opus", "vorbis", "flac")
_FREE_LEAST, _FREE_GOOD = 2 * 10**9, 50 * 10**9
_MEMORY_GOOD = 8 * 10**9
_FILES_GOOD, _FILES_WANTED = 1024, 4096
_SHARED_GOOD = 1 << 30
_ELSEWHERE = "choose another --output, or TMPDIR=…"


def python() -> Iterator[Finding]:
    """Its version."""
    said = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        yield _well("python", said)
    else:
        yield _fails("python", said, "install Python 3.11, 3.12 or 3.13")


def packages() -> Iterator[Finding]:
    """Whether they import: a torchaudio beside another torch does not."""
    found = {}
    for distribution, module in _NEEDED.items():
        try:
            import_module(module)
            found[distribution] = version(distribution)
        except PackageNotFoundError:
            found[distribution] = "of no known version"
        except (ImportError, OSError) as error:
            yield _fails("packages", f"{distribution}: {str(error).splitlines()[0]}", INSTALL)
    shown = (f"{name} {found[name]}" for name in ("torch", "apache-beam", "transformers") if name in found)
    yield _well("packages", f"{len(found)} of {len(_NEEDED)} import: {', '.join(shown)}")


def device(asked: Settings) -> Iterator[Finding]:
    """Where encoders will run, and in which numbers."""
    import torch

    from featurizers.running import arithmetic

    chosen = arithmetic.choose(asked.device, asked.dtype)
    said = f"{chosen.device}, {chosen.dtype}"
    if chosen.device != "cpu":
        names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        yield _well("device", f"{said}: {', '.join(names) or 'of Apple'}")
    elif not arithmetic.surely_no_accelerator():
        said += f": a GPU's driver is here, but torch {torch.__version__} sees no GPU"
        yield _note("device", said, "see that nvidia-smi works, and that torch's wheel is one with CUDA")
    elif chosen.dtype == "bfloat16":
        yield _well("device", f"{said} in hardware (AMX or AVX512-BF16); no GPU")
    else:
        remedy = "large encoders take many times a film's length here: --whisper small, or a GPU"
        yield _note("device", f"{said}: neither a GPU nor bfloat16 in hardware", remedy)


def threads() -> Iterator[Finding]:
    """Cores, and what holds encoders to fewer."""
    from decoders.cores import cores

    allowed, there = cores(), os.cpu_count() or 1
    said = f"{allowed} cores" + (f" of {there}" if allowed < there else "")
    held = os.environ.get("OMP_NUM_THREADS", "")
    if held.isdecimal() and int(held) < allowed:
        yield _note("threads", f"{said}, OMP_NUM_THREADS={held}", "unset it: encoders use no more than that")
    else:
        yield _well("threads", said)


def codecs() -> Iterator[Finding]:
    """What the installed FFmpeg decodes."""
    import av

    if lacking := [name for name in _CODECS if name not in av.codecs_available]:
        remedy = "take PyAV's own wheel: pip install --force-reinstall --only-binary :all: av"
        yield _fails("codecs", f"PyAV {av.__version__} lacks {', '.join(lacking)}", remedy)
    else:
        yield _well("codecs", f"PyAV {av.__version__}: {', '.join(_CODECS)}")


def decoders() -> Iterator[Finding]:
    """Those beside the default."""
    from decoders.streams.nvdec import NoHardwareDecoderError, accelerator

    there = ["pyav"]
    with suppress(ImportError, OSError):
        import_module("decord")
        there.append("decord")
    with suppress(NoHardwareDecoderError):
        accelerator(0)
        there.append("nvdec")
    yield _well("decoders", ", ".join(there))


def weights(asked: Settings) -> Iterator[Finding]:
    """Whether they are here, or how much is to be fetched, from a hub that answers."""
    from featurizers.registry import resolve

    for column, spec in asked.columns().items():
        try:
            missing = resolve(column, spec, device=asked.device).to_fetch()
        except ModelUnavailable as error:
            yield _fails("weights", str(error), f"give another --{column}")
            continue
        if missing is None:
            yield _well("weights", f"{spec}: here")
        elif missing.size is None:
            remedy = f"copy it there, give a folder or file as --{column}, or random:… to try"
            yield _fails("weights", f"{spec}: not in {missing.into}, and its hub does not answer", remedy)
        else:
            said = f"{spec}: {bytes_text(missing.size)} will be fetched into {missing.into}"
            yield _note("weights", said)


def disks(asked: Settings) -> Iterator[Finding]:
    """Where the corpus, temporary files and shared memory lie."""
    output = files.absolute(asked.output)
    places = {"temporary": tempfile.gettempdir()}
    if files.is_local(output):
        places = {"disk": output, **places}
    else:
        yield _note("disk", f"{output} is elsewhere: its space is not looked at")
    for what, path in places.items():
        there = next(parent for parent in (Path(path), *Path(path).parents) if parent.exists())
        free = shutil.disk_usage(there).free
        said = f"{bytes_text(free)} free at {there}"
        if not os.access(there, os.W_OK):
            yield _fails(what, f"{there} cannot be written", _ELSEWHERE)
        elif free < _FREE_LEAST:
            yield _fails(what, said, f"make room, or {_ELSEWHERE}")
        elif free < _FREE_GOOD and what == "disk":
            yield _note(what, said, "favor-data estimate says what a corpus takes, from a small one")
        else:
            yield _well(what, said)
    shared = Path("/dev/shm")  # noqa: S108
    if shared.is_dir() and (size := shutil.disk_usage(shared).total) < _SHARED_GOOD:
        remedy = "workers of training hand batches through it: docker run --shm-size=8g"
        yield _note("shared", f"{bytes_text(size)} of shared memory", remedy)


def memory() -> Iterator[Finding]:
    """What is left of it."""
    told = Path("/proc/meminfo")
    if not told.exists():
        return
    known = dict(line.split(":", 1) for line in told.read_text().splitlines())
    free, whole = (int(known[name].split()[0]) * 1024 for name in ("MemAvailable", "MemTotal"))
    said = f"{bytes_text(free)} of {bytes_text(whole)} available"
    if free >= _MEMORY_GOOD:
        yield _well("memory", said)
    else:
        yield _note("memory", said, "the default encoders take 8 GB: smaller ones, or fewer programs")


def open_files() -> Iterator[Finding]:
    """The limit on them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _FILES_GOOD:
        yield _well("files", f"{soft} may be open at once")
    else:
        wanted = _FILES_WANTED if hard == resource.RLIM_INFINITY else min(_FILES_WANTED, hard)
        yield _note("files", f"only {soft} may be open at once", f"ulimit -n {wanted}")


def decoding() -> Iterator[Finding]:
    """A film that is made here, decoded as a build would: its flash and its tone must lie in one step."""
    from decoders.processes.isolation import Level
    from decoders.processes.process import newly_isolated
    from pipelines.commands.look.self_test import FLASH_STEP, SECONDS, found

    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="favor-data-") as folder:
        light, sound = found(Path(folder))
    if light == sound == FLASH_STEP:
        took = time.monotonic() - began
        yield _well("self-test", f"a film of {SECONDS} s made, decoded, found in step: {took:.1f} s")
    else:
        remedy = "please report it, with what favor-data doctor --json says"
        yield _fails("self-test", f"flash and tone lie in steps {light} and {sound}", remedy)
    for level, words in newly_isolated():
        if level is Level.ON:
            yield _well("isolation", f"{level}: {words}")
        else:
            remedy = "decoding works without; docs/security.md says what it takes"
            yield _note("isolation", f"{level}: {words}", remedy)
