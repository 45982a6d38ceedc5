"""Settings: recipes load, ablations are one setting each, later wins, and what is written reads back equal."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

pytest.importorskip("pydantic")

import absolute_zero
from absolute_zero import plugins
from absolute_zero.config import (
    PER_PROMPT,
    PRESETS,
    Config,
    Estimators,
    Reward,
    Section,
    Solve,
    Update,
    as_toml,
    load,
    recipes,
)
from absolute_zero.config.catalogue import catalogue, sections
from absolute_zero.config.writing import dotted
from absolute_zero.types import Role, UserError

NAMES = ("coder-0.5b-lora", "laptop", "paper", "tiny")


def words(section: type[Section], field: str) -> tuple[str, ...]:
    """Return the words of a field that takes one of a few."""
    return get_args(section.model_fields[field].annotation)


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return what writes a recipe into the working folder, and gives its name."""
    monkeypatch.chdir(tmp_path)

    def write(text: str | bytes, name: str = "mine.toml") -> str:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return name

    return write


# --- recipes ------------------------------------------------------------------------------------------------


def test_the_recipes_are_these_and_say_what_they_are_for() -> None:
    assert tuple(recipes()) == NAMES
    for purpose in recipes().values():
        assert re.fullmatch(r"[A-Z].{20,90}\.", purpose)


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_loads_and_says_its_machine(name: str) -> None:
    assert isinstance(load(name), Config)
    text = (Path(absolute_zero.__file__).parent / "recipes" / f"{name}.toml").read_text(encoding="ascii")
    assert "\n# For: " in text
    assert "\n# Machine: " in text


def test_paper_is_the_paper_s_numbers_and_so_are_the_defaults() -> None:
    """The paper's list (section 4.1): B, n, K, N, S; lengths; sampling; learning rate; steps; model."""
    paper = load("paper")
    assert (paper.propose.batch, paper.solve.n_difficulty, paper.propose.references, paper.domain_section.inputs) == (
        64,
        8,
        6,
        10,
    )
    assert paper.seeding.factor * paper.propose.batch == 256
    assert (paper.sampling.max_prompt_tokens, paper.sampling.max_tokens) == (6144, 8096)
    assert (paper.sampling.temperature, paper.sampling.top_p) == (1.0, 1.0)
    assert (paper.update.learning_rate, paper.steps, paper.solve.reuse_difficulty) == (1e-6, 500, False)
    assert paper.model.path == "Qwen/Qwen2.5-7B"
    # 384 trained responses a step, and up to 1,536 difficulty rollouts.
    assert paper.propose.batch * len(paper.kinds) * len(paper.train_roles) == 384
    assert paper.propose.batch * len(paper.kinds) * paper.solve.n_difficulty == 1536
    assert (paper.form.reading, paper.form.template, paper.form.examples) == ("strict", "text", 0)
    defaults = Config()
    assert paper.model_copy(update={"model": defaults.model, "form": defaults.form}) == defaults == load(None)


def test_laptop_speaks_the_embedded_model_s_language_and_tiny_builds_on_it() -> None:
    laptop, tiny = load("laptop"), load("tiny")
    assert (laptop.model.path, laptop.templates, laptop.solve.reuse_difficulty) == ("embedded", "compact", True)
    assert (laptop.propose.batch, laptop.propose.references, laptop.domain_section.inputs) == (16, 2, 6)
    assert (tiny.propose.batch, tiny.solve.n_difficulty, tiny.steps) == (2, 2, 3)
    assert (tiny.templates, tiny.update) == (laptop.templates, laptop.update)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("override", "changed"),
    [
        ('kinds=["deduction"]', lambda c: c.kinds == ("deduction",)),
        ('kinds=["deduction", "abduction"]', lambda c: c.kinds == ("deduction", "abduction")),
        ("propose.references=0", lambda c: c.propose.references == 0),
        ('train_roles=["solve"]', lambda c: c.train_roles == (Role.SOLVE,)),
        (
            "preset=reference",
            lambda c: (c.reward.scale, c.estimator.propose, c.estimator.solve)
            == ("reference", "trr++_token", "trr++_token"),
        ),
    ],
)  # fmt: skip
def test_each_ablation_is_one_setting(name: str, override: str, changed: Callable[[Config], bool]) -> None:
    assert not changed(load(name))
    assert changed(load(name, [override]))


