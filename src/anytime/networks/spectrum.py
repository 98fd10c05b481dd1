"""Spectra of short pieces of sound: their power, and the bands in which ears tell frequencies apart."""

from __future__ import annotations

import torch
from torch import Tensor


def power_spectrum(waves: Tensor, window: int, hop: int) -> Tensor:
    """Squared magnitudes of the short-time Fourier transform under a Hann window.

    Args:
        waves: (B, T) floating; beyond its ends there is silence.
        window: samples of a frame.
        hop: samples from frame to frame; frame i has its middle at sample i hop.

    Returns:
        (B, window // 2 + 1, T // hop + 1), frequencies from 0 to half the rate.
    """
    hann = torch.hann_window(window, dtype=waves.dtype, device=waves.device)
    frames = torch.stft(waves, window, hop, window=hann, pad_mode="constant", return_complex=True)
    return frames.real.square() + frames.imag.square()


def mel_bands(rate: int, window: int, bands: int) -> Tensor:
    """Overlapping triangles that are evenly spaced in mel, 2595 log10(1 + f / 700), up to half the rate.

    Davis & Mermelstein 1980, figure 1; the formula is O'Shaughnessy's, 1987.

    Args:
        rate: samples a second.
        window: samples of a frame.
        bands: how many triangles.

    Returns:
        Weights of the frequencies of a `power_spectrum`, float32 (bands, window // 2 + 1), at most 1.
    """
    frequencies = torch.linspace(0, rate / 2, window // 2 + 1, dtype=torch.float64)
    edges = torch.linspace(0, _mel(torch.tensor(rate / 2, dtype=torch.float64)).item(), bands + 2, dtype=torch.float64)
    place = _mel(frequencies)[None]
    rising = (place - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - place) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0).float()


def _mel(frequency: Tensor) -> Tensor:
    return 2595 * torch.log10(1 + frequency / 700)
