"""Random weights of the released encoders' shapes, in files of the released names: what `--like favor` reads.

    python -m examples.favor.random_weights . [--layers 1]

writes `large-v2.pt` (openai-whisper's) and `Salesforce/instructblip-vicuna-13b` (EVA-CLIP ViT-g and the
Q-Former; of Vicuna nothing, as no column reads it). Every width, number of heads, vectors, tokens and queries
is the released one. `--layers N` is for trials: so many transformer layers of each, not 32, 39 and 12.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import torch
import transformers
import whisper
from safetensors.torch import save_file
from torch import Tensor, nn

from featurizers.running import untrained
from featurizers.whisper.description import untrained_dimensions
from featurizers.whisper.weights import untrained_tensor

WHISPER = "large-v2.pt"
INSTRUCTBLIP = "Salesforce/instructblip-vicuna-13b"
QUERIES, WIDTH = 32, 768
VISION_LAYERS, QFORMER_LAYERS = 39, 12
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789?!.,'"
PICTURES = {
    "image_processor_type": "BlipImageProcessor",
    "size": {"height": 224, "width": 224},
    "resample": 3,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}


def parameters(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Seeded random float16 of every parameter of a module that lies on the device "meta"."""
    for name, parameter in module.named_parameters():
        yield prefix + name, untrained.tensor(prefix + name, *parameter.shape).half()


def write_whisper(folder: Path, layers: int | None) -> None:
    """`large-v2.pt`: dims and the names of openai-whisper's module."""
    dims = untrained_dimensions("large-v2")
    if layers:
        dims |= {"n_audio_layer": layers, "n_text_layer": layers}
    said = whisper.model.ModelDimensions(**dims)
    text = said.n_vocab, said.n_text_ctx, said.n_text_state, said.n_text_head, said.n_text_layer
    sound = said.n_mels, said.n_audio_ctx, said.n_audio_state, said.n_audio_head, said.n_audio_layer
    with torch.device("meta"):
        encoder, decoder = whisper.model.AudioEncoder(*sound), whisper.model.TextDecoder(*text)
    state = dict(parameters(encoder, "encoder.")) | dict(parameters(decoder, "decoder."))
    positions = "positional_embedding"  # the encoder's are no parameters, and no random numbers
    state[f"encoder.{positions}"] = untrained_tensor(positions, said.n_audio_ctx, said.n_audio_state).half()
    torch.save({"dims": dims, "model_state_dict": state}, folder / WHISPER)


def write_instructblip(folder: Path, layers: int | None) -> None:
    """The checkpoint's folder: vision tower, Q-Former with its queries, configuration, tokenizer."""
    path = folder / INSTRUCTBLIP
    path.mkdir(parents=True, exist_ok=True)
    vision = {"num_hidden_layers": layers or VISION_LAYERS}
    qformer = {"num_hidden_layers": layers or QFORMER_LAYERS, "vocab_size": 30523}
    with torch.device("meta"):
        tower = transformers.InstructBlipVisionModel(transformers.InstructBlipVisionConfig(**vision))
        reader = transformers.InstructBlipQFormerModel(transformers.InstructBlipQFormerConfig(**qformer))
    queries = {"query_tokens": untrained.tensor("query_tokens", 1, QUERIES, WIDTH).half()}
    shards = [
        dict(parameters(tower, "vision_model.")),
        {**queries, **dict(parameters(reader, "qformer."))},
    ]
    named: dict[str, str] = {}
    for number, tensors in enumerate(shards, 1):
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        save_file(tensors, path / file, metadata={"format": "pt"})
        named |= dict.fromkeys(tensors, file)
    config = {"model_type": "instructblip", "num_query_tokens": QUERIES}
    config |= {"vision_config": tower.config.to_dict(), "qformer_config": reader.config.to_dict()}
    for name, content in (
        ("model.safetensors.index.json", {"weight_map": named}),
        ("config.json", config),
        ("preprocessor_config.json", PICTURES),
    ):
        (path / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}  # BERT's words could not be had
    transformers.BertTokenizerFast(vocab=vocabulary).save_pretrained(path / "qformer_tokenizer")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.favor.random_weights", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)  # fmt: skip
    parser.add_argument("folder", type=Path, help="where the command `favor-data build` will run")
    parser.add_argument("--layers", type=int, help="of each transformer (as released: 5 GB of files)")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    write_whisper(given.folder, given.layers)
    write_instructblip(given.folder, given.layers)


if __name__ == "__main__":
    main()
