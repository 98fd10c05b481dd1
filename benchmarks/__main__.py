"""Runs all benchmarks, or those that are named: python -m benchmarks budget deadline."""

from __future__ import annotations

import argparse
import importlib

from benchmarks.report import write

ALL = ("budget", "deadline", "attention", "wavenet", "decode")


def main() -> None:
    """Runs each benchmark, prints its lines and writes its JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of: {', '.join(ALL)} (default: all)")
    parser.add_argument("--model", default="mnist-ordered", help="model to measure (default: mnist-ordered)")
    args = parser.parse_args()
    unknown = set(args.names) - set(ALL)
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; choose from {', '.join(ALL)}")
    for name in args.names or ALL:
        write(name, importlib.import_module(f"benchmarks.{name}").measure(args.model))


if __name__ == "__main__":
    main()
