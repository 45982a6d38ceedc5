"""Pretraining goes on where it stopped, trains on nothing that is held out, and leaves a model that others can load."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.optim.optimizer import register_optimizer_step_pre_hook

import tiny_models
from absolute_zero import cli
from absolute_zero.disk import locked
from absolute_zero.domains.python.rows import suite_files
from absolute_zero.pretraining.traces.documents import document
from absolute_zero.pretraining.training.held_out import read_held_out
from absolute_zero.pretraining.training.losses import losses
from absolute_zero.pretraining.training.pretrain import Settings, new_model, pretrain
from absolute_zero.pretraining.training.stream import Plan, batches
from absolute_zero.pretraining.training.tokenizer import END, load_tokenizer, train_tokenizer
from absolute_zero.types import UserError

TINY: dict[str, Any] = {
    "hidden": 64, "layers": 1, "feed": 64, "batch": 8, "tokens_per_batch": 400, "workers": 0, "seed": 5,
}  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer, as a run would train it first."""
    folder = tmp_path_factory.mktemp("run") / "tokenizer"
    texts = (one.prompt + one.response for one in (document(9, number)[0] for number in range(300)))
    train_tokenizer(texts).save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def trained(monkeypatch: pytest.MonkeyPatch, tokenizer: Path) -> None:
    """Runs take this one for the tokenizer that they would train, which takes a quarter of a minute."""
    monkeypatch.setattr(
        "absolute_zero.pretraining.training.pretrain.train_tokenizer", lambda texts: load_tokenizer(tokenizer)
    )  # pyright: ignore


def quiet(line: str) -> None: ...


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoint.pt", weights_only=True)["model"]


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path, tokenizer: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    pretrain(whole, Settings(tokens=24_000, checkpoint_minutes=0, **TINY), say=quiet)

    class Stopped(Exception): ...

    def stop(folder: Path) -> None:
        from absolute_zero.pretraining.training import pretrain as module

        class Run(module._Run):  # pyright: ignore[reportPrivateUsage, reportGeneralTypeIssues]
            def step(self, batch: Any) -> None:
                super().step(batch)
                if self.state.step == 13:
                    raise Stopped

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_Run", Run)
            with pytest.raises(Stopped):
                pretrain(folder, Settings(tokens=24_000, checkpoint_minutes=0, **TINY), say=quiet)

    stop(parts)
    with pytest.raises(UserError, match="--resume"):
        pretrain(parts, Settings(tokens=24_000, **TINY), say=quiet)
    finished = pretrain(parts, Settings(tokens=24_000, checkpoint_minutes=0, **TINY), resume=True, say=quiet)
    for name, weight in weights(whole).items():
        assert torch.equal(weight, weights(parts)[name]), name
    texts = [(folder / "curve.csv").read_text() for folder in (whole, parts)]
    curves = [[line.split(",") for line in text.splitlines()] for text in texts]
    assert len(curves[0]) == len(curves[1]) >= 2
    for one, other in zip(*curves, strict=True):
        assert one[:2] + one[3:] == other[:2] + other[3:]  # all but the seconds
    assert float(curves[0][-1][3]) < 6.0  # log 512 is 6.2: it has learned something

    from transformers import AutoModelForCausalLM, AutoTokenizer

    loader: Any = AutoModelForCausalLM
    model = loader.from_pretrained(finished)
    assert model.dtype == torch.bfloat16
    assert (model.config.head_dim, model.config.num_key_value_heads) == (32, 2)
    ids = AutoTokenizer.from_pretrained(finished)("solve deduction\n", return_tensors="pt")["input_ids"]
    assert model(ids).logits.shape[-1] == model.config.vocab_size


def test_a_run_can_begin_with_a_finished_model(tmp_path: Path, tokenizer: Path) -> None:
    finished = pretrain(tmp_path / "first", Settings(tokens=4_000, **TINY), say=quiet)
    second = tmp_path / "second"
    (second / "tokenizer").mkdir(parents=True)
    (second / "tokenizer" / "tokenizer.json").write_text("{}")  # left by a run that was stopped early
    other: dict[str, Any] = {**TINY, "seed": 6}
    still = Settings(tokens=2_000, start=finished, learning_rate=0.0, **other)
    again = pretrain(second, still, say=quiet)
    assert (again / "tokenizer.json").read_text() == (finished / "tokenizer.json").read_text()
    first, same = (load_file(folder / "model.safetensors") for folder in (finished, again))
    assert first.keys() == same.keys()
    for name, weight in first.items():
        assert torch.equal(weight, same[name]), name
    with pytest.raises(UserError, match=r"was begun with learning_rate 0\.0, not 0\.003"):
        pretrain(second, Settings(tokens=2_000, start=finished, **other), resume=True, say=quiet)
    strange = tmp_path / "gpt2"
    tiny_models.model("gpt2").save_pretrained(strange)
    tiny_models.tokenizer().save_pretrained(strange)
    with pytest.raises(UserError, match="cannot begin with"):
        pretrain(tmp_path / "third", Settings(tokens=2_000, start=strange, **TINY), say=quiet)
    with pytest.raises(UserError, match="no-such-model"):
        pretrain(tmp_path / "third", Settings(tokens=2_000, start=tmp_path / "no-such-model", **TINY), say=quiet)
    assert not (tmp_path / "third").exists()


