"""Recipes: everything that a training run depends on, as typed dataclasses that YAML fills and the command line overrides.

`recipes/*.yaml` beside this file hold the recipes that ship; each made the bundled model of its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from anytime.errors import AnytimeError
from anytime.files import read_yaml
from anytime.networks.transformer import TransformerConfig
from anytime.sampling.filters import Filters
from anytime.tokenizers.ordered import OrderedVQConfig
from anytime.tokenizers.truncation import Truncation
from anytime.training.checks import check_around, check_stage

SHIPPED = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class DataConfig:
    """Which data to train on.

    Attributes:
        name: "mnist", "digits", or a folder of images.
        root: where data sets lie, before $ANYTIME_DATA and the user cache are looked at.
        validation: how many training samples to set aside; None for the data set's own number.
        size: of a folder's images, which are resized and cropped to so many pixels a side; None if they are of one size.
    """

    name: str = "mnist"
    root: str | None = None
    validation: int | None = None
    size: int | None = None


@dataclass(frozen=True)
class StageConfig:
    """How one stage is optimised: AdamW under a schedule.

    Attributes:
        steps: optimiser steps; 0 leaves the stage out.
        batch_size: samples a step, over all processes.
        learning_rate: the highest one.
        schedule: "constant", "cosine", "inverse_sqrt" (Vaswani et al. 2017) or "one_cycle" (Smith 2018).
        warmup: steps until the highest learning rate: a line, or for one_cycle half a cosine.
        final: last learning rate of cosine and one_cycle, as a share of the highest.
        betas: of AdamW.
        eps: of AdamW.
        weight_decay: decoupled, on weights only, not on biases, norms and other vectors.
        clip: largest norm of the whole gradient; 0 for no clipping.
        jitter: strength of random affine maps of the images, see `augment.py`; in the stages of the autoencoder alone.
        ema: decay of the averaged weights, which are what is evaluated and kept; 0 to keep the last weights.
        evaluate_every: steps between evaluations, each with a line of metrics and a sheet of pictures.
        checkpoint_every: steps between checkpoints.
    """

    steps: int = 1000
    batch_size: int = 128
    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine", "inverse_sqrt", "one_cycle"] = "cosine"
    warmup: int = 100
    final: float = 0.02
    betas: tuple[float, float] = (0.9, 0.99)
    eps: float = 1e-8
    weight_decay: float = 0.01
    clip: float = 1.0
    jitter: float = 0.0
    ema: float = 0.999
    evaluate_every: int = 500
    checkpoint_every: int = 500


@dataclass(frozen=True)
class RunConfig:
    """Where and how a run computes; the names and values are Lightning Fabric's.

    Attributes:
        seed: every random number of the run follows from it.
        accelerator: "cpu", "cuda" or "auto".
        devices: how many, or "auto".
        strategy: "auto", "ddp", ...
        precision: "32-true", "bf16-mixed", "16-mixed", ...
        workers: processes that make batches ahead of the training; 0 makes them in the training process itself.
        threads: CPU threads of the process; 0 leaves torch's choice. Bit-identical resuming needs the same number again.
    """

    seed: int = 0
    accelerator: str = "cpu"
    devices: int | str = 1
    strategy: str = "auto"
    precision: str = "32-true"
    workers: int = 0
    threads: int = 0


@dataclass(frozen=True)
class Recipe:
    """An ordered (or unordered, or spatial) autoencoder and its prior.

    Attributes:
        name: of the model.
        kind: tells this recipe from others in a YAML file.
        data: what to train on.
        tokenizer: shape of the autoencoder.
        prior: shape of the transformer.
        pretrain: the autoencoder at full length.
        order: the autoencoder under nested dropout, from where `pretrain` left it.
        polish: the same under another law, to shift weight between early and late codes at the end.
        polish_truncation: that law.
        sampling: temperature, guidance and the like with which the finished model draws, where a caller does not say.
        fit_prior: the transformer, on the codes of the finished autoencoder.
        run: device, precision, seed.

    Raises:
        AnytimeError: a number is out of its range.
    """

    name: str
    kind: Literal["ordered"] = "ordered"
    data: DataConfig = field(default_factory=DataConfig)
    tokenizer: OrderedVQConfig = field(default_factory=OrderedVQConfig)
    prior: TransformerConfig = field(default_factory=TransformerConfig)
    pretrain: StageConfig = field(default_factory=lambda: StageConfig(steps=0))
    order: StageConfig = field(default_factory=StageConfig)
    polish: StageConfig = field(default_factory=lambda: StageConfig(steps=0))
    polish_truncation: Truncation = field(default_factory=Truncation)
    sampling: Filters = field(default_factory=Filters)
    fit_prior: StageConfig = field(default_factory=StageConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        check_around(self.data, self.run)
        for name in ("pretrain", "order", "polish"):
            check_stage(name, getattr(self, name))
        check_stage("fit_prior", self.fit_prior, images=False)

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, as YAML holds them."""
        return _plain(asdict(self))


