"""model.bin files of every stored type, and broken ones."""

import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from whisper.model import ModelDimensions, Whisper

from featurizers.errors import ModelUnavailable
from featurizers.whisper import ctranslate2

DIMS = ModelDimensions(8, 10, 12, 2, 2, 20, 6, 12, 3, 1)


def string(text):
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def record(name, array, kind):
    header = string(name) + struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
    return header + struct.pack("<BI", kind, array.nbytes) + array.tobytes()


def fused(state, target, names):
    weight = np.concatenate([state[f"{target}.{name}.weight"] for name in names])
    bias = [state.get(f"{target}.{name}.bias", np.zeros(DIMS.n_audio_state, np.float32)) for name in names]
    return weight, np.concatenate(bias)


def converted(state):
    """CTranslate2's names for openai-whisper's (faster-whisper's converter makes the same)."""
    variables = {"decoder/embeddings/weight": state["decoder.token_embedding.weight"]}
    for conv in ("conv1", "conv2"):
        for part in ("weight", "bias"):
            variables[f"encoder/{conv}/{part}"] = state[f"encoder.{conv}.{part}"]

    def linear(target, source, names):
        variables[f"{target}/weight"], variables[f"{target}/bias"] = fused(state, source, names)

    def norm(target, source):
        variables[f"{target}/gamma"] = state[f"{source}.weight"]
        variables[f"{target}/beta"] = state[f"{source}.bias"]

    for side, last, layers in (("encoder", "ln_post", 2), ("decoder", "ln", 1)):
        variables[f"{side}/position_encodings/encodings"] = state[f"{side}.positional_embedding"]
        norm(f"{side}/layer_norm", f"{side}.{last}")
        for layer in range(layers):
            target, source = f"{side}/layer_{layer}", f"{side}.blocks.{layer}"
            norm(f"{target}/self_attention/layer_norm", f"{source}.attn_ln")
            linear(f"{target}/self_attention/linear_0", f"{source}.attn", ("query", "key", "value"))
            linear(f"{target}/self_attention/linear_1", f"{source}.attn", ("out",))
            norm(f"{target}/ffn/layer_norm", f"{source}.mlp_ln")
            linear(f"{target}/ffn/linear_0", f"{source}.mlp", ("0",))
            linear(f"{target}/ffn/linear_1", f"{source}.mlp", ("2",))
            if side == "decoder":
                norm(f"{target}/attention/layer_norm", f"{source}.cross_attn_ln")
                linear(f"{target}/attention/linear_0", f"{source}.cross_attn", ("query",))
                linear(f"{target}/attention/linear_1", f"{source}.cross_attn", ("key", "value"))
                linear(f"{target}/attention/linear_2", f"{source}.cross_attn", ("out",))
    return variables


def stored(name, array, kind):
    """The records that CTranslate2 writes of one variable under one quantisation."""
    if kind == "float16":
        return [record(name, array.astype(np.float16), 4)]
    if kind == "bfloat16":
        return [record(name, (array.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16), 5)]
    if kind == "int8" and name.endswith("/weight"):
        rows = array.reshape(len(array), -1)
        scale = (127 / np.abs(rows).max(axis=1)).astype(np.float32)
        quantised = np.rint(rows * scale[:, None]).astype(np.int8).reshape(array.shape)
        return [record(name, quantised, 1), record(f"{name}_scale", scale, 0)]
    return [record(name, array.astype(np.float32), 0)]


def model_bin(variables, kind="float32"):
    records = [r for name, array in variables.items() for r in stored(name, array, kind)]
    for side, heads in (("encoder", 2), ("decoder", 3)):
        records.append(record(f"{side}/num_heads", np.array(heads, np.int16), 2))
    head = struct.pack("<I", 6) + string("WhisperSpec") + struct.pack("<II", 3, len(records))
    return head + b"".join(records) + struct.pack("<I", 0)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = Whisper(DIMS)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model


@pytest.fixture(scope="module")
def variables(model):
    return converted({name: value.numpy() for name, value in model.state_dict().items()})


@pytest.mark.parametrize(
    ("kind", "tolerance"), [("float32", 0), ("float16", 1e-3), ("bfloat16", 8e-3), ("int8", 5e-3)]
)
def test_every_stored_type(tmp_path, model, variables, kind, tolerance):
    (tmp_path / "model.bin").write_bytes(model_bin(variables, kind))
    checkpoint = ctranslate2.read_checkpoint(tmp_path)
    assert ModelDimensions(**checkpoint["dims"]) == DIMS
    found = checkpoint["model_state_dict"]
    truth = model.state_dict()
    assert found.keys() == truth.keys()
    for name, value in truth.items():
        assert (found[name] - value).abs().max() <= tolerance * value.abs().max(), name
    Whisper(DIMS).load_state_dict(found)


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_broken_files_are_refused_in_one_line(tmp_path_factory, variables, data):
    whole = model_bin(variables)
    kind = data.draw(st.sampled_from(["cut", "flip"]))
    if kind == "cut":
        broken = whole[: data.draw(st.integers(0, len(whole) - 5))]
    else:
        at = data.draw(st.integers(0, 2_000))
        broken = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    directory = tmp_path_factory.mktemp("broken")
    (directory / "model.bin").write_bytes(broken)
    message = None
    try:
        ctranslate2.read_checkpoint(directory)
    except ModelUnavailable as error:
        message = str(error)
    # A flipped weight cannot be seen; a missing one can.
    assert message is not None or kind == "flip"
    assert "\n" not in (message or "")
