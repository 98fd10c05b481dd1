"""The causal transformer over codes: the prior p(z_1, ..., z_N | label) of an ordered tokenizer.

Pre-norm (Xiong et al. 2020), learned positions, GELU. A start token stands before the first code, so p(z_1) is modelled
too. The class label is added at every position; one more row of its table means "no label", which training shows to a share
of the samples so that classifier-free guidance (Ho & Salimans 2022) can subtract the unconditional prediction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from anytime.networks.attention import Memory, make_attention


@dataclass(frozen=True)
class TransformerConfig:
    """Shape of a causal transformer.

    Attributes:
        layers: number of blocks.
        width: width of the residual stream, a multiple of `heads`.
        heads: attention heads.
        expansion: width of the feed-forward layer over `width`.
        dropout: of the residual branches and of the embedding.
        attention: "softmax", "linear" or "momentum".
        attention_options: of that attention: {"mu": 0.6, "gamma": 0.9} for momentum.
        attention_dropout: of the attention weights; softmax only, the other forms have none.
        activation_dropout: after the feed-forward non-linearity.
        tied: whether the output shares the token embedding.
        label_dropout: share of training samples whose label is hidden.
    """

    layers: int = 4
    width: int = 128
    heads: int = 4
    expansion: int = 4
    dropout: float = 0.1
    attention: str = "softmax"
    attention_options: dict[str, Any] = field(default_factory=dict)
    attention_dropout: float = 0.0
    activation_dropout: float = 0.0
    tied: bool = False
    label_dropout: float = 0.1


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed-forward(norm(x)); (B, T, D) -> (B, T, D)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width, hidden = config.width, config.expansion * config.width
        self.attention_norm = nn.LayerNorm(width)
        self.attention = make_attention(config.attention, width, config.heads, config.attention_dropout, config.attention_options)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, hidden),
            nn.GELU(),
            nn.Dropout(config.activation_dropout),
            nn.Linear(hidden, width),
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """The whole sequence at once."""
        x = x + self.dropout(self.attention(self.attention_norm(x)))
        x = x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        return x

    def step(self, x: Tensor, memory: Memory, position: int) -> Tensor:
        """New positions only, the past being in the memory."""
        x = x + self.attention.step(self.attention_norm(x), memory, position)
        x = x + self.feed_forward(self.feed_forward_norm(x))
        return x


@dataclass
class TransformerState:
    """Everything a batch needs to be continued: memories, the batch size, the condition (B, 1, D)."""

    memories: list[Memory]
    batch: int
    condition: Tensor | None
    position: int = 0

    def select(self, rows: Tensor) -> TransformerState:
        """The state of some rows of the batch."""
        condition = None if self.condition is None else self.condition[rows]
        return TransformerState([memory.select(rows) for memory in self.memories], len(rows), condition, self.position)


class CausalTransformer(nn.Module):
    """Logits of token t given the tokens before it and a label: tokens (B, T) int64 -> (B, T, V).

    Args:
        config: depth, width and dropout.
        vocabulary: V, the number of different tokens.
        length: N, the largest number of tokens.
        classes: number of labels; 0 for an unconditional model.

    Raises:
        AnytimeError: the heads do not divide the width, or there is no such attention.
    """

    def __init__(self, config: TransformerConfig, vocabulary: int, length: int, classes: int = 0) -> None:
        super().__init__()
        self.config, self.vocabulary, self.length, self.classes = config, vocabulary, length, classes
        width = config.width
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.start = nn.Parameter(torch.zeros(width))
        self.positions = nn.Parameter(torch.zeros(length, width))
        self.label_embedding = nn.Embedding(classes + 1, width) if classes else None
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, vocabulary, bias=not config.tied)
        self._initialise()

    def _initialise(self) -> None:
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.ndim > 1 or name == "start":
                nn.init.normal_(parameter, std=0.02)
        if self.config.tied:
            self.output.weight = self.token_embedding.weight

    def forward(self, tokens: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (B, T, V); row t is p(token t | tokens < t, label). A label of -1, or None for all, means "no label"."""
        start = self.start.expand(len(tokens), 1, -1)
        x = torch.cat([start, self.token_embedding(tokens[:, :-1])], dim=1) + self.positions[: tokens.shape[1]]
        condition = self._condition(self._hide_some(labels, len(tokens)), len(tokens))
        x = self.dropout(x if condition is None else x + condition)
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.output(self.norm(x))
        return logits

    def init_state(self, batch: int, labels: Tensor | None = None) -> TransformerState:
        """Empty memories for `batch` rows and the embedded labels (B,)."""
        memories = [block.attention.init_state(batch, self.length) for block in self._blocks()]
        return TransformerState(memories, batch, self._condition(labels, batch))

    def step(self, previous: Tensor | None, state: TransformerState) -> Tensor:
        """Logits (B, V) of the next token, given the previous one (B,), or None before the first."""
        x = self.start.expand(state.batch, 1, -1) if previous is None else self.token_embedding(previous)[:, None]
        return self._feed(x, state)

    def prefill(self, prefix: Tensor, state: TransformerState) -> Tensor:
        """Feeds k tokens (B, k), k < N, into a fresh state at once; logits (B, V) of token k."""
        start = self.start.expand(len(prefix), 1, -1)
        return self._feed(torch.cat([start, self.token_embedding(prefix)], dim=1), state)

    def _feed(self, x: Tensor, state: TransformerState) -> Tensor:
        end = state.position + x.shape[1]
        x = x + self.positions[state.position : end]
        if state.condition is not None:
            x = x + state.condition
        for block, memory in zip(self._blocks(), state.memories, strict=True):
            x = block.step(x, memory, state.position)
        state.position = end
        logits: Tensor = self.output(self.norm(x[:, -1]))
        return logits

    def _condition(self, labels: Tensor | None, batch: int) -> Tensor | None:
        """Embedded labels (B, 1, D); -1 and None take the row that means "no label"."""
        if self.label_embedding is None:
            return None
        if labels is None:
            labels = torch.full((batch,), -1, device=self.start.device)
        embedded: Tensor = self.label_embedding(labels % (self.classes + 1))[:, None]
        return embedded

    def _hide_some(self, labels: Tensor | None, batch: int) -> Tensor | None:
        """In training, replaces a share of the labels by -1, so that the unconditional model is learned as well."""
        if labels is None or not self.training or self.label_embedding is None:
            return labels
        hidden = torch.rand(batch, device=labels.device) < self.config.label_dropout
        return labels.masked_fill(hidden, -1)

    def _blocks(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]
