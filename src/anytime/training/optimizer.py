"""How weights move: AdamW or RAdam, with decoupled weight decay, on matrices only if not said otherwise."""

from __future__ import annotations

import torch
from torch import nn

from anytime.training.settings import StageConfig


def new_optimizer(objective: nn.Module, stage: StageConfig, fused: bool) -> torch.optim.Optimizer:
    """The optimiser of a stage. Biases, norms and other vectors decay only where `stage.decayed` is "all".

    Args:
        objective: whose parameters it moves.
        stage: kind, rate, moments and decay.
        fused: AdamW in one pass; not where a scaler unscales gradients before they are clipped, which the fused one does itself.
    """
    parameters = [parameter for parameter in objective.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": stage.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": stage.weight_decay * (stage.decayed == "all")},
    ]
    groups = [group for group in groups if group["params"]]
    if stage.optimizer == "radam":
        return torch.optim.RAdam(
            groups, lr=stage.learning_rate, betas=stage.betas, eps=stage.eps, decoupled_weight_decay=True, foreach=True
        )
    return torch.optim.AdamW(groups, lr=stage.learning_rate, betas=stage.betas, eps=stage.eps, fused=fused)


def clip_each(objective: nn.Module, largest: float) -> float:
    """Clips the gradient of every tensor to a norm by itself; gives the norm over all before that."""
    gradients = [parameter.grad for parameter in objective.parameters() if parameter.grad is not None]
    norms = torch._foreach_norm(gradients)
    factors = [(largest / (norm + 1e-6)).clamp(max=1.0) for norm in norms]
    torch._foreach_mul_(gradients, factors)
    return float(torch.stack(norms).norm())
