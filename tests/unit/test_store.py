"""The run database: what its rows are, what is read from them, and which journal it keeps where."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from absolute_zero.store import Checkpoint, Flag, Keep, Rejection, Store
from absolute_zero.store.database import PAGE
from absolute_zero.store.files import file_system
from absolute_zero.store.rows import KEYS
from absolute_zero.types import Completion, Grade, Message, Prompt, Role, Status, Step
from steps import bare, rejected, rollout, task


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as store:
        yield store


# --- what is kept -------------------------------------------------------------------------------------------


def test_rows_of_a_step(store: Store) -> None:
    """Every table, by hand."""
    rollouts = (
        rollout(Role.PROPOSE, item=4),
        rollout(item=0, attempt=0, task=1),
        rollout(item=0, attempt=1, task=1, status=Status.FAILED),
        rollout(item=0, attempt=2, task=1, status=Status.MASKED),
        rollout(item=0, attempt=3, task=1, status=Status.MALFORMED),
    )
    validations = tuple(
        rejected(reason, detail)
        for reason, detail in [("import", "os"), ("constant", ""), ("import", "re"), ("import", "abc")]
    )
    store.set_fact("seed", "7")
    store.commit(
        Step(1, validations, (task(1, 1),), rollouts, {"trr++": [0.1, {"\ud800": None}]}, {"not": 1.0}),
        {"reward": 0.1, "nothing": math.nan, "much": -math.inf, "small": -0.0},
        {"wall": 2.5},
        Checkpoint("c0ffee", "checkpoints/1"),
        flags=[Flag("stuck", "first"), Flag("stuck", "again")],
    )
    earned = "0.875, 0.125, -1.5"
    answer = "'2</answer>', 'a line'"
    assert list(store.dump(clocks=True)) == [
        "run ['seed', '7']",
        'steps [1, 1, b\'{"trr++":[0.1,{"\\xed\\xa0\\x80":null}]}\']',
        "tasks [1, 1, 'deduction', 'exact 1', 'family 1', 'behaviour 1', 8, 3, '[0,7]', 'def f(x):', "
        '\'{"program":"def f(x):\\\\n    return x","pairs":[["1","1"],["2","2"]],"message":"the same"}\']',
        "outcomes [1, 1, 3, 1]",
        "prompts [1, 0, 'text', 0, 'prompt 4']",
        "prompts [1, 1, 'text', 0, 'prompt 0']",
        f"rollouts [1, 0, 'propose', 'deduction', 4, 0, 0, 3, 0, 'passed', 1.0, '', {earned}, 0, {answer}]",
        f"rollouts [1, 1, 'solve', 'deduction', 0, 0, 1, 3, 0, 'passed', 1.0, '', {earned}, 1, {answer}]",
        f"rollouts [1, 2, 'solve', 'deduction', 0, 1, 1, 3, 0, 'failed', 1.0, 'wrong', {earned}, 1, {answer}]",
        f"rollouts [1, 3, 'solve', 'deduction', 0, 2, 1, 3, 0, 'masked', 1.0, 'wrong', None, 0.125, -1.5, 1, {answer}]",
        f"rollouts [1, 4, 'solve', 'deduction', 0, 3, 1, 3, 0, 'malformed', 1.0, 'wrong', {earned}, 1, {answer}]",
        "rejections [1, 'abduction', 'failed', 'constant', 1, '[\"\"]']",
        "rejections [1, 'abduction', 'failed', 'import', 3, '[\"os\",\"re\"]']",
        "metrics [1, 'much', -inf]",
        "metrics [1, 'nothing', None]",
        "metrics [1, 'reward', 0.1]",
        "metrics [1, 'small', -0.0]",
        "flags [1, 0, 'stuck', 'first']",
        "flags [1, 1, 'stuck', 'again']",
        "checkpoints [1, 'c0ffee']",
        "clocks [1, 'checkpoint folder', 'checkpoints/1']",
        "clocks [1, 'wall', 2.5]",
    ]
    assert [line for line in store.dump() if line.startswith("clocks")] == []


def test_what_was_kept_is_read(store: Store) -> None:
    solved = replace(rollout(task=1), completion=Completion("it was c", (1, 2), (-0.5, -0.5), truncated=True))
    store.commit(Step(-1, (rejected("import", "os", status=Status.MASKED),), (), ()), {})
    store.commit(
        Step(3, (), (task(1, 3), task(2, 3, "induction")), (solved,), {"a": {"b": [1, 0.1, None]}}),
        {"b": math.nan, "a": 0.1},
        {"wall": 2.0},
        Checkpoint("c0ffee", "checkpoints/3"),
        flags=[Flag("stuck")],
    )
    assert store.state() == {"a": {"b": [1, 0.1, None]}}
    store.commit(bare(4, 3), {"a": 0.2}, {}, Checkpoint("decaf", "checkpoints/4"))
    assert store.last_step() == 4
    assert store.state() == {}
    assert list(store.tasks()) == [task(1, 3), task(2, 3, "induction"), task(3, 4)]
    assert list(store.tasks(after=2)) == [task(3, 4)]
    [kept] = store.rollouts(3)
    assert kept.rollout == replace(solved, completion=Completion("it was c", (), (), truncated=True))
    assert (kept.n_tokens, kept.has_texts) == (2, True)
    [without] = store.rollouts(3, texts=False)
    untold = replace(solved.grade, detail="")
    assert without.rollout == replace(
        solved, prompt=Prompt(), completion=Completion("", (), (), truncated=True), grade=untold
    )
    assert (without.n_tokens, without.has_texts) == (2, True)
    assert store.rollouts(4) == []
    assert store.outcomes() == [(3, 1, 1, 1)]
    assert store.outcomes(after=3) == []
    assert store.rejections() == [(-1, Rejection("abduction", Status.MASKED, "import", 1, ("os",)))]
    assert store.rejections(after=-1) == []
    assert [(number, name) for number, name, _ in store.metrics()] == [(3, "a"), (3, "b"), (4, "a")]
    assert math.isnan(store.metrics()[1][2])
    assert store.metrics(after=3) == [(4, "a", 0.2)]
    assert store.clocks() == [(3, "wall", 2.0)]
    assert store.flags() == [(3, Flag("stuck"))]
    assert store.checkpoints() == [
        (4, Checkpoint("decaf", "checkpoints/4")),
        (3, Checkpoint("c0ffee", "checkpoints/3")),
    ]


def test_what_sqlite_and_json_would_bend(store: Store) -> None:
    """Halves of a character side by side, NULs, the sign of zero, the smallest float, numbers that are whole."""
    text = "\ud83d\ude00\0\udfff"
    assert len(text) == 4
    strange = replace(task(1, 1), payload=text, title=text, exact=text, family=text, behaviour=text)
    odd = replace(rollout(), prompt=Prompt(text), grade=Grade(Status.FAILED, -0.0, text, text))
    odd = replace(odd, reward=-0.0, weight=5e-324, advantage=math.inf)
    store.commit(
        Step(1, (rejected(text, text),), (strange,), (odd,)), {text: 1, "-": -0.0, "big": 1e300, "whole": 2**60}
    )
    assert list(store.tasks()) == [strange]
    [kept] = store.rollouts(1)
    assert repr(kept.rollout) == repr(replace(odd, completion=Completion("2</answer>", (), ())))
    assert [(it.reason, it.examples) for _, it in store.rejections()] == [(text, (text,))]
    values = {name: value for _, name, value in store.metrics()}
    assert repr(sorted(values.items())) == repr([("-", -0.0), ("big", 1e300), ("whole", 2.0**60), (text, 1.0)])


def test_prompts_of_both_formats(store: Store) -> None:
    """A text and messages, thoughts open and not: each prompt of a step once, and read back equal."""
    turns = (Message("system", "Be brief."), Message("user", '[["\ud83d\ude00\0"]]'))
    prompts = [
        *(Prompt("1 + 1?", opens_thought=opened) for opened in (True, False)),
        *(Prompt(messages=turns, opens_thought=opened) for opened in (True, False)),
        Prompt(),
        Prompt(opens_thought=True),
        Prompt("1 + 1?", opens_thought=True),
    ]
    rollouts = tuple(replace(rollout(item=k), prompt=prompt) for k, prompt in enumerate(prompts))
    store.commit(Step(1, (), (), rollouts), {})
    assert [it.rollout.prompt for it in store.rollouts(1)] == prompts
    rows = [line for line in store.dump() if line.startswith("prompts")]
    assert len(rows) == len(set(prompts)) == len(prompts) - 1
    assert rows[0] == "prompts [1, 0, 'text', 1, '1 + 1?']"
    assert rows[3].startswith('prompts [1, 3, \'chat\', 0, \'[["system","Be brief."],["user",')
    assert [it.rollout.prompt for it in store.rollouts(1, texts=False)] == [Prompt()] * len(prompts)


def test_an_empty_run(store: Store) -> None:
    assert store.last_step() is None
    assert store.get_fact("seed") is None
    assert list(store.tasks()) == list(store.dump(clocks=True)) == store.checkpoints() == []
    assert store.state() == {}


def test_facts_of_the_run(store: Store) -> None:
    store.set_fact("config", "{}")
    store.set_fact("config", '{"seed": "\ud800\0"}')
    assert store.get_fact("config") == '{"seed": "\ud800\0"}'


def keeping(path: Path, rollouts: Keep, step: Step) -> list[str]:
    """Return the dump of a run of one step; every response is read, too."""
    with Store.open(path, rollouts) as store:
        store.commit(step, {})
        assert len(store.rollouts(step.number)) == len(step.rollouts)
        return list(store.dump())


def test_without_texts_the_numbers_stay(tmp_path: Path) -> None:
    step = Step(1, (), (task(1, 1),), (rollout(task=1), rollout(attempt=1, task=1, status=Status.FAILED)))
    kept = keeping(tmp_path / "all.db", "all", step)
    left = keeping(tmp_path / "none.db", "none", step)
    assert [line for line in kept if line not in left] == [
        "prompts [1, 0, 'text', 0, 'prompt 0']",
        *(line for line in kept if line.startswith("rollouts")),
    ]
    assert "outcomes [1, 1, 2, 1]" in left
    with Store.read(tmp_path / "none.db") as store:
        kept = store.rollouts(1)[1]
    blank = Completion("", (), ())
    grade = Grade(Status.FAILED, 1.0, "wrong")
    assert kept.rollout == replace(step.rollouts[1], prompt=Prompt(), completion=blank, grade=grade)
    assert (kept.n_tokens, kept.has_texts) == (3, False)


def test_a_sample_keeps_whole_groups(tmp_path: Path) -> None:
    """4 rollouts of 800 prompts: the binomial's deviation is 6.8 around 50, so 20 to 80 is far out."""
    step = Step(1, (), (), tuple(rollout(item=item, attempt=k) for item in range(800) for k in range(4)))
    with Store.open(tmp_path / "1.db", "sample") as store:
        store.commit(step, {})
        store.commit(replace(step, number=2), {})
        first, second = (
            {(it.rollout.item, it.rollout.attempt) for it in store.rollouts(number) if it.has_texts}
            for number in (1, 2)
        )
        assert all(it.rollout.completion.text == "2</answer>" for it in store.rollouts(1) if it.has_texts)
    items = {item for item, _ in first}
    assert len(first) == 4 * len(items)
    assert 20 < len(items) < 80
    assert items != {item for item, _ in second}
    again = keeping(tmp_path / "2.db", "sample", step)
    assert sum(line.startswith("prompts") for line in again) == len(items)


