"""How well one number a sample tells two kinds of samples apart: originals, which should have small numbers, from others.

The numbers here are costs: bits that a sample takes under a model.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

ACCEPTED = 0.95  # share of the originals that must pass


def auroc(originals: Tensor, others: Tensor) -> float:
    """Area under the receiver operating characteristic: the probability that a random original costs less than a random other.

    Ties count half (the Mann-Whitney statistic over its largest value). 0.5 is chance, 1 perfect, 0 perfectly wrong.

    Args:
        originals: costs, (n,).
        others: costs, (m,).
    """
    ordered = originals.double().sort().values
    cheaper = torch.searchsorted(ordered, others.double())
    no_dearer = torch.searchsorted(ordered, others.double(), right=True)
    return float((cheaper + no_dearer).double().mean() / (2 * len(ordered)))


def fpr95(originals: Tensor, others: Tensor) -> float:
    """Share of the others that pass where just enough is let pass for 95 % of the originals to; arguments as for `auroc`."""
    limit = originals.sort().values[math.ceil(ACCEPTED * len(originals)) - 1]
    return float((others <= limit).double().mean())
