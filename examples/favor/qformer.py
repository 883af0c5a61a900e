"""The causal Q-Former (arXiv 2310.05863, section 3.2): windows of steps, each read by learned queries.

    features   [ step 0 | step 1 | ... | step 9 ][ step 10 | ...        windows of 10 steps (5 s)
    queries      q0 ... q31                       q0 ... q31            32 a window, shared by all windows

video-SALMONN's multi-resolution variant (arXiv 2406.15704) reads the same features in short and in long
windows, with queries of their own and one shared body, and joins the outputs on features.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional


class CausalMask(enum.StrEnum):
    """Which steps of its window a step's features see.

    `PAPER`: itself and those before. `RELEASED`: itself and those after, as the published code has it: there
    a last window's padding is seen too, which only cross-attention leaves out. `OFF`: all of the window.
    """

    PAPER = "paper"
    RELEASED = "released"
    OFF = "off"


class Resolution(NamedTuple):
    """Windows of `steps` steps, read by `queries` queries each."""

    steps: int
    queries: int


_HIDDEN = -1e30  # what is added to it is lost, in bfloat16 and in float64
FAVOR_RESOLUTION = (Resolution(10, 32),)
VIDEO_SALMONN_RESOLUTIONS = (Resolution(1, 3), Resolution(10, 30))


@dataclass(frozen=True)
class QFormerConfig:
    """`feature_width` and `rows` are those of the joint audio-visual features: FAVOR has 768 + 768 and 32."""

    feature_width: int = 1536
    rows: int = 32
    width: int = 768
    heads: int = 12
    layers: int = 2
    resolutions: tuple[Resolution, ...] = FAVOR_RESOLUTION
    mask: CausalMask = CausalMask.PAPER
    dropout: float = 0.1

    def __post_init__(self) -> None:
        longest = max(resolution.steps for resolution in self.resolutions)
        rates = {resolution.queries * longest / resolution.steps for resolution in self.resolutions}
        if self.width % self.heads or self.feature_width % self.heads:
            raise ValueError(f"a width of {self.width} does not divide among {self.heads} heads")
        if any(longest % resolution.steps for resolution in self.resolutions) or len(rates) > 1:
            raise ValueError(
                "every resolution must divide the longest window and give as many tokens a second"
            )

    @property
    def longest(self) -> int:
        """Steps of the longest window."""
        return max(resolution.steps for resolution in self.resolutions)

    @property
    def output_width(self) -> int:
        return self.width * len(self.resolutions)


class QFormerOutput(NamedTuple):
    """tokens [B, N, output_width]; lengths int64 [B], the tokens that belong to a sample;
    queries: a resolution's own outputs [windows, queries, width], real windows only."""

    tokens: torch.Tensor
    lengths: torch.Tensor
    queries: list[torch.Tensor]


def step_mask(steps: int, rows: int, mask: CausalMask) -> torch.Tensor:
    """bool [steps * rows, steps * rows]: True where the row's step may look at the column's step."""
    step = torch.arange(steps).repeat_interleave(rows)
    match mask:
        case CausalMask.PAPER:
            return step[:, None] >= step[None, :]
        case CausalMask.RELEASED:
            return step[:, None] <= step[None, :]
        case CausalMask.OFF:
            return torch.ones(steps * rows, steps * rows, dtype=torch.bool)