def test_what_an_attempt_left_before_its_first_checkpoint_is_made_anew(tmp_path: Path) -> None:
    left = tmp_path / "tokenizer" / "tokenizer.json"
    left.parent.mkdir()
    left.write_text("{")
    finished = pretrain(tmp_path, Settings(tokens=1_000, **TINY), say=quiet)
    assert left.read_text() == (finished / "tokenizer.json").read_text()


def test_a_full_disk_at_the_end_is_a_line_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise SafetensorError("No space left on device")

    settings = Settings(tokens=1_000, **TINY)
    with monkeypatch.context() as patch:
        patch.setattr("transformers.LlamaForCausalLM.save_pretrained", full)
        with pytest.raises(UserError, match="No space left on device: make room"):
            pretrain(tmp_path, settings, say=quiet)
    (tmp_path / "model").mkdir(exist_ok=True)
    (tmp_path / "model" / "tokenizer.json").symlink_to("/dev/full")
    with pytest.raises(UserError, match=r"No space left on device.*: make room"):
        pretrain(tmp_path, settings, resume=True, say=quiet)
    (tmp_path / "model" / "tokenizer.json").unlink()
    assert load_file(pretrain(tmp_path, settings, resume=True, say=quiet) / "model.safetensors")


def test_a_folder_that_is_refused_stays_as_it_is(tmp_path: Path, tokenizer: Path) -> None:
    held = tmp_path / "held.jsonl"
    held.write_text(json.dumps({"program": "def f(x):\n    return x + 1"}))
    settings = Settings(tokens=2_000, held_out=(held,), **TINY)
    there = tmp_path / "there"
    finished = pretrain(there, settings, say=quiet)
    before = {path: path.read_bytes() for path in there.rglob("*") if path.is_file()}
    mine, other = ("bfloat16", "float32") if settings.precision() == torch.bfloat16 else ("float32", "bfloat16")
    for wrong, said in [
        (replace(settings, seed=6), r"was begun with seed 5, not 6"),
        (replace(settings, start=finished), r"was begun with start None, not "),
        (replace(settings, held_out=()), r"was begun with held_out \w+, not nothing"),
        (replace(settings, held_out=(tmp_path / "missing",)), "held-out programs"),
        (replace(settings, dtype=other), f"was begun with dtype {mine}, not {other}: give the same"),
    ]:
        with pytest.raises(UserError, match=said):
            pretrain(there, wrong, resume=True, say=quiet)
    with locked(there), pytest.raises(UserError, match="another process works in"):
        pretrain(there, settings, resume=True, say=quiet)
    assert {path: path.read_bytes() for path in there.rglob("*") if path.is_file()} == before
    checkpoint = there / "checkpoint.pt"
    whole = checkpoint.read_bytes()
    old = {name: kept for name, kept in torch.load(checkpoint, weights_only=True).items() if name != "layout"}
    for damage in (lambda: torch.save(old, checkpoint), lambda: checkpoint.write_bytes(whole[:5000])):
        damage()
        with pytest.raises(UserError, match="is damaged, or of another version: begin again in another folder"):
            pretrain(there, settings, resume=True, say=quiet)
    checkpoint.unlink()
    with pytest.raises(UserError, match="holds a finished model and no checkpoint of it"):
        pretrain(there, settings, say=quiet)
    checkpoint.write_bytes(whole)
    assert {path: path.read_bytes() for path in there.rglob("*") if path.is_file()} == before
    held.rename(tmp_path / "elsewhere.jsonl")
    moved = replace(settings, held_out=(tmp_path / "elsewhere.jsonl",))
    pretrain(there, moved, resume=True, say=quiet)  # the same programs, and the budget is spent already
    with pytest.raises(UserError, match="holds no run to resume: leave --resume out"):
        pretrain(tmp_path / "new", moved, resume=True, say=quiet)
    assert not (tmp_path / "new").exists()
    with pytest.raises(UserError, match=r"Not a directory|File exists"):
        pretrain(tmp_path / "elsewhere.jsonl", moved, say=quiet)


