"""Pictures in the terminals that show them: kitty's graphics protocol, iTerm2's inline images."""

from __future__ import annotations

import base64
from collections.abc import Mapping

_CHUNK = 4096  # characters of base64 that kitty takes at once
_ITERM = ("iTerm.app", "WezTerm", "mintty")
_KITTY = ("ghostty",)


def inline(png: bytes, environ: Mapping[str, str]) -> str:
    """What shows a PNG in the terminal that these variables tell of; "" where none is known to.

    Sources: sw.kovidgoyal.net/kitty/graphics-protocol (a=T: send and show, f=100: PNG, m=1: more follows);
    iterm2.com/documentation-images.html. tmux lets neither through.
    """
    encoded, program = base64.b64encode(png).decode(), environ.get("TERM_PROGRAM", "")
    if "TMUX" in environ:
        return ""
    if "KITTY_WINDOW_ID" in environ or environ.get("TERM") == "xterm-kitty" or program in _KITTY:
        chunks = [encoded[at : at + _CHUNK] for at in range(0, len(encoded), _CHUNK)]
        heads = ["a=T,f=100,m=1", *["m=1"] * (len(chunks) - 2), "m=0"] if len(chunks) > 1 else ["a=T,f=100"]
        shown = (f"\033_G{head};{chunk}\033\\" for head, chunk in zip(heads, chunks, strict=True))
        return "".join(shown) + "\n"
    if program in _ITERM:
        return f"\033]1337;File=inline=1;size={len(png)}:{encoded}\a\n"
    return ""
