"""A WaveNet: gated causal convolutions with dilations, over any sequence of tokens.

van den Oord et al. 2016. The t-th output looks at the start token and the tokens before t, as far back as the receptive field
reaches, so that p(x_0) is modelled too. What a layer looks back to lies in ring buffers when tokens are drawn one by one
(`ring.py`): a step costs the same at any receptive field.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anytime.errors import AnytimeError
from anytime.networks.gated import GatedLayer
from anytime.networks.labels import hide_some, label_rows
from anytime.networks.ring import WaveNetState
from anytime.networks.wavenet_steps import WaveNetSteps


@dataclass(frozen=True)
class WaveNetConfig:
    """Shape of a WaveNet.

    Attributes:
        kind: tells this network from others in a YAML file.
        dilations: of the layers, from the first on.
        kernel_size: taps of each of them.
        kernel_sizes: taps of each layer, if they differ.
        input_kernel_size: taps of the layer before them, which has dilation 1.
        lags: how many inputs back each tap of each layer reads, the layer on the tokens first, in place of dilations and kernel
            sizes. Lags of 0, 1, 27, 28 and 29 are the neighbours before a pixel of an image 28 wide.
        embedding: channels of a token.
        residual: channels of the stream from layer to layer.
        gate: channels of tanh and sigmoid each.
        skip: channels from each layer to the head.
        head: channels inside the head.
        local: channels of a condition that changes with time; 0 for none.
        conditioned_from: first layer that is told the label. The layers below are computed once for all classes.
        dropout: of what each layer puts out.
        start: whether a start token stands before the first. Without it the first token has a learned distribution of its own.
        label_dropout: share of training samples whose label is hidden.
    """

    kind: Literal["wavenet"] = "wavenet"
    dilations: list[int] = field(default_factory=lambda: [1, 2, 4, 8, 16, 32, 64, 128])
    kernel_size: int = 2
    kernel_sizes: list[int] = field(default_factory=list)
    input_kernel_size: int = 1
    lags: list[list[int]] = field(default_factory=list)
    embedding: int = 32
    residual: int = 32
    gate: int = 32
    skip: int = 32
    head: int = 32
    local: int = 0
    conditioned_from: int = 0
    dropout: float = 0.0
    start: bool = True
    label_dropout: float = 0.1


class WaveNet(nn.Module):
    """p(token t | tokens < t, label, local condition), as parameters for a head; a `SequenceModel`.

    Args:
        config: see `WaveNetConfig`.
        vocabulary: Q, number of different tokens.
        length: N, of the sequences that it is trained on; it works on any other as well.
        classes: number of labels, 0 for none.
        outputs: P, numbers for one token; Q by default.

    Raises:
        AnytimeError: a number is out of its range.
    """

    def __init__(self, config: WaveNetConfig, vocabulary: int, length: int, classes: int = 0, outputs: int | None = None) -> None:
        super().__init__()
        _check(config)
        self.config, self.vocabulary, self.length, self.classes = config, vocabulary, length, classes
        self.outputs = vocabulary if outputs is None else outputs
        self.token_embedding = nn.Embedding(vocabulary, config.embedding)
        self.start = nn.Parameter(torch.zeros(config.embedding)) if config.start else None
        self.first = None if config.start else nn.Parameter(torch.zeros(classes + 1, self.outputs))
        self.layers = nn.ModuleList(_layers(config))
        told = len(self.layers) - config.conditioned_from
        self.labels = nn.Parameter(0.1 * torch.randn(told, classes + 1, 2 * config.gate)) if classes else None
        shape = len(self.layers), config.local, 2 * config.gate
        self.local = nn.Parameter(torch.randn(shape) / config.local**0.5) if config.local else None
        self.skip_bias = nn.Parameter(torch.zeros(config.skip))
        self.dropout = nn.Dropout(config.dropout)
        self.hidden = nn.Linear(config.skip, config.head)
        self.output = nn.Linear(config.head, self.outputs)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.output.weight.device

    @property
    def receptive_field(self) -> int:
        """R, how many inputs back an output looks, the start token being one: sum of (kernel size - 1) * dilation, plus 1."""
        return 1 + sum(layer.memory for layer in self.gated_layers())

    def forward(self, tokens: Tensor, labels: Tensor | None = None, local: Tensor | None = None) -> Tensor:
        """Parameters of every token given those before it.

        Args:
            tokens: (B, T) int64, or probabilities of tokens (B, T, Q), which gradients flow through.
            labels: (B,) int64, -1 for none; or (B, Y) to ask about several labels at once, which share the layers that are not
                told.
            local: (B, T, config.local), of which row t says something about token t.

        Returns:
            (B, T, P), row t of p(token t | tokens < t); (B, Y, T, P) for several labels.
        """
        if labels is not None and self.training:
            labels = hide_some(labels, self.config.label_dropout)
        rows = label_rows(labels, len(tokens), self.classes, self.device)
        local = None if local is None else local[:, self.lead :].transpose(0, 1)
        _, skip = self.through(self.embedded(tokens[:, :-1]), rows, local)
        parameters = self.read_out(skip).transpose(0, 1)
        if self.first is not None:
            parameters = torch.cat([self.first[rows.flatten()][:, None], parameters], dim=1)
        return parameters.unflatten(0, tuple(rows.shape)) if rows.ndim == 2 else parameters

    def init_state(self, batch: int, labels: Tensor | None = None, local: Tensor | None = None) -> WaveNetState:
        """Empty ring buffers for `batch` rows, and what they are told: labels (B,), a local condition (B, N, L)."""
        rows = label_rows(labels, batch, self.classes, self.device)
        layers = list(self.gated_layers())
        rings = [layer.bias.new_zeros(layer.memory, batch, layer.taps.shape[1]) for layer in layers]
        told = [self.condition(index, rows, None) for index in range(len(layers))]
        gates = [layer.bias.expand(batch, -1) + (0 if c is None else c[0]) for layer, c in zip(layers, told, strict=True)]
        first = None if self.first is None else self.first[rows]
        return WaveNetState(rings, gates, rows, first, None if local is None else local.transpose(0, 1))

    @torch.no_grad()
    def step(self, previous: Tensor | None, state: WaveNetState) -> Tensor:
        """Parameters (B, P) of the next token, given the previous one (B,), or None before the first."""
        if previous is None and state.first is not None:
            return state.first
        if state.steps is None:
            state.steps = WaveNetSteps(self, state)
        x = self._start(state.batch) if previous is None else self.token_embedding(previous)
        local = None if state.local is None else state.local[state.position + self.lead]
        skip = state.steps.step(x, state.position, local)
        state.position += 1
        return self.read_out(skip)

    def prefill(self, prefix: Tensor, state: WaveNetState) -> Tensor:
        """Feeds k >= 1 tokens (B, k) into a fresh state; parameters (B, P) of token k. Costs the receptive field at most."""
        embedded = self.embedded(prefix)
        state.position = len(embedded)
        embedded = embedded[-self.receptive_field :]
        end = state.position + self.lead
        local = None if state.local is None else state.local[end - len(embedded) : end]
        inputs, skip = self.through(embedded, state.rows, local)
        for index, x in enumerate(inputs):
            state.remember(index, x, state.position)
        return self.read_out(skip[-1])

    def embedded(self, tokens: Tensor) -> Tensor:
        """Inputs of the first layer, the start token before them: (B, T) or (B, T, Q) -> (1 + T, B, E) or (T, B, E)."""
        soft = tokens.is_floating_point()
        embedded = (tokens @ self.token_embedding.weight if soft else self.token_embedding(tokens)).transpose(0, 1)
        return embedded.contiguous() if self.start is None else torch.cat([self._start(len(tokens))[None], embedded])

    def through(self, x: Tensor, rows: Tensor, local: Tensor | None) -> tuple[list[Tensor], Tensor]:
        """All layers.

        Args:
            x: embedded tokens (T, B, E).
            rows: of the table of labels, (B,), or (B, Y) for several labels.
            local: (T, B, L), or None.

        Returns:
            The input of each layer; the sum of what goes to the head, (T, B, S), or (T, B Y, S).
        """
        inputs, skip = [], self.skip_bias.expand(*x.shape[:2], -1)
        widened = rows.ndim == 1
        for index, layer in enumerate(self.gated_layers()):
            if not widened and index >= self.config.conditioned_from:
                x, skip = (part.repeat_interleave(rows.shape[1], dim=1) for part in (x, skip))
                local = None if local is None else local.repeat_interleave(rows.shape[1], dim=1)
                rows, widened = rows.flatten(), True
            inputs.append(x)
            x, skips = layer(x, self.condition(index, rows, local))
            skip = skip + self.dropout(skips)
        return inputs, skip

    def condition(self, index: int, rows: Tensor, local: Tensor | None) -> Tensor | None:
        """What a layer's gates are told beside its input: (T or 1, B, 2 D), or None."""
        table = index - self.config.conditioned_from
        told = self.labels[table][rows][None] if self.labels is not None and table >= 0 else None
        if local is None or self.local is None:
            return told
        return local @ self.local[index] if told is None else local @ self.local[index] + told

    def read_out(self, skip: Tensor) -> Tensor:
        """The head: (..., S) -> (..., P)."""
        parameters: Tensor = self.output(F.leaky_relu(self.hidden(F.leaky_relu(skip))))
        return parameters

    @property
    def lead(self) -> int:
        """How many tokens an output is ahead of its input's position: none after a start token, else one."""
        return 0 if self.config.start else 1

    def gated_layers(self) -> Iterator[GatedLayer]:
        """The layers from input to output."""
        for layer in self.layers:
            assert isinstance(layer, GatedLayer)
            yield layer

    def _start(self, batch: int) -> Tensor:
        assert self.start is not None
        return self.start.expand(batch, -1)


