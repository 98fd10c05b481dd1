"""The one form in which images reach the rest of the package: a set of bytes in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from anytime.errors import AnytimeError


@dataclass(frozen=True, eq=False)
class ImageSet:
    """A split of a data set, whole in memory.

    It is a map-style dataset: a torch `DataLoader` with `collate_fn=lambda batch: batch` gets whole batches
    from `__getitems__`, {"image": uint8 (B, C, H, W), "label": int64 (B,)}, without a stack of single rows.

    Args:
        name: the data set, as given to `open_images`.
        split: "train", "validation" or "test".
        images: uint8 (N, C, H, W), 0 to 255.
        labels: int64 (N,), or None if the images have no classes.
        classes: the name of each class, in the order of the labels; empty if there are none.

    Raises:
        AnytimeError: a tensor has another shape or dtype than these.
    """

    name: str
    split: str
    images: Tensor = field(repr=False)
    labels: Tensor | None = field(default=None, repr=False)
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise AnytimeError(f"{self.name}: images should be uint8 (N, C, H, W), not {_described(self.images)}")
        if self.labels is None:
            return
        if self.labels.dtype != torch.int64 or self.labels.shape != self.images.shape[:1]:
            expected = f"int64 ({len(self.images)},), one for each image"
            raise AnytimeError(f"{self.name}: labels should be {expected}, not {_described(self.labels)}")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of one image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self._rows(index)

    def __getitems__(self, indices: list[int]) -> dict[str, Tensor]:
        return self._rows(torch.as_tensor(indices, dtype=torch.int64))

    def subset(self, indices: Sequence[int] | Tensor) -> ImageSet:
        """Gives the set of these rows only, in this order, as a copy."""
        rows = torch.as_tensor(indices, dtype=torch.int64)
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, images=self.images[rows], labels=labels)

    def _rows(self, rows: int | Tensor) -> dict[str, Tensor]:
        """Gives the image at each of `rows`, with its label if there is one."""
        item = {"image": self.images[rows]}
        if self.labels is not None:
            item["label"] = self.labels[rows]
        return item


def _described(tensor: Tensor) -> str:
    """Says dtype and shape, as in "float32 (3, 28, 28)"."""
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
