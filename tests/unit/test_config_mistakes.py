"""Settings: every mistake, in a recipe or an override, is one line that says what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("pydantic")

from absolute_zero.config import PER_PROMPT, load
from absolute_zero.types import UserError

ESTIMATORS = '"trr++", "trr++_token", "reinforce++", "grpo", "dr_grpo", "rloo", or package.module:name'

NAMES = "coder-0.5b-lora, laptop, paper, tiny"
OR_A_FILE = ", or a file such as ./mine.toml"


def refusal(recipe: str | Path | None, *overrides: str) -> str:
    """Return what `load` says, having refused."""
    with pytest.raises(UserError) as caught:
        load(recipe, overrides)
    text = str(caught.value)
    assert text.isprintable()
    assert caught.value.__cause__ is None
    return text


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return what writes a recipe into the working folder, and gives its name."""
    monkeypatch.chdir(tmp_path)

    def write(text: str | bytes, name: str = "mine.toml") -> str:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return name

    return write


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (["solve.n_dificulty=4"], "solve.n_dificulty is not a setting; did you mean solve.n_difficulty?"),
        (["sovle.n_difficulty=4"], "sovle.n_difficulty is not a setting; did you mean solve.n_difficulty?"),
        (["batch=4"], "batch is not a setting; did you mean propose.batch?"),
        (["solve.temprature=1"], "solve.temprature is not a setting; did you mean sampling.temperature?"),
        (["sandbx=1"], "sandbx is not a setting; did you mean sandbox?"),
        (["seeding.x=1"], "seeding.x is not a setting; seeding has factor, rounds"),
        (["store.a\nb=1"], 'store."a\\nb" is not a setting; store has rollouts'),
        (["xyz=1"], "xyz is not a setting; azr train --dry-run prints all there are"),
        (["x" * 70 + "=1"], "x" * 57 + "... is not a setting; azr train --dry-run prints all there are"),
        (["steps.x=1"], "steps.x is not a setting; did you mean steps?"),
        (["solve=3"], "solve = 3: solve is a section; give its settings, such as solve.n_difficulty"),
        (["solve.n_difficulty=0"], "solve.n_difficulty = 0: give a whole number of at least 1"),
        (["propose.references=65"], "propose.references = 65: give a whole number from 0 to 64"),
        (["steps=9223372036854775808"],
         "steps = 9223372036854775808: give a whole number of at least 0, below 2**63"),
        (["steps=0x" + "f" * 9000], "steps = a huge number: give a whole number of at least 0, below 2**63"),
        (["sampling.temperature=0"], "sampling.temperature = 0: give a number above 0 and at most 10"),
        (["sampling.top_p=1.5"], "sampling.top_p = 1.5: give a number above 0 and at most 1"),
        (["update.grad_clip=inf"], "update.grad_clip = inf: give a number above 0"),
        (["update.betas=[0.9, 1]"],
         "update.betas = [0.9, 1]: give an array of 2, each a number of at least 0 and below 1"),
        (["update.betas=[0.9]"], "update.betas = [0.9]: give an array of 2, each a number of at least 0 and below 1"),
        (["steps=1.0"], "steps = 1.0: give a whole number of at least 0"),
        (["steps=true"], "steps = true: give a whole number of at least 0"),
        (["solve.solver_weight='1'"], 'solve.solver_weight = "1": give a number from 0 to 1000'),
        (["solve.reuse_difficulty=True"], 'solve.reuse_difficulty = "True": give true or false'),
        (["solve.reuse_difficulty=1"], "solve.reuse_difficulty = 1: give true or false"),
        (["model.path=7"], "model.path = 7: give text in quotes, not empty"),
        (["model.path="], 'model.path = "": give text in quotes, not empty'),
        (["model.path=\udce9"], 'model.path = "\\udce9": give text in quotes, not empty'),
        (["model.path=2024-01-01"], "model.path = 2024-01-01: give text in quotes, not empty"),
        (["estimator.solve=ppo"], f'estimator.solve = "ppo": give one of {ESTIMATORS}'),
        (["kinds=deduction"],
         'kinds = "deduction": give an array, each one of "deduction", "abduction", "induction"'),
        (["kinds=[1]"], 'kinds = [1]: give an array, each one of "deduction", "abduction", "induction"'),
        (["kinds=['deduktion']"],
         'kinds = ["deduktion"]: the domain python has no kind "deduktion": use deduction, abduction or induction'),
        (['train_roles=["slove"]'],
         'train_roles = ["slove"]: give an array of at least one of "propose", "solve"'),
        (["buffer.held_out=[[1]]"], "buffer.held_out = [...]: give an array, each text in quotes, not empty"),
        (["steps={a=1}"], "steps.a is not a setting; did you mean steps?"),
        (["steps={}"], "steps = a table: give a whole number of at least 0"),
        (["solve.n_difficulty={a=1}"], "solve.n_difficulty = a table: give a whole number of at least 1"),
        (["steps=1\nseed=2"], 'steps = "1\\nseed=2": give a whole number of at least 0'),
        (["steps=" + "[" * 5000], 'steps = "' + "[" * 56 + "...: give a whole number of at least 0"),
        (["steps"], 'cannot read "steps": write KEY=VALUE, such as solve.n_difficulty=4'),
        (["=4"], 'cannot read "=4": write KEY=VALUE, such as solve.n_difficulty=4'),
        (["solve..trials=4"], 'cannot read "solve..trials=4": write KEY=VALUE, such as solve.n_difficulty=4'),
        (["solve.n_difficulty=4", "solve.n_difficulty=4"], "solve.n_difficulty is given twice; keep one of them"),
        (["solve.n_difficulty=4", "solve={n_difficulty=4}"], "solve.n_difficulty is given twice; keep one of them"),
        # Several: the first that was said is named, and the others are counted.
        (["steps=-1", "xyz=1"], "steps = -1: give a whole number of at least 0 (and 1 more mistake)"),
        (["xyz=1", "steps=-1", "kinds=1"],
         "xyz is not a setting; azr train --dry-run prints all there are (and 2 more mistakes)"),
        (["steps=1", "seed", "steps=2", "xyz=1"],
         'cannot read "seed": write KEY=VALUE, such as solve.n_difficulty=4 (and 2 more mistakes)'),
        # What does not fit together.
        (['kinds=["induction"]'],
         'kinds = ["induction"]: induction takes its references from other kinds: add deduction or abduction'),
        (['kinds=["deduction", "deduction"]'], 'kinds = ["deduction", "deduction"]: name each only once'),
        (['train_roles=["solve", "solve"]'], "train_roles names each only once"),
        (["xyz=1", 'kinds=["induction"]'],
         "xyz is not a setting; azr train --dry-run prints all there are (and 1 more mistake)"),
        (["estimator.propose=grpo"],
         "estimator.propose = 'grpo' compares the rollouts of a prompt, and a proposal has one:"
         " use trr++, trr++_token or reinforce++"),
        (["solve.practice=learnable", "solve.n_difficulty=1"],
         "solve.practice = 'learnable' looks for tasks that some rollouts solved: raise solve.n_difficulty"),
        (["estimator.solve=rloo"],
         "estimator.solve = 'rloo' compares the rollouts of a prompt, and practice has one:"
         " set solve.n_practice to 2 or more"),
        (["estimator.solve=rloo", "solve.n_practice=2", "solve.reuse_difficulty=true", "solve.n_difficulty=1"],
         "estimator.solve = 'rloo' needs solve.n_difficulty of 2 or more"),
        (["solve.n_difficulty=1"],
         "a proposer is rewarded for tasks that some rollouts solve: raise solve.n_difficulty to 2 or more"),
    ],
)  # fmt: skip
def test_a_wrong_override_is_one_line(overrides: list[str], text: str) -> None:
    assert refusal(None, *overrides) == text


