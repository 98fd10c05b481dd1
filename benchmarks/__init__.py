"""Speed, measured: each module is one benchmark, `python -m benchmarks` runs them all and writes docs/benchmarks/*.json."""
