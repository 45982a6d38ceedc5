"""Another domain from outside: `examples/sql` installed beside the package, and every command with it.

What these tests know of it is what a stranger knows: its recipe, its policy, its kinds, and rows of its tasks.
"""

import copy
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

import tiny_models
from absolute_zero.cli import main
from absolute_zero.config import Config
from absolute_zero.keys import Key
from absolute_zero.policy.local import LocalPolicy
from absolute_zero.store import Store
from absolute_zero.types import Prompt, Sample, Sampling

ROOT = Path(__file__).parents[2]
STEPS = 16
SHORT = ("--recipe", "sql-tiny", f"steps={STEPS}", "checkpoints.every=4", "evals.tasks=5")
KINDS = ("rows", "tables", "query")
PEOPLE = "people(name, age)\n'Ann', 31\n'Bob', 25\n'Cid', 47"
QUERY = "SELECT name FROM people WHERE age > 30 ORDER BY name"
TASK = {"kind": "rows", "query": QUERY, "tables": PEOPLE}

Azr = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example, installed by pip from a copy: building writes into the folder it builds."""
    source, target = tmp_path_factory.mktemp("source") / "sql", tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "examples" / "sql", source, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="session")
def start(site: Path) -> Callable[..., "subprocess.Popen[str]"]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{site}", "COLUMNS": "200"}

    def begin(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "absolute_zero.cli", *arguments]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes)

    return begin


@pytest.fixture(scope="session")
def azr(start: Callable[..., "subprocess.Popen[str]"]) -> Azr:
    def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
        with start(folder, *arguments) as child:
            out, err = child.communicate()
        return child.returncode, out, err

    return run


@pytest.fixture(scope="session")
def folder(azr: Azr, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the recipe, shortened."""
    root = tmp_path_factory.mktemp("sql")
    code, out, err = azr(root, "train", *SHORT)
    assert (code, err) == (0, ""), out + err
    return root / "runs" / "001"


def rows(folder: Path) -> list[str]:
    with Store.read(folder / "run.db") as store:
        return [line for line in store.dump() if not line.startswith(("run ", "checkpoints "))]


def test_the_recipe_gets_better(folder: Path) -> None:
    with Store.read(folder / "run.db") as store:
        metrics = {(step, name): value for step, name, value in store.metrics()}
    for kind in KINDS:
        rates = [metrics[step, f"difficulty/success_rate/{kind}"] for step in range(1, STEPS + 1)]
        assert mean(rates[-5:]) > mean(rates[:5]) + 0.1, kind
        assert metrics[STEPS, f"skill/solve/{kind}"] > 0.4, kind
    result = json.loads((folder / "result.json").read_text())
    assert set(result["after"]) == {*KINDS, "mean"}
    assert result["sandbox_level"] == "process"


def test_its_report_shows_its_kinds_and_queries(azr: Azr, folder: Path) -> None:
    code, out, err = azr(folder, "report", str(folder))
    assert (code, out.strip(), err) == (0, str(folder / "report.html"), "")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert all(f">{kind}<" in page for kind in KINDS)
    assert "ORDER BY" in page
    assert "deduction" not in page


def test_it_is_evaluated_on_its_suite_and_on_files(azr: Azr, folder: Path, tmp_path: Path) -> None:
    code, out, err = azr(tmp_path, "eval", str(folder), "--tasks", "3", "--json")
    assert (code, err) == (0, "")
    assert set(json.loads(out)["suites"]["held_out"]) == {*KINDS, "mean"}
    other = PEOPLE.replace("31", "12")
    induction = {"kind": "query", "query": QUERY, "pairs": [[PEOPLE, "'Ann'\n'Cid'"], [other, "'Cid'"]]}
    tasks = [{**TASK, "rows": "'Ann'\n'Cid'"}, {**TASK, "kind": "tables", "rows": "'Ann'\n'Cid'"}, induction]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    code, out, err = azr(tmp_path, "eval", str(folder), "--data", "mine.jsonl", "--json")
    assert (code, err) == (0, "")
    assert set(json.loads(out)["suites"]["mine"]) == {*KINDS, "mean"}


def test_it_plays_a_task_that_somebody_types(azr: Azr, folder: Path) -> None:
    code, out, err = azr(folder, "play", str(folder), "--task", json.dumps(TASK), "--rollouts", "8")
    assert (code, err) == (0, "")
    assert QUERY in out
    assert "'Cid'" in out
    assert "of 8" in out.splitlines()[-1]
    code, out, err = azr(folder, "play", str(folder), "--task", '{"kind": "rows"}')
    assert (code, out) == (2, "")
    assert err.startswith("azr: ")
    assert "query: give it as a text" in err


