"""Prompts of any length and what they begin with: laid out by hand, and against transformers on each sequence."""

from typing import Any

import pytest
import torch
from torch import Tensor

import tiny_models
from absolute_zero.policy import batches, forest, shared
from absolute_zero.policy.batches import Group, Item, forest_batches, forest_tokens, stems
from absolute_zero.policy.transformer import Weights


def item(prompt: tuple[int, ...], completion: tuple[int, ...]) -> Item:
    return Item(prompt, completion, (0.0,) * len(completion), 1.0, 1.0)


def tokens(size: int, seed: int) -> tuple[int, ...]:
    noise = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(0, 250, (size,), generator=noise).tolist())


WORKED, OTHER = tokens(80, 1), tokens(70, 2)
"""What prompts begin with."""
PROMPTS = sorted([
    (*WORKED, *tokens(9, 3)), (*WORKED, *tokens(70, 4), 5), (*WORKED, *tokens(70, 4), 6, 7), (*OTHER, 1), (*OTHER, 2),
    tokens(30, 5), WORKED,
])  # fmt: skip


def micro_batch() -> list[Group]:
    """Completions of 1, 30 and 110 tokens, in another number for each prompt."""
    groups: list[Group] = []
    for index, prompt in enumerate(PROMPTS):
        completions = [tokens(size, 10 * index + size) for size in (110, 30, 1)[index % 3 :]]
        groups.append(Group(prompt, tuple(item(prompt, completion) for completion in completions)))
    return groups


def test_stems_by_hand() -> None:
    a, b, c = (*range(64), 100), (*range(64), *range(200, 264), 1), (*range(64), *range(200, 264), 2)
    [root] = stems([a, b, c])
    assert (root.start, root.stop, root.prompts) == (0, 64, (0, 1, 2))
    leaf, inner = root.branches
    assert (leaf.start, leaf.stop, leaf.prompts) == (64, 65, (0,))
    assert (inner.start, inner.stop) == (64, 128)
    assert [(part.start, part.stop) for part in inner.branches] == [(128, 129), (128, 129)]
    assert root.tokens == 64 + 1 + 64 + 1 + 1
    # A token less in common, and nothing is shared.
    short = [(*range(63), 1), (*range(63), 2)]
    assert [stem.branches for stem in stems(short)] == [(), ()]
    # A prompt that another begins with keeps a token for itself, and so do equal ones.
    [root] = stems([tuple(range(80)), tuple(range(90))])
    assert [(leaf.start, leaf.stop) for leaf in root.branches] == [(79, 80), (79, 90)]
    assert stems([tuple(range(80))] * 2)[0].stop == 79


def test_micro_batches_count_what_is_common_once() -> None:
    first, other = (*range(100), 1, 1), (*range(100), 2)
    alone = tuple(range(200, 240))
    items = [item(prompt, (1,) * size) for prompt in (other, alone, first) for size in (10, 20)]
    # Together: 100 + 2 + 1 + 40 tokens of prompts, and 90 of completions.
    [batch] = forest_batches(items, 233)
    assert [group.prompt for group in batch] == [first, other, alone]
    assert [[len(rollout.completion) for rollout in group.items] for group in batch] == [[20, 10]] * 3
    assert forest_tokens(batch) == 233
    assert [len(batch) for batch in forest_batches(items, 232)] == [2, 1]
    # Of a single prompt that is too much, the completions are shared out; one too long is alone.
    cut = forest_batches([item(alone, (1,) * size) for size in (10, 20, 30)], 90)
    assert [[len(rollout.completion) for group in batch for rollout in group.items] for batch in cut] == [
        [30, 20],
        [10],
    ]
    assert [len(batch) for batch in forest_batches(items, 1)] == [1] * 6


def test_nothing_is_in_the_list_twice() -> None:
    w = Weights.of(tiny_models.model("llama"), torch.float32)
    groups = micro_batch()
    laid_out = forest.Forest(groups, w)
    ids, positions, sources = laid_out.tensors()
    real = sum(node.own.stop - node.own.start for node in laid_out.nodes)
    inputs = sum(len(rollout.completion) - 1 for group in groups for rollout in group.items)
    # 79 are common to four (the first keeps a token for itself), 71 more to two of them, and 70 to two others.
    prompts = sum(map(len, PROMPTS)) - 3 * 79 - 71 - 70
    assert real == inputs + prompts
    assert len(ids) == len(positions) == batches.rounded(real)
    targets = [token for group in groups for rollout in group.items for token in rollout.completion]
    assert len(sources) == batches.rounded(len(targets))


def expected(model: Any, groups: list[Group]) -> Tensor:
    """Return logits before every token of every completion by transformers' forward on each sequence."""
    rows: list[Tensor] = []
    for group in groups:
        for rollout in group.items:
            whole = torch.tensor([[*rollout.prompt, *rollout.completion]])
            rows.append(model(whole, use_cache=False).logits[0, len(rollout.prompt) - 1 : -1])
    return torch.cat(rows)


def gradients(model: Any, logits: Tensor) -> Tensor:
    torch.manual_seed(0)
    loss = (logits * torch.randn(logits.shape) / logits.numel()).sum()
    return torch.cat([grad.flatten() for grad in torch.autograd.grad(loss, list(model.parameters()))])


@pytest.mark.parametrize("name", tiny_models.FAST)
@pytest.mark.parametrize("recompute", [False, True])
def test_logits_and_gradients_are_those_of_transformers(name: str, recompute: bool) -> None:
    model, groups = tiny_models.model(name), micro_batch()
    wanted = expected(model, groups)
    w = Weights.of(model, torch.float32)
    got = w.head(forest.hidden(groups, w, recompute))[: len(wanted)]
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)
    ours, theirs = gradients(model, got), gradients(model, wanted)
    assert ((ours - theirs).norm() / theirs.norm()).item() < 5e-6


def test_it_is_what_the_grids_compute() -> None:
    model, groups = tiny_models.model("qwen2"), micro_batch()
    w = Weights.of(model, torch.float32)
    count = sum(len(rollout.completion) for group in groups for rollout in group.items)
    ours, grids = (room.hidden(groups, w)[:count] for room in (forest, shared))
    torch.testing.assert_close(ours, grids, rtol=1e-4, atol=1e-5)


def test_in_bfloat16_it_is_as_near_as_the_grids() -> None:
    model, groups = tiny_models.model("qwen2", spread=0.1), micro_batch()
    count = sum(len(rollout.completion) for group in groups for rollout in group.items)
    exact = forest.hidden(groups, Weights.of(model, torch.float32))[:count]
    low = Weights.of(model, torch.bfloat16)
    apart = [((room.hidden(groups, low)[:count] - exact).norm() / exact.norm()).item() for room in (forest, shared)]
    assert apart[0] < 0.03
    assert apart[0] < 1.5 * apart[1]
