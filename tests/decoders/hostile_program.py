"""Opens every file that it is given as the decoders do: run by a test that watches what else is opened.

    hostile_program.py FIRST FILE… [--no-texts-refused] [--no-lists]

FIRST is harmless: what Python and FFmpeg load when they are first used is loaded for it. The options take
the guards out, one by one. A file that is not there, `FILE.begins`, is asked for before each FILE.
"""

import sys
from contextlib import suppress
from pathlib import Path

import av
import numpy as np

from decoders.clips import decode_clips
from decoders.probe import probe
from decoders.timeline import container
from schemas.grid import SECOND_NS, Grid, Span
from schemas.media import ClipRequest
from schemas.reasons import MediaError

NOT_THERE = ".begins"
PROTOCOLS = "file,http,tcp,udp,rtp,concat,crypto,data"


def read(path: str) -> None:
    """Probe it, and decode its pictures in both ways."""
    request = ClipRequest(Grid(Span(0, SECOND_NS)), True, False)
    with suppress(MediaError, av.error.FFmpegError):
        probe(path)
    for decoder in ("pyav", "decord"):
        with suppress(MediaError, av.error.FFmpegError):
            list(decode_clips(path, [request], {"rgb": np.copy}, decoder))


def main(arguments: list[str]) -> None:
    """All files, one after the other."""
    files = [argument for argument in arguments if not argument.startswith("--")]
    read(files[0])
    if "--no-texts-refused" in arguments:
        container.REFUSED_TEXTS = ()  # type: ignore[assignment]
    if "--no-lists" in arguments:
        unguarded = ""

        def open_plainly(descriptor: int, *_: object) -> av.container.InputContainer:
            return av.open(unguarded, options={"enable_drefs": "1", "protocol_whitelist": PROTOCOLS})

        container._open = open_plainly  # type: ignore[assignment]
    for path in files[1:]:
        unguarded = path
        with suppress(FileNotFoundError):
            Path(path + NOT_THERE).read_bytes()
        read(path)


if __name__ == "__main__":
    main(sys.argv[1:])
