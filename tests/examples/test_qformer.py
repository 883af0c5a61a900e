"""The causal Q-Former against cases computed by hand, and what its gradients reach."""

import pytest
import torch

from examples.favor.qformer import (
    VIDEO_SALMONN_RESOLUTIONS,
    CausalMask,
    CausalQFormer,
    QFormerConfig,
    Resolution,
    diversity_loss,
    step_mask,
)

SMALL = {"feature_width": 8, "rows": 2, "width": 8, "heads": 2, "dropout": 0.0}


def test_paper_mask_by_hand():
    assert step_mask(3, 2, CausalMask.PAPER).int().tolist() == [
        [1, 1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1],
    ]


def test_released_mask_by_hand():
    assert step_mask(2, 2, CausalMask.RELEASED).int().tolist() == [
        [1, 1, 1, 1],
        [1, 1, 1, 1],
        [0, 0, 1, 1],
        [0, 0, 1, 1],
    ]


def reached_steps(mask, step, steps=4, present=None):
    """Steps whose features change what the causal self-attention makes of `step`."""
    torch.manual_seed(0)
    config = QFormerConfig(**SMALL, mask=mask, resolutions=(Resolution(steps, 3),))
    attention = CausalQFormer(config).layers[0].causal.double()
    features = torch.randn(1, steps * 2, 8, dtype=torch.double, requires_grad=True)
    among = step_mask(steps, 2, mask)
    # The sum of a LayerNorm's outputs is constant: weigh them.
    weights = torch.randn(8, dtype=torch.double)
    (attention(features, features, among)[0, step * 2 : step * 2 + 2] @ weights).sum().backward()
    return features.grad.view(steps, 2, 8).abs().sum((1, 2)).gt(0).tolist()


@pytest.mark.parametrize("step", range(4))
def test_gradients_of_a_step_reach_no_later_step(step):
    assert reached_steps(CausalMask.PAPER, step) == [other <= step for other in range(4)]


@pytest.mark.parametrize("step", range(4))
def test_released_codes_mask_reaches_no_earlier_step(step):
    assert reached_steps(CausalMask.RELEASED, step) == [other >= step for other in range(4)]


def test_without_mask_every_step_is_seen():
    assert reached_steps(CausalMask.OFF, 1) == [True] * 4


def test_a_windows_tokens_see_that_window_alone():
    torch.manual_seed(0)
    qformer = CausalQFormer(QFormerConfig(**SMALL, resolutions=(Resolution(2, 3),))).eval()
    features = torch.randn(1, 5, 2, 8, requires_grad=True)
    output = qformer(features, torch.tensor([5]))
    assert output.tokens.shape == (1, 9, 8)
    assert output.lengths.tolist() == [9]
    (output.tokens[0, 3:6] @ torch.randn(8)).sum().backward()
    assert features.grad[0].abs().sum((1, 2)).gt(0).tolist() == [False, False, True, True, False]


def test_padding_changes_nothing():
    torch.manual_seed(0)
    qformer = CausalQFormer(QFormerConfig(**SMALL, resolutions=(Resolution(4, 3),))).eval()
    features = torch.randn(1, 5, 2, 8)
    alone = qformer(features, torch.tensor([5]))
    padded = torch.cat([features, torch.full((1, 6, 2, 8), 9.0)], dim=1)
    beside = qformer(torch.cat([padded, torch.randn(1, 11, 2, 8)]), torch.tensor([5, 11]))
    assert alone.lengths.tolist() == [6]
    assert beside.lengths.tolist() == [6, 9]
    torch.testing.assert_close(beside.tokens[0, :6], alone.tokens[0, :6])
    assert len(alone.queries[0]) == 2
    assert len(beside.queries[0]) == 5  # windows that hold a real step


def test_thirty_seconds_give_192_tokens():
    qformer = CausalQFormer(QFormerConfig(feature_width=12, rows=2, width=12, heads=2)).eval()
    output = qformer(torch.randn(1, 60, 2, 12), torch.tensor([60]))
    assert output.tokens.shape == (1, 192, 12)


def test_multi_resolution_joins_short_and_long_windows_on_features():
    torch.manual_seed(0)
    both = CausalQFormer(QFormerConfig(**SMALL, resolutions=VIDEO_SALMONN_RESOLUTIONS)).eval()
    features = torch.randn(2, 20, 2, 8)
    steps = torch.tensor([20, 7])
    output = both(features, steps)
    assert output.tokens.shape == (2, 60, 16)
    assert output.lengths.tolist() == [60, 30]
    assert [list(queries.shape) for queries in output.queries] == [[27, 3, 8], [3, 30, 8]]
    for index, resolution in enumerate(VIDEO_SALMONN_RESOLUTIONS):  # one shared body, queries of their own
        single = CausalQFormer(QFormerConfig(**SMALL, resolutions=(resolution,))).eval()
        state = {k: v for k, v in both.state_dict().items() if not k.startswith("queries.")}
        state["queries.0"] = both.queries[index]
        state["position.weight"] = both.position.weight[: resolution.steps * 2]
        single.load_state_dict(state)
        alone = single(features, steps).tokens[:, :60]
        torch.testing.assert_close(output.tokens[0, :, index * 8 : index * 8 + 8], alone[0])


def test_resolutions_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="every resolution"):
        QFormerConfig(resolutions=(Resolution(1, 3), Resolution(10, 32)))
    with pytest.raises(ValueError, match="every resolution"):
        QFormerConfig(resolutions=(Resolution(3, 3), Resolution(10, 10)))


@pytest.mark.parametrize(
    ("queries", "expected"),
    [
        ([[[1.0, 0], [0, 1]]], 0.0),
        ([[[1.0, 1], [2, 2]]], 1.0),
        ([[[1.0, 0], [-3, 0]]], -1.0),
        ([[[1.0, 0], [1, 1], [0, 2]]], (2**-0.5 + 0 + 2**-0.5) / 3),
        ([[[1.0, 0], [0, 1]], [[1.0, 1], [2, 2]]], 0.5),
    ],
)
def test_diversity_loss_by_hand(queries, expected):
    assert diversity_loss(torch.tensor(queries)).item() == pytest.approx(expected, abs=1e-6)
