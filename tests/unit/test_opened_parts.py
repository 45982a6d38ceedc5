"""Parts from outside as they are opened: what is wrong with them is one line before a run begins."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pydantic")

from absolute_zero import plugins
from absolute_zero.components import open_components, open_policy
from absolute_zero.config import Config
from absolute_zero.rewards import Scale, check_scales
from absolute_zero.types import Role, UserError

SOURCE = '''
from dataclasses import dataclass, replace
from letters import *

class Closing(Counter):
    def close(self):
        raise RuntimeError("closed twice")

@dataclass(frozen=True)
class Named(Letters):
    """A task's family is its first letter, or else as the probe says."""
    def identity(self, task, outcome):
        return Identity(family=task.payload[0])

def held_out(*tasks):
    return lambda self: {"own": [Task("count", *task[:1], family=task[1]) for task in tasks]}

@dataclass(frozen=True)
class Held(LettersDomain):
    def task_types(self, cfg):
        count = Named("count", ("count", "word"), probes=self.probes)
        return count, Named("word", ("count",), max_references=1, probes=self.probes)

class Agreeing(Held):
    suites = held_out(("abc", "a"), ("xyz", ""))

class Leaking(Held):
    suites = held_out(("abc", "a"), ("bcd", "q"))

class Strict(LettersDomain):
    def open_executor(self, cfg):
        return Closing()

class Mute(LettersDomain):
    def open_executor(self, cfg):
        executor = Counter()
        executor.run = None
        return executor

class Deaf(LettersDomain):
    def task_types(self, cfg):
        class Deaf(Letters):
            probe = None
        return [Deaf("count", ("count",))]

class Fickle(LettersDomain):
    calls = []
    def task_types(self, cfg):
        self.calls.append(cfg)
        return super().task_types(cfg)[: 2 if len(self.calls) < 2 else 1]

AGREEING, LEAKING, PROBED, STRICT = Agreeing(), Leaking(), Leaking(probes=True), Strict()
MUTE, DEAF, FICKLE = Mute(), Deaf(), Fickle()

class Policy:
    def sample(self, prompts, n, sampling, keys): return []
    def update(self, samples): return {}
    def load(self, folder): ...
    def save(self, folder): ...

class Unsaved(Policy):
    save = None

def policy(cfg): return Policy()
def unsaved(cfg): return Unsaved()
def of_class(cfg): return Policy
def leaving(cfg): raise SystemExit(7)
'''


@pytest.fixture(autouse=True)
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "opened_parts.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    plugins._load.cache_clear()
    yield
    sys.modules.pop("opened_parts", None)
    plugins._load.cache_clear()


def opened(domain: str = "STRICT", policy: str = "policy") -> Any:
    cfg = Config.model_validate({"domain": f"opened_parts:{domain}", "model": {"path": f"opened_parts:{policy}"}})
    return open_components(cfg)


def refusal(domain: str = "AGREEING", policy: str = "policy") -> str:
    with pytest.raises(UserError) as caught, opened(domain, policy):
        pass
    return str(caught.value)


def test_the_first_error_is_told_and_not_that_of_closing() -> None:
    with pytest.raises(ZeroDivisionError), opened():
        1 / 0  # noqa: B018  # pyright: ignore[reportUnusedExpression]
    why = r"executor: close failed \(RuntimeError: closed twice, opened_parts.py:7\)"
    with pytest.raises(UserError, match=why), opened():
        pass


@pytest.mark.parametrize(
    ("domain", "wrong"),
    [
        ("MUTE", "domain 'opened_parts:MUTE' opens no executor: its run is None where a method was due"),
        ("DEAF",
         "domain 'letters' does not fit: task type 'count': its probe is None where a method was due"),
        ("FICKLE", "domain 'opened_parts:FICKLE': task_types gave 'word' before, and now does not: fix it"),
        ("LEAKING",
         "domain 'opened_parts:LEAKING': suites gave a Task of kind 'count' and family 'q' where its identity gives 'b'"
         " (suite 'own', number 2): fix it, or tasks like it are trained on"),
    ],
)  # fmt: skip
def test_a_domain_that_does_not_fit_is_a_line(domain: str, wrong: str) -> None:
    assert refusal(domain) == wrong


@pytest.mark.parametrize("domain", ["AGREEING", "PROBED"])
def test_held_out_tasks_of_their_own_family_or_of_one_that_a_probe_would_say_pass(domain: str) -> None:
    with opened(domain) as components:
        assert [*components.task_types] == ["count", "word"]


@pytest.mark.parametrize(
    ("policy", "wrong"),
    [
        ("unsaved", "policy 'opened_parts:unsaved' opens no policy: its save is None where a method was due"),
        ("of_class", "policy 'opened_parts:of_class' opens no policy: it is a class: give an instance"),
        ("leaving", "policy 'opened_parts:leaving' failed (SystemExit: 7, opened_parts.py:"),
    ],
)
def test_a_policy_that_does_not_fit_is_a_line(policy: str, wrong: str) -> None:
    assert refusal(policy=policy).startswith(wrong)


@pytest.mark.parametrize("path", ["opened_parts", "opened_parts.policy"])
def test_a_module_is_no_model(path: str) -> None:
    """And nothing is imported, or asked of the hub, to find that out."""
    with pytest.raises(UserError) as caught:
        open_policy(Config.model_validate({"model": {"path": path}}))
    assert str(caught.value) == (
        f"model.path = {path!r} is a module: name its function, such as opened_parts:open_policy"
    )


def test_scales_become_numbers_of_python_and_nothing_else_is_one() -> None:
    numpy = pytest.importorskip("numpy")
    soft = {Role.PROPOSE: Scale(failed=numpy.float32(-0.5)), Role.SOLVE: Scale(zero=1)}
    table = check_scales(soft, "mine")
    assert table == soft
    assert type(table[Role.PROPOSE].failed) is float
    for scale, field in ((Scale(neutral="0"), "neutral"), (Scale(natural=1e200), "natural"), (None, "zero")):  # pyright: ignore
        with pytest.raises(UserError, match=rf"no whole scale for solve \({field} is not a finite number\)"):
            check_scales({Role.PROPOSE: Scale(), Role.SOLVE: scale}, "mine")  # pyright: ignore
