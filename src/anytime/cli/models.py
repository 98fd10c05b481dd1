"""Lists the models and the recipes that come with the package."""

from __future__ import annotations

import argparse

HELP = "list the bundled models and the recipes"
EXAMPLE = "anytime models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`anytime models` takes no arguments."""


def run(args: argparse.Namespace) -> int:
    """Prints a table of models and recipes."""
    from rich.console import Console
    from rich.table import Table

    from anytime.models.bundled import BUNDLED, bundled_models
    from anytime.training.recipe import shipped_recipes

    table = Table(box=None, pad_edge=False)
    for column in ("name", "size", "made by"):
        table.add_column(column)
    recipes = shipped_recipes()
    for name in bundled_models():
        size = sum(path.stat().st_size for path in (BUNDLED / name).glob("*.safetensors")) / 1e6
        table.add_row(name, f"{size:.1f} MB", f"anytime train {name}")
    for name in sorted(recipes.keys() - set(bundled_models())):
        table.add_row(name, "recipe only", f"anytime train {name}")
    Console().print(table)
    return 0
