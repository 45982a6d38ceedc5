"""Parts by name: built in, registered by a package, or dotted; and what is said of those that are missing or wrong."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from absolute_zero import plugins
from absolute_zero.types import UserError

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return what puts a distribution with entry points and one module into a folder that Python imports from."""
    monkeypatch.syspath_prepend(tmp_path)
    modules: list[str] = []

    def put(name: str, points: str, source: str = "") -> None:
        (tmp_path / f"{name}.py").write_text(source)
        modules.append(name)
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(points)
        importlib.invalidate_caches()
        forget()

    forget()
    yield put
    monkeypatch.undo()
    importlib.invalidate_caches()
    forget()
    for name in modules:
        sys.modules.pop(name, None)


def forget() -> None:
    """Let the next look see what is installed now."""
    plugins._registered.cache_clear()
    plugins._load.cache_clear()


def refusal(group: str, name: str) -> str:
    """Return what is said of a part that cannot be loaded: one printable line."""
    with pytest.raises(UserError) as caught:
        plugins.load(group, name)
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 1100
    return text


# --- names --------------------------------------------------------------------------------------------------


def test_names_are_those_of_this_package_then_those_registered(install: Install) -> None:
    assert plugins.names("estimators") == ["trr++", "trr++_token", "reinforce++", "grpo", "dr_grpo", "rloo"]
    assert plugins.names("recipes") == []
    install("first", "[absolute_zero.estimators]\nmine = first:mine\nrloo = first:other\n[other]\nx = first:x\n")
    assert plugins.names("estimators")[-2:] == ["rloo", "mine"]
    assert plugins.is_named("estimators", "mine")
    assert not plugins.is_named("policies", "mine")
    assert plugins.choices("policies") == 'one of "scripted", or package.module:name'
    assert plugins.listed(["a", "b"]) == 'one of "a", "b", or package.module:name'
    assert "first" not in sys.modules


def test_every_name_in_this_package_is_a_dotted_one() -> None:
    for group, parts in plugins.BUILT_IN.items():
        assert group in plugins.SINGULAR
        assert all(plugins.is_dotted(dotted) for dotted in parts.values())
        assert all(plugins.is_named(group, name) and not plugins.is_dotted(name) for name in parts)


@pytest.mark.parametrize(
    ("name", "dotted"),
    [
        ("a:b", True), ("pkg.mod_1:Cls.attribute", True), ("pkg", False), ("pkg.mod", False), ("./a:b", False),
        ("1:b", False), ("a:", False), (":b", False), ("a:b\n", False), ("", False), ("a:b:c", False),
    ],
)  # fmt: skip
def test_what_a_dotted_name_is(name: str, dotted: bool) -> None:
    assert plugins.is_dotted(name) is dotted


# --- parts --------------------------------------------------------------------------------------------------


def test_a_part_is_loaded_once_by_either_name(install: Install, tmp_path: Path) -> None:
    source = "from pathlib import Path\nwith Path(__file__).with_suffix('.log').open('a') as log:\n    log.write('x')\n"
    install(
        "counted",
        "[absolute_zero.estimators]\nmine = counted:Box.mine [extra]\n",
        f"{source}class Box:\n    mine = print\n",
    )
    assert plugins.load("estimators", "mine") is print
    assert plugins.load("estimators", "counted:Box.mine") is print
    assert plugins.load("estimators", "mine") is print
    assert (tmp_path / "counted.log").read_text() == "x"


def test_a_name_of_this_package_stands_for_its_own_part(install: Install) -> None:
    install("thief", "[absolute_zero.domains]\npython = thief:STOLEN\n", "raise AssertionError('imported')")
    assert plugins.load("domains", "python").name == "python"


def test_two_packages_with_one_name_are_one_line_and_the_dotted_name_helps(install: Install) -> None:
    install("left", "[absolute_zero.rewards]\nbrevity = left:term\n", "term = len")
    install("right", "[absolute_zero.rewards]\nbrevity = right:term\n", "term = max")
    text = refusal("rewards", "brevity")
    assert text.startswith("reward 'brevity' is registered twice: give ")
    assert "left:term" in text
    assert plugins.load("rewards", "right:term") is max


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("", "AttributeError: module 'broken' has no attribute 'part'): fix it"),
        ("import gone_for_good",
         "ModuleNotFoundError: No module named 'gone_for_good', broken.py:1): install what it needs"),
        ("1 / 0", "ZeroDivisionError: division by zero, broken.py:1): fix it"),
        ("import json\n\njson.loads('{')",
         "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1), broken.py:3)"),
        ("raise SystemExit(3)", "SystemExit: 3, broken.py:1): fix it"),
        ("raise type('Odd', (BaseException,), {})('odd')", "Odd: odd, broken.py:1): fix it"),
        ("raise type('Odd', (Exception,), {'__str__': None})", "Odd: it has no text, broken.py:1): fix it"),
        ("raise ValueError('two\\n  lines\\x00\\x1b[31m')", "ValueError: two lines"),
        ("raise ValueError('x' * 5000)", "ValueError: xxx"),
        ("def f(:", "SyntaxError: "),
    ],
)  # fmt: skip
def test_a_part_that_cannot_be_imported_is_one_line(install: Install, source: str, why: str) -> None:
    install("broken", "[absolute_zero.policies]\nbroken = broken:part\n", source)
    text = refusal("policies", "broken")
    assert text.startswith(f"policy 'broken' cannot be loaded ({why}")
    assert text.endswith(("): fix it", "): install what it needs"))
    assert text.isprintable()
    assert refusal("policies", "broken:part").startswith("policy 'broken:part' cannot be loaded (")


