"""What the policy computes on: workers and threads by the size of the model, and memory by the machine."""

from pathlib import Path

import pytest
import torch
from torch import nn

from absolute_zero import machine
from absolute_zero.policy import hardware

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("setting", "jobs", "large", "expected"),
    [
        (0, 1, False, (1, 1)),
        (0, 2, False, (2, 1)),
        (0, 9, False, (4, 1)),  # MAX_WORKERS
        (6, 2, False, (2, 3)),
        (1, 9, False, (1, 1)),
        (0, 1, True, (1, 6)),
        (0, 9, True, (1, 6)),
        (2, 9, True, (1, 2)),
        (1, 1, True, (1, 1)),
    ],
)
def test_a_large_model_has_one_worker_with_all_threads(
    setting: int, jobs: int, large: bool, expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    monkeypatch.setattr(hardware, "processors", lambda: 6)
    assert (hardware.workers(setting, jobs, CPU, large), *threads) == expected


def test_large_is_a_number_of_parameters() -> None:
    assert not hardware.large(nn.Linear(1, hardware.LARGE - 1, bias=False, device="meta"))
    assert hardware.large(nn.Linear(1, hardware.LARGE, bias=False, device="meta"))


def test_caches_may_take_what_the_weights_take(monkeypatch: pytest.MonkeyPatch) -> None:
    gib = 1 << 30
    monkeypatch.setattr(hardware, "memory", lambda: 24 * gib)
    assert hardware.cache_bytes(CPU) == hardware.cache_bytes(CPU, 10_000_000) == gib
    assert hardware.cache_bytes(CPU, 2 * gib) == 2 * gib
    assert hardware.cache_bytes(CPU, 28 * gib) == 3 * gib
    monkeypatch.setattr(hardware, "memory", lambda: 4 * gib)
    assert hardware.cache_bytes(CPU, 2 * gib) == gib


def test_memory_is_what_a_container_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "CGROUP_LIMITS", (str(limit), str(tmp_path / "absent")))
    whole = machine.memory()
    assert whole > 1 << 28
    limit.write_text("max\n")
    assert machine.memory() == whole
    limit.write_text("123456789\n")
    assert machine.memory() == 123456789