def test_a_package_may_bring_recipes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Callable[..., str]
) -> None:
    (tmp_path / "theirs").mkdir()
    recipe("# Queries over small tables, on one core.\nsteps = 9\n", "theirs/small.toml")
    recipe('base = "small.toml"\nseed = 3\n', "theirs/top.toml")
    paths = [str(tmp_path / "theirs" / name) for name in ("small.toml", "top.toml", "gone.toml")]
    (tmp_path / "their_recipes.py").write_text(f"SMALL, TOP, GONE = {paths}\nNUMBER = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert load("their_recipes:SMALL").steps == 9
    registered = {name: f"their_recipes:{name.upper()}" for name in ("small", "top", "gone", "number")}
    monkeypatch.setitem(plugins.BUILT_IN, "recipes", {**registered, "tiny": "their_recipes:SMALL"})  # pyright: ignore
    assert (load("top").steps, load("top").seed) == (9, 3)
    assert load(recipe('base = "top"\nsteps = 2\n')).seed == 3
    assert load("tiny").steps == 3  # a name of this package stands for its own
    listed = recipes()
    assert tuple(listed) == (*NAMES, "small", "top", "gone", "number")
    assert listed["small"] == "Queries over small tables, on one core."
    assert "No such file" in listed["gone"]
    assert listed["number"] == "(cannot be read: recipe 'number' does not fit: it is not a path of a file)"
    with pytest.raises(UserError, match=r"cannot read recipe gone: No such file or directory; recipes by name are "):
        load("gone")
    with pytest.raises(UserError, match=r"no recipe is called .smal.: use one of small, "):
        load("smal")


# --- layers -------------------------------------------------------------------------------------------------


def test_later_wins(recipe: Callable[..., str]) -> None:
    recipe('base = "paper"\nsteps = 7\n[solve]\nn_difficulty = 3\nn_practice = 5\n', "below.toml")
    top = recipe('base = "below.toml"\n[solve]\nn_difficulty = 4\n')
    config = load(top, ["solve.solver_weight=2"])
    assert (config.steps, config.solve) == (7, Solve(n_difficulty=4, n_practice=5, solver_weight=2.0))
    assert config.model.path == "Qwen/Qwen2.5-7B"


def test_a_base_is_looked_for_beside_its_recipe(recipe: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    recipe("steps = 9\n", "folder/below.toml")
    recipe('base = "below.toml"\n', "folder/top.toml")
    assert load(tmp_path / "folder" / "top.toml").steps == load("folder/top.toml").steps == 9


def test_a_preset_counts_as_what_it_implies_where_it_is_said(recipe: Callable[..., str]) -> None:
    mine = recipe('[reward]\nscale = "paper"\n[estimator]\npropose = "reinforce++"\n')
    config = load(mine, ["preset=reference"])
    assert (config.reward.scale, config.estimator.propose) == ("reference", "trr++_token")
    config = load(mine, ["preset=reference", "reward.scale=paper"])
    assert (config.reward.scale, config.estimator.propose) == ("paper", "trr++_token")
    back = recipe('preset = "reference"\n')
    assert load(back, ["preset=paper"]) == Config()


def test_a_preset_gives_way_to_what_python_sets_beside_it() -> None:
    config = Config(preset="reference", reward=Reward(learnability="variance"), estimator=Estimators(solve="trr++"))
    assert config.reward == Reward(learnability="variance", scale="reference")
    assert config.estimator == Estimators(propose="trr++_token", solve="trr++")
    assert set(PRESETS) == set(words(Config, "preset"))


@pytest.mark.parametrize(
    ("override", "same"),
    [
        ("model.path=./m", 'model.path="./m"'),
        ("estimator.solve=trr++", "estimator.solve='trr++'"),
        (" solve . n_difficulty = 4 ", "solve.n_difficulty=4"),
        ("solve={n_difficulty=4}", "solve.n_difficulty=4"),
        ("solve.solver_weight=2", "solve.solver_weight=2.0"),
        ("update.kl=-0.0", "update.kl=0"),
        ("update.betas=[-0.0, 0.5]", "update.betas=[0, 0.5]"),
        ("solve={}", "steps=500"),
        ("buffer.held_out=['a\\b']", 'buffer.held_out=["a\\\\b"]'),
    ],
)
def test_two_ways_to_say_the_same(override: str, same: str) -> None:
    assert load(None, [override]).model_dump_json() == load(None, [same]).model_dump_json()


def test_a_file_may_begin_with_a_byte_order_mark(recipe: Callable[..., str]) -> None:
    assert load(recipe(b"\xef\xbb\xbfsteps = 3\r\n")).steps == 3


# --- writing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_json_and_toml_give_the_settings_back(name: str, recipe: Callable[..., str]) -> None:
    config = load(name, ['model.path="C:\\\\é\U0001f600\\u007f\\"\\t\'#"', "preset=reference", "reward.scale=paper"])
    assert Config.model_validate_json(config.model_dump_json()) == config
    written = as_toml(config)
    assert written.isascii()
    assert load(recipe(written)) == config
    assert as_toml(load("mine.toml")) == written


def test_a_written_recipe_says_what_each_setting_is_for() -> None:
    written = as_toml(load("paper"))
    table = tomllib.loads(written)
    assert [name for name, value in table.items() if isinstance(value, dict)] == list(sections())
    for key, setting in catalogue().items():
        line = rf"^{key[-1]} = .*  # {re.escape(setting.wanted)}$"
        assert re.search(line, written, re.MULTILINE), key
        assert setting.meaning.split(".")[0] in written.replace("\n# ", " ")
    assert max(map(len, written.splitlines())) <= 120


# --- what the models promise --------------------------------------------------------------------------------

UNITS = (
    r"\b(proposals|tasks|inputs|characters|rollouts|weight|rounds|steps|share|probability|tokens|"
    r"coefficient|ratio|decays|step size|updates|norm|pi_learner / pi_sampler|threads|processes|seconds|MiB|bytes|"
    r"random choice|divided)\b"
)


def test_every_setting_says_what_it_is_for_and_numbers_in_what_unit() -> None:
    for key, setting in catalogue().items():
        assert re.fullmatch(r"[A-Zn`l].*\.", setting.meaning, re.DOTALL), dotted(key)
        if "number" in setting.wanted:
            assert re.search(UNITS, setting.meaning, re.IGNORECASE), dotted(key)
    assert all(meaning.endswith(".") for meaning in sections().values())


def test_the_names_are_those_of_the_tables_they_name() -> None:
    from absolute_zero import rewards

    estimators = {name: plugins.load("estimators", name) for name in plugins.BUILT_IN["estimators"]}
    assert {name for name, part in estimators.items() if getattr(part, "per_prompt", False)} == PER_PROMPT
    assert words(Reward, "learnability") == tuple(rewards.FORMS)
    for name in plugins.BUILT_IN["rewards"]:
        assert set(plugins.load("rewards", name)) == set(Role)
    for name in plugins.BUILT_IN["templates"]:
        assert plugins.template_folder(name).is_dir()


def test_importing_settings_imports_no_domain() -> None:
    code = (
        "import sys, absolute_zero.config; print(*[name for name in sys.modules if name.startswith('absolute_zero')])"
    )
    source = str(Path(absolute_zero.__file__).parents[1])
    out = subprocess.check_output([sys.executable, "-c", code], text=True, env={"PYTHONPATH": source})
    rooms = {name.split(".")[1] for name in out.split() if "." in name}
    assert rooms == {"checked", "config", "keys", "plugins", "ports", "renamed", "types"}


def test_equal_settings_give_equal_json() -> None:
    zeros = Update(kl=-0.0, betas=(-0.0, 0.5)), Update(kl=0, betas=(0, 0.5))
    assert zeros[0] == zeros[1]
    assert zeros[0].model_dump_json() == zeros[1].model_dump_json()
