"""A released checkpoint, converted, against the published forward pass written out plainly.

The states are random, under the published names. Most cases are an eighth as wide as published, one is of the
published shapes, Vicuna's width apart: float64 takes its time.
"""

from typing import Any

import pytest
import torch
from torch.nn import functional

from examples.favor import answer, checkpoint
from examples.favor.checkpoint import put
from examples.favor.convert import HASHES, converted, main
from examples.favor.language_model import load_language_model
from examples.favor.qformer import CausalMask
from loaders.synchronise import Synchronise

ROWS, WINDOW, HEADS, LLM_WIDTH = 32, 10, 12, 64


def linear(state, name, outputs, inputs):
    state[f"{name}.weight"] = torch.randn(outputs, inputs) / inputs**0.5
    state[f"{name}.bias"] = torch.randn(outputs) / 10


def norm(state, name, width):
    state[f"{name}.weight"] = 1 + torch.randn(width) / 10
    state[f"{name}.bias"] = torch.randn(width) / 10


def released_state(beats=False, width=96, sound=160):
    """FAVOR's trained parameters, or video-SALMONN's."""
    torch.manual_seed(3)
    joint = width * (3 if beats else 2)
    state: dict[str, Any] = {}
    linear(state, "speech_pre_qformer_proj", width, sound)
    norm(state, "ln_video", joint)
    state["video_frame_position_embedding.weight"] = torch.randn(4096, joint)
    state["video_query_tokens"] = torch.randn(1, 30 if beats else 32, width) * 0.02
    if beats:
        linear(state, "beats_pre_qformer_proj", width, width)
        state["low_query_tokens"] = torch.randn(1, 3, width) * 0.02
    norm(state, "video_Qformer.bert.embeddings.LayerNorm", width)
    for number in range(2):
        layer = f"video_Qformer.bert.encoder.layer.{number}"
        kinds = [("encoder_causal_attention", joint, joint), ("attention", width, width)]
        for kind, own, keys in [*kinds, ("crossattention", width, joint)]:
            linear(state, f"{layer}.{kind}.self.query", own, own)
            linear(state, f"{layer}.{kind}.self.key", own, keys)
            linear(state, f"{layer}.{kind}.self.value", own, keys)
            linear(state, f"{layer}.{kind}.output.dense", own, own)
            norm(state, f"{layer}.{kind}.output.LayerNorm", own)
        linear(state, f"{layer}.intermediate_query.dense", 4 * width, width)
        linear(state, f"{layer}.output_query.dense", width, 4 * width)
        norm(state, f"{layer}.output_query.LayerNorm", width)
    linear(state, "llama_proj", LLM_WIDTH, width * (2 if beats else 1))
    for number in range(2):
        for module in ("q_proj", "k_proj", "v_proj", "o_proj"):
            name = f"llama_model.base_model.model.model.layers.{number}.self_attn.{module}"
            state[f"{name}.lora_A.weight"] = torch.randn(32, LLM_WIDTH)
            state[f"{name}.lora_B.weight"] = torch.randn(LLM_WIDTH, 32)
    shared = {name: value for name, value in state.items() if name.startswith("video_Qformer")}
    state |= {name.replace("video_", "joint_", 1): value for name, value in shared.items()}
    return state


