"""A run from a recipe to what it makes. Each kind of recipe has a file that says which stages it takes."""

from __future__ import annotations

from pathlib import Path

from anytime.training.copy_stage import make_copy
from anytime.training.judge_stage import make_judge
from anytime.training.ordered_stages import make_ordered
from anytime.training.pixel_stage import make_pixels
from anytime.training.recipe import AnyRecipe, ClassifierRecipe, CopyRecipe, PixelRecipe
from anytime.training.run import Run
from anytime.training.sequence_recipes import SeriesRecipe, WaveNetRecipe
from anytime.training.series_stage import make_series


def train(recipe: AnyRecipe, folder: Path, resume: bool = False) -> Path:
    """Runs a recipe; returns what it made, the model directory `folder`/model, the judge `folder`/judge, or a report.

    Raises:
        AnytimeError: the folder holds another run, or there is nothing to resume.
        Interrupted: the run was stopped and has saved its state.
    """
    run = Run(recipe, folder, resume)
    if isinstance(recipe, ClassifierRecipe):
        made = make_judge(run, recipe)
    elif isinstance(recipe, PixelRecipe | WaveNetRecipe):
        made = make_pixels(run, recipe)
    elif isinstance(recipe, SeriesRecipe):
        made = make_series(run, recipe)
    elif isinstance(recipe, CopyRecipe):
        made = make_copy(run, recipe)
    else:
        made = make_ordered(run, recipe)
    run.trainer.fabric.barrier()
    return made