def test_workers_draw_the_same_documents(tokenizer: Path) -> None:
    plan = Plan(seed=3, batch=4, tokenizer=tokenizer / "tokenizer.json", prompt_weight=0.1)
    with batches(plan, 1, workers=0) as alone:
        expected = [next(alone) for _ in range(5)]
    with batches(plan, 1, workers=2) as stream:
        assert [next(stream) for _ in range(5)] == expected


def test_a_row_is_a_document_without_held_out_programs(tmp_path: Path, tokenizer: Path) -> None:
    """Prompts count for a tenth, candidates that come to nothing for nothing, and all else in full."""
    held = tmp_path / "held.jsonl"
    programs = [document(3, number)[0].payload.program for number in range(40, 44)]
    held.write_text("\n".join(json.dumps({"program": program}) for program in programs))
    words = load_tokenizer(tokenizer)
    plan = Plan(seed=3, batch=40, tokenizer=tokenizer / "tokenizer.json", prompt_weight=0.1, held_out=(held,))
    with batches(plan, 1, workers=0) as stream:
        batch = next(stream)
    drawn = [document(3, number, read_held_out([held])) for number in range(40, 80)]
    assert batch.dropped == sum(lost for _, lost in drawn) >= 4
    wanted: list[tuple[str, list[float]]] = []
    for one, _ in drawn:
        weights = [0.1] * len(words.encode(one.prompt))
        for piece in one.pieces:
            weights += [1.0 if piece.learn else 0.0] * len(words.encode(piece.text))
        wanted.append((one.prompt + one.response + END, [*weights, 1.0]))
    assert sorted(wanted) == sorted((words.decode(row.tokens), row.weights) for row in batch.rows)
    assert any(0.0 in weights for _, weights in wanted)
    assert not [text for text, _ in wanted for program in programs if program in text]


def test_a_step_by_hand(tmp_path: Path, tokenizer: Path) -> None:
    """Rates rise over warmup and fall over decay, Muon's are five times AdamW's, gradients are cut to length 1, and
    the loss is the cross-entropy of every token but the first, weighted over the whole batch."""
    given = Settings(tokens=20_000, dtype="float32", learning_rate=0.01, warmup=0.1, decay=0.5, **TINY)
    plan = Plan(given.seed, given.batch, tokenizer / "tokenizer.json", given.prompt_weight)
    found: list[tuple[str, float, float]] = []

    def note(optimiser: torch.optim.Optimizer, *_: object) -> None:
        [group] = optimiser.param_groups
        length = sum(float(weight.grad.square().sum()) for weight in group["params"])
        found.append((type(optimiser).__name__, group["lr"], length))

    hook = register_optimizer_step_pre_hook(note)
    try:
        pretrain(tmp_path / "moving", given, say=quiet)
    finally:
        hook.remove()
    outer, inner = found[::2], found[1::2]
    assert {name for name, *_ in outer} == {"AdamW"}
    assert {name for name, *_ in inner} == {"Muon"}
    with batches(plan, 0, workers=0) as stream:
        done, rows = 0, [next(stream).rows for _ in outer]
    for (_, rate, one), (_, larger, other), batch in zip(outer, inner, rows, strict=True):
        progress = done / 20_000
        assert rate == pytest.approx(0.01 * min(1, (progress + 1e-4) / 0.1, (1 - progress) / 0.5))
        assert larger == pytest.approx(5 * rate)
        assert one + other < 1.001
        done += sum(len(row.tokens) for row in batch)
    assert max(one + other for (*_, one), (*_, other) in zip(outer, inner, strict=True)) == pytest.approx(1, abs=1e-3)

    still = tmp_path / "still"
    pretrain(still, replace(given, learning_rate=0.0), say=quiet)
    words = load_tokenizer(tokenizer)
    model = new_model(len(words), given, words)
    model.load_state_dict(weights(still))
    expected: list[float] = []
    for batch in rows[:20]:
        total = worth = 0.0
        for row in batch:
            ids, counts = torch.tensor([row.tokens]), torch.tensor(row.weights[1:])
            each = torch.nn.functional.cross_entropy(model(ids).logits[0, :-1], ids[0, 1:], reduction="none")
            total, worth = total + float((each * counts).sum().detach()), worth + float(counts.sum())
        expected.append(total / worth)
    line = (still / "curve.csv").read_text().splitlines()[1].split(",")
    assert float(line[3]) == pytest.approx(sum(expected) / 20, abs=1e-4)


