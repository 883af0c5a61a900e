"""SigLIP, EVA-CLIP and the Q-Formers against bare transformers, on small checkpoints that it saved."""

import numpy as np
import pytest
import torch
import transformers
from transformers import BlipImageProcessorPil, SiglipImageProcessorPil

from featurizers.errors import ModelUnavailable
from featurizers.registry import load, resolve
from featurizers.vision.frames import Squash

FLOOR = {"float32": 0.999, "bfloat16": 0.998}
WIDTH = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 2}
VISION = {**WIDTH, "image_size": 48, "patch_size": 8}
QFORMER = {**WIDTH, "encoder_hidden_size": 64, "vocab_size": 40, "max_position_embeddings": 32}
TEXT = {"model_type": "opt", "vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 1, "ffn_dim": 32}
TEXT |= {"num_attention_heads": 2, "word_embed_proj_dim": 32, "max_position_embeddings": 32}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "what", "is", "happening"]


def cosines(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.mean((a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))))


def lively(model):
    """Weights far enough from zero that pictures make a difference."""
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim >= 2 or name.endswith("bias"):
                parameter.normal_(std=0.02 if name.endswith("bias") else 1 / parameter.shape[-1] ** 0.5)
    return model.eval()


@pytest.fixture(scope="module")
def siglip(tmp_path_factory):
    text = {**WIDTH, "vocab_size": 40}
    path = tmp_path_factory.mktemp("siglip")
    lively(
        transformers.SiglipModel(transformers.SiglipConfig(vision_config=VISION, text_config=text))
    ).save_pretrained(path)
    SiglipImageProcessorPil(size={"height": 48, "width": 48}).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def blip2(tmp_path_factory):
    config = transformers.Blip2Config(
        vision_config=VISION, qformer_config=QFORMER, text_config=TEXT, num_query_tokens=5
    )
    path = tmp_path_factory.mktemp("blip2")
    lively(transformers.Blip2ForConditionalGeneration(config)).save_pretrained(path)
    BlipImageProcessorPil(size={"height": 48, "width": 48}).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def instructblip(tmp_path_factory):
    config = transformers.InstructBlipConfig(
        vision_config=VISION, qformer_config=QFORMER, text_config=TEXT, num_query_tokens=5
    )
    path = tmp_path_factory.mktemp("instructblip")
    lively(transformers.InstructBlipForConditionalGeneration(config)).save_pretrained(path)
    BlipImageProcessorPil(size={"height": 48, "width": 48}).save_pretrained(path)
    vocabulary = path / "vocab.txt"
    vocabulary.write_text("\n".join(WORDS))
    transformers.BertTokenizerFast(vocab={word: place for place, word in enumerate(WORDS)}).save_pretrained(
        path / "qformer_tokenizer"
    )
    return path


def encode(spec, pictures, **options):
    featurizer = resolve("x", spec, device="cpu", **options)
    transform = featurizer.frame_transform()
    assert transform == Squash(48, transform.resample)
    return load(featurizer).encode([np.stack([transform(picture) for picture in pictures])])[0].array


def agrees(features, truth, dtype):
    assert features.shape == truth.shape
    assert cosines(features, truth) >= FLOOR[dtype]
    assert cosines(features[1:], truth[:-1]) < FLOOR[dtype]  # a shift of one step is seen


@pytest.mark.parametrize("dtype", FLOOR)
@torch.inference_mode()
def test_siglip(siglip, pictures, dtype):
    model = transformers.SiglipVisionModel.from_pretrained(siglip).eval()
    pixels = SiglipImageProcessorPil.from_pretrained(siglip)(list(pictures), return_tensors="pt")
    truth = model(**pixels).last_hidden_state.numpy()
    agrees(encode(f"siglip:{siglip}", pictures, dtype=dtype), truth, dtype)


