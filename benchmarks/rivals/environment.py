"""The rivals' environment: what it lacks, and the libraries that torchcodec looks for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

MODULES = ("decord", "torchcodec", "av", "cv2", "faster_whisper", "whisper", "transformers", "webdataset",
           "megatron.energon", "streaming")  # fmt: skip
_FIND = """
import importlib.util as util
print(*[m for m in {modules} if not util.find_spec(m.partition(".")[0]) or not util.find_spec(m)], sep=",")
print(util.find_spec("av").submodule_search_locations[0] if util.find_spec("av") else "")
"""


def lacking(python: str) -> str | None:
    """One line: what the environment of this interpreter has not; None: nothing is missing."""
    program = shutil.which(python)
    if program is None:
        return f"no program {python}: `make rivals` makes the rivals' environment, rivals/bin/python"
    missing = _ask(program)[0]
    return f"{python} has no {missing.replace(',', ', ')}: `make rivals` installs them" if missing else None


def libraries(python: str, folder: Path) -> dict[str, str]:
    """Environment variables with which torchcodec finds FFmpeg: the shared libraries of av's wheel, linked in
    `folder` under the names that others look for."""
    found = Path(_ask(shutil.which(python) or python)[1]).with_name("av.libs")
    folder.mkdir(exist_ok=True)
    for path in found.glob("lib*.so.*"):
        # libavcodec-5e6b81c2.so.62.28.102 -> libavcodec.so.62
        if named := re.fullmatch(r"(lib(?:av|sw)\w+)-\w+\.so\.(\d+)[.\d]*", path.name):
            link = folder / f"{named[1]}.so.{named[2]}"
            link.unlink(missing_ok=True)
            link.symlink_to(path)
    return {
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("LD_LIBRARY_PATH")]))
    }


def _ask(program: str) -> list[str]:
    code = _FIND.format(modules=MODULES)
    ended = subprocess.run([program, "-c", code], check=True, capture_output=True, text=True)
    return ended.stdout.splitlines()
