"""Laws of sampling and learning that hold for any samples: nothing lost, nothing doubled, nothing impossible drawn."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from absolute_zero.policy.batches import Item, forest_batches, forest_tokens, micro_batches, padded, rounded, stems
from absolute_zero.policy.draws import sample_token, signed, uniforms

TOKENS = st.lists(st.integers(0, 3), min_size=1, max_size=40).map(tuple)
ITEMS = st.lists(st.builds(Item, TOKENS, TOKENS, st.just(()), st.just(0.0), st.sampled_from((0.5, 1.0))), max_size=30)


@given(ITEMS, st.integers(1, 300))
def test_every_sample_is_in_one_micro_batch_and_they_fit(items: list[Item], budget: int) -> None:
    batches = micro_batches(items, budget)
    batched = [item for batch in batches for group in batch for item in group.items]
    assert sorted(map(repr, batched)) == sorted(map(repr, items))
    for batch in batches:
        assert all(item.prompt == group.prompt for group in batch for item in group.items)
        assert padded(batch) <= budget or (len(batch) == 1 and len(batch[0].items) == 1)
    assert batches == micro_batches(items, budget)


ALIKE = st.builds(lambda common, own: (*range(common), *own), st.integers(0, 200), TOKENS)
"""Prompts of which many begin alike."""


@given(
    st.lists(st.builds(Item, ALIKE, TOKENS, st.just(()), st.just(0.0), st.just(1.0)), max_size=20), st.integers(1, 900)
)
def test_every_sample_is_in_one_forest_and_they_fit(items: list[Item], budget: int) -> None:
    batches = forest_batches(items, budget)
    batched = [item for batch in batches for group in batch for item in group.items]
    assert sorted(map(repr, batched)) == sorted(map(repr, items))
    for batch in batches:
        assert forest_tokens(batch) <= budget or (len(batch) == 1 and len(batch[0].items) == 1)
        assert forest_tokens(batch) <= sum(forest_tokens([group]) for group in batch)


@given(st.lists(ALIKE, max_size=12).map(sorted))
def test_stems_spell_their_prompts(prompts: list[tuple[int, ...]]) -> None:
    spelt: dict[int, tuple[int, ...]] = {}
    forest = [(stem, ()) for stem in stems(prompts)]
    for stem, above in forest:
        spans = {prompts[index][stem.start : stem.stop] for index in stem.prompts}
        assert len(spans) == 1
        path = (*above, *spans.pop())
        forest += [(branch, path) for branch in stem.branches]
        if not stem.branches:
            [index] = stem.prompts
            spelt[index] = path
            assert stem.start < stem.stop
    assert [spelt[index] for index in range(len(prompts))] == prompts


@given(st.integers(1, 100_000))
def test_sizes_are_few_and_near(size: int) -> None:
    assert size <= rounded(size) < max(size * 9 / 8 + 1, size + 8)
    assert rounded(rounded(size)) == rounded(size)


def test_there_are_few_sizes() -> None:
    assert len({rounded(size) for size in range(1, 8193)}) == 64


KEY = st.integers(0, 2**64 - 1)


@given(st.lists(st.tuples(KEY, st.integers(0, 10_000)), min_size=1, max_size=20))
def test_noise_is_within_and_knows_no_neighbours(rows: list[tuple[int, int]]) -> None:
    keys, positions = torch.tensor([signed(key) for key, _ in rows]), torch.tensor([position for _, position in rows])
    together = uniforms(keys, positions)
    assert ((together > 0) & (together < 1)).all()
    alone = [uniforms(keys[n : n + 1], positions[n : n + 1]).item() for n in range(len(rows))]
    assert together.tolist() == alone


@given(
    st.lists(st.sampled_from((-torch.inf, -1e30, -40.0, -1.0, 0.0, 1.0, 60.0)), min_size=1, max_size=130),
    st.integers(0, 2**48 - 1),
    st.sampled_from((0.0, 0.01, 0.7, 1.0, 3.0)),
    st.sampled_from((0.1, 0.9, 1.0)),
)
def test_nothing_impossible_is_drawn(logits: list[float], step: int, temperature: float, top_p: float) -> None:
    possible = torch.tensor([[*logits, 0.0]])  # at least one that is possible
    token, logprob = sample_token(possible, torch.tensor([(step + 0.5) * 2.0**-48]).double(), temperature, top_p)
    assert possible[0, token] > -torch.inf
    assert -torch.inf < logprob.item() <= 1e-6
