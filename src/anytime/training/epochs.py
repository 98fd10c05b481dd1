"""Stages that are counted in passes over the data, which become steps when the size of the data is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

from anytime.errors import AnytimeError
from anytime.training.settings import StageConfig


@dataclass(frozen=True)
class EpochsConfig:
    """How long the two stages of a recipe take, in passes over its training images.

    Attributes:
        tokenizer: passes of `fit_tokenizer`; 0 leaves that stage to its own `steps`.
        prior: passes of `fit_prior`; 0 leaves that stage to its own `steps`.
        sheets: passes between evaluations, each with a sheet of pictures and a line of metrics.
        checkpoints: passes between checkpoints.
    """

    tokenizer: float = 0
    prior: float = 0
    sheets: float = 5
    checkpoints: float = 1


def check_epochs(name: str, epochs: float, stage: StageConfig) -> None:
    """Looks at one of the two stages.

    Raises:
        AnytimeError: it is counted both in epochs and in steps, or what `EpochsConfig` says for both stages is said in steps.
    """
    if epochs and stage.steps:
        raise AnytimeError(
            f"fit_{name} cannot take {epochs:g} epochs and {stage.steps} steps",
            f"Set epochs.{name} to 0 to count steps, or leave fit_{name}.steps out",
        )
    for field, instead in (("evaluate_every", "sheets"), ("checkpoint_every", "checkpoints")):
        given = getattr(stage, field)
        if epochs and given != getattr(StageConfig, field):
            raise AnytimeError(
                f"fit_{name}.{field} cannot be {given} steps while the stage is counted in epochs",
                f"Set epochs.{instead}, a number of epochs, in its place, or set epochs.{name} to 0 to count steps",
            )


def in_steps(stage: StageConfig, epochs: float, config: EpochsConfig, size: int) -> StageConfig:
    """The stage with its epochs as steps, for a data set of `size`; as it is where it counts steps itself.

    The incomplete batch at the end of an epoch is dropped, so an epoch is size // batch_size steps, and at least one.
    """
    if not epochs:
        return stage
    each = max(1, size // stage.batch_size)
    steps, sheets, checkpoints = (max(1, round(count * each)) for count in (epochs, config.sheets, config.checkpoints))
    return replace(stage, steps=steps, evaluate_every=sheets, checkpoint_every=checkpoints)
