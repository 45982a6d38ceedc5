"""What the run database refuses, and what it says to the user."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from absolute_zero.store import Checkpoint, Store
from absolute_zero.types import Step, UserError
from steps import bare, rollout, task


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as store:
        yield store


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        (bare(2, 3), "step 2 cannot follow step 2"),
        (bare(1, 3), "step 1 cannot follow step 2"),
        (bare(3, 4), "task 4 of step 3 comes where task 3 of step 3 is due"),
        (bare(3, 2), "task 2 of step 3"),
        (bare(3, 3, 5), "task 5 of step 3 comes where task 4"),
        (Step(3, (), (task(3, 2),), ()), "task 3 of step 2"),
        (Step(3, (), (task(3, 3),), (replace(rollout(), reward=math.nan),)), "reward of rollout 0 is NaN"),
        (Step(3, (), (task(3, 3),), (), {"mine": object()}), "step 3: the state of the estimators is not plain data"),
    ],
)
def test_a_step_that_cannot_be(store: Store, step: Step, fault: str) -> None:
    store.commit(bare(2, 1, 2), {})
    before = list(store.dump(clocks=True))
    with pytest.raises(ValueError, match=fault):
        store.commit(step, {"a": 1.0})
    assert list(store.dump(clocks=True)) == before
    store.commit(bare(3, 3), {})


def test_two_clocks_of_the_same_name(store: Store) -> None:
    with pytest.raises(ValueError, match="two rows of clocks have the same name"):
        store.commit(bare(1, 1), {}, {"checkpoint folder": 1.0}, Checkpoint("c0ffee", "checkpoints/1"))
    assert list(store.dump()) == []


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere is missing: make it"):
        Store.open(tmp_path / "nowhere" / "run.db")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_database(path: Path) -> None:
    path.write_text("once upon a time " * 100)
    with pytest.raises(UserError, match="it is not a database, or damaged"):
        Store.open(path)
    with pytest.raises(UserError, match="it is not a database, or damaged"):
        Store.read(path)
    assert path.read_text() == "once upon a time " * 100


def test_a_database_of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE steps (step)")
        database.commit()
    before = path.read_bytes()
    for way in (Store.open, Store.read):
        with pytest.raises(UserError, match="database of another program"):
            way(path)
    assert path.read_bytes() == before


def test_another_schema(path: Path) -> None:
    Store.open(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version=99")
    for way in (Store.open, Store.read):
        with pytest.raises(UserError, match="it has schema 99, and this version of azr reads 2"):
            way(path)


def test_a_damaged_database(path: Path) -> None:
    with Store.open(path) as store:
        store.commit(bare(1, *range(1, 500)), {})
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * 40_960 + whole[45_056:])
    with (
        pytest.raises(UserError, match=r"run\.db: .* it is damaged: put a copy in its place"),
        Store.open(path) as store,
    ):
        list(store.tasks())


def test_nothing_to_read(path: Path) -> None:
    with pytest.raises(UserError, match="there is no such run database"):
        Store.read(path)
    path.touch()
    with pytest.raises(UserError, match="there is no run in it yet"):
        Store.read(path)
    Store.open(path).close()
    Store.read(path).close()


def test_a_folder_in_its_place(path: Path) -> None:
    path.mkdir()
    with pytest.raises(UserError, match="it cannot be opened"):
        Store.open(path)


def test_another_writer_holds_on(path: Path) -> None:
    with Store.open(path, patience=0.01) as store, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UserError, match="step 1 was not kept: another process is writing to it"):
            store.commit(bare(1, 1), {})
        with pytest.raises(UserError, match="not opened: another process is writing to it"):
            Store.open(path, patience=0.01)
        other.rollback()
        store.commit(bare(1, 1), {})


def test_another_writer_has_written(store: Store, path: Path) -> None:
    """Two runs in one folder: the second to commit is told, and nothing of it is kept."""
    with Store.open(path) as other:
        other.commit(bare(1, 1), {})
        for write in (lambda: store.commit(bare(1, 1), {}), lambda: store.rewind(0), lambda: store.set_fact("a", "b")):
            with pytest.raises(UserError, match="another process has written to it since"):
                write()
        other.commit(bare(2, 2), {})
    with Store.open(path) as again:
        assert again.last_step() == 2


def test_no_space_is_left(store: Store) -> None:
    store.commit(bare(1, 1), {})
    [(pages,)] = store._database.execute("PRAGMA page_count")
    store._database.execute(f"PRAGMA max_page_count={pages + 2}")
    before = list(store.dump(clocks=True))
    with pytest.raises(UserError, match=r"run\.db: step 2 was not kept: no space is left: free some"):
        store.commit(bare(2, *range(2, 2000)), {})
    assert list(store.dump(clocks=True)) == before
    store._database.execute("PRAGMA max_page_count=1000000")
    store.commit(bare(2, 2), {})


def test_a_reader_cannot_write(store: Store, path: Path) -> None:
    with (
        Store.read(path) as reader,
        pytest.raises(UserError, match="step 1 was not kept: it or its folder is read-only"),
    ):
        reader.commit(bare(1, 1), {})
    store.commit(bare(1, 1), {})
