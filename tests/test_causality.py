"""Invariant 2: a token is predicted from the tokens before it, and from all of them."""

import torch

from tiny import each_sequence_model, some_tokens


@each_sequence_model
def test_a_token_changes_later_outputs_and_no_others(make):
    model = make().double()
    tokens, labels = some_tokens(model, 4)
    before = model(tokens, labels)
    for t in range(model.length):
        changed = tokens.clone()
        changed[:, t] = (changed[:, t] + 1) % model.vocabulary
        difference = (model(changed, labels) - before).abs().amax(-1)  # (B, N)
        assert difference[:, : t + 1].max() < 1e-12
        assert (difference[:, t + 1 :] > 1e-6).all(), "an output does not see a token before it"


@each_sequence_model
def test_the_first_token_depends_on_the_label_alone(make):
    model = make().double()
    tokens, _ = some_tokens(model, 2)
    labels = [-1, *range(model.classes)] if model.classes else [None]
    firsts = [model(tokens, None if label is None else torch.tensor([label, label]))[:, 0] for label in labels]
    assert all((first[0] - first[1]).abs().max() < 1e-12 for first in firsts)  # products round each row of a batch as they like
    assert len({tuple(first[0].tolist()) for first in firsts}) == len(labels)
