"""The plain network inside `OrderedVQ` reproduces the published code's outputs, layer by layer."""

from pathlib import Path

import numpy as np
import pytest
import torch

from anytime.tokenizers.ordered import OrderedVQ, OrderedVQConfig


@pytest.fixture(scope="module")
def golden(golden_root: Path) -> dict[str, torch.Tensor]:
    with np.load(golden_root / "ordered_vqvae.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


@pytest.fixture(scope="module")
def tokenizer(golden: dict[str, torch.Tensor]) -> OrderedVQ:
    config = OrderedVQConfig(codes=8, codebook_size=16, network="plain", standardize=False)
    model = OrderedVQ(config, (1, 28, 28)).double().eval()
    for part in ("encoder", "decoder"):
        prefix = f"sd.{part}."
        state = {name.removeprefix(prefix): value for name, value in golden.items() if name.startswith(prefix)}
        getattr(model, part).load_state_dict(state)
    model.codebook.vectors[0] = golden["sd.codebook.embedding.weight"]
    return model


def test_the_encoder_and_the_codes_are_the_references(tokenizer: OrderedVQ, golden: dict[str, torch.Tensor]) -> None:
    images = (golden["images"] + 1) / 2
    torch.testing.assert_close(tokenizer.vectors(images).view(4, 8, 7, 7), golden["encoder_output"], rtol=1e-10, atol=1e-10)
    assert torch.equal(tokenizer.encode(images), golden["codes"])


@pytest.mark.parametrize("k", [1, 3, 8])
def test_a_prefix_decodes_as_the_reference_decodes_it(tokenizer: OrderedVQ, golden: dict[str, torch.Tensor], k: int) -> None:
    decoded = 2 * tokenizer.decode(golden["codes"][:, :k]) - 1
    torch.testing.assert_close(decoded, golden[f"decode_k{k}"], rtol=1e-10, atol=1e-10)
