"""A draw whose steps are recorded is the draw that it was, whatever is asked of it on the way.

A CPU records nothing, but it can do all that comes before a recording, and the recorded work itself, step by step.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from anytime.heads.categorical import Categorical
from anytime.models.model import Model
from anytime.networks.engine import Engine
from anytime.networks.transformer import CausalTransformer
from anytime.sampling import recording
from anytime.sampling.decode import Decoding
from anytime.sampling.filters import Filters
from anytime.sampling.seeds import uniforms
from test_engine import TRANSFORMERS
from tiny import some_tokens, tiny_model, tiny_prior

FILTERS = {
    "plain": Filters(),
    "guided": Filters(guidance=2.0),
    "cut": Filters(guidance=0.5, top_k=3, top_p=0.8, temperature=1.3),
    "greedy": Filters(temperature=0.0),
}


@pytest.fixture
def recorded(monkeypatch):
    """Lets a CPU record, after the second token; how many recordings there were."""
    made = []

    def graph_of(step: Callable[[], None], changed: list[Tensor]) -> Callable[[], None]:
        recording.rehearse(step, changed)
        made.append(step)
        return step

    monkeypatch.setattr(recording, "DEVICES", ("cpu",))
    monkeypatch.setattr(recording, "WARM", 2)
    monkeypatch.setattr(recording, "WORTH", 2)
    monkeypatch.setattr(recording, "graph_of", graph_of)
    return made


def drawn(model: CausalTransformer | Engine, filters: Filters, labels: Tensor | None, prefix: Tensor | None = None) -> Tensor:
    head, uniform = Categorical(model_of(model).outputs), uniforms(2, range(7), model.length)
    decoding = Decoding(model, head, uniform, labels, filters, prefix)
    while decoding.position < model.length:
        decoding.advance()
    return decoding.tokens


def model_of(model: CausalTransformer | Engine) -> CausalTransformer:
    return model.model if isinstance(model, Engine) else model


@pytest.mark.parametrize("make", TRANSFORMERS.values(), ids=TRANSFORMERS.keys())
@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS.keys())
@pytest.mark.parametrize("given", [0, 2])
def test_a_recorded_draw_is_the_same(recorded, make, filters, given):
    model = make().double()
    if model.coupling is not None or model.outputs != model.vocabulary:
        pytest.skip("this is about tokens of a categorical head")
    prefix, labels = some_tokens(model, 7)
    prefix = prefix[:, :given] if given else None
    expected = drawn(model, filters, labels, prefix)
    assert torch.equal(drawn(Engine(model, "static"), filters, labels, prefix), expected)
    assert len(recorded) == 1


@pytest.fixture
def two_models() -> tuple[Model, Model]:
    """One that records, and one that does not."""
    plain, other = (tiny_model(codes=12) for _ in range(2))
    plain.drawn_by, other.drawn_by = plain.prior.double(), Engine(other.prior.double(), "static")
    return plain, other


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_rows_that_leave_the_batch_do_not_disturb_the_others(recorded, two_models, guidance):
    budgets = [1, 3, 4, 6, 6, 8, 9, 12]
    plain, other = (each.sample(8, budgets, guidance=guidance) for each in two_models)
    assert torch.equal(plain.codes, other.codes)
    assert len(recorded) > 1


def test_a_stream_and_a_stop_see_every_token(recorded, two_models):
    plain, other = two_models
    whole = plain.sample(3).codes
    for part in other.stream(3):
        assert torch.equal(part.codes, whole[:, : part.k])
    stopped = other.sample(3, stop=lambda k: k == 4)
    assert torch.equal(stopped.codes, whole[:, :4])
    assert torch.equal(other.resume(stopped).codes, whole)
    assert recorded


def test_two_draws_at_once_are_two_recordings(recorded, two_models):
    plain, other = two_models
    first, second = other.stream(2, seed=1), other.stream(3, seed=2)
    for k, (one, two) in enumerate(zip(first, second, strict=True), 1):
        assert torch.equal(one.codes, plain.sample(2, k, seed=1).codes)
        assert torch.equal(two.codes, plain.sample(3, k, seed=2).codes)


def test_what_cannot_be_recorded_is_drawn_all_the_same(recorded, two_models, monkeypatch, caplog):
    def refuse(step: Callable[[], None], changed: list[Tensor]) -> Callable[[], None]:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(recording, "graph_of", refuse)
    plain, other = two_models
    assert torch.equal(plain.sample(3).codes, other.sample(3).codes)
    assert "not permitted" in caplog.text


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize("attention", ["softmax", "linear", "momentum"])
@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS.keys())
def test_a_gpu_replays_what_it_recorded(attention, filters):
    model = tiny_prior(length=64, attention=attention).double().cuda()
    labels, head, uniform = (torch.arange(7) % 3).cuda(), Categorical(model.outputs), uniforms(2, range(7), 64).cuda()
    plain, replayed = (Decoding(form, head, uniform, labels, filters) for form in (model, Engine(model)))
    for _ in range(64):
        plain.advance()
        replayed.advance()
    assert replayed._recording is not None and replayed._recording.replay != replayed._recording.step
    assert torch.equal(replayed.tokens, plain.tokens)