def test_tasks_are_read_page_by_page(store: Store) -> None:
    """A reader that stopped half-way holds nothing: the writer goes on, and what it adds is read as well."""
    store.commit(bare(1, *range(1, 2 * PAGE + 1)), {})
    pages: list[str] = []
    store._database.set_trace_callback(lambda query: pages.append(query) if "FROM tasks" in query else None)
    reading = store.tasks()
    assert next(reading).id == 1
    assert len(pages) == 1
    store.commit(bare(2, 2 * PAGE + 1), {})
    assert [it.id for it in reading] == list(range(2, 2 * PAGE + 2))
    assert len(pages) == 4


def test_rewind(store: Store) -> None:
    for number, ids in [(-1, (1, 2)), (0, ()), (1, (3,)), (4, (4,))]:
        store.commit(
            Step(number, (rejected("import", "os"),), bare(number, *ids).tasks, (rollout(task=1),), {"a": number}),
            {"a": 1.0},
            {"wall": 1.0},
            Checkpoint("c0ffee", "folder"),
            flags=[Flag("stuck")],
        )
    for key in ("seed", "evals 2", "evals 0", "evals -9"):
        store.set_fact(key, "7")
    before = list(store.dump(clocks=True))
    store.rewind(4)
    assert list(store.dump(clocks=True)) == before
    store.rewind(0)
    assert store.last_step() == 0
    assert store.state() == {"a": 0}
    assert [it.id for it in store.tasks()] == [1, 2]
    tables = [line.split(" ")[0] for line in store.dump(clocks=True)]
    per_step = "steps outcomes prompts rollouts rejections metrics flags checkpoints".split()
    assert store.get_fact("evals 2") is None  # a fact about a step goes with it
    assert {name: tables.count(name) for name in KEYS} == {
        "run": 3, "tasks": 2, **dict.fromkeys(per_step, 2), "clocks": 4,
    }  # fmt: skip
    store.commit(bare(1, 3), {})
    store.rewind(-5)
    assert list(store.dump(clocks=True)) == ["run ['evals -9', '7']", "run ['seed', '7']"]
    store.commit(bare(1, 1), {})


