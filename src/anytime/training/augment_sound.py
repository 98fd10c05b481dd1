"""Augmentation of sounds: said a little earlier or later, faster or slower, louder or softer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def jittered_sounds(waves: Tensor, strength: float) -> Tensor:
    """Moves, stretches and scales sounds, each by its own draw from torch's global generator.

    Args:
        waves: floats (B, T).
        strength: 1 for standard deviations of 1 % of T in time, 6 % in speed (and so in pitch) and a fifth in loudness.

    Returns:
        The same shape; silence comes in where nothing was.
    """
    shift, speed, loudness = (strength * torch.randn(3, len(waves), 1, device=waves.device)).unbind()
    steps = torch.arange(waves.shape[1], device=waves.device)
    places = (1 + 0.06 * speed).clamp(min=0.5) * (steps - 0.01 * waves.shape[1] * shift)
    return (0.2 * loudness).exp() * _at(waves, places)


def _at(waves: Tensor, places: Tensor) -> Tensor:
    """Values of waves (B, T) between their samples, at places (B, T) in samples, by cubic interpolation; 0 beyond the ends."""
    across = (2 * places + 1) / waves.shape[1] - 1
    grid = torch.stack([across, torch.zeros_like(across)], -1)[:, None]
    return F.grid_sample(waves[:, None, None], grid, mode="bicubic", align_corners=False)[:, 0, 0]
