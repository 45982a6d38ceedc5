"""Micro-batches by hand: what is cut where."""

from absolute_zero.policy.batches import Item, micro_batches, padded


def item(prompt: int, completion: int, name: int = 0) -> Item:
    return Item((name,) * prompt, (1,) * completion, (0.0,) * completion, 1.0, 1.0)


def test_tries_of_a_prompt_share_it() -> None:
    # One prompt of 16 and three completions of 8: 16 + 3 * 8 = 40 padded tokens, once.
    [[group]] = micro_batches([item(16, 8), item(16, 6), item(16, 1)], 40)
    assert [len(one.completion) for one in group.items] == [8, 6, 1]
    assert padded([group]) == 40
    # In 39, only two fit beside the prompt.
    cut = micro_batches([item(16, 8), item(16, 6), item(16, 1)], 39)
    assert [[len(group.items) for group in batch] for batch in cut] == [[2], [1]]


def test_groups_of_like_shape_are_together() -> None:
    items = [item(8, 8, name) for name in range(3)] + [item(8, 8, 9), item(8, 8, 9)]
    cut = micro_batches(items, 48)
    # The pair takes 24; a single one beside it would have room for two, and take 24 too.
    assert [[len(group.items) for group in batch] for batch in cut] == [[2, 1], [1, 1]]


def test_a_sample_longer_than_the_budget_is_alone() -> None:
    assert [len(batch) for batch in micro_batches([item(100, 100, n) for n in range(3)], 50)] == [1, 1, 1]
