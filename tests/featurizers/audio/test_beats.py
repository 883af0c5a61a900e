"""BEATs against a reference of torch's own modules, put together from the papers (arXiv 2212.09058, 3.1, and
2110.13900, 3.3) in float64, on weights of the true shape under the published names."""

import math

import numpy as np
import pytest
import torch
import torchaudio.compliance.kaldi as kaldi
from torch import nn

from featurizers.audio.beats import CONFIG, windows
from featurizers.errors import ModelUnavailable
from featurizers.registry import load, resolve

LAYERS, WIDTH, HEADS, BUCKETS, DISTANCE = 12, 768, 12, 320, 800
FLOOR = {"float32": 0.9999, "bfloat16": 0.998}


def cosines(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.mean((a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))))


def shapes():
    yield "patch_embedding.weight", (512, 1, 16, 16)
    yield from (("layer_norm.weight", (512,)), ("layer_norm.bias", (512,)))
    yield from (("post_extract_proj.weight", (768, 512)), ("post_extract_proj.bias", (768,)))
    yield from (("encoder.pos_conv.0.weight_g", (1, 1, 128)), ("encoder.pos_conv.0.weight_v", (768, 48, 128)))
    yield "encoder.pos_conv.0.bias", (768,)
    yield from (("encoder.layer_norm.weight", (768,)), ("encoder.layer_norm.bias", (768,)))
    for layer in range(LAYERS):
        name = f"encoder.layers.{layer}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield f"{name}.self_attn.{part}.weight", (768, 768)
            yield f"{name}.self_attn.{part}.bias", (768,)
        yield f"{name}.self_attn.grep_linear.weight", (8, 64)
        yield f"{name}.self_attn.grep_linear.bias", (8,)
        yield f"{name}.self_attn.grep_a", (1, 12, 1, 1)
        yield f"{name}.self_attn.relative_attention_bias.weight", (320, 12)
        for norm in ("self_attn_layer_norm", "final_layer_norm"):
            yield from ((f"{name}.{norm}.weight", (768,)), (f"{name}.{norm}.bias", (768,)))
        yield from ((f"{name}.fc1.weight", (3072, 768)), (f"{name}.fc1.bias", (3072,)))
        yield from ((f"{name}.fc2.weight", (768, 3072)), (f"{name}.fc2.bias", (768,)))
    yield from (("predictor.weight", (527, 768)), ("predictor.bias", (527,)))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The authors' kind of file, with random weights."""
    generator = torch.Generator().manual_seed(5)
    state = {}
    for name, shape in shapes():
        fan = math.prod(shape[1:]) if len(shape) > 1 else 1
        drawn = torch.randn(shape, generator=generator)
        state[name] = drawn * 0.1 + name.endswith("norm.weight") if len(shape) == 1 else drawn / fan**0.5
        if "relative_attention_bias" in name or name.endswith(("grep_a", "weight_g")):
            state[name] = drawn  # biases that matter
    shared = state["encoder.layers.0.self_attn.relative_attention_bias.weight"]
    for layer in range(LAYERS):
        state[f"encoder.layers.{layer}.self_attn.relative_attention_bias.weight"] = shared
    path = tmp_path_factory.mktemp("beats") / "BEATs.pt"
    torch.save({"cfg": {**CONFIG, "finetuned_model": True, "predictor_class": 527}, "model": state}, path)
    return path


def bucket(distance: int) -> int:
    """Half the buckets for keys after the query; in each half exact ones to 80, then logarithmic to 800."""
    side, away = (160 if distance > 0 else 0), abs(distance)
    if away < 80:
        return side + away
    return side + min(159, 80 + int(math.log(away / 80) / math.log(DISTANCE / 80) * 80))


