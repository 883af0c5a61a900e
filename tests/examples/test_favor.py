"""Prompt, loss and generation of the whole, with a tiny language model."""

from dataclasses import replace

import pytest
import torch

from examples.favor.model import AudioVisualInput, Favor, InputConfig, with_lora
from examples.favor.prompt import IGNORED, ConversationError, build_prompt
from examples.favor.qformer import QFormerConfig, Resolution, diversity_loss
from loaders.synchronise import Synchronise

QUESTION = {"from": "human", "value": "<video>\nwhat is this?"}
ANSWER = {"from": "gpt", "value": "a drum"}
COLLATE = Synchronise(visual_tokens=2, visual_width=6, audio_width=4)
CONFIG = QFormerConfig(
    feature_width=16, rows=25, width=8, heads=2, resolutions=(Resolution(2, 3),), dropout=0.0
)


def words(tokenizer, ids):
    return " ".join(tokenizer.convert_ids_to_tokens(ids))


def test_prompt_as_published(tokenizer):
    prompt = build_prompt(tokenizer, [QUESTION, ANSWER])
    assert words(tokenizer, prompt.before.tolist()) == "<s> USER : < Img >"
    after = words(tokenizer, prompt.after.tolist())
    # the tokenizer of the test knows no "</", so that </Img> is an unknown word
    assert after.endswith("Img > what is this ? ASSISTANT : a drum </s>")


def test_loss_is_on_answers_only(tokenizer):
    turns = [QUESTION, ANSWER, {"from": "human", "value": "and then?"}, {"from": "gpt", "value": "nothing"}]
    prompt = build_prompt(tokenizer, turns)
    learnt = [int(label) for label in prompt.labels if label != IGNORED]
    assert words(tokenizer, learnt) == "a drum </s> nothing </s>"
    assert len(prompt.labels) == len(prompt.after)
    assert all(
        label in (IGNORED, token)
        for label, token in zip(prompt.labels.tolist(), prompt.after.tolist(), strict=True)
    )


def test_turns_must_alternate(tokenizer):
    with pytest.raises(ConversationError, match="alternate"):
        build_prompt(tokenizer, [ANSWER, QUESTION])


@pytest.mark.parametrize("turns", [[ANSWER, QUESTION], [], None])
def test_a_conversation_that_cannot_be_learnt_from_names_its_sample(llm, tokenizer, sample, turns):
    with pytest.raises(ConversationError, match=r"sample id \(key\): "):
        favor(llm, tokenizer)(COLLATE([clip(sample)]), [turns])


def favor(llm, tokenizer):
    torch.manual_seed(1)
    return Favor(CONFIG, InputConfig.of(COLLATE), llm, tokenizer)


def clip(sample, steps=3, **fields):
    torch.manual_seed(steps)
    return sample(steps, audio=torch.randn(steps, 25, 4), visual=torch.randn(steps, 2, 6), **fields)


def test_padding_and_neighbours_do_not_change_the_loss(llm, tokenizer, sample):
    model = favor(llm, tokenizer).eval()
    short, long = clip(sample, 2), clip(sample, 5)
    turns = [QUESTION, ANSWER]
    with torch.no_grad():
        alone = [model(COLLATE([one]), [turns]).answer for one in (short, long)]
        together = model(COLLATE([short, long]), [turns, turns]).answer
    torch.testing.assert_close(together, torch.stack(alone).mean())


def test_a_fill_has_no_loss_and_a_batch_of_fills_no_nan(llm, tokenizer, sample):
    model = favor(llm, tokenizer).eval()
    one = clip(sample)
    other = clip(sample, 4, fill=True)
    turns = [QUESTION, ANSWER]
    with torch.no_grad():
        torch.testing.assert_close(
            model(COLLATE([one, other]), [turns, turns]).answer, model(COLLATE([one]), [turns]).answer
        )
    losses = model(COLLATE([other]), [turns])
    losses.answer.backward()
    assert losses.answer.item() == 0
    assert all(p.grad.abs().sum() == 0 for p in model.parameters() if p.grad is not None)


def test_missing_sound_is_zero_behind_the_projection_too(llm, tokenizer, sample):
    model = favor(llm, tokenizer)
    joint = model.input(COLLATE([sample(2, visual=torch.ones(2, 2, 6), visual_mask=[1, 0])]))
    assert joint.shape == (1, 2, 25, 16)
    assert joint[..., 8:].eq(0).all()
    assert joint[0, 0, :2, :8].ne(0).all()
    assert joint[0, 0, 2:].eq(0).all()  # a frame has two tokens: the rows after them hold no bias either
    assert joint[0, 1].eq(0).all()
    audio = model.input(clip_batch := COLLATE([clip(sample)]))[..., 8:]
    torch.testing.assert_close(audio, model.input.audio(clip_batch.audio.float()))


def test_audio_rows_beyond_twenty_five_stay_zero(llm, tokenizer, sample):
    collate = Synchronise(visual_tokens=32, visual_width=6, audio_width=4)
    joint = favor(llm, tokenizer).input(collate([clip(sample)]))
    assert joint.shape == (1, 3, 32, 16)
    assert joint[:, :, 25:, 8:].eq(0).all()
    assert joint[:, :, :25, 8:].ne(0).any()


def test_lora_trains_attention_adapters_and_nothing_else_of_the_llm(llm, tokenizer, sample):
    model = favor(with_lora(llm, rank=4), tokenizer)
    trained = {name for name, p in model.named_parameters() if p.requires_grad and name.startswith("llm.")}
    assert trained
    assert all("lora_" in name for name in trained)
    assert {name.split(".")[-4] for name in trained if "layers.0" in name} == {
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
    }
    model(COLLATE([clip(sample)]), [[QUESTION, ANSWER]]).total.backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


def test_it_learns_to_tell_two_clips_apart_and_says_so(llm, tokenizer, sample):
    model = favor(llm, tokenizer)
    clips = [clip(sample, 2), clip(sample, 5)]
    answers = ["a drum", "a bell"]
    batch = COLLATE(clips)
    turns = [[QUESTION, {"from": "gpt", "value": answer}] for answer in answers]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        model(batch, turns).total.backward()
        optimizer.step()
    model.eval()
    assert model.generate(batch, [[QUESTION]] * 2, max_new_tokens=4) == answers
    assert model.generate(COLLATE(clips[1:]), [[QUESTION]], max_new_tokens=4) == answers[1:]


def test_pictures_as_wide_as_the_model_are_projected_unless_asked_otherwise():
    assert isinstance(AudioVisualInput(InputConfig(2, 8, 4), 8).visual, torch.nn.Linear)
    as_they_are = AudioVisualInput(InputConfig(2, 8, 4, project_visual=False), 8).visual
    assert torch.equal(as_they_are(torch.ones(3)), torch.ones(3))
    with pytest.raises(ValueError, match="without a projection"):
        AudioVisualInput(InputConfig(2, 6, 4, project_visual=False), 8)


def test_diversity_is_that_of_the_long_windows_alone(llm, tokenizer, sample):
    config = replace(CONFIG, resolutions=(Resolution(1, 3), Resolution(2, 6)))
    model = Favor(config, InputConfig.of(COLLATE), llm, tokenizer).eval()
    batch = COLLATE([clip(sample, 4)])
    with torch.no_grad():
        _, diversity = model.tokens(batch)
        queries = model.qformer(model.input(batch), batch.steps).queries
    torch.testing.assert_close(diversity, diversity_loss(queries[1]))
    assert not torch.isclose(diversity, diversity_loss(queries[0]))
