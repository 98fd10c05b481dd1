"""Scores images: bits per dimension of a data set or of a folder of pictures.

Prints the mean and its standard error. Writes score.csv, a row an image, and score.json. For models of raw bytes the dimensions
are bytes. For models of ordered codes they are codes, and the bits are those of the prior: not to be compared with the former.
A folder that is not laid out in train, val and test is cut into them, as for training.
"""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "bits per dimension of images"
EXAMPLE = "anytime score runs/mnist-pixel-momentum --skip-first --out out/score"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `anytime score`."""
    parser.add_argument("model", help="a bundled name, a model directory or a Hub id")
    parser.add_argument("--data", metavar="NAME", help="data set or folder of pictures (default: the model's own data set)")
    parser.add_argument("--data-root", metavar="DIR", help="where data sets lie")
    parser.add_argument("--split", default="test", help="train, validation or test (default: test)")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N images")
    parser.add_argument("--without-labels", action="store_true", help="do not tell the model the labels of the images")
    parser.add_argument("--skip-first", action="store_true", help="leave the first byte out, as published figures do")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, ... (default: cpu)")
    parser.add_argument("--out", type=Path, default=Path("out/score"), help="folder of the results (default: out/score)")


def run(args: argparse.Namespace) -> int:
    """Scores, writes the files and prints the mean."""
    from rich.console import Console

    from anytime.cli.progress import Bar
    from anytime.models.directory import load
    from anytime.tasks.chosen import open_data
    from anytime.tasks.score import score_to_files

    model = load(args.model, args.device)
    images = open_data(model, args.data, args.split, args.data_root)
    options = {"limit": args.limit, "with_labels": not args.without_labels, "skip_first": args.skip_first}
    with Bar("scoring") as bar:
        report = score_to_files(model, images, args.out, progress=bar, **options)
    error = "" if report["standard_error"] is None else f" ± {report['standard_error']:.5f}"
    told = "given labels" if report["given_labels"] else "without labels"
    Console(highlight=False, soft_wrap=True).print(
        f"{report['bits_per_dim']:.5f}{error} bits/dim ({report['dims']} {report['of']}, {told}) of "
        f"{report['images']:,} {report['split']} samples of {report['data']}: {args.out}/score.csv, score.json"
    )
    return 0
