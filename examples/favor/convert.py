"""Turns a released checkpoint into a run that can be asked: `python -m examples.favor.convert RELEASED.pt`.

It holds the trained parts alone, of FAVOR or of video-SALMONN; the language model (Vicuna) comes apart. The
corpus must have the features that it was trained on, as `favor-data build --like favor` makes them.
"""

from __future__ import annotations

import argparse
import pickle
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from examples.favor import checkpoint
from examples.favor.checkpoint import RunError
from examples.favor.model import InputConfig
from examples.favor.qformer import CausalMask
from examples.favor.settings import RELEASED_GENERATION, ModelSettings

Weights = dict[str, torch.Tensor]

VICUNA = "lmsys/vicuna-13b-v1.5"  # video-SALMONN's; FAVOR's code does not say which version
HASHES = 2277  # Vicuna's token "##": FAVOR's answers end there, or at </s>
END = 2
HEADS = 12
# Other names of modules that stand under their first one too: they are shared in the published code.
ALIASES = re.compile(
    r"(speech_Qformer|joint_Qformer|low_Qformer|ln_speech|ln_joint|llama_proj_(speech|joint)|"
    r"joint_frame_position_embedding|speech_query_tokens|joint_query_tokens)\b"
)
UNUSED = re.compile(r"(visual_encoder|ln_vision|Qformer|query_tokens|speech_encoder|beats)(\.|$)")
PLAIN = {
    "speech_pre_qformer_proj": "input.audio",
    "beats_pre_qformer_proj": "input.beats",
    "ln_video": "qformer.feature_norm",
    "video_Qformer.bert.embeddings.LayerNorm": "qformer.query_norm",
    "llama_proj": "projection",
}
ATTENTIONS = {
    "encoder_causal_attention": "causal",
    "attention": "self_attention",
    "crossattention": "cross_attention",
}
FEED_FORWARD = {
    "intermediate_query.dense": "feed_forward.0",
    "output_query.dense": "feed_forward.2",
    "output_query.LayerNorm": "norm",
}
LAYER = re.compile(r"video_Qformer\.bert\.encoder\.layer\.(\d+)\.(.+)\.(weight|bias)")


def converted(released: Mapping[str, torch.Tensor], llm: str = VICUNA) -> tuple[ModelSettings, Weights]:
    """Settings and weights of the run that a released state is.

    Raises:
        RunError: a name that is unknown, or one that is missing.
    """
    state = {name.removeprefix("module."): value for name, value in released.items()}
    short = "low_query_tokens" in state
    weights: Weights = {}
    halves: dict[str, dict[str, torch.Tensor]] = {}
    for name, value in state.items():
        place = _place(name, short)
        if place is None:
            continue
        target, half = place
        if half:
            halves.setdefault(target, {})[half] = value
        else:
            weights[target] = value[0] if target.startswith("qformer.queries.") else value
    for target, parts in halves.items():
        if set(parts) != {"key", "value"}:
            raise RunError(f"the checkpoint has the {next(iter(parts))} of {target} alone")
        weights[target] = torch.cat([parts["key"], parts["value"]])
    settings = _settings(weights, short, llm)
    positions = weights["qformer.position.weight"]
    weights["qformer.position.weight"] = positions[: settings.qformer.longest * settings.rows].clone()
    return settings, {
        name: value.float() if value.dtype.itemsize < 4 else value for name, value in weights.items()
    }


