"""The sampler on an engine with a script: who draws, who stops, who is dropped and who joins."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

import tiny_models
from absolute_zero.policy.sampler import sample
from absolute_zero.policy.tokens import Tokens
from absolute_zero.types import AbsoluteZeroError, Completion, Prompt, Sampling

TOKENIZER = tiny_models.tokenizer()
TOKENS = Tokens(TOKENIZER, [TOKENIZER.eos_token_id])
END: int = TOKENIZER.eos_token_id


class Scripted:
    """Writes the script that a prompt's first token names, for every rollout alike; then its last token for ever."""

    device = torch.device("cpu")
    bytes_per_token = 1

    def __init__(self, scripts: Sequence[Sequence[int]], joins: bool = True, prompt_tokens: int = 1000) -> None:
        self.scripts, self.joins, self.prompt_tokens = scripts, joins, prompt_tokens
        self.rows: list[tuple[int, int]] = []
        self.sizes: list[int] = []
        self.admitted: list[int] = []

    def admit(self, prompts: Sequence[Sequence[int]], counts: Sequence[int]) -> Tensor:
        self.admitted.append(len(prompts))
        if not self.joins:
            self.rows = []
        fresh = [(prompt[0], 0) for prompt, count in zip(prompts, counts, strict=True) for _ in range(count)]
        self.rows += fresh
        return self._logits(fresh)

    def advance(self, tokens_N: Tensor) -> Tensor:
        self.sizes.append(len(self.rows))
        assert len(tokens_N) == len(self.rows)
        self.rows = [(script, position + 1) for script, position in self.rows]
        return self._logits(self.rows)

    def keep(self, rows_N: Tensor) -> None:
        self.rows = [self.rows[row] for row in rows_N.tolist()]

    def _logits(self, rows: Sequence[tuple[int, int]]) -> Tensor:
        logits = torch.full((len(rows), len(TOKENIZER)), -torch.inf)
        for row, (script, position) in enumerate(rows):
            tokens = self.scripts[script]
            logits[row, tokens[min(position, len(tokens) - 1)]] = 0.0
        return logits


def run(
    engine: Scripted, n: int = 1, rows: int = 1000, context: int = 1000, **sampling: object
) -> list[list[Completion]]:
    prompts = [[number] for number in range(len(engine.scripts))]
    keys = [list(range(n)) for _ in prompts]
    settings = Sampling(**{"max_tokens": 10, **sampling})  # type: ignore[arg-type]
    return sample(lambda: engine, TOKENS, prompts, keys, settings, context, rows * (1 + settings.max_tokens))


def ids(text: str) -> list[int]:
    return TOKENS.encode([Prompt(text)])[0]


def test_a_completion_ends_at_the_end_of_text_a_stop_string_or_the_limit() -> None:
    # The last token of the stop string goes on after it.
    across = [*ids("x</answ"), *ids("e"), *ids("r"), *ids(">\n")]
    assert len(ids(">\n")) == 1
    engine = Scripted([[*ids("ab"), END], across, ids("abcdefghijklm")])
    ended, stopped, truncated = (row[0] for row in run(engine))
    assert ended == Completion("ab", (*ids("ab"), END), (0.0, 0.0, 0.0))
    assert stopped.text == "x</answer>"
    assert stopped.tokens == tuple(across)
    assert not stopped.truncated
    assert truncated == Completion("abcdefghij", tuple(ids("abcdefghij")), (0.0,) * 10, truncated=True)


def test_a_row_that_is_finished_and_not_yet_dropped_gets_no_more() -> None:
    engine = Scripted([[*ids("a"), END], *[[*ids("abc"), END]] * 20])
    [[first], *rest] = run(engine)
    assert engine.sizes == [21] * 3
    assert first.tokens == (*ids("a"), END)
    assert [row[0].text for row in rest] == ["abc"] * 20


def test_prompt_and_completion_fit_the_context() -> None:
    [[short]] = run(Scripted([ids("abcdef")]), context=4)
    assert (short.text, short.truncated) == ("abc", True)


def test_a_stop_at_the_limit_is_not_truncated() -> None:
    [[stopped]] = run(Scripted([[*ids("ab"), END]]), max_tokens=3)
    assert not stopped.truncated


def test_finished_rows_are_dropped_and_waiting_ones_join() -> None:
    scripts = [[*ids("ab" * 4), END] if n % 4 == 0 else [*ids("a"), END] for n in range(40)]
    engine = Scripted(scripts)
    out = run(engine, rows=8)
    assert [row[0].text for row in out] == ["ab" * 4 if n % 4 == 0 else "a" for n in range(40)]
    assert max(engine.sizes) == 8
    # Without joining, 40 rows in batches of 8 would be 5 batches of 8 steps, mostly of 2 rows.
    assert len(engine.admitted) > 5
    assert len(engine.sizes) < 5 * 8
    together = Scripted(scripts, joins=False)
    assert run(together, rows=8) == out
    assert together.admitted == [8] * 5


def test_prompts_join_within_the_engines_bound() -> None:
    engine = Scripted([[END]] * 10, prompt_tokens=3)
    run(engine)
    assert engine.admitted == [3, 3, 3, 1]


def test_the_rollouts_of_a_prompt_may_be_more_than_there_is_room_for() -> None:
    engine = Scripted([[*ids("ab"), END]])
    [rollouts] = run(engine, n=10, rows=4)
    assert len(rollouts) == 10
    assert max(engine.sizes) == 4


def test_nothing_asked_nothing_computed() -> None:
    assert run(Scripted([])) == []
    assert run(Scripted([ids("a")]), n=0) == [[]]


def test_broken_weights_raise_a_line() -> None:
    engine = Scripted([ids("ab")])
    engine._logits = lambda rows: torch.full((len(rows), 5), torch.nan)  # type: ignore[method-assign]
    with pytest.raises(AbsoluteZeroError, match="not numbers"):
        run(engine)


@pytest.mark.parametrize(("memory", "most"), [(65, 4), (64, 3)])
def test_a_prefix_takes_memory_once(memory: int, most: int) -> None:
    # Ten rollouts of a prompt of 10 tokens, of which 5 are a prefix: 5 bytes once, and 5 + 10 for every row.
    engine = Scripted([[*ids("ab"), END]])
    prompt, settings = [0, *[9] * 9], Sampling(max_tokens=10)
    sample(lambda: engine, TOKENS, [prompt], [list(range(10))], settings, 1000, memory, [prompt[:5]])
    assert max(engine.sizes) == most
