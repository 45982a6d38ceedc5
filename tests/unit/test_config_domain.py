"""Settings of a domain: its own section, its kinds, and what a domain that does not fit is told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

pytest.importorskip("pydantic")

from pydantic import Field, ValidationError, field_validator, model_validator

from absolute_zero import plugins
from absolute_zero.config import Config, Int, Real, Section, Text, as_toml, load, overrides
from absolute_zero.config.catalogue import catalogue, sections
from absolute_zero.config.reading import from_json
from absolute_zero.types import UserError


@dataclass(frozen=True)
class Kind:
    """As much of a task type as settings look at."""

    kind: str
    sources: tuple[str, ...] = ()
    max_references: int | None = None

    def asked(self, *_: object) -> None:
        raise AssertionError("settings ask a task type nothing")

    propose_prompt = parse_proposal = build_task = probe = identity = solve_prompt = check = check_result = show = asked


class Sql(Section):
    """Tables and queries."""

    rows: Annotated[Int, Field(ge=1, le=100)] = 20
    """Rows of a table, at most."""
    types: tuple[Text, ...] = ("INTEGER", "TEXT")
    """Types of columns: naïve ones."""
    share: Annotated[Real, Field(ge=0, le=1)] = 0.5
    """Share of nulls."""
    weights: dict[Text, Real] = Field(default_factory=dict[str, float])
    """Weight of each statement."""
    limit: Int | None = None
    """LIMIT of a query; none where it is left out."""
    mode: Literal["strict"] = "strict"
    """How it is read."""

    @field_validator("types")
    @classmethod
    def _no_blob(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        if "BLOB" in types:
            raise ValueError("{BLOB} has no literal: leave it out")
        return types

    @model_validator(mode="after")
    def _consistent(self) -> "Sql":
        if self.rows == 13:
            raise ValueError("rows and fortune do not go together: lower sql.rows")
        return self


class Bare(Section):
    """A section without defaults."""

    rows: int


@dataclass(frozen=True)
class Game:
    """As much of a domain as settings look at."""

    name: str
    settings: Any = None
    kinds: tuple[Kind, ...] = (Kind("ask", ("ask",)),)
    fails: BaseException | None = None
    seen: list[Any] = field(default_factory=list[Any])

    def task_types(self, cfg: Any) -> Sequence[Kind]:
        self.seen.append(cfg.domain_section)
        if self.fails is not None:
            raise self.fails
        return self.kinds

    def nothing(self, *_: object) -> Mapping[str, Any]:
        return {}

    open_executor = seeds = suites = worked_examples = read_row = held_out = nothing


SQL = Game("sql", Sql, (Kind("select", ("select",)), Kind("insert"), Kind("plan", ("select", "insert"))))
PLAIN = Game("plain")
BROKEN = {
    "SECTION": (Game("solve"), "it is called 'solve', as a setting is: rename it"),
    "SETTING": (Game("steps"), "it is called 'steps', as a setting is: rename it"),
    "BASE": (Game("base"), "it is called 'base', as a setting is: rename it"),
    "FOREIGN": (Game("x", dict), "its settings are not a subclass of absolute_zero.config.Section"),
    "BARE": (Game("x", Bare), "its settings have no valid default for 'rows'"),
    "NONE": (Game("x", None, ()), "it has no task types"),
    "BLANK": (Game("x", None, (Kind("a b"),)), "the kind 'a b' has other than letters, digits, _ and -"),
    "TWICE": (Game("x", None, (Kind("a"), Kind("a"))), "it has two kinds 'a'"),
    "STRANGE": (Game("x", None, (Kind("a", ("b",)),)), "a has the source 'b', which it has not"),
}
globals().update({name: game for name, (game, _) in BROKEN.items()})
FAILING = Game("failing", fails=UserError("failing: put it right"))
CRASHING = Game("crashing", fails=ValueError("no\nluck"))


def dotted(name: str) -> str:
    """Return the dotted name of a domain in this module."""
    return f"{__name__}:{name}"


PLAY_SQL, PLAY_PLAIN = f'domain="{dotted("SQL")}"', f'domain="{dotted("PLAIN")}"'


def refusal(recipe: str | Path | None, *overrides: str) -> str:
    """Return what `load` says, having refused."""
    with pytest.raises(UserError) as caught:
        load(recipe, overrides)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return what writes a recipe into the working folder, and gives its name."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "mine.toml") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return write


# --- its section --------------------------------------------------------------------------------------------


def test_a_domain_has_its_own_section_with_defaults() -> None:
    config = load(None, [PLAY_SQL])
    assert config.domain_section == Sql()
    assert load(None, [PLAY_SQL, "sql.rows=3"]).domain_section == Sql(rows=3)
    assert load(None, [PLAY_SQL, 'sql={rows=3, types=["A"]}']).domain_section == Sql(rows=3, types=("A",))
    assert SQL.seen[-1] == Sql(rows=3, types=("A",))  # the task types are made with it
    assert load(None, [PLAY_PLAIN]).domain_section is None
    assert load(None, [PLAY_SQL, "sql={}"]) == config


def test_python_sets_it_by_name_or_as_it_is() -> None:
    by_table = Config.model_validate({"domain": dotted("SQL"), "sql": {"rows": 4}})
    assert by_table == Config.model_validate({"domain": dotted("SQL"), "sql": Sql(rows=4)})
    assert by_table.domain_section == Sql(rows=4)
    with pytest.raises(ValidationError, match="no such setting"):
        Config.model_validate({"python": {}, "sql": {}})
    with pytest.raises(ValidationError, match="no such setting"):
        Config.model_validate({"domain": dotted("PLAIN"), "plain": {}})
    with pytest.raises(ValidationError, match=r"sql\.rows"):
        Config.model_validate({"domain": dotted("SQL"), "sql": {"rows": 0}})


@pytest.mark.parametrize(
    "overrides_",
    [
        [PLAY_PLAIN],
        [PLAY_SQL],
        [PLAY_SQL, "sql.share=-0.0", "sql.rows=7", 'sql.weights={b=-0.0, "a.b"=2}', 'kinds=["plan", "insert"]'],
        [PLAY_SQL, "sql.limit=9"],
        ['reward.terms={"pkg.mod:fn"=0.1, "a.b:c"=-2}', 'reward.scale="pkg.mod:SCALE"', "templates=./mine"],
    ],
)
def test_settings_of_a_domain_survive_being_written(overrides_: list[str], recipe: Callable[..., str]) -> None:
    config = load("laptop", overrides_)
    text = config.model_dump_json()
    assert Config.model_validate_json(text) == config
    assert Config.model_validate_json(text).model_dump_json() == text
    written = as_toml(config)
    assert written.isascii()
    back = load(recipe(written))
    assert (back, back.model_dump_json(), as_toml(back)) == (config, text, written)
    for name in ("laptop", "paper"):
        assert load(name, overrides(config, load(name))) == config


def test_the_catalogue_lists_what_the_domain_brings() -> None:
    listed = {key: setting.wanted for key, setting in catalogue(dotted("SQL")).items() if key[0] == "sql"}
    assert listed == {
        ("sql", "rows"): "a whole number from 1 to 100",
        ("sql", "types"): "an array, each text in quotes, not empty",
        ("sql", "share"): "a number from 0 to 1",
        ("sql", "weights"): "a table of name = number",
        ("sql", "limit"): "a whole number",
        ("sql", "mode"): '"strict"',
    }
    assert list(sections(dotted("SQL")))[-1] == "sql"
    assert sections(dotted("SQL"))["sql"] == "Tables and queries."
    assert catalogue(dotted("SQL"))[("kinds",)].wanted == 'an array, each one of "select", "insert", "plan"'
    assert list(sections(dotted("PLAIN"))) == [name for name in sections() if name != "python"]
    assert catalogue() is catalogue()
    written = as_toml(load(None, [PLAY_SQL]))
    assert (
        "# Tables and queries.\n[sql]\n\n# Rows of a table, at most.\nrows = 20  # a whole number from 1 to 100\n"
        in written
    )
    assert "python" not in written.partition("[model]")[2]


@pytest.mark.parametrize(
    ("overrides_", "text"),
    [
        (["sql.rows=0"], "sql.rows = 0: give a whole number from 1 to 100"),
        (["sql.rwos=3"], "sql.rwos is not a setting; did you mean sql.rows?"),
        (["sql.xyz=3"], "sql.xyz is not a setting; sql has rows, types, share, weights, limit, mode"),
        (["sql=3"], "sql = 3: sql is a section; give its settings, such as sql.rows"),
        (["rows=3"], "rows is not a setting; did you mean sql.rows?"),
        (["sql.weights.a=3"], "sql.weights.a is not a setting; did you mean sql.weights?"),
        (['sql.types=["BLOB"]'], 'sql.types = ["BLOB"]: {BLOB} has no literal: leave it out'),
        (["sql.rows=13"], "sql: rows and fortune do not go together: lower sql.rows"),
        (["sql.rows=0", "sql.share=2", "xyz=1"],
         "sql.rows = 0: give a whole number from 1 to 100 (and 2 more mistakes)"),
    ],
)  # fmt: skip
def test_a_mistake_in_it_is_one_line(overrides_: list[str], text: str) -> None:
    assert refusal(None, PLAY_SQL, *overrides_) == text


def test_settings_of_it_that_do_not_go_together_name_their_section_and_recipe(recipe: Callable[..., str]) -> None:
    text = "sql: rows and fortune do not go together: lower sql.rows"
    mine = recipe(f"{PLAY_SQL}\n[sql]\nrows = 13\n")
    assert refusal(mine) == f"mine.toml: {text}"
    assert refusal(mine, "sql.share=0.1") == text  # said by both


def test_a_stored_setting_that_is_gone_is_told_with_those_there_are() -> None:
    stored = load(None, [PLAY_SQL]).model_dump_json().replace('"rows":20', '"rows":20,"lines":3')
    with pytest.raises(UserError) as caught:
        from_json(stored, "config.json")
    assert str(caught.value) == (
        "config.json: sql.lines: no such setting: sql has rows, types, share, weights, limit, mode: fix it there"
    )
    stored = load(None, [PLAY_SQL]).model_dump_json().replace('"n_practice"', '"n_more":1,"n_practice"')
    with pytest.raises(UserError, match=r"^config.json: solve.n_more: no such setting: solve has n_difficulty, "):
        from_json(stored, "config.json")


def test_what_is_for_another_domain_is_refused() -> None:
    assert refusal(None, PLAY_PLAIN, "python.inputs=4") == (
        f'python.inputs is for another domain than "{dotted("PLAIN")}": leave it out, or set domain'
    )
    assert (
        refusal(None, PLAY_PLAIN, "plain.x=4")
        == "plain.x is not a setting; the domain plain has no settings of its own"
    )
    assert refusal(None, "sql.rows=4") == "sql.rows is not a setting; azr train --dry-run prints all there are"


def test_what_a_recipe_set_for_the_domain_before_is_left_out(recipe: Callable[..., str]) -> None:
    assert load("laptop", [PLAY_SQL]).domain_section == Sql()
    mine = recipe(f'base = "laptop"\n{PLAY_SQL}\n[sql]\nrows = 5\n')
    assert load(mine).domain_section == Sql(rows=5)
    top = recipe(f'base = "mine.toml"\n{PLAY_PLAIN}\n', "top.toml")
    assert load(top).domain_section is None
    # What the innermost base says of Python stands again, and what the middle one says of SQL does not.
    assert load(top, ["domain=python"]).domain_section == load("laptop").domain_section
    # A base whose domain is not even there, as nothing of it is played.
    recipe('domain = "gone.away:GONE"\n["gone.away:GONE"]\nx = 1\n', "gone.toml")
    assert load(recipe('base = "gone.toml"\ndomain = "python"\n')) == Config()


def test_what_is_said_beside_the_domain_or_later_is_a_mistake(recipe: Callable[..., str]) -> None:
    text = f'python.inputs is for another domain than "{dotted("SQL")}": leave it out, or set domain'
    mine = recipe(f'base = "laptop"\n{PLAY_SQL}\n[python]\ninputs = 5\n')
    assert refusal(mine) == f"mine.toml: {text}"
    top = recipe('base = "mine.toml"\nsteps = 1\n', "top.toml")
    assert refusal(top) == f"mine.toml: {text}"
    # A section that no domain had when it was said.
    assert refusal(recipe("[sql]\nrows = 5\n"), PLAY_PLAIN).startswith("mine.toml: sql.rows is not a setting")


# --- its kinds ----------------------------------------------------------------------------------------------


def test_kinds_are_those_of_the_domain_in_the_order_in_which_they_are_named() -> None:
    assert load(None, [PLAY_SQL]).kinds == load(None, [PLAY_SQL, "kinds=[]"]).kinds == ("select", "insert", "plan")
    assert load(None, [PLAY_SQL, 'kinds=["insert", "select"]']).kinds == ("insert", "select")
    assert load(None, [PLAY_SQL, 'kinds=["plan", "insert"]']).kinds == ("plan", "insert")
    assert load(None, [PLAY_SQL, 'kinds=["insert"]']).kinds == ("insert",)  # it needs no references
    assert Config().kinds == ("deduction", "abduction", "induction")
    assert Config() == Config(kinds=Config().kinds)


def test_kinds_that_cannot_be_played_are_one_line(recipe: Callable[..., str]) -> None:
    assert refusal(None, PLAY_SQL, 'kinds=["deduction"]') == (
        'kinds = ["deduction"]: the domain sql has no kind "deduction": use select, insert or plan'
    )
    mine = recipe(f'{PLAY_SQL}\nkinds = ["plan"]\n')
    assert refusal(mine) == (
        'mine.toml: kinds = ["plan"]: plan takes its references from other kinds: add select or insert'
    )


# --- domains that cannot be played --------------------------------------------------------------------------


@pytest.mark.parametrize("name", BROKEN)
def test_a_domain_that_does_not_fit_is_one_line(name: str, recipe: Callable[..., str]) -> None:
    text = refusal(recipe(f'domain = "{dotted(name)}"\n'))
    assert text.endswith(f"does not fit: {BROKEN[name][1]}")
    with pytest.raises(UserError, match="does not fit"):
        Config(domain=dotted(name))


def test_a_domain_that_is_not_there_is_laid_on_whoever_names_it(recipe: Callable[..., str]) -> None:
    assert (
        refusal(recipe('domain = "sqk"\n')) == 'mine.toml: domain = "sqk": give one of "python", or package.module:name'
    )
    assert refusal(None, "domain=gone.away:GONE") == (
        "domain 'gone.away:GONE' cannot be loaded (ModuleNotFoundError: No module named 'gone'):"
        " install its package, or set PYTHONPATH to the folder of its file"
    )
    assert refusal(None, "domain=7", "steps=-1") == (
        'domain = 7: give one of "python", or package.module:name (and 1 more mistake)'
    )
    with pytest.raises(UserError, match="no domain is called 'sqk'"):
        Config(domain="sqk")


def test_what_a_domain_says_of_its_settings_is_passed_on() -> None:
    assert refusal(None, f"domain={dotted('FAILING')}") == (
        f"domain '{dotted('FAILING')}': task_types: failing: put it right"
    )
    assert refusal(None, f"domain={dotted('CRASHING')}") == (
        f"domain '{dotted('CRASHING')}': task_types failed (ValueError: no luck, test_config_domain.py:84): fix it"
    )
    assert catalogue(dotted("FAILING"))[("kinds",)].wanted == "an array, each text in quotes, not empty"


# --- other names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "override",
    [
        "estimator.solve=pkg.mod:fn", "estimator.propose=pkg.mod:fn", "reward.scale=pkg.mod:SCALE",
        "templates=a.b:FOLDER", "templates=./mine", "templates=C:\\mine", "templates=/",
        'reward.terms={"pkg.mod:fn"=0.1}', "model.path=scripted", "model.path=pkg.mod:open",
    ],
)  # fmt: skip
def test_a_dotted_name_or_a_folder_is_taken_and_not_imported(override: str) -> None:
    assert load(None, [override]) != Config()


def test_a_name_that_a_package_registers_is_one_of_those_known(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {"rewards": {"brevity": ()}, "estimators": {"mine": ()}}
    monkeypatch.setattr(plugins, "_registered", lambda group: points.get(group, {}))
    config = load(None, ["reward.terms={brevity=1}", "estimator.solve=mine"])
    assert (config.reward.terms, config.estimator.solve) == ({"brevity": 1.0}, "mine")
    assert refusal(None, "estimator.solve=yours").endswith('"rloo", "mine", or package.module:name')
    assert refusal(None, "reward.terms={length=1}") == (
        "reward.terms = a table: no reward term is called 'length': give one of \"brevity\", or package.module:name"
    )


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("templates=longer",
         'templates = "longer": give one of "long", "brief", "compact", a folder such as ./templates, or'
         " package.module:name"),
        ("reward.scale=papers", 'reward.scale = "papers": give one of "paper", "reference", or package.module:name'),
        ("reward.terms=3", "reward.terms = 3: give a table of name = number"),
        ('reward.terms={"a.b:c"="x"}', "reward.terms = a table: give a table of name = number"),
        ('reward.terms={"a.b:c"=inf}', "reward.terms = a table: give a table of name = number"),
        ("reward.terms={x=1}",
         "reward.terms = a table: no reward term is called 'x': give package.module:name"),
        ("reward.terms={paper=1}",
         "reward.terms = a table: no reward term is called 'paper': give package.module:name"),
        ("reward.terms.x=1", "reward.terms.x is not a setting; did you mean reward.terms?"),
    ],
)  # fmt: skip
def test_a_name_that_stands_for_nothing_is_one_line(override: str, text: str) -> None:
    assert refusal(None, override) == text


def test_terms_are_written_in_the_order_of_their_names(recipe: Callable[..., str]) -> None:
    ways = [
        load(None, ['reward.terms={"b.c:d"=1, "a.b:c"=-0.0}']),
        load(recipe('[reward.terms]\n"a.b:c" = 0\n"b.c:d" = 1.0\n')),
    ]
    assert ways[0] == ways[1]
    assert ways[0].model_dump_json() == ways[1].model_dump_json()
    assert 'terms = {"a.b:c" = 0.0, "b.c:d" = 1.0}  # a table of name = number\n' in as_toml(ways[0])