@pytest.mark.parametrize("other", ['train_roles=["solve"]', "reward.learnability=keep_unsolved"])
def test_one_trial_is_enough_where_nobody_is_paid_for_what_some_solve(other: str) -> None:
    assert load("paper", ["solve.n_difficulty=1", other]).solve.n_difficulty == 1


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("[solve]\nn_dificulty = 4\n",
         "mine.toml: solve.n_dificulty is not a setting; did you mean solve.n_difficulty?"),
        ("steps = -1\n", "mine.toml: steps = -1: give a whole number of at least 0"),
        ("solve = 3\n", "mine.toml: solve = 3: solve is a section; give its settings, such as solve.n_difficulty"),
        ("[[solve]]\nn_difficulty = 3\n",
         "mine.toml: solve = [...]: solve is a section; give its settings, such as solve.n_difficulty"),
        ('"solve.n_difficulty" = 4\n',
         'mine.toml: "solve.n_difficulty" is not a setting; did you mean solve.n_difficulty?'),
        ("[sandbx]\n", "mine.toml: sandbx is not a setting; did you mean sandbox?"),
        ("xyz = 1\n[solve]\nn_difficulty = 0\n",
         "mine.toml: xyz is not a setting; azr train --dry-run prints all there are (and 1 more mistake)"),
        ("steps = 1\n[solve]\nn_difficulty = \n", "mine.toml, line 3, column 16: not TOML: Invalid value"),
        ("steps = 1\nkinds = [\n", "mine.toml, line 2: not TOML: Invalid value"),
        ("steps = 1\nsteps = 2\n", "mine.toml, line 2, column 10: a key or section is given twice; keep one of them"),
        ("[solve]\nn_difficulty = 1\n[solve]\n",
         "mine.toml, line 3, column 7: a key or section is given twice; keep one of them"),
        ("solve = {epochs = 1, epochs = 2}\n",
         "mine.toml, line 1, column 32: a key or section is given twice; keep one of them"),
        (b"seed = 1\n# caf\xe9\n", "mine.toml, line 2: not UTF-8; save it as UTF-8"),
        ("seed = " + "9" * 5000, "mine.toml: a number has more digits than Python reads; settings need no such"),
        ("seed = " + "[" * 5000, "mine.toml: arrays or tables are nested too deep; settings need no such"),
        (b"#" * ((1 << 20) + 1), "mine.toml is over 1048576 bytes; give a recipe in TOML"),
        ("base = 3\n", "mine.toml: base = 3: give the name or file of a recipe, in quotes"),
        ('base = "papr"\n',
         f'mine.toml: base: no recipe is called "papr": use one of paper, laptop, coder-0.5b-lora, tiny{OR_A_FILE}'),
        ('base = "mine.toml"\n',
         "recipes build on each other in a circle (mine.toml -> mine.toml): take one base out"),
        ('kinds = ["induction"]\n',
         'mine.toml: kinds = ["induction"]: induction takes its references from other kinds:'
         " add deduction or abduction"),
    ],
)  # fmt: skip
def test_a_wrong_recipe_is_one_line(content: str | bytes, text: str, recipe: Callable[..., str]) -> None:
    assert refusal(recipe(content)) == text


