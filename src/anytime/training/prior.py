"""The objective of the prior: the cross entropy of the codes of real images."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from anytime.heads.categorical import Categorical
from anytime.models.model import Model
from anytime.networks.transformer import CausalTransformer
from anytime.pictures.sheet import save_sheet
from anytime.training.autoencoder import doubling
from anytime.training.objective import Objective


class CodeSet:
    """The codes of a data set, dumped once by the finished tokenizer.

    Args:
        codes: (M, N) int64.
        labels: (M,) int64, or None.
    """

    def __init__(self, codes: Tensor, labels: Tensor | None) -> None:
        self.codes, self.labels = codes, labels

    def __len__(self) -> int:
        return len(self.codes)

    def __getitems__(self, indices: list[int]) -> dict[str, Tensor]:
        chosen = torch.tensor(indices)
        batch = {"codes": self.codes[chosen]}
        return batch if self.labels is None else batch | {"label": self.labels[chosen]}


class PriorObjective(Objective):
    """Trains a `CausalTransformer` on codes.

    Args:
        model: whose prior is trained; its tokenizer only draws the pictures.
        validation: codes and labels that are judged.
    """

    metric = "bits"

    def __init__(self, model: Model, validation: CodeSet) -> None:
        super().__init__()
        assert isinstance(model.prior, CausalTransformer)
        self.prior: CausalTransformer = model.prior
        self.head = Categorical(self.prior.vocabulary)
        self.validation = validation
        self._model = [model]  # in a list, so that the tokenizer is no part of what is trained

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean nats a code."""
        logits = self.prior(batch["codes"], batch.get("label"))
        return -self.head.log_prob(logits.float(), batch["codes"]).mean()

    def evaluate(self) -> dict[str, float]:
        """Bits an image and bits a code on validation codes."""
        indices = torch.arange(len(self.validation)).split(512)
        batches = [self.validation.__getitems__(chunk.tolist()) for chunk in indices]
        nats = torch.cat([-self.head.log_prob(self.prior(b["codes"], b.get("label")), b["codes"]).sum(1) for b in batches])
        bits = float(nats.double().mean()) / math.log(2)
        return {"bits": bits, "bits_per_code": bits / self.prior.length}

    def picture(self, path: Path) -> None:
        """Rows are samples, columns the budgets."""
        model = Model(self._model[0].config, self._model[0].tokenizer, self.prior)
        labels = [row % model.classes for row in range(10)] if model.classes else None
        codes = model.sample(10, seed=0, labels=labels).codes
        budgets = doubling(model.num_codes)
        columns = [model.tokenizer.decode(codes[:, :k]) for k in budgets]
        save_sheet(path, torch.stack(columns, 1).cpu().numpy(), [f"k={k}" for k in budgets])
