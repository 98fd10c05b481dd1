"""How far a sound is from another that it stands for, in decibels: two measures of waveforms and one of spectra.

All take waveforms (B, T) and `scored` (B, T) bool, the values of each that count; what does not count is taken for silence in
both. All give float64 (B,), not finite where there is no error, or no sound.
"""

from __future__ import annotations

import torch
from torch import Tensor

from anytime.networks.spectrum import power_spectrum

WINDOW, HOP = 0.032, 0.008  # seconds
FLOOR = 1e-6  # of the loudest point of the real sound: fainter powers count as this


def snr(sound: Tensor, real: Tensor, scored: Tensor) -> Tensor:
    """Signal-to-noise ratio, 10 log10(|s|² / |ŝ - s|²)."""
    s, estimate = _only(real, scored), _only(sound, scored)
    return _decibels(_energy(s), _energy(estimate - s))


def si_sdr(sound: Tensor, real: Tensor, scored: Tensor) -> Tensor:
    """Scale-invariant signal-to-distortion ratio, 10 log10(|a s|² / |a s - ŝ|²) with a = <ŝ, s> / |s|².

    Le Roux et al. 2019, "SDR - half-baked or well done?"; means are not taken off.
    """
    s, estimate = _only(real, scored), _only(sound, scored)
    target = s * ((estimate * s).sum(1) / _energy(s))[:, None]
    return _decibels(_energy(target), _energy(target - estimate))


def log_spectral_distance(sound: Tensor, real: Tensor, scored: Tensor, rate: int) -> Tensor:
    """Root mean square over frequencies of 10 log10(P / P̂), then the mean over frames; P, P̂ are power spectra.

    The rms log spectral distance of Gray & Markel 1976, "Distance measures for speech processing", between short-time spectra.
    Frames of 32 ms, each 8 ms after the last, count if their middle does. Powers that are 60 dB below the loudest of the real
    sound, or fainter, are one.

    Args:
        sound: what is judged.
        real: what it stands for.
        scored: see above.
        rate: samples a second.
    """
    window, hop = max(2, round(WINDOW * rate)), max(1, round(HOP * rate))
    powers = [power_spectrum(_only(each, scored), window, hop) for each in (sound, real)]
    floor = (FLOOR * powers[1].amax((1, 2), keepdim=True)).clamp(min=torch.finfo(torch.float64).tiny)
    first, second = (10 * torch.maximum(power, floor).log10() for power in powers)
    frames = (first - second).square().mean(1).sqrt()
    counted = scored[:, ::hop]  # one fewer than there are frames, if the last has its middle at the very end
    return (frames[:, : counted.shape[1]] * counted).sum(1) / counted.sum(1)


def _only(waves: Tensor, scored: Tensor) -> Tensor:
    return waves.double() * scored


def _energy(waves: Tensor) -> Tensor:
    return waves.square().sum(1)


def _decibels(signal: Tensor, noise: Tensor) -> Tensor:
    return 10 * (signal / noise).log10()
