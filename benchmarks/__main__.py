"""Runs all benchmarks, or those that are named: python -m benchmarks budget deadline. With --quick it is over in minutes.

A benchmark is a module with `measure(model)`, which gives a title and rows; its `QUICK` says what its constants are with --quick.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from benchmarks.report import FOLDER, write

ALL = (
    *("start", "preview", "budget", "deadline", "attention", "wavenet", "wavenet_training"),
    *("decode", "pixels", "requests", "vqvae", "scaling", "footprint", "throughput"),
)
ELSEWHERE = ("candidates", "gpu", "gpu_attention")  # have to be asked for


def main() -> None:
    """Runs each benchmark, prints its rows and writes its JSON and its plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"any of: {', '.join(ALL + ELSEWHERE)} (default: all but the last three)"
    )
    parser.add_argument("--model", default="mnist-ordered", help="model to measure (default: mnist-ordered)")
    parser.add_argument("--quick", action="store_true", help="small sizes and few repeats, for a first look")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the results (default: docs/benchmarks)")
    args = parser.parse_args()
    unknown = set(args.names) - {*ALL, *ELSEWHERE}
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; choose from {', '.join(ALL + ELSEWHERE)}")
    for name in args.names or ALL:
        benchmark = importlib.import_module(f"benchmarks.{name}")
        if args.quick:
            vars(benchmark).update(getattr(benchmark, "QUICK", {}))
        write(name, {"sizes": "quick" if args.quick else "full", **benchmark.measure(args.model)}, args.out)


if __name__ == "__main__":
    main()