def test_workers_end_with_an_owner_that_was_killed(tokenizer: Path) -> None:
    program = f"""
import multiprocessing, os, signal
from pathlib import Path
from absolute_zero.pretraining.training.stream import Plan, batches
if __name__ == "__main__":
    with batches(Plan(3, 4, Path({str(tokenizer / "tokenizer.json")!r}), 0.1), workers=1) as stream:
        next(stream)
        print(multiprocessing.active_children()[0].pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""
    # The worker holds the pipe too, so that this returns when both have ended.
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as owner:
        assert owner.stdout is not None
        worker = int(owner.stdout.readline())
        try:
            owner.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.kill(worker, signal.SIGKILL)
            raise
    assert owner.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "either tokens or minutes"),
        ({"tokens": 1, "minutes": 1.0}, "either tokens or minutes"),
        ({"minutes": float("nan")}, "either tokens or minutes"),
        ({"tokens": 1, "hidden": 40}, "multiple of 64: 40 is not"),
        ({"tokens": 1, "decay": 0.0}, "decay is a share"),
        ({"tokens": 1, "device": "gpu"}, "'gpu' is not known: give cpu or cuda"),
        ({"tokens": 1, "dtype": "half"}, "'half' is not known: give auto, float32 or bfloat16"),
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Settings(**wrong)


@pytest.mark.parametrize(("hardware", "used"), [("avx512_bf16", torch.bfloat16), ("avx2", torch.float32)])
def test_products_are_in_bfloat16_where_the_processor_has_it(
    tmp_path: Path, tokenizer: Path, monkeypatch: pytest.MonkeyPatch, hardware: str, used: torch.dtype
) -> None:
    asked: set[torch.dtype] = set()

    def seen(model: Any, documents: Any, dtype: torch.dtype) -> torch.Tensor:
        asked.add(dtype)
        return losses(model, documents, dtype)

    monkeypatch.setattr("absolute_zero.pretraining.training.pretrain.losses", seen)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {hardware: True})
    said: list[str] = []
    pretrain(tmp_path / "run", Settings(tokens=1_000, **TINY), say=said.append)
    assert asked == {used}
    assert str(used).removeprefix("torch.") in said[0]


def test_the_forward_pass_is_the_models_own(tokenizer: Path) -> None:
    torch.manual_seed(1)
    words = load_tokenizer(tokenizer)
    model = new_model(len(words), Settings(tokens=1, **TINY), words)
    texts = [one.prompt + one.response for one in (document(6, number)[0] for number in range(5))]
    documents: list[list[int]] = [words.encode(text) for text in texts]
    got = losses(model, documents, torch.float32)
    got.sum().backward()
    gradients = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    model.zero_grad()
    expected: list[torch.Tensor] = []
    for tokens in documents:
        ids = torch.tensor([tokens])
        expected.append(torch.nn.functional.cross_entropy(model(ids).logits[0, :-1], ids[0, 1:], reduction="none"))
    torch.testing.assert_close(got, torch.cat(expected), rtol=1e-4, atol=1e-5)
    torch.cat(expected).sum().backward()
    for name, weight in model.named_parameters():
        torch.testing.assert_close(gradients[name], weight.grad, rtol=1e-3, atol=1e-4)


def test_the_command_gives_what_it_is_told_and_the_defaults_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Path, Settings, bool]] = []

    def note(folder: Path, settings: Settings, *, resume: bool) -> None:
        asked.append((folder, settings, resume))

    monkeypatch.setattr("absolute_zero.pretraining.training.pretrain.pretrain", note)
    assert cli.main(["pretrain", "--out", str(tmp_path), "--tokens", "5"]) == 0
    told = {
        "--minutes": "3", "--seed": "7", "--threads": "2", "--workers": "4", "--device": "cuda", "--dtype": "float32",
        "--start": "there", "--learning-rate": "0.1", "--decay": "0.9", "--held-out": "held.jsonl",
    }  # fmt: skip
    words = [word for pair in told.items() for word in pair]
    assert cli.main(["pretrain", "--out", str(tmp_path), *words, "--resume"]) == 0
    every = Settings(
        minutes=3, seed=7, threads=2, workers=4, device="cuda", dtype="float32", start=Path("there"),
        learning_rate=0.1, decay=0.9, held_out=(*suite_files(), Path("held.jsonl")),
    )  # fmt: skip
    assert asked == [(tmp_path, Settings(tokens=5, held_out=tuple(suite_files())), False), (tmp_path, every, True)]
