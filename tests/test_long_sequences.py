"""Both forms agree at the lengths of real images too, 784 and 3,072 bytes less one, from nothing and after a prefix."""

from typing import Any

import pytest
import torch

from tiny import tiny_prior

CONNECTED = {"attention": "momentum", "connection": "momentum", "connection_options": {"mu": 0.1, "step_size": 0.99}}
FAMILY: dict[str, dict[str, Any]] = {
    "softmax": {"attention": "softmax"},
    "linear": {"attention": "linear"},
    "momentum": {"attention": "momentum"},
    "momentum connection": CONNECTED,
    "adaptive": CONNECTED | {"connection": "adaptive", "connection_options": {"rule": "nc"}},
}
LENGTHS = [783, pytest.param(3071, marks=pytest.mark.slow)]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("fields", FAMILY.values(), ids=FAMILY.keys())
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
@torch.no_grad()
def test_steps_give_what_the_whole_sequence_gives(
    fields: dict[str, Any], length: int, dtype: torch.dtype, tolerance: float
) -> None:
    model = tiny_prior(length=length, classes=0, **fields).to(dtype)
    tokens = torch.randint(model.vocabulary, (2, length), generator=torch.Generator().manual_seed(0))
    whole = model(tokens)
    for given in (0, length - 50):
        state = model.init_state(2)
        first = model.prefill(tokens[:, :given], state) if given else model.step(None, state)
        outputs = torch.stack([first, *(model.step(tokens[:, t - 1], state) for t in range(given + 1, length))], 1)
        relative = (outputs - whole[:, given:]).abs().max() / whole.abs().max()
        assert relative < tolerance
