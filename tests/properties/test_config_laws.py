"""Laws of settings: any text as recipe or override gives a Config or one line; any Config survives being written."""

import tempfile
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pydantic")

from hypothesis import given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from absolute_zero import plugins
from absolute_zero.config import Config, as_toml, load, overrides
from absolute_zero.config.catalogue import catalogue, sections
from absolute_zero.config.settings import section_of
from absolute_zero.config.writing import dotted
from absolute_zero.renamed import SETTINGS
from absolute_zero.types import UserError

SCHEMA = Config.model_json_schema()
KEYS = st.sampled_from(
    [dotted(key) for key in catalogue()] + [*sections(), *SETTINGS, "base", "sovle.n_difficulty", "x", "a.b.c"]
)
MARKS = st.sampled_from(
    "= . , [ ] { } [[ ]] ' \" ''' \"\"\" # \\ \n \r \t \0 \ud800 \u2028 é 0 1 -1 1e9 1e999 nan inf 0x true false "
    "deduction solve rollouts python gone:GONE paper.toml laptop 1979-05-27".split(" ")
)
TEXT = st.lists(MARKS | st.characters() | KEYS, max_size=12).map("".join)
OVERRIDES = st.lists(TEXT | st.builds("{}={}".format, KEYS, TEXT), max_size=3)


def whole(recipe: Path | str | None, texts: list[str]) -> None:
    """Check that `load` gives a Config, or refuses in one printable line."""
    try:
        assert isinstance(load(recipe, texts), Config)
    except UserError as error:
        text = str(error)
        assert text
        assert text.isprintable()
        assert len(text) < 1000


@given(TEXT, OVERRIDES)
@settings(max_examples=150)
def test_any_recipe_name_and_overrides_give_settings_or_one_line(name: str, texts: list[str]) -> None:
    whole(None, texts)
    whole(name, texts)


@given(st.lists(KEYS | TEXT | MARKS | st.just("\n"), max_size=20).map("".join), st.binary(max_size=3))
@settings(max_examples=100)
def test_any_bytes_as_a_recipe_give_settings_or_one_line(text: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.toml"
        path.write_bytes(text.encode(errors="ignore") + data)
        whole(path, [])


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return what one piece of schema lets through."""
    if "$ref" in schema:
        return values(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    if "group" in schema:
        return names(schema["group"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "object" if "properties" not in schema:
            return st.dictionaries(names("terms"), values(schema["additionalProperties"]), max_size=3)
        case "object":
            return st.fixed_dictionaries({}, optional={key: values(part) for key, part in schema["properties"].items()})
        case "boolean":
            return st.booleans()
        case "string":
            return st.text(min_size=schema.get("minLength", 0), max_size=8)
        case "array" if "prefixItems" in schema:
            return st.tuples(*[values(part) for part in schema["prefixItems"]])
        case "array":
            return st.lists(values(schema["items"]), min_size=schema.get("minItems", 0), max_size=3)
        case "integer":
            below = schema.get("exclusiveMaximum", 1 << 63) - 1
            return st.integers(schema.get("minimum"), min(below, schema.get("maximum", below)))
        case _:
            low, high = schema.get("minimum"), schema.get("maximum")
            above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
            return st.floats(
                above if low is None else low, below if high is None else high,
                exclude_min=low is None and above is not None, exclude_max=high is None and below is not None,
                allow_infinity=False, allow_nan=False,
            )  # fmt: skip


def names(group: str) -> st.SearchStrategy[str]:
    """Return names of a group, and others that are taken without a look."""
    if group == "domains":
        return st.just("python")
    known = st.from_regex(r"[a-z]+(\.[a-z_]+)?:[A-Z]+", fullmatch=True)
    if group == "templates":
        known |= st.text(max_size=5).map("./{}".format)
    return known if group == "terms" else known | st.sampled_from(plugins.names(group))


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Return a Config, from any settings that fit together."""
    table = draw(values(SCHEMA))
    section, model = section_of("python")
    assert model is not None
    table[section] = draw(values(model.model_json_schema()))
    if "kinds" in table:
        kinds = draw(st.permutations(["deduction", "abduction", "induction"]))
        table["kinds"] = kinds[: draw(st.integers(0, 3))]
    try:
        return Config.model_validate(table)
    except ValidationError as error:
        wrong = [detail["loc"] for detail in error.errors()]
    # Each by itself is within its bounds: only how they fit together can be wrong.
    assert wrong in ([()], [("kinds",)], [("python",)])
    reject()


@given(configs())
@settings(max_examples=60)
def test_any_config_survives_being_written(config: Config) -> None:
    text = config.model_dump_json()
    again = Config.model_validate_json(text)
    assert again == config
    assert again.model_dump_json() == text
    written = as_toml(config)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "written.toml"
        path.write_text(written, encoding="ascii")
        back = load(path)
    assert back == config
    assert back.model_dump_json() == text
    assert as_toml(back) == written
    assert load("laptop", overrides(config, load("laptop"))) == config
