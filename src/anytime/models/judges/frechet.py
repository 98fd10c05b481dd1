"""The Fréchet distance between two sets of features, each taken as a Gaussian.

d² = |m_a - m_b|² + tr(S_a + S_b - 2 (S_a S_b)^½) (Dowson & Landau 1982). With the features of an ImageNet classifier this is
the FID of Heusel et al. (2017, eq. 6); ours are those of a small classifier of the data at hand, so the values compare with each
other and with no published FID.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anytime.errors import AnytimeError


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Mean and covariance of a set of features.

    Attributes:
        mean: (D,) float64.
        factor: upper triangular R with RᵀR the covariance, (min(n, D), D) float64.
    """

    mean: Tensor
    factor: Tensor


def gaussian(features: Tensor) -> Gaussian:
    """The moments of features (n, D), n at least 2; the covariance is the unbiased one.

    Raises:
        AnytimeError: there are fewer than two rows.
    """
    if len(features) < 2:
        raise AnytimeError(f"a covariance cannot be told from {len(features)} images", "Use at least two")
    x = features.double()
    mean = x.mean(0)
    # The covariance itself is never formed: its QR factor keeps twice the digits.
    return Gaussian(mean, torch.linalg.qr(x - mean, mode="r").R / (len(x) - 1) ** 0.5)


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """The squared Fréchet (2-Wasserstein) distance of two Gaussians over the same D features: 0 if they are the same.

    With S = RᵀR, S_a S_b has the non-zero eigenvalues of (R_a R_bᵀ)(R_a R_bᵀ)ᵀ, so tr (S_a S_b)^½ is the sum of the singular
    values of R_a R_bᵀ: symmetric in a and b, real, and right for singular covariances, where a matrix square root fails.
    """
    shift = (a.mean - b.mean).square().sum()
    spread = a.factor.square().sum() + b.factor.square().sum()
    shared = torch.linalg.svdvals(a.factor @ b.factor.T).sum()
    return max(0.0, float(shift + spread - 2 * shared))
