"""From images to an ordered model: pre-train, order, polish, dump the codes, fit the prior.

Each stage starts from the best weights of the one before and is skipped if an earlier, interrupted run finished it.
"""

from __future__ import annotations

from pathlib import Path

from anytime.data import Images
from anytime.models.config import ModelConfig
from anytime.models.directory import save
from anytime.models.model import Model
from anytime.models.parts import make_prior
from anytime.tokenizers.ordered import OrderedVQ
from anytime.training.autoencoder import AutoencoderObjective
from anytime.training.checks import check_shares
from anytime.training.prior import PriorObjective, coded
from anytime.training.recipe import Recipe
from anytime.training.run import Run, open_splits
from anytime.training.trainer import Trainer

JUDGED = 2000  # validation samples that an evaluation looks at: enough for three digits, and quick


def make_ordered(run: Run, recipe: Recipe) -> Path:
    """Trains a tokenizer, then the prior of its codes, and saves both; gives the folder of the model."""
    data, trainer = open_splits(recipe.data), run.trainer
    _check(trainer, recipe, len(data["train"]))
    model = _model(recipe, data["train"])
    run.begin()
    _fit_tokenizer(trainer, recipe, model, data)
    _fit_prior(trainer, recipe, model, data)
    if run.first:
        save(model, run.folder / "model")
    return run.folder / "model"


def _check(trainer: Trainer, recipe: Recipe, size: int) -> None:
    """What only the number of processes and of training images tells, before anything is written."""
    for name in ("pretrain", "order", "polish", "fit_prior"):
        check_shares(name, getattr(recipe, name), size, trainer.fabric.world_size)


def _model(recipe: Recipe, data: Images) -> Model:
    """The untrained model of a recipe."""
    tokenizer = OrderedVQ(recipe.tokenizer, data.shape)
    if recipe.polish.steps and recipe.tokenizer.ordered:
        recipe.polish_truncation.probabilities(tokenizer.num_codes)  # refuses a bad law now, and not when `order` is done
    config = ModelConfig(
        name=recipe.name,
        image=list(data.shape),
        tokenizer=recipe.tokenizer,
        prior=recipe.prior,
        classes=list(data.classes),
        data=recipe.data.name,
        sampling=recipe.sampling,
    )
    return Model(config, tokenizer, make_prior(config, tokenizer))


def _fit_tokenizer(trainer: Trainer, recipe: Recipe, model: Model, data: dict[str, Images]) -> None:
    variance = float((data["train"].first(5000) / 255).var(dim=0).mean())
    assert isinstance(model.tokenizer, OrderedVQ)
    objective = AutoencoderObjective(model.tokenizer, data["validation"].first(JUDGED), variance)
    ordering = objective.truncation
    polishing = recipe.polish_truncation if ordering else None
    for name, stage, truncation in (
        ("pretrain", recipe.pretrain, None),
        ("order", recipe.order, ordering),
        ("polish", recipe.polish, polishing),
    ):
        objective.truncation, objective.jitter = truncation, stage.jitter
        trainer.fit(name, objective, data["train"], stage)
    if ordering:
        laws = [law for stage, law in ((recipe.order, ordering), (recipe.polish, polishing)) if stage.steps and law]
        model.tokenizer.interpolate_lengths(*laws)
    model.tokenizer.eval()


def _fit_prior(trainer: Trainer, recipe: Recipe, model: Model, data: dict[str, Images]) -> None:
    """Codes the data once, with the tokenizer that will be saved, and trains the prior on that."""
    model.tokenizer.to(trainer.fabric.device)  # it is still on the CPU if its stages were finished by an earlier run
    codes = {split: coded(model.tokenizer, images) for split, images in data.items()}
    trainer.fit("prior", PriorObjective(model, codes["validation"]), codes["train"], recipe.fit_prior)
    model.prior.eval()
