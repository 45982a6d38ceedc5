"""What the local policy saves: all it needs to go on bit for bit, and folders that say what is wrong with them."""

import json
import os
from pathlib import Path

import pytest
import torch

import tiny_models
from absolute_zero.policy.local import LocalPolicy
from absolute_zero.types import Prompt, UserError
from local_policies import config, policy, samples_of

EVERY = pytest.mark.parametrize("name", tiny_models.CONFIGS)


@EVERY
def test_two_updates_after_a_load_are_bit_for_bit_those_without(name: str, tmp_path: Path) -> None:
    settings = {"update": {"learning_rate": 0.01, "warmup_steps": 3}}
    local, other = policy(name, **settings), policy(name, **settings)
    local.update(samples_of(local))
    local.save(tmp_path)
    other.load(tmp_path)
    for seed in (1, 2):
        for each in (local, other):
            each.update(samples_of(each, seed))
    weights, others = local.model.state_dict(), other.model.state_dict()
    assert weights.keys() == others.keys()
    for key, weight in weights.items():
        assert torch.equal(weight, others[key]), key
    assert samples_of(local, 3) == samples_of(other, 3)


def test_a_folder_is_one_of_transformers_and_holds_the_run_files_only(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    local = policy()
    local.save(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "learner.safetensors"} <= names
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert torch.equal(next(model.parameters()), next(local.model.parameters()))
    assert AutoTokenizer.from_pretrained(tmp_path)("a b")["input_ids"] == local.tokens.encode([Prompt("a b")])[0]
    with pytest.raises(UserError, match="empty folder"):
        local.save(tmp_path)


def damaged(folder: Path, how: str) -> None:
    if how == "truncated weights":
        data = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(data[: len(data) // 2])
    elif how == "no optimizer":
        (folder / "learner.safetensors").unlink()
    elif how == "truncated optimizer":
        data = (folder / "learner.safetensors").read_bytes()
        (folder / "learner.safetensors").write_bytes(data[:-9])
    elif how == "no config":
        (folder / "config.json").unlink()
    elif how == "broken config":
        (folder / "config.json").write_text("{")
    elif how == "another architecture":
        settings = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**settings, "num_hidden_layers": 5}))
    elif how == "another size":
        settings = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**settings, "hidden_size": 48}))
    elif how == "no tokenizer":
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).unlink()


@pytest.mark.parametrize(
    "how",
    [
        "truncated weights", "no optimizer", "truncated optimizer", "no config", "broken config",
        "another architecture", "another size", "no tokenizer",
    ],
)  # fmt: skip
def test_a_damaged_folder_is_refused_in_one_line(how: str, tmp_path: Path) -> None:
    local = policy()
    local.update(samples_of(local))
    local.save(tmp_path)
    damaged(tmp_path, how)
    with pytest.raises(UserError) as raised:
        local.load(tmp_path)
    assert "\n" not in str(raised.value)
    assert str(tmp_path) in str(raised.value)


def test_a_model_that_needs_what_is_not_installed_says_so(tmp_path: Path) -> None:
    """As all quantised ones do."""
    local = policy()
    local.save(tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())
    quantised = {**settings, "quantization_config": {"quant_method": "gptq", "bits": 4}}
    (tmp_path / "config.json").write_text(json.dumps(quantised))
    with pytest.raises(UserError, match=r"cannot open the model .*(?i:gptq)"):
        LocalPolicy.open(tmp_path, config())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")
def test_a_folder_that_may_not_be_entered_is_a_line(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "model").mkdir(parents=True)
    closed.chmod(0)
    try:
        with pytest.raises(UserError, match="there is no such folder"):
            LocalPolicy.open(closed / "model", config())
    finally:
        closed.chmod(0o700)


def test_a_name_in_a_folder_that_is_here_is_not_looked_for_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    with pytest.raises(UserError, match="'runs/lates': there is no such folder"):
        LocalPolicy.open("runs/lates", config())


def test_open_says_what_is_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", str(tmp_path / "nowhere"), str(tmp_path)):
        with pytest.raises(UserError, match="cannot open the model"):
            LocalPolicy.open(path, config())
    with pytest.raises(UserError, match="no GPU") if not torch.cuda.is_available() else pytest.raises(UserError):
        LocalPolicy(tiny_models.model("llama"), tiny_models.tokenizer(), config(model={"device": "cuda"}))
    local = policy()
    local.save(tmp_path)
    opened = LocalPolicy.open(tmp_path, config())
    assert samples_of(opened) == samples_of(local)