@torch.no_grad()
def reference(path, waveform):
    """[rows, 8, 768]"""
    state = {name: tensor.double() for name, tensor in torch.load(path, weights_only=True)["model"].items()}

    def into(module, prefix, **renamed):
        own = {ours: state[f"{prefix}.{theirs}"] for ours, theirs in renamed.items()}
        module.double().load_state_dict(own or {k: state[f"{prefix}.{k}"] for k in module.state_dict()})
        return module.eval()

    bank = kaldi.fbank(
        torch.from_numpy(waveform)[None] * 32768,
        num_mel_bins=128,
        sample_frequency=16000,
        frame_length=25,
        frame_shift=10,
    )
    bank = ((bank - 15.41663) / (2 * 6.55582)).double()
    embed = into(nn.Conv2d(1, 512, 16, 16, bias=False), "patch_embedding")
    x = embed(bank[None, None]).flatten(2).transpose(1, 2)
    x = into(nn.Linear(512, 768), "post_extract_proj")(into(nn.LayerNorm(512), "layer_norm")(x))
    conv = nn.utils.weight_norm(nn.Conv1d(768, 768, 128, padding=64, groups=16), dim=2)
    conv = into(conv, "encoder.pos_conv.0")
    x = x + nn.functional.gelu(conv(x.transpose(1, 2))[..., :-1]).transpose(1, 2)
    x = into(nn.LayerNorm(768), "encoder.layer_norm")(x)
    length = x.shape[1]
    table = state["encoder.layers.0.self_attn.relative_attention_bias.weight"]
    buckets = [[bucket(key - query) for key in range(length)] for query in range(length)]
    bias = table[torch.tensor(buckets)].permute(2, 0, 1)  # [heads, queries, keys]
    alpha = (2 * LAYERS) ** 0.25  # DeepNorm
    for layer in range(LAYERS):
        name = f"encoder.layers.{layer}"
        attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True).double().eval()
        for part in ("weight", "bias"):
            joined = torch.cat([state[f"{name}.self_attn.{which}_proj.{part}"] for which in "qkv"])
            getattr(attention, f"in_proj_{part}").copy_(joined)
            getattr(attention.out_proj, part).copy_(state[f"{name}.self_attn.out_proj.{part}"])
        query = nn.functional.linear(x, attention.in_proj_weight[:768], attention.in_proj_bias[:768])
        query = query[0].unflatten(-1, (12, 64)).transpose(0, 1)
        weight, offset = (state[f"{name}.self_attn.grep_linear.{part}"] for part in ("weight", "bias"))
        update = 1 - torch.sigmoid(query @ weight[:4].sum(0) + offset[:4].sum())
        reset = torch.sigmoid(query @ weight[4:].sum(0) + offset[4:].sum())
        scale = state[f"{name}.self_attn.grep_a"][0, :, 0]
        gate = 1 + update + (1 - update) * scale * reset  # WavLM's r = d + u d + (1 - u) s g d
        mixed, _ = attention(x, x, x, attn_mask=gate[..., None] * bias, need_weights=False)
        x = into(nn.LayerNorm(768), f"{name}.self_attn_layer_norm")(alpha * x + mixed)
        hidden = nn.functional.gelu(into(nn.Linear(768, 3072), f"{name}.fc1")(x))
        x = alpha * x + into(nn.Linear(3072, 768), f"{name}.fc2")(hidden)
        x = into(nn.LayerNorm(768), f"{name}.final_layer_norm")(x)
    return x[0].unflatten(0, (-1, 8)).numpy()


@pytest.mark.parametrize("dtype", FLOOR)
def test_same_as_the_reference(checkpoint, speech, dtype):
    waveform = speech[0][0][: 16_000 * 4 + 777]
    truth = reference(checkpoint, waveform)
    encoder = load(resolve("beats", f"beats:{checkpoint}", device="cpu", dtype=dtype))
    (features,) = encoder.encode([waveform])
    assert features.array.dtype == np.float16
    assert features.array.shape == truth.shape == (25, 8, 768)  # 4.05 s of 160 ms, whole patches only
    assert cosines(features.array, truth) >= FLOOR[dtype]
    assert cosines(features.array[1:], truth[:-1]) < FLOOR[dtype] - 0.05  # a shift of one step is seen
    assert cosines(features.array[:, ::-1], truth) < FLOOR[dtype] - 0.05  # and bands upside down


def test_rows_lie_where_they_say(checkpoint):
    """A click at 2.0 s is in the patches of row 12, [1.92, 2.08)."""
    featurizer = resolve("beats", f"beats:{checkpoint}", device="cpu", dtype="float32")
    assert (featurizer.rate.every_ns, featurizer.rate.length_ns) == (160_000_000, 160_000_000)
    from featurizers.audio.beats_encoder import filterbank

    wave = torch.zeros(64_000)
    wave[32_000] = 0.9
    loud = filterbank(wave).amax(dim=1).unflatten(0, (-1,))[: 24 * 16].unflatten(0, (-1, 16)).amax(dim=1)
    assert loud.argmax() == 2_000_000_000 // featurizer.rate.every_ns


def test_released_padding_and_windows(checkpoint, speech):
    plain, tail = (
        load(resolve("beats", f"beats:{checkpoint}", device="cpu", dtype="float32", audio_tail=tail))
        for tail in (False, True)
    )
    second = speech[0][0][:16_000]
    assert plain.encode([second])[0].array.shape == (6, 8, 768)
    padded = np.pad(second, (0, 32_000))
    np.testing.assert_array_equal(tail.encode([second])[0].array, plain.encode([padded])[0].array)
    assert plain.encode([second[:100]])[0].array.shape == (1, 8, 768)
    assert [len(windows(n)) for n in (1, 480_000, 481_520, 960_000)] == [1, 1, 2, 2]
    assert windows(960_000)[1].start == 187 * 2560
    prints = {
        resolve("b", f"beats:{checkpoint}", device="cpu", audio_tail=t).fingerprint().digest for t in (0, 1)
    }
    assert len(prints) == 2


def test_sound_of_any_length_has_its_rows():
    for samples in (2_800, 5_359, 5_360, 47_000, 478_960, 480_000, 481_520):
        rows = sum(
            (1 + (min(len(range(*w.indices(samples))), samples) - 400) // 160) // 16 for w in windows(samples)
        )
        assert rows == (1 + (samples - 400) // 160) // 16


def test_what_is_no_beats_is_refused(tmp_path):
    with pytest.raises(ModelUnavailable, match=r"no BEATs checkpoint .*random:base"):
        resolve("beats", "beats:nothing.pt")
    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(ModelUnavailable, match="no cfg and model"):
        load(resolve("beats", f"beats:{tmp_path / 'other.pt'}", device="cpu"))
    torch.save({"cfg": {"layer_norm_first": True}, "model": {}}, tmp_path / "first.pt")
    with pytest.raises(ModelUnavailable, match="layer_norm_first is True"):
        load(resolve("beats", f"beats:{tmp_path / 'first.pt'}", device="cpu"))