def test_a_mistake_is_laid_on_whoever_made_it(recipe: Callable[..., str]) -> None:
    recipe("[solve]\nn_difficulty = 0\nn_practice = 0\n", "below.toml")
    top = recipe('base = "below.toml"\nsteps = -1\n')
    assert refusal(top, "seed=-1") == (
        "below.toml: solve.n_difficulty = 0: give a whole number of at least 1 (and 3 more mistakes)"
    )
    assert refusal(top, "seed=0", "solve.n_difficulty=-1", "solve.n_practice=1") == (
        "mine.toml: steps = -1: give a whole number of at least 0 (and 1 more mistake)"
    )
    assert refusal(top, "seed=0", "solve={n_difficulty=1, n_practice=1}") == (
        "mine.toml: steps = -1: give a whole number of at least 0"
    )
    assert refusal(top, "solve.n_difficulty=-5", "solve.n_practice=1", "steps=1") == (
        "solve.n_difficulty = -5: give a whole number of at least 1"
    )


def test_a_circle_is_shown(recipe: Callable[..., str]) -> None:
    recipe('base = "b.toml"\n', "a.toml")
    recipe('base = "./a.toml"\n', "b.toml")
    assert refusal("a.toml") == (
        "recipes build on each other in a circle (a.toml -> b.toml -> a.toml): take one base out"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("papr", f'no recipe is called "papr": use one of paper, laptop, coder-0.5b-lora, tiny{OR_A_FILE}'),
        ("tin\ny", f'no recipe is called "tin\\ny": use one of tiny, laptop, coder-0.5b-lora, paper{OR_A_FILE}'),
        ("", f'no recipe is called "": use one of {NAMES}{OR_A_FILE}'),
        ("nul\0.toml", f"cannot read nul .toml: embedded null byte; recipes by name are {NAMES}"),
        ("paper.toml", f"cannot read paper.toml: No such file or directory; recipes by name are {NAMES}"),
        ("./folder", f"cannot read folder: Is a directory; recipes by name are {NAMES}"),
        (Path("folder"), f"cannot read folder: Is a directory; recipes by name are {NAMES}"),
    ],
)
def test_a_recipe_that_is_not_there_is_one_line(name: str | Path, text: str, recipe: Callable[..., str]) -> None:
    recipe("")
    Path("folder").mkdir()
    assert refusal(name) == text


@pytest.mark.parametrize("estimator", sorted(PER_PROMPT))
def test_tries_of_one_prompt_are_compared_only_where_there_are_some(estimator: str) -> None:
    assert "a proposal has one" in refusal("paper", f"estimator.propose={estimator}", "solve.n_practice=2")
    assert "practice has one" in refusal("paper", f"estimator.solve={estimator}")
    assert load("paper", [f"estimator.solve={estimator}", "solve.n_practice=2"]).estimator.solve == estimator
