"""The ordered VQ autoencoder: codes of an image such that every prefix of them is already a whole image.

Xu et al., "Anytime Sampling for Autoregressive Models via Ordered Autoencoding", ICLR 2021. The encoder puts out N channels;
each channel's whole H' x W' map is one vector, quantised to one entry of a codebook: N codes describe an image, whatever its
size. Nested dropout keeps a random prefix of the codes in training, which orders them from coarse to fine. The same class
trained at full length only is the paper's unordered ablation, and with one code per *position* of the map its spatial one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from anytime.errors import AnytimeError
from anytime.networks.plain import PlainDecoder, PlainEncoder
from anytime.networks.residual import GROUPS, LengthModulation, ResidualDecoder, ResidualEncoder
from anytime.tokenizers.checks import check_codes, check_images
from anytime.tokenizers.codebook import Codebook, Quantizer
from anytime.tokenizers.truncation import Truncation


@dataclass(frozen=True)
class OrderedVQConfig:
    """Shape and training of an `OrderedVQ`.

    Attributes:
        kind: tells this tokenizer from others in a YAML file.
        codes: N, the number of codes when quantising by channel.
        codebook_size: K, entries of the codebook; a code costs log2(K) bits.
        quantization: one code per "channel" of the map (ordered), or per "spatial" position of it (an ablation).
        network: "residual" (ours) or "plain" (the paper's, with batch norm and tanh).
        width: channels inside the residual network.
        encoder_blocks: residual blocks of the encoder.
        decoder_blocks: residual blocks of the decoder.
        stride: image size over map size, a power of two.
        mixing: a matrix over all cells of the map in encoder and decoder, width * cells^2 weights each: for small maps.
        plain_widths: channels of the plain network after each halving; its stride is 2 ** len.
        features: channels of the map when quantising by position.
        standardize: whether each vector is brought to zero mean and unit variance before it is quantised, which gives the
            codebook and the commitment loss one scale throughout training.
        per_position_codebook: a codebook for each code instead of a shared one.
        dropped: what the decoder sees for a missing code: "zeros" or a learned "mask".
        length_modulation: the residual decoder is told how many codes it has; see `LengthModulation`.
        commitment: beta, weight of the commitment loss.
        decay: of the moving averages that learn the codebook.
        ordered: nested dropout in training; without it the codes are all kept (the unordered ablation).
        truncation: the law of the prefix lengths.
    """

    kind: Literal["ordered"] = "ordered"
    codes: int = 32
    codebook_size: int = 256
    quantization: Literal["channel", "spatial"] = "channel"
    network: Literal["residual", "plain"] = "residual"
    width: int = 64
    encoder_blocks: int = 2
    decoder_blocks: int = 2
    stride: int = 4
    mixing: bool = False
    plain_widths: list[int] = field(default_factory=lambda: [16, 32])
    features: int = 16
    standardize: bool = True
    per_position_codebook: bool = False
    dropped: Literal["zeros", "mask"] = "zeros"
    length_modulation: bool = False
    commitment: float = 0.25
    decay: float = 0.95
    ordered: bool = True
    truncation: Truncation = field(default_factory=Truncation)


class OrderedVQ(nn.Module):
    """Images <-> codes. Images are (B, C, H, W): uint8 in 0..255 or floats in [0, 1]; codes are (B, N) int64 in 0..K-1.

    Args:
        config: see `OrderedVQConfig`.
        image: (C, H, W) of the images; H and W are multiples of the stride.

    Raises:
        AnytimeError: the stride does not divide the image, the width is no multiple of 8, or the truncation law leaves nothing.
    """

    def __init__(self, config: OrderedVQConfig, image: tuple[int, int, int]) -> None:
        super().__init__()
        self.config, self.image = config, image
        plain = config.network == "plain"
        stride = 2 ** len(config.plain_widths) if plain else config.stride
        if stride < 2 or stride & (stride - 1) or image[1] % stride or image[2] % stride:
            raise AnytimeError(
                f"images of {image[1]}x{image[2]} cannot be coded at stride {stride}",
                "The stride is a power of two that divides both sides: change it or resize the images",
            )
        if plain and config.length_modulation:
            raise AnytimeError("the plain network knows no length modulation", "Take network: residual, or leave it out")
        if not plain and (config.width < GROUPS or config.width % GROUPS):
            raise AnytimeError(f"a tokenizer cannot have width {config.width}", f"The width is a multiple of {GROUPS}")
        self.map = (image[1] // stride, image[2] // stride)
        spatial = config.quantization == "spatial"
        features = config.features if spatial else config.codes
        self.num_codes = self.map[0] * self.map[1] if spatial else config.codes
        if config.ordered:
            config.truncation.probabilities(self.num_codes)
        self.code_dimension = features if spatial else self.map[0] * self.map[1]
        cells = self.map[0] * self.map[1]
        sizes = cells if config.mixing else 0, self.num_codes if config.length_modulation else 0
        self.encoder, self.decoder = _networks(config, image[0], features, *sizes)
        for part in (self.encoder, self.decoder):  # the layout in which CPU and GPU convolve faster; values are the same
            part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.codebook = Codebook(config.codebook_size, self.code_dimension, self.num_codes if config.per_position_codebook else 1)
        self.mask = nn.Parameter(torch.zeros(self.num_codes, self.code_dimension)) if config.dropped == "mask" else None

    @property
    def codebook_size(self) -> int:
        """K, the number of different codes."""
        return self.config.codebook_size

    @torch.no_grad()
    def encode(self, images: Tensor, batch_size: int = 512) -> Tensor:
        """Codes of images: (B, C, H, W), or (B, H, W) if C = 1, -> (B, N) int64, `batch_size` images at a time."""
        chunks = [self.codebook.nearest(self.vectors(chunk)) for chunk in self.prepare(images).split(batch_size)]
        return torch.cat(chunks)

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Images of prefixes: codes (B, k), 1 <= k <= N, -> (B, C, H, W) in [0, 1].

        Codes of -1 are missing ones, so a batch may mix prefixes of different lengths.

        Raises:
            AnytimeError: there are too many codes, or values outside -1..K-1.
        """
        check_codes(codes, self.num_codes, self.codebook_size)
        codes = F.pad(codes, (0, self.num_codes - codes.shape[1]), value=-1)
        return self.render(self.codebook.look_up(codes), codes >= 0).clamp(0, 1)

    def forward(self, images: Tensor, quantizer: Quantizer, truncation: Truncation | None) -> tuple[Tensor, Tensor, Tensor]:
        """One training pass: a random prefix of each image's codes is kept, and the image drawn from it.

        Args:
            images: as for `encode`.
            quantizer: quantises and learns the codebook.
            truncation: the law of the prefix lengths; None keeps all codes.

        Returns:
            Reconstruction (B, C, H, W), not clamped; codes (B, N), -1 where dropped; commitment loss ().
        """
        z = self.vectors(self.prepare(images))
        kept = torch.arange(self.num_codes, device=z.device) < self._lengths(len(z), truncation).to(z.device)[:, None]
        vectors, codes, loss = quantizer(z.float(), kept)
        return self.render(vectors, kept), codes, loss

    def interpolate_lengths(self, *laws: Truncation) -> None:
        """Lets the decoder draw lengths well that these laws, under which it was trained, never drew; see `LengthModulation`."""
        drawn = {self.num_codes} | {k + 1 for law in laws for k in law.probabilities(self.num_codes).nonzero()[:, 0].tolist()}
        for module in self.decoder.modules():
            if isinstance(module, LengthModulation):
                module.interpolate(sorted(drawn))

    def vectors(self, images: Tensor) -> Tensor:
        """What is quantised: floats (B, C, H, W) in [0, 1] -> (B, N, D)."""
        images = images.contiguous(memory_format=torch.channels_last)
        features = self.encoder(2 * images - 1 if self.config.network == "plain" else images)
        spatial = self.config.quantization == "spatial"
        z = rearrange(features, "b d h w -> b (h w) d" if spatial else "b n h w -> b n (h w)")
        return F.layer_norm(z, z.shape[-1:]) if self.config.standardize else z

    def render(self, vectors: Tensor, kept: Tensor) -> Tensor:
        """Decodes vectors (B, N, D), zeros where `kept` (B, N) is false, to images (B, C, H, W)."""
        if self.mask is not None:
            vectors = torch.where(kept[..., None], vectors, self.mask)
        height, width = self.map
        spatial = self.config.quantization == "spatial"
        pattern = "b (h w) d -> b d h w" if spatial else "b n (h w) -> b n h w"
        maps = rearrange(vectors, pattern, h=height, w=width).contiguous(memory_format=torch.channels_last)
        images: Tensor = self.decoder(maps, kept.sum(1)) if self.config.length_modulation else self.decoder(maps)
        return (images + 1) / 2 if self.config.network == "plain" else images

    def prepare(self, images: Tensor) -> Tensor:
        """Brings images to floats (B, C, H, W) in [0, 1], in the precision of the weights.

        Raises:
            AnytimeError: the images are of another size.
        """
        images = check_images(images, self.image)
        weight = next(self.encoder.parameters())
        floats = images.to(weight.device, weight.dtype)
        return floats / 255 if images.dtype == torch.uint8 else floats

    def _lengths(self, batch: int, truncation: Truncation | None) -> Tensor:
        if truncation is None:
            return torch.full((batch,), self.num_codes)
        return truncation.draw(self.num_codes, batch)


def _networks(config: OrderedVQConfig, channels: int, features: int, cells: int, lengths: int) -> tuple[nn.Module, nn.Module]:
    if config.network == "plain":
        widths = tuple(config.plain_widths)
        return PlainEncoder(channels, features, widths), PlainDecoder(channels, features, widths)
    return (
        ResidualEncoder(channels, features, config.width, config.encoder_blocks, config.stride, cells),
        ResidualDecoder(channels, features, config.width, config.decoder_blocks, config.stride, cells, lengths),
    )