def test_rows_are_added_at_the_right_edge(store: Store) -> None:
    """No index but primary keys, and those begin with what only grows: a million rows make no insert slower."""
    for table, key in KEYS.items():
        columns = store._database.execute(f"PRAGMA table_info({table})").fetchall()
        assert ", ".join(column[1] for column in sorted(columns, key=lambda it: it[5]) if column[5]) == key
        assert table == "run" or key.split(", ")[0] in ("step", "id")
        assert {index[3] for index in store._database.execute(f"PRAGMA index_list({table})")} <= {"pk"}
    [(tables,)] = store._database.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'")
    assert tables == len(KEYS)


# --- where it lies -----------------------------------------------------------------------------------------

MOUNTS = """\
21 1 0:20 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:21 / /proc rw - proc proc rw
31 30 0:31 / /home/me/fast rw - xfs /dev/nvme0n1 rw
30 21 0:30 / /home rw shared:5 master:3 - nfs4 server:/home rw,vers=4.2
32 21 0:32 / /mnt/two\\040words rw - cifs //server/share rw
33 21 0:33 / /data rw - ext4 /dev/sdb rw
34 33 0:34 / /data rw - fuse.sshfs me@server: rw
cut short
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/runs/1", "ext4"),
        ("/home", "nfs4"),
        ("/home/you/run", "nfs4"),
        ("/homes/run", "ext4"),
        ("/home/me/fast/run", "xfs"),
        ("/mnt/two words/run", "cifs"),
        ("/data/run", "fuse.sshfs"),
    ],
)
def test_file_system(folder: str, kind: str) -> None:
    assert file_system(Path(folder), MOUNTS) == kind
    assert file_system(Path(folder), "") == ""


@pytest.mark.parametrize("kind", "nfs4 cifs smb3 lustre gpfs fuse.sshfs fuse 9p ceph beegfs whatever-comes".split())
def test_a_shared_file_system_gets_a_rollback_journal(tmp_path: Path, path: Path, kind: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"21 1 0:20 / / rw - {kind} server:/home rw\n")
    Store.open(path).close()  # made on a local disk, and copied
    with Store.open(path, mounts=mounts) as store:
        assert store.journal == "delete"
        assert kind in store.note
        assert "\n" not in store.note
        assert store._database.execute("PRAGMA synchronous").fetchall() == [(3,)]  # EXTRA
        store.commit(bare(1, 1), {})
        assert not Path(f"{path}-wal").exists()
        with Store.read(path) as reader:
            assert (reader.last_step(), reader.journal) == (1, "delete")


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", None])
def test_a_local_disk_gets_a_write_ahead_log(tmp_path: Path, path: Path, kind: str | None) -> None:
    mounts = tmp_path / "mountinfo"
    if kind:
        mounts.write_text(f"21 1 0:20 / / rw - {kind} /dev/sda1 rw\n")
    with Store.open(path, mounts=mounts) as store:
        assert (store.journal, store.note) == ("wal", "")
        assert store._database.execute("PRAGMA synchronous").fetchall() == [(2,)]  # FULL
        store.commit(bare(1, 1), {})
        assert Path(f"{path}-wal").stat().st_size > 0
