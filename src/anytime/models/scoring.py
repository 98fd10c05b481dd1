"""What given codes cost a prior, and what it expects them to cost."""

from __future__ import annotations

import torch
from torch import Tensor

from anytime.heads.categorical import Categorical
from anytime.networks.transformer import CausalTransformer

BATCH = 512


@torch.no_grad()
def score(prior: CausalTransformer, head: Categorical, codes: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
    """Scores every code given the codes before it.

    Args:
        prior: on any device; the codes are brought to it, a batch at a time.
        head: of the prior.
        codes: (n, N) int64.
        labels: (n,) int64, -1 for none, or None.

    Returns:
        -log p(code) and the entropy of p, both in nats, (n, N) float64 on the CPU.
    """
    parts = [_score(prior, head, codes[rows], None if labels is None else labels[rows]) for rows in _batches(len(codes))]
    nats, entropies = zip(*parts, strict=True)
    return torch.cat(nats), torch.cat(entropies)


def _score(prior: CausalTransformer, head: Categorical, codes: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
    device = prior.start.device
    codes = codes.to(device)
    logits = prior(codes, None if labels is None else labels.to(device)).double()
    entropies = torch.special.entr(logits.softmax(-1)).sum(-1)
    return -head.log_prob(logits, codes).cpu(), entropies.cpu()


def _batches(size: int) -> tuple[Tensor, ...]:
    return torch.split(torch.arange(size), BATCH)