def test_what_a_package_says_of_itself_is_passed_on(install: Install) -> None:
    install("picky", "", "from absolute_zero.types import UserError\nraise UserError('picky: needs SQLite 3.40')")
    assert refusal("domains", "picky:DOMAIN") == "domain 'picky:DOMAIN': picky: needs SQLite 3.40"


@pytest.mark.parametrize(
    ("group", "name", "text"),
    [
        ("domains", "sqk", 'no domain is called \'sqk\': give one of "python", or package.module:name'),
        ("recipes", "x\n", "no recipe is called 'x\\n': give package.module:name"),
        ("policies", "y" * 200,
         f"no policy is called '{'y' * 76}...: give one of \"scripted\", or package.module:name"),
        ("estimators", "gone.away:x",
         "estimator 'gone.away:x' cannot be loaded (ModuleNotFoundError: No module named 'gone'):"
         " install its package, or set PYTHONPATH to the folder of its file"),
    ],
)  # fmt: skip
def test_a_part_that_is_not_there_is_one_line(group: str, name: str, text: str) -> None:
    assert refusal(group, name) == text


DOMAIN = """
class Domain:
    name = "tiny"
    settings = None
    task_types = open_executor = seeds = suites = worked_examples = read_row = held_out = print
class Poor:
    name = "poor"
    settings = None
    task_types = seeds = suites = print
class Bare:
    name = "bare"
    task_types = open_executor = print
class Named(Domain):
    name = "two words"
class Strange(Domain):
    @property
    def suites(self):
        raise RuntimeError("not today")
class Mute(Domain):
    open_executor = None
class Listed(Domain):
    suites = {}
class LeftOut(Domain):
    suites = read_row = None
WHOLE, POOR, NAMED, STRANGE, NUMBER, BARE = Domain(), Poor(), Named(), Strange(), 7, Bare()
MUTE, LISTED, LEFT_OUT = Mute(), Listed(), LeftOut()
"""


@pytest.mark.parametrize(
    ("group", "attribute", "text"),
    [
        ("domains", "WHOLE", ""),
        ("domains", "BARE", ""),
        ("domains", "Domain", "it is a class: name an instance"),
        ("domains", "POOR", "it has no open_executor"),
        ("domains", "MUTE", "its open_executor is None where a method was due"),
        ("domains", "LISTED", "its suites is dict where a method was due"),
        ("domains", "LEFT_OUT", ""),
        ("domains", "NAMED", "its name is not of letters, digits, _ and -"),
        ("policies", "NUMBER", "it cannot be called"),
        ("policies", "Domain", ""),
        ("estimators", "NUMBER", "it cannot be called"),
        ("estimators", "Domain", "it is a class: name an instance, or a function"),
        ("rewards", "Domain", "it is a class: name an instance, or a function"),
        ("rewards", "NUMBER", "it is neither a function nor a table of scales"),
        ("rewards", "__dict__", ""),
        ("templates", "NUMBER", "it is not a path"),
        ("templates", "__name__", ""),
        ("recipes", "NUMBER", "it is not a path of a file"),
    ],
)
def test_a_part_that_does_not_fit_is_one_line(install: Install, group: str, attribute: str, text: str) -> None:
    install("parts", "", DOMAIN)
    name = f"parts:{attribute}"
    if text:
        assert refusal(group, name) == f"{plugins.SINGULAR[group]} {name!r} does not fit: {text}"
    else:
        plugins.load(group, name)


def test_a_part_that_fails_when_it_is_looked_at_is_one_line(install: Install) -> None:
    install("parts", "", DOMAIN)
    with pytest.raises(
        UserError, match=r"^domain 'parts:STRANGE': suites failed \(RuntimeError: not today, parts.py:\d+"
    ):
        plugins.load("domains", "parts:STRANGE").suites()


# --- folders of templates -----------------------------------------------------------------------------------


def test_a_template_folder_is_a_path_or_a_part(install: Install, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    install(
        "folders",
        "[absolute_zero.templates]\nmine = folders:MINE\n",
        f"from pathlib import Path\nMINE, GONE = Path({str(tmp_path / 'mine')!r}), {str(tmp_path / 'gone')!r}\n",
    )
    assert plugins.template_folder("mine") == tmp_path / "mine"
    assert plugins.template_folder("folders:MINE") == tmp_path / "mine"
    assert plugins.template_folder(str(tmp_path / "mine")) == tmp_path / "mine"
    for name in ("folders:GONE", "./gone/away", "nul\0"):
        with pytest.raises(
            UserError, match=r"^templates = '.*': there is no such folder: give one of \"long\", \"brief\", \"comp"
        ):
            plugins.template_folder(name)
