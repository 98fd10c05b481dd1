"""A model: an ordered tokenizer and its prior, and every way to draw from them.

model = anytime.load("mnist-ordered")
model.sample(64, budget=0.25)         a quarter of the codes
model.sample(64, deadline=50)         what can be done in 50 ms
model.stream(8)                       every prefix, as it comes
model.resume(samples, budget=1.0)     more codes for what was stopped early
model.vary(codes, keep=4, n=8)        the first codes kept, the rest drawn anew
"""

from __future__ import annotations

import time
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anytime.errors import AnytimeError
from anytime.heads.categorical import Categorical
from anytime.models.config import ModelConfig
from anytime.models.samples import Batch, Partial, Samples, joined, reordered
from anytime.networks.transformer import CausalTransformer
from anytime.pictures.sheet import channels_last
from anytime.sampling.budget import Budget, Clock, Deadline, Stop, lengths, one_length
from anytime.sampling.decode import Decoding, finish, run
from anytime.sampling.filters import Filters
from anytime.sampling.seeds import VARIATIONS, draw_labels, uniforms
from anytime.tokenizers.ordered import OrderedVQ

Labels = int | Sequence[int] | Tensor | None


class Model:
    """An ordered tokenizer and the prior of its codes.

    Args:
        config: name, image shape, class names.
        tokenizer: images <-> codes.
        prior: p(codes | label).
    """

    def __init__(self, config: ModelConfig, tokenizer: OrderedVQ, prior: CausalTransformer) -> None:
        self.config, self.tokenizer, self.prior = config, tokenizer, prior
        self.head = Categorical(tokenizer.codebook_size)
        self._clocks: dict[tuple[int, bool], Clock] = defaultdict(Clock)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.config.name

    @property
    def num_codes(self) -> int:
        """N, the full length."""
        return self.tokenizer.num_codes

    @property
    def classes(self) -> int:
        """Number of labels, 0 for an unconditional model."""
        return self.prior.classes

    @property
    def fingerprint(self) -> str:
        """A checksum of the weights: samples are of a model, not of a name."""
        checksum = 0
        for tensor in (self.tokenizer.codebook.vectors, *self.prior.parameters()):
            checksum = zlib.crc32(tensor.detach().cpu().contiguous().numpy().tobytes(), checksum)
        return f"{checksum:08x}"

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.prior.start.device

    def to(self, device: torch.device | str) -> Model:
        """Moves the weights; returns the model."""
        self.tokenizer.to(device)
        self.prior.to(device)
        self._clocks.clear()
        return self

    def sample(
        self,
        n: int,
        budget: Budget = None,
        *,
        deadline: float | None = None,
        stop: Stop | None = None,
        seed: int = 0,
        labels: Labels = None,
        first_index: int = 0,
        batch_size: int = 256,
        **filters: Any,
    ) -> Samples:
        """Draws n samples.

        Args:
            n: how many.
            budget: an int is a number of codes, a float in (0, 1] a fraction of them; a sequence gives each sample its own.
            deadline: milliseconds from this call until the decoded samples are returned; whole samples in any case.
            stop: called with the number of codes so far; True stops and decodes.
            seed: sample i depends on (model, seed, i) alone.
            labels: a class for all or for each sample, -1 for none; by default each sample's class is drawn from its seed.
            first_index: index of the first sample, to go on where an earlier call ended.
            batch_size: samples drawn together; with a deadline or `stop` all n are, and memory grows with n.
            **filters: temperature, top_k, top_p, guidance, see `Filters`; by default those of the model's config.

        Raises:
            AnytimeError: a budget, label or filter is out of range.
        """
        started = time.perf_counter()
        indices = _indices(n, first_index)
        wanted = lengths(budget, self.num_codes, n)
        if batch_size < 1:
            raise AnytimeError(f"cannot draw {batch_size} samples at a time", "Choose a batch size of at least one")
        batch = Batch(int(seed), list(indices), self._labels(labels, seed, indices), wanted, self._filters(filters))
        if deadline is not None or stop is not None:
            return self._draw(batch, self._deadline(deadline, started, batch), stop)
        return joined([self._draw(batch.part(rows)) for rows in torch.arange(n).split(batch_size)])

    def stream(
        self,
        n: int,
        budget: int | float | None = None,
        *,
        at: Sequence[int | float] | None = None,
        seed: int = 0,
        labels: Labels = None,
        first_index: int = 0,
        **filters: Any,
    ) -> Iterator[Partial]:
        """Draws n samples and yields them as they come; one run of the prior serves all budgets.

        Args:
            n: how many.
            budget: where to stop; by default at the last of `at`, or with all codes.
            at: the budgets at which to yield; by default after every code.
            seed: as for `sample`.
            labels: as for `sample`.
            first_index: as for `sample`.
            **filters: see `Filters`.

        Raises:
            AnytimeError: a budget, label or filter is out of range, or a budget of `at` is beyond `budget`.
        """
        indices = _indices(n, first_index)
        marks = {one_length(each, self.num_codes) for each in at} if at is not None else set(range(1, self.num_codes + 1))
        length = one_length(budget, self.num_codes) if budget is not None else max(marks, default=1)
        if at is not None and (not marks or max(marks) > length):
            raise AnytimeError(f"cannot yield at {list(at)} within {length} codes", "Give budgets up to the one to stop at")
        wanted = torch.full((n,), length)
        return self._stream(
            Batch(int(seed), list(indices), self._labels(labels, seed, indices), wanted, self._filters(filters)), marks
        )

    def _stream(self, batch: Batch, marks: set[int]) -> Iterator[Partial]:
        decoding = self._decoding(batch)
        for _ in run(decoding, batch.lengths, self._clock(batch).step):
            if decoding.position in marks:
                yield Partial(decoding.position, decoding.tokens[:, : decoding.position].cpu().clone(), self.decode)

    def resume(self, samples: Samples, budget: Budget = None, *, deadline: float | None = None, batch_size: int = 256) -> Samples:
        """Goes on with samples that were stopped: the same codes as if they had never been.

        The codes so far are fed to the prior at once, so this works in another process and from a file as well. Samples of
        different lengths go on in groups; with a deadline the groups share the time.

        Args:
            samples: what was stopped.
            budget: as for `sample`.
            deadline: milliseconds from this call.
            batch_size: samples drawn together; with a deadline a whole group is.

        Raises:
            AnytimeError: the budget is below what the samples have already.
        """
        started = time.perf_counter()
        wanted = lengths(budget, self.num_codes, len(samples))
        if bool((wanted < samples.lengths).any()):
            raise AnytimeError(f"the samples have up to {int(samples.lengths.max())} codes already", "Give a larger budget")
        batch = Batch(samples.seed, samples.indices, samples.labels, wanted, samples.filters, samples.codes, samples.stream)
        groups = [(samples.lengths == length).nonzero()[:, 0] for length in samples.lengths.unique()]
        if deadline is None:
            groups = [rows for group in groups for rows in group.split(batch_size)]
        parts = []
        for left, rows in zip(range(len(groups), 0, -1), groups, strict=True):
            part = batch.part(rows, int(samples.lengths[rows[0]]))
            share = None if deadline is None else _share(deadline, started, left)
            parts.append(self._draw(part, self._deadline(share, started, part)))
        return reordered(joined(parts), torch.cat(groups).argsort()).after(samples)

    def vary(
        self,
        codes: Tensor,
        keep: int,
        n: int,
        budget: Budget = None,
        *,
        seed: int = 0,
        label: int | None = None,
        **filters: Any,
    ) -> Samples:
        """Keeps the first codes of one image and draws the rest n times: "samples on the same priority code".

        Args:
            codes: of the image, (N,) or (1, N) int64, from `tokenizer.encode` or an earlier sample.
            keep: how many of them to keep, 0..N - 1.
            n: how many variations.
            budget: length of the results, not below `keep`.
            seed: variation i depends on (codes kept, seed, i), and not as sample i does.
            label: of the image; None for no label.
            **filters: see `Filters`.

        Raises:
            AnytimeError: `keep` or a budget is out of range, or the codes to keep are not those of one image.
        """
        indices, kept = _indices(n), self._kept(codes, keep)
        wanted = lengths(budget, self.num_codes, n)
        if bool((wanted < keep).any()):
            raise AnytimeError(f"cannot keep {keep} codes within a budget of {int(wanted.min())}", "Give a larger budget")
        labels = self._labels(-1 if label is None else label, seed, indices)
        batch = Batch(int(seed), list(indices), labels, wanted, self._filters(filters), kept.expand(n, -1), VARIATIONS)
        return joined([self._draw(batch.part(rows, keep)) for rows in torch.arange(n).split(256)])

    def decode(self, codes: Tensor, batch_size: int = 512) -> NDArray[np.uint8]:
        """Codes (n, k), -1 where missing, to pictures: uint8 (n, H, W) or (n, H, W, 3), `batch_size` at a time."""
        with torch.inference_mode():
            images = [self.tokenizer.decode(chunk.to(self.device)) for chunk in codes.split(batch_size)]
            pixels = [(image * 255).round_().to(torch.uint8).cpu().numpy() for image in images]
        return channels_last(np.concatenate(pixels))

    def _draw(self, batch: Batch, limit: Deadline | None = None, stop: Stop | None = None) -> Samples:
        """Draws one batch: runs the loop, then decodes."""
        clock, decoding = self._clock(batch), self._decoding(batch)
        step_ms = [0.0] * decoding.position
        for seconds in run(decoding, batch.lengths, clock.step, limit, stop):
            step_ms.append(1000 * seconds)
            if limit is not None and not clock.decode.count:
                self._timed_decode(decoding.tokens[:, : decoding.position], clock)  # tells what the last decode will cost
        reached = batch.lengths.clamp(max=decoding.position)
        codes = finish(decoding.tokens, reached).cpu().clone()
        data, decode_ms = self._timed_decode(codes, clock)
        return Samples(
            codes, data, reached, batch.seed, batch.indices, batch.labels, batch.filters, step_ms, decode_ms, batch.stream
        )

    def _timed_decode(self, codes: Tensor, clock: Clock) -> tuple[NDArray[np.uint8], float]:
        started = time.perf_counter()
        data = self.decode(codes)
        clock.decode.observe(time.perf_counter() - started)
        return data, 1000 * (time.perf_counter() - started)

    def _decoding(self, batch: Batch) -> Decoding:
        uniform = uniforms(batch.seed, batch.indices, self.num_codes, batch.stream).to(self.device)
        labels = None if batch.labels is None else batch.labels.to(self.device)
        prefix = None if batch.prefix is None else batch.prefix.to(self.device)
        return Decoding(self.prior, self.head, uniform, labels, batch.filters, prefix)

    def _deadline(self, milliseconds: float | None, started: float, batch: Batch) -> Deadline | None:
        return None if milliseconds is None else Deadline(milliseconds, self._clock(batch), started)

    def _filters(self, given: dict[str, Any]) -> Filters:
        """What the caller gave, over the model's own defaults."""
        unknown = given.keys() - vars(self.config.sampling).keys()
        if unknown:
            raise AnytimeError(f"there is no way of sampling {min(unknown)!r}", "Give temperature, top_k, top_p or guidance")
        return replace(self.config.sampling, **given)

    def _clock(self, batch: Batch) -> Clock:
        return self._clocks[len(batch.indices), batch.filters.guided]

    def _kept(self, codes: Tensor, keep: int) -> Tensor:
        """The first codes of one image, (1, keep)."""
        codes = codes[None] if codes.ndim == 1 else codes
        if codes.ndim != 2 or len(codes) != 1:
            raise AnytimeError(f"codes to keep should be those of one image, not of shape {tuple(codes.shape)}")
        most = min(codes.shape[1], self.num_codes - 1)
        if not 0 <= keep <= most:
            raise AnytimeError(f"cannot keep {keep} codes", f"Keep 0 to {most}")
        kept = codes[:, :keep]
        if bool(((kept < 0) | (kept >= self.tokenizer.codebook_size)).any()):
            raise AnytimeError(f"cannot keep {kept[0].tolist()}: codes lie in 0..{self.tokenizer.codebook_size - 1}")
        return kept

    def _labels(self, labels: Labels, seed: int, indices: Sequence[int]) -> Tensor | None:
        if not self.classes:
            if labels is not None and bool((torch.as_tensor(labels) != -1).any()):
                raise AnytimeError(f"{self.name} was trained without labels", "Leave the label out")
            return None
        if labels is None:
            return draw_labels(seed, indices, self.classes)
        given = torch.as_tensor(labels, dtype=torch.int64)
        given = given.expand(len(indices)) if given.ndim == 0 else given
        if given.shape != (len(indices),) or bool((given < -1).any()) or bool((given >= self.classes).any()):
            raise AnytimeError(
                f"labels should be {len(indices)} numbers in 0..{self.classes - 1}, or -1 for none",
                f"The classes of {self.name} are: {', '.join(self.config.classes)}",
            )
        return given


def _indices(n: int, first: int = 0) -> range:
    if n < 1:
        raise AnytimeError(f"cannot draw {n} samples", "Ask for at least one")
    return range(first, first + n)


def _share(deadline: float, started: float, left: int) -> float:
    """Until when, in milliseconds since `started`, the next of `left` groups may take."""
    passed = 1000 * (time.perf_counter() - started)
    return passed + max(deadline - passed, 1e-3) / left
