"""Cold start: `anytime sample` from the shell to the files on disk, beside what nobody can do without.

That is a Python that imports torch, and the sampling itself: the same samples in a process that has drawn before. All in turn;
medians. Every process has one thread. The first run of all fills caches on disk, those of compiled loops among them, and is not
counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

import anytime
from benchmarks.turns import in_turn, timed

COUNTS, REPEATS = (1, 64), 9
QUICK = {"COUNTS": (64,), "REPEATS": 2}


def measure(name: str) -> dict[str, Any]:
    """Starts processes one after another; about a minute."""
    torch.set_num_threads(1)
    model = anytime.load(name)
    with tempfile.TemporaryDirectory() as folder:
        rows = [_row(model, name, count, Path(folder)) for count in COUNTS]
    return {"title": f"Cold start: anytime sample {name}, asked for: less than 1.5 times the floor", "model": name, "rows": rows}


def _row(model: Any, name: str, count: int, folder: Path) -> dict[str, Any]:
    """One number of samples."""
    command = ("-m", "anytime", "sample", name, "-n", str(count), "--out", str(folder))
    jobs = {
        "import torch": timed(lambda: _python("-c", "import torch")),
        "import anytime": timed(lambda: _python("-c", "import anytime")),
        "from shell to files": timed(lambda: _python(*command)),
        "sampling itself": timed(lambda: model.sample(count)),
    }
    seconds = in_turn(jobs, REPEATS, warm=1)
    floor = seconds["import torch"] + seconds["sampling itself"]
    return {
        "samples": count,
        **{f"{each}, ms": 1000 * spent for each, spent in seconds.items()},
        "over torch and sampling": seconds["from shell to files"] / floor,
    }


def _python(*words: str) -> None:
    """Runs Python to its end, in silence."""
    subprocess.run([sys.executable, *words], check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
