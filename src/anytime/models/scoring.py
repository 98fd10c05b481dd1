"""What given codes cost a prior, and what it expects them to cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from anytime.heads import Head
from anytime.networks.transformer import CausalTransformer

TOKENS = 40_000  # that are scored at once, which bounds the memory whatever the length of a sequence


@torch.no_grad()
def score(
    prior: CausalTransformer,
    head: Head,
    codes: Tensor,
    labels: Tensor | None,
    progress: Callable[[int], None] = lambda done: None,
) -> Tensor:
    """Scores every code given the codes before it.

    Args:
        prior: on any device; the codes are brought to it, a batch at a time.
        head: of the prior.
        codes: (n, N) of integers.
        labels: (n,) int64, -1 for none, or None.
        progress: called with the number of sequences that are done.

    Returns:
        -log p(code) in nats, (n, N) float64 on the CPU.
    """
    parts = []
    for rows, chosen, parameters in _batches(prior, codes, labels):
        parts.append(-head.log_prob(parameters, chosen).cpu().double())
        progress(len(rows))
    return torch.cat(parts)


@torch.no_grad()
def costs(prior: CausalTransformer, head: Head, codes: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
    """What each code costs and what the prior expects it to cost, from one run of it; arguments as for `score`.

    Returns:
        Nats, (n, N) float64 each, on the CPU.
    """
    found, expected = [], []
    for _, chosen, parameters in _batches(prior, codes, labels):
        found.append(-head.log_prob(parameters, chosen).cpu().double())
        expected.append(_entropy(head.log_probs(parameters)).cpu().double())
    return torch.cat(found), torch.cat(expected)


def _entropy(logs: Tensor) -> Tensor:
    entropy: Tensor = torch.special.entr(logs.exp()).sum(-1)
    return entropy


def _batches(prior: CausalTransformer, codes: Tensor, labels: Tensor | None) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Rows, their codes (B, N) int64 and the parameters of their distributions (B, N, P), on the device of the prior."""
    size = max(1, TOKENS // codes.shape[1])
    for rows in torch.arange(len(codes)).split(size):
        chosen = codes[rows].to(prior.device, torch.int64)
        yield rows, chosen, prior(chosen, None if labels is None else labels[rows].to(prior.device))
