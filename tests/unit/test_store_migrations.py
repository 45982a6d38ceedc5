"""A run of an older schema: it opens, it is read without a change, and its rows are those that today's code writes."""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from absolute_zero.store import Checkpoint, Rejection, Store, StoredRollout, migrations
from absolute_zero.store.migrations import MIGRATIONS, metric_name
from absolute_zero.store.rows import KEYS, SCHEMA, compress, decompress, encode_json
from absolute_zero.types import (
    Completion,
    Grade,
    Prompt,
    ProposalRollout,
    Role,
    Rollout,
    Status,
    Step,
    Task,
    UserError,
    Validation,
)
from steps import bare, difference, rows_of

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "schema1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a copy of the run of schema 1."""
    return copy(FIXTURE / "run.db", tmp_path / "old.db")


def copy(source: Path, target: Path) -> Path:
    target.write_bytes(source.read_bytes())
    return target


def schema_and_tables(path: Path) -> tuple[int, set[str]]:
    with closing(sqlite3.connect(path)) as database:
        [(version,)] = database.execute("PRAGMA user_version")
        return version, {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def edit(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def test_every_older_schema_has_a_step() -> None:
    assert sorted(MIGRATIONS) == list(range(1, SCHEMA))


# --- the run in tests/fixtures/schema1 ----------------------------------------------------------------------


def test_what_its_rows_say_now(path: Path) -> None:
    """Spot values, read off the rows of schema 1 by hand."""
    with Store.read(path) as store:
        assert (store.last_step(), store.state(), store.journal) == (4, {}, "memory")
        tasks = list(store.tasks())
        assert Counter(task.kind for task in tasks) == {"deduction": 12, "abduction": 12, "induction": 3}
        assert tasks[18] == Task(
            kind="induction",
            payload='{"program":"def f(x):\\n    return x * 173 + 232","pairs":[["0","232"],["1","405"],["2","578"],'
            '["3","751"]],"message":"A straight line."}',
            title="def f(x):",
            id=19,
            step=2,
            references=(8,),
            exact="aa37b1e530852ebe",
            family="00828ab692e1cab7",
            behaviour="0c50d6ca42635870",
            trials=2,
            successes=1,
        )
        assert len(store.outcomes()) == 33
        assert store.outcomes()[:2] == [(1, 2, 8, 0), (1, 4, 8, 4)]
        assert [(step, it.count) for step, it in store.rejections()] == [
            (-7, 1), (-6, 1), (1, 2), (2, 1), (3, 2), (4, 2),
        ]  # fmt: skip
        assert store.rejections()[0][1] == Rejection("induction", Status.MALFORMED, "truncated", 1, ("",))
        seeding = [it.rollout for it in store.rollouts(-7)]
        assert [(it.grade.status, it.grade.reason, it.task) for it in seeding] == [
            *((Status.MASKED, "no_rollouts", id_) for id_ in (1, 2, 3, 4)),
            (Status.MALFORMED, "truncated", 0),
            (Status.MASKED, "no_rollouts", 5),
        ]
        assert seeding[4].completion.truncated
        assert seeding[0].prompt == Prompt(
            "propose deduction\n```python\ndef f(x):\n    return x\n```\n```input\n1\n```\n<think>", opens_thought=True
        )
        [_, proposal, *_] = store.rollouts(4)
        assert (proposal.rollout.role, proposal.rollout.task, proposal.n_tokens) == (Role.PROPOSE, 25, 89)
        assert (proposal.rollout.reward, proposal.rollout.advantage) == (0.5, 0.9999960000160001)
        everything = [it for step in (-7, -6, 1, 2, 3, 4) for it in store.rollouts(step)]
        assert len(everything) == 198
        assert all(it.rollout.prompt.opens_thought and it.has_texts for it in everything)
        results = json.loads(store.get_fact("evals held_out 0") or "")
        assert results[3] == {"kind": "abduction", "correct": 8, "n": 8, "greedy": True, "group": "724c86aebb766fb5"}
        assert store.get_fact("marks held_out 0") is None
        assert {name for _, name, _ in store.clocks()} == {
            "time/step", "time/sample", "time/execute", "time/update", "tokens/sampled", "tokens/trained",
        }  # fmt: skip
        assert [it[1].folder for it in store.checkpoints()[:2]] == ["checkpoints/4", "checkpoints/3"]


OLD_AND_NEW = {
    "proposals/induction": "proposals/total/induction",
    "read/induction": "proposals/parsed/induction",
    "valid/induction": "proposals/valid/induction",
    "accepted/induction": "proposals/accepted/induction",
    "refused/induction/cut": "proposals/rejected/induction/truncated",
    "refused/induction/few_outputs": "proposals/rejected/induction/few_outputs",
    "refused/induction/a/b\n": "proposals/rejected/induction/a/b\n",
    "solve_rate/new/abduction": "difficulty/success_rate/abduction",
    "solve_rate/base/abduction": "difficulty/success_rate_base/abduction",
    "solve_rate/output/abduction/int": "difficulty/success_rate/abduction/int",
    "learnable/deduction": "difficulty/learnable/deduction",
    "solved/deduction/1of2": "difficulty/histogram/deduction/1of2",
    "responses/solve/deduction": "rollouts/total/solve/deduction",
    "void/solve/deduction": "rollouts/masked/solve/deduction",
    "malformed/propose/deduction": "rollouts/malformed/propose/deduction",
    "right/solve/deduction": "rollouts/correct/solve/deduction",
    "tokens/solve/deduction": "response_tokens/mean/solve/deduction",
    "reward/propose/deduction": "reward/mean/propose/deduction",
    "update/skill solve deduction": "skill/solve/deduction",
    "update/loss": "loss",
    "update/learning_rate": "lr",
    "update/grad_norm": "grad_norm",
    "update/entropy": "entropy",
    "update/kl": "kl",
    "update/clipped": "clip_fraction",
    "update/ratio": "ratio/mean",
    "update/ratio_max": "ratio/max",
    "update/mismatch": "mismatch/mean",
    "update/mismatch_max": "mismatch/max",
}
UNCHANGED = ["update/samples", "update/tokens", "update/whatever", "tokens/sampled", "my own", "reward", "reward/sql"]


@pytest.mark.parametrize(("old", "new"), [*OLD_AND_NEW.items(), *((name, name) for name in UNCHANGED)])
def test_names_of_metrics(old: str, new: str) -> None:
    """Each is renamed once: a new name is no old one."""
    assert metric_name(old) == new
    assert metric_name(new) == new


def test_every_metric_is_renamed_and_keeps_its_value(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        old = database.execute("SELECT step, name, value FROM metrics").fetchall()
    with Store.read(path) as store:
        new = store.metrics()
    assert len(new) == 310
    assert sorted(new) == sorted((step, metric_name(name), value) for step, name, value in old)
    assert not {name for _, name, _ in new} & {name for _, name, _ in old}
    families = {name.rsplit("/", name.count("/") - 1)[0] for _, name, _ in new}
    assert families == {
        *(f"proposals/{stage}" for stage in ("total", "parsed", "valid", "accepted", "rejected")),
        *(f"difficulty/{what}" for what in ("success_rate", "success_rate_base", "learnable", "histogram")),
        *(f"rollouts/{what}" for what in ("total", "masked", "malformed", "correct")),
        "response_tokens/mean", "reward/mean", "skill/solve",
    }  # fmt: skip


def test_no_old_word_is_left(path: Path) -> None:
    Store.open(path).close()
    assert schema_and_tables(path) == (SCHEMA, set(KEYS))
    old = {
        "void",
        "unpaid",
        "cut",
        "entry",
        "standing",
        "place",
        "normal",
        "shown",
        "marks",
        "tries",
        "right",
        "refused",
    }
    with closing(sqlite3.connect(path)) as database:
        for table in KEYS:
            cursor = database.execute(f"SELECT * FROM {table}")
            assert not old & {column[0] for column in cursor.description}
            for row in cursor:
                values = [value for value in row if isinstance(value, str)]
                assert not old & set(values)
                assert not any(f'"{word}"' in value for value in values for word in old)
                assert not any(value.split("/")[0] in old | {"seconds", "solved", "update"} for value in values)


def test_its_tables_are_those_of_a_new_run(path: Path, tmp_path: Path) -> None:
    Store.open(path).close()
    Store.open(tmp_path / "new.db").close()
    for table in KEYS:
        columns: list[Any] = []
        for file in (path, tmp_path / "new.db"):
            with closing(sqlite3.connect(file)) as database:
                columns.append(database.execute(f"PRAGMA table_info({table})").fetchall())
        assert columns[0] == columns[1]


def test_it_is_what_the_code_of_today_writes(path: Path, tmp_path: Path) -> None:
    """All that can be read of it, committed again: equal to the last row."""
    new = tmp_path / "new.db"
    with Store.read(path) as old, Store.open(new) as store:
        for key in ("commit", "python", "sandbox", "evals held_out 0", "evals ood 0"):
            store.set_fact(key, old.get_fact(key) or "")
        metrics, clocks, checkpoints = old.metrics(), old.clocks(), dict(old.checkpoints())
        for number in sorted({step for step, _, _ in metrics}):
            rejected = [it for step, it in old.rejections() if step == number]
            step = Step(
                number,
                tuple(again for it in rejected for again in rejections(it)),
                tuple(task for task in old.tasks() if task.step == number),
                tuple(with_tokens(it) for it in old.rollouts(number)),
            )
            store.commit(
                step,
                {name: value for at, name, value in metrics if at == number},
                {name: value for at, name, value in clocks if at == number},
                checkpoints.get(number),
            )
        assert list(store.dump(clocks=True)) == list(old.dump(clocks=True))
    assert difference(path, new) == ""


def with_tokens(stored: StoredRollout) -> Rollout:
    """Return it with as many tokens as it had."""
    completion = replace(stored.rollout.completion, tokens=(0,) * stored.n_tokens)
    return replace(stored.rollout, completion=completion)


def rejections(rejection: Rejection) -> list[Validation]:
    """Return the proposals that were counted."""
    grades = [
        Grade(rejection.status, 0.0, rejection.reason, rejection.examples[min(k, len(rejection.examples) - 1)])
        for k in range(rejection.count)
    ]
    blank = (Prompt(), Completion("", (), ()))
    return [Validation(ProposalRollout(rejection.kind, 0, (), *blank, grade), grade, valid=False) for grade in grades]


def test_it_goes_on(path: Path) -> None:
    """It is migrated once, says so, and takes the next step; a rewind forgets what was measured after it."""
    with Store.open(path) as store:
        assert store.note.endswith("it has schema 2 now, and had 1: older versions of azr cannot read it")
        assert store.journal == "wal"
        before = list(store.dump(clocks=True))
        store.set_fact("evals held_out 6", "[]")
        store.commit(bare(5, 28), {}, {}, Checkpoint("c0ffee", "checkpoints/5"))
        store.rewind(4)
    with Store.open(path) as again:
        assert again.note == ""
        assert list(again.dump(clocks=True)) == before


def test_a_reader_changes_nothing(path: Path) -> None:
    before = path.read_bytes()
    rows = rows_of(path)
    with Store.read(path) as reader, pytest.raises(UserError, match="step 5 was not kept: it or its folder is"):
        reader.commit(bare(5, 28), {})
    assert path.read_bytes() == before
    Store.open(path).close()
    assert rows_of(path) == rows


def test_a_reader_beside_a_writer_of_the_older_version(path: Path) -> None:
    """What lies in the journal is read too."""
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("INSERT INTO run VALUES ('marks ood 6', '[]')")
        writer.commit()
        assert Path(f"{path}-wal").stat().st_size
        with Store.read(path) as reader:
            assert reader.get_fact("evals ood 6") == "[]"


def test_differences(path: Path, tmp_path: Path) -> None:
    other = copy(path, tmp_path / "other.db")
    edit(other, "UPDATE run SET value = 'abc' WHERE key = 'commit'", "UPDATE clocks SET value = 0.0")
    assert difference(path, other) == ""
    edit(other, "DELETE FROM flags", "UPDATE metrics SET value = 7.0 WHERE step = 4 AND name = 'read/deduction'")
    where = "metrics [4, 'proposals/parsed/deduction', {}]"
    assert difference(path, other) == f"old.db: {where.format(2.0)}\nother.db: {where.format(7.0)}"


# --- what the fixture does not hold -------------------------------------------------------------------------


def test_words_and_texts_that_are_rare(path: Path) -> None:
    """Copies, unpaid proposals, lone surrogates, NaN, long first lines, prompts that open no thought."""
    odd = "\ud83d\ude00\0"
    line = f"def f({'x' * 100}):"
    with closing(sqlite3.connect(path)) as database:
        values = (28, 5, "induction", odd.encode("utf-8", "surrogatepass"), "key", "behaviour", 0, 0, "[]")
        texts = (f"{line}\n\treturn é".encode(), encode_json([[odd, "1"]]), "a")
        database.execute(f"INSERT INTO entries VALUES ({','.join('?' * 12)})", (*values, *texts))
        database.execute("UPDATE steps SET entries = 28 WHERE step = 4")
        database.execute("""UPDATE refusals SET standing = 'unpaid', reason = 'copy', examples = '["of entry 3"]'
                            WHERE step = 4""")
        database.execute("UPDATE rollouts SET standing = 'unpaid', reason = 'copy', detail = 'of entry 3', score = NULL"
                         " WHERE step = 4 AND place = 0")  # fmt: skip
        text = decompress(database.execute("SELECT text FROM prompts WHERE step = 4").fetchone()[0])
        shorter = text.removesuffix("<think>")
        database.execute("UPDATE prompts SET text = ? WHERE step = 4 AND place = 0", [compress(shorter)])
        database.execute("UPDATE prompts SET text = ? WHERE step = 4 AND place = 1", [compress(text + "\n")])
        database.execute("INSERT INTO metrics VALUES (4, ?, NULL)", [odd.encode("utf-8", "surrogatepass")])
        database.commit()
    with Store.read(path) as store:
        [task] = store.tasks(after=27)
        assert task == Task(
            "induction",
            f'{{"program":"{line}\\n\\treturn é","pairs":[["\ud83d\ude00\\u0000","1"]],"message":"a"}}',
            line[:80],
            id=28,
            step=5,
            exact="key",
            family=odd,
            behaviour="behaviour",
        )
        assert store.rejections()[-1][1] == Rejection("induction", Status.NEUTRAL, "copy", 2, ("of task 3",))
        first, second = (it.rollout for it in store.rollouts(4)[:2])
        assert (first.grade.status, first.grade.reason, first.grade.detail) == (Status.NEUTRAL, "copy", "of task 3")
        assert first.prompt == Prompt(shorter)
        assert second.prompt.opens_thought
        assert odd in {name for _, name, _ in store.metrics()}


def test_a_migration_that_breaks_off_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle, and at its very end."""
    with closing(sqlite3.connect(path)) as database:
        before = list(database.iterdump())
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "_RENAMED_WORDS", "UPDATE rollouts SET status = 'x'; SELECT * FROM nowhere")
        for way in (Store.open, Store.read):
            with pytest.raises(sqlite3.OperationalError, match="no such table: nowhere"):
                way(path)

    def broken(database: sqlite3.Connection) -> None:
        MIGRATIONS[1](database)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", {1: broken})
        with pytest.raises(KeyboardInterrupt):
            Store.open(path)
    with closing(sqlite3.connect(path)) as database:
        assert list(database.iterdump()) == before
    assert schema_and_tables(path)[0] == 1
    Store.open(path).close()
    assert schema_and_tables(path) == (SCHEMA, set(KEYS))


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entries SET pairs = 'no JSON' WHERE id = 4",
        "UPDATE prompts SET text = x'00' WHERE step = 2",
        "UPDATE run SET value = '[7]' WHERE key LIKE 'marks%'",
    ],
)
def test_rows_that_cannot_be_migrated(path: Path, damage: str) -> None:
    edit(path, damage)
    for way in (Store.open, Store.read):
        with pytest.raises(UserError, match=r"old\.db: it has schema 1, and rows that cannot be migrated"):
            way(path)
    assert schema_and_tables(path)[0] == 1
