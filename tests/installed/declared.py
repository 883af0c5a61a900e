"""What setup.py declares, read from the file itself: an installed package's metadata may be older."""

import runpy
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).parents[2]

with mock.patch("setuptools.setup") as setup:
    _SETUP = runpy.run_path(str(ROOT / "setup.py"))

CORE: list[str] = _SETUP["CORE"]
EXTRAS: dict[str, list[str]] = _SETUP["EXTRAS"]
ROOMS = [room for room in _SETUP["ROOMS"] if (ROOT / room).is_dir()]
ARGUMENTS = setup.call_args.kwargs