def test_siglip_has_no_class_token(siglip, pictures):
    tokens = [encode(f"siglip:{siglip}", pictures, clip_tokens=kept) for kept in ("patch", "all")]
    np.testing.assert_array_equal(*tokens)
    with pytest.raises(ModelUnavailable, match="no class token"):
        load(resolve("x", f"siglip:{siglip}", device="cpu", clip_tokens="cls"))


@pytest.mark.parametrize("dtype", FLOOR)
@pytest.mark.parametrize("family", ["blip2", "instructblip"])
@torch.inference_mode()
def test_eva(request, family, pictures, dtype):
    path = request.getfixturevalue(family)
    name = {"blip2": "Blip2", "instructblip": "InstructBlip"}[family]
    model = getattr(transformers, f"{name}ForConditionalGeneration").from_pretrained(path).eval()
    pixels = BlipImageProcessorPil.from_pretrained(path)(list(pictures), return_tensors="pt")["pixel_values"]
    truth = model.vision_model(pixels).last_hidden_state.numpy()
    agrees(encode(f"eva:{path}", pictures, dtype=dtype), truth[:, 1:], dtype)
    agrees(encode(f"eva:{path}", pictures, dtype=dtype, clip_tokens="all"), truth, dtype)


@pytest.mark.parametrize("dtype", FLOOR)
@torch.inference_mode()
def test_blip2_qformer(blip2, pictures, dtype):
    model = transformers.Blip2ForConditionalGeneration.from_pretrained(blip2).eval()
    pixels = BlipImageProcessorPil.from_pretrained(blip2)(list(pictures), return_tensors="pt")["pixel_values"]
    truth = model.get_image_features(pixels, return_dict=True).qformer_outputs.last_hidden_state.numpy()
    agrees(encode(f"qformer:{blip2}", pictures, dtype=dtype), truth, dtype)


@pytest.mark.parametrize("dtype", FLOOR)
@torch.inference_mode()
def test_instructblip_qformer_reads_the_prompt(instructblip, pictures, dtype):
    model = transformers.InstructBlipForConditionalGeneration.from_pretrained(instructblip).eval()
    pixels = BlipImageProcessorPil.from_pretrained(instructblip)(list(pictures), return_tensors="pt")
    ids = torch.tensor([[2, 5, 6, 7, 3]]).expand(4, -1)  # [CLS] what is happening [SEP]
    outputs = model.get_image_features(**pixels, qformer_input_ids=ids, return_dict=True)
    truth = outputs.qformer_outputs.last_hidden_state[:, :5].numpy()
    asked = encode(f"qformer:{instructblip}", pictures, dtype=dtype, prompt="What is happening")
    agrees(asked, truth, dtype)
    unasked = encode(f"qformer:{instructblip}", pictures, dtype=dtype)
    assert unasked.shape == asked.shape
    assert cosines(unasked, truth) < 0.99


def test_a_prompt_is_part_of_the_fingerprint(instructblip):
    prints = [
        resolve("x", f"qformer:{instructblip}", device="cpu", prompt=prompt).fingerprint().digest
        for prompt in ("", "What is happening", "Who speaks")
    ]
    assert len(set(prints)) == 3


def test_blip2_reads_no_prompt(blip2):
    with pytest.raises(ModelUnavailable, match="reads no prompt"):
        load(resolve("x", f"qformer:{blip2}", device="cpu", prompt="What"))


def test_questions_need_instructblip_and_its_tokenizer(blip2, instructblip, tmp_path):
    with pytest.raises(ModelUnavailable, match="reads no question"):
        resolve("x", f"prompted:{blip2}", device="cpu").fingerprint()
    for file in instructblip.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ModelUnavailable, match="has no qformer_tokenizer"):
        resolve("x", f"prompted:{tmp_path}", device="cpu").prepare()


def test_another_family_is_refused(siglip, blip2, small_clip):
    for spec in (f"clip:{siglip}", f"siglip:{blip2}", f"qformer:{small_clip}"):
        with pytest.raises(ModelUnavailable, match="checkpoint, n"):
            resolve("x", spec, device="cpu").fingerprint()