class Attention(nn.Module):
    """BERT's attention block: multi-head attention, output projection, residual, LayerNorm."""

    def __init__(self, width: int, key_width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(key_width, 2 * width)
        self.output = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, x: torch.Tensor, keys: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """x [B, N, width], keys [B, M, key_width]; mask, broadcast to [B, heads, N, M]: bool, or added."""
        query = self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        key, value = self.key_value(keys).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        if mask is not None and mask.is_floating_point():
            mask = mask.to(query.dtype)
        attended = functional.scaled_dot_product_attention(query, key, value, mask, dropout)
        mixed = self.output(attended.transpose(1, 2).flatten(2))
        normed: torch.Tensor = self.norm(x + functional.dropout(mixed, self.dropout, self.training))
        return normed


class Layer(nn.Module):
    """Queries attend to each other, then to the window's features after their own causal self-attention."""

    def __init__(self, config: QFormerConfig) -> None:
        super().__init__()
        self.causal = Attention(config.feature_width, config.feature_width, config.heads, config.dropout)
        self.self_attention = Attention(config.width, config.width, config.heads, config.dropout)
        self.cross_attention = Attention(config.width, config.feature_width, config.heads, config.dropout)
        self.feed_forward = nn.Sequential(
            nn.Linear(config.width, 4 * config.width),
            nn.GELU(),
            nn.Linear(4 * config.width, config.width),
            nn.Dropout(config.dropout),
        )
        self.norm = nn.LayerNorm(config.width, eps=1e-12)

    def forward(
        self, queries: torch.Tensor, features: torch.Tensor, among: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """queries [W, Q, width], features [W, M, feature_width], masks broadcast to [W, 1, M, M]."""
        features = self.causal(features, features, among)
        queries = self.self_attention(queries, queries)
        queries = self.cross_attention(queries, features, present)
        normed: torch.Tensor = self.norm(queries + self.feed_forward(queries))
        return normed


class CausalQFormer(nn.Module):
    """Joint features of any number of steps -> tokens for a language model, 32 for every 5 s."""

    def __init__(self, config: QFormerConfig) -> None:
        super().__init__()
        self.config = config
        self.feature_norm = nn.LayerNorm(config.feature_width)
        self.position = nn.Embedding(config.longest * config.rows, config.feature_width)
        self.queries = nn.ParameterList(
            nn.Parameter(torch.randn(resolution.queries, config.width) * 0.02)
            for resolution in config.resolutions
        )
        self.query_norm = nn.LayerNorm(config.width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.layers.apply(_initialise)  # the position table is as large as the published code's: N(0, 1)

    def forward(self, features: torch.Tensor, steps: torch.Tensor) -> QFormerOutput:
        """features [B, T, rows, feature_width], steps int64 [B]: how many of the T belong to each sample."""
        batch, longest = features.shape[0], self.config.longest
        features = functional.pad(features, (0, 0, 0, 0, 0, -features.shape[1] % longest))
        present = torch.arange(features.shape[1], device=steps.device) < steps[:, None]
        if self.config.mask is CausalMask.RELEASED:  # padding is seen: let it be the same whatever is beside
            features = features.masked_fill(~present[:, :, None, None], 0)
        tokens, queries = [], []
        for index, resolution in enumerate(self.config.resolutions):
            windows = features.view(-1, resolution.steps, *features.shape[2:])
            real = present.view(-1, resolution.steps)
            output = self._windows(windows, real, self.queries[index])
            tokens.append(output.view(batch, -1, self.config.width))
            queries.append(output[real.any(1)])
        windows_per_sample = -(-steps // longest)
        return QFormerOutput(torch.cat(tokens, dim=-1), windows_per_sample * self._tokens_per_window, queries)

    @property
    def _tokens_per_window(self) -> int:
        resolution = self.config.resolutions[0]
        return resolution.queries * self.config.longest // resolution.steps

    def _windows(self, windows: torch.Tensor, real: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
        """windows [W, steps, rows, feature_width], real bool [W, steps] -> [W, Q, width]."""
        steps, rows = windows.shape[1:3]
        flat = self.feature_norm(windows.flatten(1, 2))
        flat = flat + self.position.weight[: steps * rows]
        present = real.repeat_interleave(rows, dim=1)
        among = step_mask(steps, rows, self.config.mask).to(flat.device)[None]
        if self.config.mask is CausalMask.RELEASED:
            # Added, not cut: where a short window is padding alone, the mean of it is read, as published.
            present = torch.where(present, 0.0, _HIDDEN)
        else:
            # A window of padding alone is computed like a real one, so that no softmax is empty.
            present = present | ~real.any(1, keepdim=True)
            among = among & present[:, None, :]
            among = among | torch.eye(steps * rows, dtype=torch.bool, device=flat.device)
        hidden: torch.Tensor = self.query_norm(queries).expand(len(flat), -1, -1)
        hidden = functional.dropout(hidden, self.config.dropout, self.training)
        for layer in self.layers:
            hidden = layer(hidden, flat, among[:, None], present[:, None, None])
        return hidden


def _initialise(module: nn.Module) -> None:
    """BERT's, as the published code starts from."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


def diversity_loss(queries: torch.Tensor) -> torch.Tensor:
    """Mean cosine similarity of different queries' outputs, over windows; queries [W, Q, width].

    0 where every window's outputs are orthogonal, 1 where they are all the same (section 3.3).
    """
    unit = functional.normalize(queries.float(), dim=-1)
    count = unit.shape[1]
    if count < 2:
        return unit.new_zeros(())
    with torch.autocast(unit.device.type, enabled=False):
        similarity = unit @ unit.transpose(1, 2)
    off_diagonal = similarity.sum((1, 2)) - similarity.diagonal(dim1=1, dim2=2).sum(1)
    return (off_diagonal / (count * (count - 1))).mean()
