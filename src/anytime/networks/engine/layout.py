"""How weights lie in memory: (K, N), as the products of a step read them fastest, under the same names and shapes.

torch keeps the weight of a linear map as (N, K). For a step of a few rows or of many, a product with rows of inputs reads (K, N)
faster, up to 1.6 times, but a copy at the beginning of every draw costs as much as some steps. So a model that is loaded to be
sampled from is laid out once. Shapes, names, values and gradients are the same; strides are not, so `state_dict` gives tensors
that are not contiguous.
"""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def lay_out(model: nn.Module) -> None:
    """Lets the weights of all linear maps lie as (K, N), in place; tied ones stay as they are."""
    tables = {id(each.weight) for each in model.modules() if isinstance(each, nn.Embedding)}
    for each in model.modules():
        if type(each) is nn.Linear and id(each.weight) not in tables:
            each.weight.data = each.weight.t().contiguous().t()