def _layers(config: WaveNetConfig) -> Iterator[GatedLayer]:
    """The layer on the embedded tokens, then the others."""
    inputs, lags = config.embedding, _lags(config)
    for index, each in enumerate(lags):
        last = index == len(lags) - 1
        yield GatedLayer(inputs, config.residual, config.gate, config.skip, each, last)
        inputs = config.residual


def _lags(config: WaveNetConfig) -> list[list[int]]:
    """How far back each tap of each layer reads, furthest first."""
    if config.lags:
        return [sorted(each, reverse=True) for each in config.lags]
    sizes = [config.input_kernel_size, *(config.kernel_sizes or [config.kernel_size] * len(config.dilations))]
    dilations = [1, *config.dilations]
    return [[tap * dilation for tap in range(size)][::-1] for size, dilation in zip(sizes, dilations, strict=True)]


def _check(config: WaveNetConfig) -> None:
    """What the numbers cannot be."""
    sizes = [config.input_kernel_size, config.kernel_size, *config.kernel_sizes]
    widths = [config.embedding, config.residual, config.gate, config.skip, config.head]
    if min(*sizes, *widths, *config.dilations) < 1:
        raise AnytimeError("a WaveNet's kernels, dilations and channels are 1 or more", "Change the smallest of them")
    if config.kernel_sizes and len(config.kernel_sizes) != len(config.dilations):
        raise AnytimeError(
            f"{len(config.dilations)} dilations want as many kernel sizes, not {len(config.kernel_sizes)}",
            "Give one for each, or kernel_size for all",
        )
    if any(0 not in lags or min(lags) < 0 or len(set(lags)) < len(lags) for lags in config.lags):
        raise AnytimeError("the lags of a layer are different numbers, 0 among them and none below it", "Change network.lags")
    last = len(config.lags or [0, *config.dilations]) - 1
    if not 0 <= config.conditioned_from <= last:
        raise AnytimeError(
            f"no layer {config.conditioned_from} can be the first that is told the label",
            f"Choose conditioned_from 0 to {last}",
        )
