"""A run from raw data to a model directory: pre-train, order, polish, dump the codes, fit the prior. Or to a judge, in one stage.

Each stage starts from the best weights of the one before and is skipped if an earlier, interrupted run finished it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities.exceptions import MisconfigurationException

from anytime.data import ImageSet, open_images
from anytime.errors import AnytimeError
from anytime.files import write_yaml
from anytime.models.config import ModelConfig
from anytime.models.directory import save
from anytime.models.judges import Judge, JudgeConfig, features_of, new_classifier, save_judge
from anytime.models.judges.frechet import gaussian
from anytime.models.model import Model
from anytime.networks.transformer import CausalTransformer
from anytime.tokenizers.ordered import OrderedVQ
from anytime.training.autoencoder import AutoencoderObjective
from anytime.training.checks import check_shares
from anytime.training.classifier import ClassifierObjective
from anytime.training.prior import PriorObjective, coded
from anytime.training.recipe import ClassifierRecipe, DataConfig, Recipe, RunConfig
from anytime.training.trainer import Trainer

JUDGED = 2000  # validation samples that an evaluation looks at: enough for three digits, and quick


def train(recipe: Recipe | ClassifierRecipe, folder: Path, resume: bool = False) -> Path:
    """Runs a recipe; returns what it made, the model directory `folder`/model or the judge `folder`/judge.

    Raises:
        AnytimeError: the folder holds another run, or there is nothing to resume.
        Interrupted: the run was stopped and has saved its state.
    """
    _claim(folder, resume)
    trainer = Trainer(_fabric(recipe.run), folder, recipe.run.seed, recipe.run.workers)
    data = {split: _open(recipe.data, split) for split in SPLITS}
    if isinstance(recipe, ClassifierRecipe):
        made = _make_judge(trainer, recipe, data, resume)
    else:
        made = _make_model(trainer, recipe, data, resume)
    trainer.fabric.barrier()
    return made


SPLITS = ("train", "validation")  # the test set is for `evaluate` alone


def _open(data: DataConfig, split: str) -> ImageSet:
    return open_images(data.name, split, data.root, data.validation, data.size)


def _claim(folder: Path, resume: bool) -> None:
    begun = (folder / "config.yaml").is_file()
    if begun and not resume:
        raise AnytimeError(f"{folder} holds a training run already", "Add --resume to go on with it, or choose another --out")
    if resume and not begun:
        raise AnytimeError(f"there is no run in {folder} to resume", "Leave --resume out to start one")


def _check(trainer: Trainer, recipe: Recipe, size: int) -> None:
    """What only the number of processes and of training images tells, before anything is written."""
    for name in ("pretrain", "order", "polish", "fit_prior"):
        check_shares(name, getattr(recipe, name), size, trainer.fabric.world_size)
    if recipe.tokenizer.per_position_codebook and trainer.fabric.world_size > 1:
        # A process that happens to keep no code at a position would leave the others waiting for its part of the average.
        raise AnytimeError("codebooks per position cannot be trained by several processes", "Use one, or a shared codebook")


def _begin(trainer: Trainer, recipe: Recipe | ClassifierRecipe, resume: bool) -> None:
    """Makes the folder a run's, once its data and model are there: a recipe that cannot be leaves nothing behind.

    A run that is resumed keeps its old recipe until its checkpoint was found to fit the new one.
    """

    def write() -> None:
        if trainer.fabric.is_global_zero:
            write_yaml(trainer.folder / "config.yaml", recipe.as_dict())

    if resume:
        trainer.accepted = write
    else:
        write()


def _fabric(run: RunConfig) -> Fabric:
    if run.threads:
        torch.set_num_threads(run.threads)
    fabric = _new_fabric(run)
    fabric.launch()
    torch.manual_seed(run.seed)
    return fabric


def _new_fabric(run: RunConfig) -> Fabric:
    """Fabric, whose words for a device or a precision that this machine lacks come in many types of error.

    Raises:
        AnytimeError: it cannot be had.
    """
    # Under torchrun its numbers hold: with others every process would train a run of its own into the same folder.
    devices = int(os.environ.get("LOCAL_WORLD_SIZE", 0)) or run.devices
    nodes = int(os.environ.get("GROUP_WORLD_SIZE", 1))
    precision: Any = run.precision
    try:
        return Fabric(accelerator=run.accelerator, devices=devices, num_nodes=nodes, strategy=run.strategy, precision=precision)
    except (MisconfigurationException, ImportError, RuntimeError, TypeError, ValueError) as error:
        raise AnytimeError(
            " ".join(str(error).split())[:300], "Change the accelerator, devices, ... of the section run"
        ) from None


def _make_judge(trainer: Trainer, recipe: ClassifierRecipe, data: dict[str, ImageSet], resume: bool) -> Path:
    """Trains a classifier and saves it."""
    images = data["train"]
    config = JudgeConfig(recipe.name, recipe.data.name, list(images.shape), recipe.width, recipe.features, list(images.classes))
    classifier = new_classifier(config)
    check_shares("fit", recipe.fit, len(images), trainer.fabric.world_size)
    _begin(trainer, recipe, resume)
    trainer.fit("classifier", ClassifierObjective(classifier, data["validation"], recipe.shift), images, recipe.fit)
    if trainer.fabric.is_global_zero:
        real = gaussian(features_of(classifier.eval(), data["validation"].images))
        save_judge(Judge(classifier, real), config, trainer.folder / "judge")
    return trainer.folder / "judge"


def _make_model(trainer: Trainer, recipe: Recipe, data: dict[str, ImageSet], resume: bool) -> Path:
    """Trains a tokenizer, then the prior of its codes, and saves both."""
    _check(trainer, recipe, len(data["train"]))
    model = _model(recipe, data["train"])
    _begin(trainer, recipe, resume)
    _fit_tokenizer(trainer, recipe, model, data)
    _fit_prior(trainer, recipe, model, data)
    if trainer.fabric.is_global_zero:
        save(model, trainer.folder / "model")
    return trainer.folder / "model"


def _model(recipe: Recipe, data: ImageSet) -> Model:
    """The untrained model of a recipe."""
    tokenizer = OrderedVQ(recipe.tokenizer, data.shape)
    if recipe.polish.steps and recipe.tokenizer.ordered:
        recipe.polish_truncation.probabilities(tokenizer.num_codes)  # refuses a bad law now, and not when `order` is done
    prior = CausalTransformer(recipe.prior, tokenizer.codebook_size, tokenizer.num_codes, len(data.classes))
    config = ModelConfig(
        recipe.name, list(data.shape), recipe.tokenizer, recipe.prior, list(data.classes), recipe.data.name, recipe.sampling
    )
    return Model(config, tokenizer, prior)


def _fit_tokenizer(trainer: Trainer, recipe: Recipe, model: Model, data: dict[str, ImageSet]) -> None:
    variance = float((data["train"].images[:5000] / 255).var(dim=0).mean())
    objective = AutoencoderObjective(model.tokenizer, data["validation"].images[:JUDGED], variance)
    ordering = objective.truncation
    polishing = recipe.polish_truncation if ordering else None
    for name, stage, truncation in (
        ("pretrain", recipe.pretrain, None),
        ("order", recipe.order, ordering),
        ("polish", recipe.polish, polishing),
    ):
        objective.truncation, objective.jitter = truncation, stage.jitter
        trainer.fit(name, objective, data["train"], stage)
    model.tokenizer.eval()


def _fit_prior(trainer: Trainer, recipe: Recipe, model: Model, data: dict[str, ImageSet]) -> None:
    """Codes the data once, with the tokenizer that will be saved, and trains the prior on that."""
    model.tokenizer.to(trainer.fabric.device)  # it is still on the CPU if its stages were finished by an earlier run
    codes = {split: coded(model.tokenizer, images) for split, images in data.items()}
    trainer.fit("prior", PriorObjective(model, codes["validation"]), codes["train"], recipe.fit_prior)
    model.prior.eval()
