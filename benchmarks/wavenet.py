"""A WaveNet drawing token by token: the time of a step against the number of layers, which it should be proportional to.

Batch 32, 64 channels, 8 levels, one thread; 256 steps after a prefix as long as the receptive field, without and with its cost.
The floor is the matrix products of a step on buffers that are there already. The published generator, which copies every queue
at every step, took 2.04 ms a step for 8 layers and 10.96 for 12 on such a machine, with its prefix 2.28 and 17.9 (not run here).
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

from anytime.heads.categorical import Categorical
from anytime.networks.wavenet import WaveNet, WaveNetConfig
from anytime.sampling.decode import Decoding

BATCH, CHANNELS, LEVELS, STEPS = 32, 64, 8, 256
PUBLISHED_MS = {8: (2.04, 2.28), 12: (10.96, 17.9)}
REPEATS = 5


def measure(_: str) -> dict[str, Any]:
    """Draws with 8 and with 12 layers, in turn with their floors; about a minute."""
    torch.set_num_threads(1)
    rows = []
    for layers in (8, 12):
        network = _network(layers)
        prefix = torch.randint(LEVELS, (BATCH, network.receptive_field))
        ours, floors = [], []
        for _repeat in range(REPEATS):
            ours.append(_draw(network, prefix))
            floors.append(_floor(layers))
        step, floor = (statistics.median(each) for each in ([step for step, _ in ours], floors))
        rows.append(
            {
                "layers": layers,
                "receptive field": network.receptive_field,
                "ms a step": step,
                "floor ms": floor,
                "over floor": step / floor,
                "with prefix": statistics.median(both for _, both in ours),
                "published ms": PUBLISHED_MS[layers][0],
                "published, with prefix": PUBLISHED_MS[layers][1],
            }
        )
    return {"title": f"WaveNet, batch {BATCH}, {CHANNELS} channels, {STEPS} steps and their prefix, one thread", "rows": rows}


def _network(layers: int) -> WaveNet:
    """The network of the published measurement, untrained: an input layer of one tap is one of the layers."""
    channels = {"embedding": CHANNELS, "residual": CHANNELS, "gate": CHANNELS, "skip": CHANNELS, "head": 2 * CHANNELS}
    config = WaveNetConfig(dilations=[2**i for i in range(layers)], **channels)
    return WaveNet(config, LEVELS, 2**layers + STEPS).eval().requires_grad_(False)


def _draw(network: WaveNet, prefix: torch.Tensor) -> tuple[float, float]:
    """Milliseconds a step, without and with its share of the prefix."""
    uniform = torch.rand(BATCH, prefix.shape[1] + STEPS, dtype=torch.float64)
    started = time.perf_counter()
    decoding = Decoding(network, Categorical(LEVELS), uniform, prefix=prefix)
    fed = time.perf_counter()
    for _ in range(STEPS):
        decoding.advance()
    ended = time.perf_counter()
    return 1000 * (ended - fed) / STEPS, 1000 * (ended - started) / STEPS


@torch.inference_mode()
def _floor(layers: int) -> float:
    """Milliseconds of the matrix products of a step: two taps, residual and skip of each layer, and the head."""
    x, z, s = torch.randn(BATCH, CHANNELS), torch.empty(BATCH, 2 * CHANNELS), torch.empty(BATCH, CHANNELS)
    taps, square = torch.randn(2, CHANNELS, 2 * CHANNELS), torch.randn(CHANNELS, CHANNELS)
    hidden, out = torch.randn(CHANNELS, 2 * CHANNELS), torch.randn(2 * CHANNELS, LEVELS)
    started = time.perf_counter()
    for _ in range(STEPS):
        for _layer in range(layers + 1):
            torch.mm(x, taps[0], out=z)
            torch.mm(x, taps[1], out=z)
            torch.mm(x, square, out=s)
            torch.mm(x, square, out=s)
        torch.mm(torch.mm(x, hidden), out)
    return 1000 * (time.perf_counter() - started) / STEPS