def _place(name: str, short: bool) -> tuple[str, str] | None:
    """Our name of a released parameter, and which half of it; None: it is not trained, or stands twice.

    Raises:
        RunError: it is not known.
    """
    if ALIASES.match(name) or UNUSED.match(name) or name.endswith("position_ids"):
        return None
    if name == "video_frame_position_embedding.weight":
        return "qformer.position.weight", ""
    if name in ("low_query_tokens", "video_query_tokens"):
        return f"qformer.queries.{int(short and name != 'low_query_tokens')}", ""
    module, _, kind = name.rpartition(".")
    if module in PLAIN:
        return f"{PLAIN[module]}.{kind}", ""
    if "lora_" in name and name.startswith("llama_model."):
        adapter = re.sub(r"(lora_[AB])\.(weight)$", r"\1.default.\2", name)  # as older peft wrote it
        return adapter.replace("llama_model.", "llm.", 1), ""
    if name.startswith("llama_model."):
        return None  # frozen: it comes apart
    if found := LAYER.fullmatch(name):
        return _in_layer(name, *found.groups())
    raise RunError(f"{name} is in no released checkpoint of FAVOR or video-SALMONN that is known here")


def _in_layer(name: str, layer: str, module: str, kind: str) -> tuple[str, str]:
    prefix = f"qformer.layers.{layer}"
    if module in FEED_FORWARD:
        return f"{prefix}.{FEED_FORWARD[module]}.{kind}", ""
    block, _, part = module.partition(".")
    if block in ATTENTIONS:
        attention = f"{prefix}.{ATTENTIONS[block]}"
        if part in ("self.key", "self.value"):
            return f"{attention}.key_value.{kind}", part.removeprefix("self.")
        ours = {"self.query": "query", "output.dense": "output", "output.LayerNorm": "norm"}
        if part in ours:
            return f"{attention}.{ours[part]}.{kind}", ""
    raise RunError(f"{name} is in no released checkpoint of FAVOR or video-SALMONN that is known here")


def _settings(weights: Weights, short: bool, llm: str) -> ModelSettings:
    try:
        width = weights["qformer.query_norm.weight"].shape[0]
        audio = weights["input.audio.weight"]
        beats = weights["input.beats.weight"].shape[1] if "input.beats.weight" in weights else 0
        _ = weights["qformer.position.weight"], weights["projection.weight"], weights["qformer.queries.0"]
    except KeyError as error:
        raise RunError(f"the checkpoint lacks what becomes {error.args[0]}: is it a released one?") from error
    adapters = [name for name in weights if "lora_A" in name]
    generation = (
        dict(RELEASED_GENERATION) if short else {**RELEASED_GENERATION, "eos_token_id": [END, HASHES]}
    )
    return ModelSettings(
        llm=llm,
        visual="clip_prompted",
        audio="whisper",
        inputs=InputConfig(32, audio.shape[0], audio.shape[1], project_visual=False, beats_width=beats),
        lora_rank=weights[adapters[0]].shape[0] if adapters else 0,
        lora_targets=tuple(sorted({name.split(".lora_A")[0].rpartition(".")[2] for name in adapters})),
        width=width,
        heads=HEADS,
        mask=CausalMask.RELEASED,
        multi_resolution=short,
        generation=generation,
        image_steps=60,
    )


def read(path: Path) -> Mapping[str, torch.Tensor]:
    """Raises:
    RunError: not a file of tensors alone.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise RunError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    state = content.get("model", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise RunError(f"{path} does not hold tensors by name")
    return state


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 not a released checkpoint."""
    parser = argparse.ArgumentParser(prog="python -m examples.favor.convert", description=__doc__)
    parser.add_argument("released", type=Path, help="the published file of trained weights (.pt)")
    parser.add_argument("--output", type=Path, help="folder of the run (RELEASED without .pt)")
    parser.add_argument("--llm", default=VICUNA, help="Hugging Face id or folder of its Vicuna (%(default)s)")
    options = parser.parse_args(arguments)
    output = options.output or options.released.with_suffix("")
    try:
        settings, weights = converted(read(options.released), options.llm)
        output.mkdir(parents=True, exist_ok=True)
        checkpoint.save(output, settings, weights)
    except (RunError, OSError) as error:
        print(f"convert: {error}", file=sys.stderr)
        return 2
    print(f"{len(weights)} tensors: {output / checkpoint.CHECKPOINT_NAME}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
