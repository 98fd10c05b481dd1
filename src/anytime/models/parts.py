"""From a config to the parts of a model, untrained: a tokenizer, the sequence model of its codes, the distribution of one."""

from __future__ import annotations

from anytime.heads import Head, make_head
from anytime.heads.categorical import Categorical
from anytime.models.config import ModelConfig
from anytime.networks.transformer import CausalTransformer
from anytime.tokenizers.ordered import OrderedVQ
from anytime.tokenizers.pixels import Pixels, PixelsConfig

Tokenizer = OrderedVQ | Pixels


def make_tokenizer(config: ModelConfig) -> Tokenizer:
    """The tokenizer.

    Raises:
        AnytimeError: the config is of none that can be.
    """
    channels, height, width = config.image
    image = (channels, height, width)
    return Pixels(config.tokenizer, image) if isinstance(config.tokenizer, PixelsConfig) else OrderedVQ(config.tokenizer, image)


def head_of(config: ModelConfig, tokenizer: Tokenizer) -> Head:
    """The distribution of one code: whatever a model of bytes chose, and for other codes, which have no order, categorical."""
    return make_head(config.head) if isinstance(tokenizer, Pixels) else Categorical(tokenizer.codebook_size)


def make_prior(config: ModelConfig, tokenizer: Tokenizer) -> CausalTransformer:
    """The sequence model of a tokenizer's codes, with as many outputs as its head needs.

    Raises:
        AnytimeError: the config is of none that can be.
    """
    head = head_of(config, tokenizer)
    grid = tokenizer.grid if isinstance(tokenizer, Pixels) else tokenizer.num_codes
    coupled = config.image[0] if isinstance(tokenizer, Pixels) and config.head.coupled else 0
    prior = CausalTransformer(config.prior, tokenizer.codebook_size, grid, len(config.classes), head.parameters, coupled)
    head.initialise(prior.output)
    return prior
