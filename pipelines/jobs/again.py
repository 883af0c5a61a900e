"""`build --again`: what a corpus records of the builds that made it, as the settings of another one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pipelines.build import present_state
from pipelines.errors import UsageError
from pipelines.settings import Settings, settings
from storage import files


def recorded_settings(
    output: str,
    retry: str = "",
    cache: str | None = None,
    accelerator: str | None = None,
    sources: Collection[str] = (),
    **flags: Any,
) -> Settings:
    """The settings of the newest build, with the SOURCEs of all.

    Args:
        sources: others than the corpus records.
        flags: fields of Settings that shape no sample: `mirror`, `yes`, `dry_run`.

    Raises:
        UsageError: no corpus, or one that does not say what it was made of.
    """
    state = present_state(files.absolute(output))
    if state is None:
        raise UsageError(f"{output} holds no corpus: name the folder that build wrote")
    named = tuple(sources) or tuple(state.sources)
    if not named:
        raise UsageError(f"{output} does not say which SOURCEs it was made of: name them too")
    said = state.options
    return settings(
        sources=named,
        output=output,
        whisper="none",
        clip="none",
        encode=said["columns"],
        store=said.get("store"),
        clip_seconds=said["clip_seconds"],
        cut=said.get("cut", "clips"),
        shortest_clip=said.get("shortest_clip", 2),
        frame_at=said["frame_at"],
        fit=said["fit"],
        clip_tokens=said["clip_tokens"],
        decoder=said["decoder"],
        keep=said["keep"],
        transcribe=said["transcribe"],
        language=said.get("language"),
        device=said["device"],
        dtype=said["dtype"],
        shard_size=said["shard_bytes"],
        audio_track=said.get("audio_track", ""),
        signals="full" if "film" in said.get("signals", {}) else "signals" in said,
        where=said.get("where"),
        no_sound=said.get("no_sound", False),
        uris=said.get("uris", "full"),
        audio_channel=said.get("audio_channel", "mix"),
        audio_tail=said.get("audio_tail", False),
        prompt=said.get("prompt", ""),
        first_clip=said.get("first_clip", False),
        like=said.get("like", ""),
        retry=retry,
        cache=cache,
        accelerator=accelerator,
        again=True,
        **flags,
    )