class Published:
    """The published forward pass in float64, one sample, from raw features to the language model's tokens."""

    def __init__(self, state):
        self.state = {name: value.double() for name, value in state.items()}
        self.width = state["speech_pre_qformer_proj.bias"].shape[0]

    def linear(self, name, x):
        return functional.linear(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"])

    def norm(self, name, x, eps=1e-12):
        return functional.layer_norm(
            x, x.shape[-1:], self.state[f"{name}.weight"], self.state[f"{name}.bias"], eps
        )

    def attention(self, name, x, keys, mask):
        """mask: added to the scores."""
        query, key, value = (
            self.linear(f"{name}.self.{part}", source).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for part, source in (("query", x), ("key", keys), ("value", keys))
        )
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5 + mask
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)
        return self.norm(f"{name}.output.LayerNorm", self.linear(f"{name}.output.dense", mixed) + x)

    def windows(self, features, real, steps, queries):
        """features [N * 32, width] of steps of which `real` are not padding -> [windows * queries, width]."""
        lowest = torch.finfo(torch.float64).min
        windows = features.view(-1, steps * ROWS, features.shape[-1])
        present = (torch.arange(len(features)) < real * ROWS).view(-1, 1, 1, steps * ROWS)
        hidden = self.norm("ln_video", windows, 1e-5)
        hidden = hidden + self.state["video_frame_position_embedding.weight"][: steps * ROWS]
        later = torch.kron(torch.triu(torch.ones(steps, steps)), torch.ones(ROWS, ROWS)).double()
        x = self.norm("video_Qformer.bert.embeddings.LayerNorm", self.state[queries])
        x = x.expand(len(windows), -1, -1)
        for number in range(2):
            layer = f"video_Qformer.bert.encoder.layer.{number}"
            name = f"{layer}.encoder_causal_attention"
            keys = self.attention(name, hidden, hidden, (1 - later) * lowest)
            x = self.attention(f"{layer}.attention", x, x, 0.0)
            x = self.attention(f"{layer}.crossattention", x, keys, (~present).double() * lowest)
            inner = functional.gelu(self.linear(f"{layer}.intermediate_query.dense", x))
            x = self.norm(
                f"{layer}.output_query.LayerNorm", self.linear(f"{layer}.output_query.dense", inner) + x
            )
        return x.flatten(0, 1)

    def __call__(self, visual, sound, mask, beats=None):
        """visual [T1, 32, width], sound [T2 * 25, width], mask [video, audio]; None: zeros."""
        if sound is None:
            sounds = 1 if beats is None else 2
            heard = torch.zeros(len(visual) * 25, sounds * self.width, dtype=torch.double)
        else:
            heard = self.linear("speech_pre_qformer_proj", sound.double())
            if beats is not None:
                heard = torch.cat([heard, self.linear("beats_pre_qformer_proj", beats.double())], dim=-1)
        heard = heard.view(-1, 25, heard.shape[-1])
        seen = torch.zeros(len(heard), ROWS, self.width) if visual is None else visual
        steps = max(len(heard), len(seen))
        heard = functional.pad(heard, (0, 0, 0, ROWS - 25, 0, steps - len(heard))) * mask[1]
        seen = functional.pad(seen.double(), (0, 0, 0, 0, 0, steps - len(seen))) * mask[0]
        joint = torch.cat([seen, heard], dim=-1)
        joint = functional.pad(joint, (0, 0, 0, 0, 0, -steps % WINDOW)).flatten(0, 1)
        output = self.windows(joint, steps, WINDOW, "video_query_tokens")
        if "low_query_tokens" in self.state:
            output = torch.cat([self.windows(joint, steps, 1, "low_query_tokens"), output], dim=-1)
        return self.linear("llama_proj", output)


