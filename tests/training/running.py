"""A real run of `anytime train`, so small that it takes a few seconds, most of them imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

RECIPE = """
name: tiny
data: {name: digits}
tokenizer: {codes: 4, codebook_size: 16, width: 8, encoder_blocks: 1, decoder_blocks: 1, stride: 2}
prior: {layers: 1, width: 16, heads: 2}
order: {steps: 60, batch_size: 32, warmup: 5, learning_rate: 5.0e-3, evaluate_every: 20, checkpoint_every: 7}
fit_prior: {steps: 40, batch_size: 32, warmup: 5, learning_rate: 1.0e-2, evaluate_every: 20, checkpoint_every: 7}
run: {threads: 1}
"""


def recipe(folder: Path) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(RECIPE)
    return path


def start(*words: str | Path, launcher: tuple[str, ...] = (sys.executable, "-m")) -> subprocess.Popen[str]:
    """Starts `anytime train` with some arguments, in a process of its own."""
    command = [*launcher, "anytime", "train", *map(str, words)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def weights(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "model").iterdir())}
