"""What ears hear of a sound beside its waveform: how loud each band of frequencies is, from moment to moment.

A network that draws waveforms from few codes cannot place every crest of what lies above 1 kHz, and need not: consonants and
formants are told by loudness. So the encoder is given log-mel spectra, and the decoder a band-wise noise that it makes louder and
softer (the filtered noise of Engel et al. 2020, "DDSP", without the harmonic oscillator: voices come as waveforms).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from anytime.networks.spectrum import mel_bands, power_spectrum

MOMENTS = 2  # in a cell of the map
FAINT = 1e-4  # power of a frame that is heard as silence
SILENT = -5.0  # logarithm of how loud the noise of an untrained decoder is


class Hearing(nn.Module):
    """Log-mel spectra as features: waveforms (B, T) -> (B, width, 1, cells).

    Args:
        width: of the result.
        stride: samples of a cell, even.
        rate: samples a second.
        bands: how many bands are heard.
    """

    mel: Tensor

    def __init__(self, width: int, stride: int, rate: int, bands: int) -> None:
        super().__init__()
        self.stride = stride
        self.register_buffer("mel", mel_bands(rate, 2 * stride, bands), persistent=False)
        self.features = nn.Conv2d(MOMENTS * bands, width, (1, 3), padding=(0, 1))

    def forward(self, waves: Tensor) -> Tensor:
        """Hears `waves`."""
        with torch.autocast(waves.device.type, enabled=False):  # powers are beyond what half precision holds
            power = self.mel @ power_spectrum(waves.to(self.mel.dtype), 2 * self.stride, self.stride // MOMENTS)[..., :-1]
            loudness = (power + FAINT).log10().to(waves.dtype)
        by_cell = loudness.unflatten(2, (-1, MOMENTS)).permute(0, 3, 1, 2).flatten(1, 2)  # (B, moments bands, cells)
        features: Tensor = self.features(by_cell[:, :, None].contiguous(memory_format=torch.channels_last))
        return features


class BandNoise(nn.Module):
    """Noise whose bands are as loud as the features say: (B, width, 1, cells) -> waveforms (B, T).

    The noise itself is always the same, so that a sound is a function of its codes.

    Args:
        width: C, of the features.
        stride: samples of a cell, even.
        rate: samples a second.
        bands: how many bands there are.
        cells: of the map.
    """

    frames: Tensor

    def __init__(self, width: int, stride: int, rate: int, bands: int, cells: int) -> None:
        super().__init__()
        self.loudness = nn.Conv2d(width, MOMENTS * bands, (1, 3), padding=(0, 1))
        nn.init.zeros_(self.loudness.weight)
        nn.init.constant_(self.loudness.bias, SILENT)  # type: ignore[arg-type]
        self.register_buffer("frames", _frames(stride // MOMENTS, rate, bands, MOMENTS * cells), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Makes the noise louder and softer, and adds up its frames, each of which overlaps half of the next."""
        loudness = self.loudness(x)[:, :, 0].unflatten(1, (MOMENTS, -1))  # (B, moments, bands, cells)
        by_moment = loudness.permute(3, 1, 0, 2).flatten(0, 1).exp()  # (moments of all cells, B, bands)
        first, second = torch.bmm(by_moment.to(self.frames), self.frames).chunk(2, dim=2)  # (moments, B, hop) each
        second = torch.cat([torch.zeros_like(second[:1]), second[:-1]])
        waves: Tensor = first + second
        return waves.transpose(0, 1).flatten(1)


def _frames(hop: int, rate: int, bands: int, moments: int) -> Tensor:
    """White noise in bands, cut into frames under Hann windows: (moments, bands, 2 hop)."""
    samples = (moments + 1) * hop
    phases = 2 * np.pi * np.random.Generator(np.random.Philox(0)).random(samples // 2 + 1)
    spectrum = torch.polar(torch.ones(len(phases), dtype=torch.float64), torch.from_numpy(phases)) * samples**0.5
    noise = torch.fft.irfft(spectrum * mel_bands(rate, samples, bands).double().sqrt(), n=samples)  # (bands, samples)
    window = torch.hann_window(2 * hop, dtype=torch.float64)
    frames: Tensor = noise.unfold(1, 2 * hop, hop).transpose(0, 1) * window
    return frames.float().contiguous()
