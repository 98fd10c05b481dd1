"""The objective of the prior: the cross entropy of the codes of real images."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from anytime.data import ImageSet
from anytime.heads.categorical import Categorical
from anytime.models.model import Model
from anytime.models.scoring import score
from anytime.networks.transformer import CausalTransformer
from anytime.pictures.sheet import save_sheet
from anytime.tokenizers.ordered import OrderedVQ
from anytime.training.autoencoder import doubling
from anytime.training.objective import Objective


class CodeSet:
    """The codes of a data set, dumped once by the finished tokenizer; on the CPU, like the images they stand for.

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


def coded(tokenizer: OrderedVQ, images: ImageSet) -> CodeSet:
    """Codes a data set, wherever the tokenizer is: what comes out lies on the CPU beside the labels."""
    return CodeSet(tokenizer.encode(images.images).cpu(), images.labels)


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
        nats, _ = score(self.prior, self.head, self.validation.codes, self.validation.labels)
        bits = float(nats.sum(1).mean()) / math.log(2)
        return {"bits": bits, "bits_per_code": bits / self.prior.length}

    def picture(self, path: Path) -> None:
        """Rows are samples, columns the budgets."""
        model = Model(self._model[0].config, self._model[0].tokenizer, self.prior)
        labels = [row % model.classes for row in range(10)] if model.classes else None
        codes = model.sample(10, seed=0, labels=labels).codes.to(model.device)
        budgets = doubling(model.num_codes)
        columns = [model.tokenizer.decode(codes[:, :k]) for k in budgets]
        save_sheet(path, torch.stack(columns, 1).cpu().numpy(), [f"k={k}" for k in budgets])