@dataclass(frozen=True)
class ClassifierRecipe:
    """A classifier that judges samples.

    Attributes:
        name: of the classifier.
        kind: tells this recipe from others in a YAML file.
        data: what to train on; it has classes.
        width: channels of the first convolution.
        features: width of the layer before the logits, in which samples are compared.
        shift: pixels by which training images are moved at most.
        fit: how it is optimised.
        run: device, precision, seed.

    Raises:
        AnytimeError: a number is out of its range.
    """

    name: str
    kind: Literal["classifier"] = "classifier"
    data: DataConfig = field(default_factory=DataConfig)
    width: int = 16
    features: int = 64
    shift: int = 2
    fit: StageConfig = field(default_factory=StageConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        check_around(self.data, self.run)
        check_stage("fit", self.fit, images=False)

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, as YAML holds them."""
        return _plain(asdict(self))


KINDS: dict[str, type[Recipe] | type[ClassifierRecipe]] = {"ordered": Recipe, "classifier": ClassifierRecipe}


def shipped_recipes() -> dict[str, Path]:
    """Names and files of the recipes that come with the package."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def find_recipe(name: str) -> Path:
    """The YAML file of a recipe: a shipped name or a path.

    Raises:
        AnytimeError: there is none.
    """
    path = shipped_recipes().get(name, Path(name))
    if path.is_file():
        return path
    raise AnytimeError(f"there is no recipe {name!r}", f"Give a YAML file or one of: {', '.join(shipped_recipes())}")


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe | ClassifierRecipe:
    """Reads a recipe and applies overrides such as ["--tokenizer.codes", "16"]. The file's `kind` tells what it makes.

    Raises:
        AnytimeError: an unknown field, a value of the wrong type or out of its range, in the file or in the overrides.
    """
    from jsonargparse import ArgumentError, ArgumentParser

    given = read_yaml(path)
    kind = _kind(given, path)
    parser = ArgumentParser(prog="anytime train", exit_on_error=False)
    parser.add_class_arguments(kind, sub_configs=False)
    try:
        parser.set_defaults(_flat(parser.parse_object(given, defaults=True).as_dict()))
    except (ArgumentError, TypeError, ValueError, KeyError) as error:
        raise AnytimeError(f"{path}: {_first_line(error)}") from None
    try:
        values = parser.instantiate_classes(parser.parse_args(list(overrides)))
    except (ArgumentError, TypeError, ValueError, KeyError) as error:
        raise AnytimeError(_first_line(error), "`anytime train --help` shows how fields are set") from None
    return kind(**values.as_dict())


def _kind(given: dict[str, Any], path: Path) -> type[Recipe] | type[ClassifierRecipe]:
    name = given.get("kind", "ordered")
    if name not in KINDS:
        raise AnytimeError(f"{path} is of the unknown kind {name!r}", f"The kinds are: {', '.join(KINDS)}")
    return KINDS[name]


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as dotted names, which is how defaults of single fields are given."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The same with lists for tuples, at any depth: YAML has no tuples."""
    return {
        name: _plain(value) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
    }


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