def test_it_plays_each_kind(azr: Azr, folder: Path) -> None:
    code, out, err = azr(folder, "play", str(folder))
    assert (code, err) == (0, "")
    assert [line.split()[:2] for line in out.splitlines() if line.startswith("propose ")] == [
        ["propose", kind] for kind in KINDS
    ]


def test_a_held_out_file_bars_queries(azr: Azr, folder: Path, tmp_path: Path) -> None:
    """The same seed, with the queries of the first run held out: it proposes them, and none is accepted."""
    with Store.read(folder / "run.db") as store:
        barred = {task.title: task.family for task in store.tasks() if task.step <= 1}
    (tmp_path / "barred.jsonl").write_text("".join(json.dumps({"query": query}) + "\n" for query in barred))
    settings = ('buffer.held_out=["barred.jsonl"]', "steps=0", "evals.tasks=0", "seeding.rounds=3")
    code, _, err = azr(tmp_path, "train", *SHORT[:2], *settings)
    assert (code, err) == (0, "")
    with Store.read(tmp_path / "runs" / "001" / "run.db") as store:
        accepted = {task.family for task in store.tasks()}
        reasons = {rejection.reason for _, rejection in store.rejections()}
    assert accepted
    assert not accepted & set(barred.values())
    assert "held_out" in reasons
    (tmp_path / "barred.jsonl").write_text('{"query": "SELECT 1"}\n{"query": 5}\n')
    code, _, err = azr(tmp_path, "train", *SHORT[:2], *settings)
    assert code == 2
    assert "barred.jsonl:2: query: give it as a text" in err


def test_a_killed_run_goes_on_as_if_nothing_had_been(
    azr: Azr, start: Callable[..., "subprocess.Popen[str]"], folder: Path, tmp_path: Path
) -> None:
    with start(tmp_path, "train", *SHORT) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("7 "):
                child.send_signal(signal.SIGKILL)
                break
    code, out, err = azr(tmp_path, "train", "--resume", "runs/001")
    assert (code, err) == (0, "")
    assert "step 4" in out
    assert rows(tmp_path / "runs" / "001") == rows(folder)
    script = f"checkpoints/{STEPS}/script.json"
    assert (tmp_path / "runs" / "001" / script).read_bytes() == (folder / script).read_bytes()


# --- the architecture of the embedded model, at toy size ----------------------------------------------------


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights, with room for a prompt of this domain in single bytes."""
    place = tmp_path_factory.mktemp("toy")
    model = copy.deepcopy(tiny_models.model("llama"))
    model.config.max_position_embeddings = 4096
    model.save_pretrained(place)
    tiny_models.tokenizer().save_pretrained(place)
    return place


def test_a_random_model_cannot_seed_and_the_run_says_so(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, which has torch already; so the parts go by their dotted names."""
    parts = ("domain=absolute_zero_sql.domain:DOMAIN", "templates=absolute_zero_sql:TEMPLATES", f"model.path={toy}")
    sizes = (
        "seeding.rounds=1",
        "propose.batch=1",
        "evals.tasks=0",
        "sampling.max_tokens=12",
        "sandbox.workers=1",
        "sampling.max_prompt_tokens=4096",
    )
    recipe = str(ROOT / "examples" / "sql" / "absolute_zero_sql" / "recipes" / "sql-tiny.toml")
    code = main(["train", "--recipe", recipe, "--runs", str(tmp_path), *parts, "model.device=cpu", *sizes])
    err = capsys.readouterr().err
    assert code == 2
    assert err.startswith("azr: seeding gave only 0 of 2 rows and 0 of 2 tables and 0 of 2 query tasks; rejected: ")
    assert len(err.splitlines()) == 1


def test_it_samples_and_updates_on_prompts_of_the_domain(folder: Path, toy: Path) -> None:
    with Store.read(folder / "run.db") as store:
        prompts = [stored.rollout.prompt for stored in store.rollouts(1)]
    assert all(isinstance(prompt, Prompt) and prompt.opens_thought for prompt in prompts)
    cfg = Config.model_validate({"model": {"device": "cpu", "dtype": "float32"}, "update": {"learning_rate": 0.01}})
    policy = LocalPolicy.open(toy, cfg)
    chosen: Sequence[Prompt] = list(dict.fromkeys(prompts))[:2]
    completions = policy.sample(chosen, 2, Sampling(max_tokens=8), [Key(0).at(n) for n in range(len(chosen))])
    assert all(len(completion.tokens) > 0 for row in completions for completion in row)
    samples = [
        Sample(prompt, completion, advantage)
        for prompt, row in zip(chosen, completions, strict=True)
        for completion, advantage in zip(row, (1.0, -1.0), strict=True)
    ]
    assert policy.update(samples)["grad_norm"] > 0