@pytest.fixture(scope="module")
def llm_of(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vicuna")
    llm, tokenizer = load_language_model("random:tiny", torch.float32)
    llm.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def random_features(steps, tokens, width, seed):
    return torch.randn(steps, tokens, width, generator=torch.Generator().manual_seed(seed)).half()


def check(llm, sample, seen, heard, image=False, beats=False, width=96, sound_width=160):
    """`seen` and `heard`: steps that have a picture and sound; a longer sample is beside."""
    state = released_state(beats, width, sound_width)
    settings, weights = converted(state, llm)
    model = settings.build()
    put(weights, model)
    model.double().eval()
    steps = max(seen, heard)
    visual = random_features(1 if image else seen, 32, width, 1) if seen else None
    sound = random_features(heard, 25, sound_width, 2) if heard else None
    own = sample(
        steps,
        audio=sound,
        visual=visual,
        image=image,
        audio_mask=[number < heard for number in range(steps)],
        visual_mask=[number < seen for number in range(steps)],
    )
    second = random_features(steps, 25, width, 4) if beats else None
    expected = Published(state)(
        visual.expand(steps, -1, -1) if image else visual,
        None if sound is None else sound.flatten(0, 1),
        [float(seen > 0), float(heard > 0)],
        second[:heard].flatten(0, 1) if beats else None,
    )
    longer = sample(
        steps + 13,
        audio=random_features(steps + 13, 25, sound_width, 9),
        visual=random_features(steps + 13, 32, width, 8),
    )
    batch = Synchronise(32, width, sound_width)([own, longer])
    beside = None
    if beats:
        beside = torch.zeros(2, steps + 13, 32, width, dtype=torch.double)
        assert second is not None
        beside[0, :steps, :25] = second
    with torch.no_grad():
        tokens, _ = model.tokens(batch, beside)
    assert tokens[0].shape == expected.shape == (-(-steps // 10) * (30 if beats else 32), LLM_WIDTH)
    assert (tokens[0] - expected).abs().max() < 1e-9


@pytest.mark.parametrize(
    ("seen", "heard", "image"),
    [
        (20, 20, False),
        (60, 60, False),
        (27, 27, False),  # a partial window
        (43, 60, False),  # the sound goes on
        (36, 25, False),  # the pictures go on
        (33, 0, False),  # video alone
        (0, 51, False),  # sound alone
        (60, 0, True),  # an image alone
        (24, 24, True),  # an image with a spoken question
    ],
)
@pytest.mark.parametrize("beats", [False, True], ids=["FAVOR", "video-SALMONN"])
def test_converted_is_the_published_forward_pass(llm_of, sample, seen, heard, image, beats):
    check(llm_of, sample, seen, heard, image, beats)


def test_of_the_published_shapes_too(llm_of, sample):
    check(llm_of, sample, 23, 27, width=768, sound_width=1280)


def test_settings_and_adapters_as_released(llm_of):
    settings, weights = converted(released_state(), llm_of)
    assert settings.mask is CausalMask.RELEASED
    assert settings.generation == {
        "num_beams": 5,
        "repetition_penalty": 1.5,
        "eos_token_id": [2, HASHES],
    }
    assert (settings.lora_rank, settings.lora_targets) == (32, ("k_proj", "o_proj", "q_proj", "v_proj"))
    assert sum("lora_" in name for name in weights) == 16
    salmonn, _ = converted(released_state(beats=True), llm_of)
    assert salmonn.multi_resolution
    assert "eos_token_id" not in salmonn.generation


def test_the_command_makes_a_run(tmp_path, llm_of, capsys):
    path = tmp_path / "favor.pt"
    torch.save({name: value.half() for name, value in released_state().items()}, path)
    assert main([str(path), "--llm", llm_of]) == 0
    content = checkpoint.read(tmp_path / "favor")
    assert content["settings"].llm == llm_of
    asked = answer.parse(["CORPUS", "--run", str(tmp_path / "favor"), "--device", "cpu"])
    model, generation, _ = answer.load(asked)
    assert generation["max_new_tokens"] == 256
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda state: state.update({"llama_projection.weight": torch.ones(1)}),
            "llama_projection.weight is in no",
        ),
        (lambda state: state.pop("ln_video.weight"), "feature_norm"),
        (lambda state: state.pop("llama_proj.weight"), "lacks what becomes projection.weight"),
    ],
)
def test_what_is_no_released_checkpoint_is_said_in_one_line(tmp_path, llm_of, capsys, change, said):
    state = released_state()
    change(state)
    torch.save(state, tmp_path / "other.pt")
    status = main([str(tmp_path / "other.pt"), "--llm", llm_of])
    if status == 0:  # what is missing shows where the model is made
        asked = ["CORPUS", "--run", str(tmp_path / "other"), "--device", "cpu"]
        with pytest.raises(checkpoint.RunError, match=said):
            answer.load(answer.parse(asked))
        return
    assert status == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line
