"""What is opened fits and can be trained, and what does not is one line that says what to do: no code, no questions."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from tokenizers import Tokenizer

import broken_models
import tiny_models
from absolute_zero.cli import main
from absolute_zero.components import WEIGHTS
from absolute_zero.policy import hub
from absolute_zero.policy.model_files import adapter_base
from absolute_zero.policy.opening import PROBE, decoded, encoded, eos_ids, open_model
from absolute_zero.types import UserError
from small_hub import Hub


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return broken_models.good(tmp_path_factory.mktemp("whole") / "model")


@pytest.fixture
def folder(tmp_path: Path, whole: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


def refusal(path: str | Path) -> str:
    with pytest.raises(UserError) as raised:
        open_model(path)
    line = str(raised.value)
    begins = f"cannot open the model {str(path)!r}: "
    assert line.startswith(begins)
    assert "\n" not in line
    return line.removeprefix(begins)


@pytest.mark.parametrize("kind", broken_models.BROKEN)
def test_a_folder_that_does_not_fit_is_one_line(kind: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    step, expected = broken_models.BROKEN[kind]
    step(folder)
    capfd.readouterr()
    line = refusal(folder)
    assert re.search(expected, line), line
    assert re.search(r"[:,] (or )?(give|fetch|put|take|mend|move|keep|write|pip install|run|code needs)", line), line
    assert len(line) < 450
    assert not any((folder / name).exists() for name in ("ran", "__pycache__"))
    assert capfd.readouterr() == ("", "")


NOTES = {
    "code that is not needed": (),
    "other tensors": ("left out, as Qwen2ForCausalLM has no such weights: v_head.weight",),
    "sampling settings": ("generation_config.json asks for temperature 0.6, top_k 20, top_p 0.9: not used",),
    "contradictory sampling": ("generation_config.json asks for temperature 0.6, top_p 0.9: not used",),
    "image token": ("read as plain text, as the model has no embedding for it: <image_soft_token>",),
    "no end anywhere": ("the model names no end token: an answer ends at a stop string, or at sampling.max_tokens",),
}


@pytest.mark.parametrize("kind", broken_models.FINE)
def test_a_folder_that_fits_opens_and_is_saved_and_opens_again(
    kind: str, folder: Path, whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken_models.FINE[kind](folder)
    notes: list[str] = []
    capfd.readouterr()
    model, tokenizer = open_model(str(folder), notes.append)
    assert capfd.readouterr() == ("", "")
    assert len(notes) == len(NOTES.get(kind, ()))
    assert all(note.startswith(begins) for note, begins in zip(notes, NOTES.get(kind, ()), strict=True)), notes
    expected, _ = open_model(whole)
    rounding = 1e-2 if kind == "float16" else 0  # of weights up to 5, whose halves have 10 bits
    for (name, weight), other in zip(model.named_parameters(), expected.parameters(), strict=True):
        assert weight.dtype == torch.float32, name
        assert torch.allclose(weight, other, rtol=0, atol=rounding), name
    tokens = encoded(tokenizer, PROBE + "<image_soft_token>")
    assert max(tokens) < tiny_models.VOCABULARY
    assert decoded(tokenizer, tokens) == PROBE + "<image_soft_token>"
    assert eos_ids(model, tokenizer) == ([] if kind == "no end anywhere" else [broken_models.END_ID])
    again = tmp_path / "again"
    model.save_pretrained(again)
    tokenizer.save_pretrained(again)
    _, reopened = open_model(again)
    assert encoded(reopened, PROBE + "<image_soft_token>") == tokens
    assert not (folder / "ran").exists()


def test_the_tokenizer_is_the_one_in_the_file_whatever_the_type_of_model(folder: Path) -> None:
    """Which transformers alone gets wrong: for a Qwen2 it splits and normalises in its own way, and adds a token."""
    from transformers import AutoTokenizer

    core = Tokenizer.from_file(str(folder / "tokenizer.json"))
    text = "a e\u0301 <answer>"  # a letter with an accent of its own, which NFC makes one
    _, tokenizer = open_model(folder)
    assert encoded(tokenizer, text) == core.encode(text, add_special_tokens=False).ids
    assert len(tokenizer) == core.get_vocab_size() == tiny_models.VOCABULARY
    other: Any = AutoTokenizer.from_pretrained(folder)
    assert encoded(other, text) != encoded(tokenizer, text)


def test_the_tokenizer_of_another_model_is_noted_where_it_shows(folder: Path) -> None:
    """Nine of ten entries of the vocabulary are not the tokenizer's, and the model does not expect what it reads."""
    for name in broken_models.TOKENIZER:
        (folder / name).unlink()
    core = Tokenizer.from_str(json.dumps(_shifted()))
    core.save(str(folder / "tokenizer.json"))
    for name in ("config.json", "generation_config.json"):
        broken_models.edited(name, eos_token_id=None)(folder)
    notes: list[str] = []
    open_model(folder, notes.append)
    assert [note.split(" (")[0] for note in notes[1:]] == ["code is less likely to the model than chance"]


def _shifted() -> dict[str, Any]:
    """A tokenizer of the letters alone, so that a twentieth and more of the embeddings is never used."""
    core = json.loads(tiny_models.tokenizer().backend_tokenizer.to_str())
    core["model"]["vocab"] = dict(list(core["model"]["vocab"].items())[:256])
    core["model"]["merges"] = []
    core["added_tokens"] = [token for token in core["added_tokens"] if token["content"] == tiny_models.END]
    return core


def test_the_model_in_the_package_opens_without_a_note() -> None:
    notes: list[str] = []
    _, tokenizer = open_model(WEIGHTS, notes.append)
    assert not notes
    assert decoded(tokenizer, encoded(tokenizer, PROBE)) == PROBE


# --- paths ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("model/model.safetensors", "it is a file: give the folder .* such as model$"),
        ("q4.gguf", "GGUF"),
        ("", "it is empty"),
        (" ", "it is empty"),
        ("Qwen/Qwen2.5-0.5B ", "take away the spaces around 'Qwen/Qwen2.5-0.5B'"),
        ("my model", "there is no such folder"),
        ("C:\\models\\qwen", "/mnt/c/models"),
        ("models\\qwen", "/mnt/c/models"),
        ("https://huggingface.co/Qwen/Qwen2.5-0.5B", "give the name alone, Qwen/Qwen2.5-0.5B$"),
        ("hf.co/Qwen/Qwen2.5-0.5B/tree/main", "give the name alone, Qwen/Qwen2.5-0.5B$"),
        ("~/none", "there is no such folder"),
        ("model/none", "there is no such folder"),
        ("./none", "there is no such folder"),
        ("runs/001", r"it is the folder of a run: .* such as runs/001/checkpoints/20$"),
        ("runs", r"it holds no config\.json: give a folder"),
        (".", r"it holds no config\.json: give (model|.*/model)$"),
        ("x" * 300, "the hub takes no such name"),
    ],
)
def test_a_path_that_is_no_model(path: str, expected: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    Path("q4.gguf").write_text("GGUF")
    for number in (9, 20):
        Path(f"runs/001/checkpoints/{number}").mkdir(parents=True)
    Path("runs/001/run.db").touch()
    assert re.search(expected, refusal(path))


def test_a_home_folder_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    model, _ = open_model("~/model")
    assert model.config.model_type == "qwen2"


def test_an_adapter_names_its_base(tmp_path: Path) -> None:
    assert adapter_base(tmp_path) is None
    broken_models.edited("adapter_config.json", **broken_models.LORA)(tmp_path)
    assert adapter_base(tmp_path) == "a/b"


# --- the hub --------------------------------------------------------------------------------------------------


@pytest.fixture
def small_hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with Hub({"some/model": folder}) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        address = f"{server.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.chdir(tmp_path)
        yield server


def test_a_name_on_the_hub_opens_and_again_from_the_cache_without_it(
    small_hub: Hub, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    model, _ = open_model("some/model", notes.append)
    assert notes == ["fetching the weights of some/model (1 of 1 files)"]
    assert model.config._name_or_path == "some/model"
    assert torch.equal(model.lm_head.weight, open_model(whole)[0].lm_head.weight)
    small_hub.close()
    again, _ = open_model("some/model", notes.append)
    assert torch.equal(model.lm_head.weight, again.lm_head.weight)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    open_model("some/model", notes.append)
    assert len(notes) == 1


@pytest.mark.parametrize("step", [broken_models.sharded, broken_models.pickled])
def test_a_name_on_the_hub_opens_however_its_weights_are_stored(
    step: broken_models.Break, small_hub: Hub, folder: Path
) -> None:
    step(folder)
    (folder / "onnx").mkdir()
    (folder / "onnx" / "config.json").write_text("{}")
    open_model("some/model")
    assert not any("onnx" in path for path in small_hub.fetched)


@pytest.mark.parametrize("kind", ["quantised gptq", "lowercases", "classification"])
def test_what_does_not_fit_is_noticed_before_its_weights_are_fetched(kind: str, small_hub: Hub, folder: Path) -> None:
    step, expected = broken_models.BROKEN[kind]
    step(folder)
    assert re.search(expected, refusal("some/model"))
    assert small_hub.fetched
    assert not any(path.endswith(".safetensors") for path in small_hub.fetched)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("some/modle", "the hub shows no such model: check the name, or, if it is private, log in"),
        ("gated/model", "it is gated: ask for access at https://huggingface.co/gated/model, then log in"),
        ("down/model", "the hub cannot be reached"),
        ("some--/model", "the hub takes no such name"),
    ],
)
def test_what_the_hub_refuses_is_one_line(name: str, expected: str, small_hub: Hub) -> None:
    assert expected in refusal(name)


def test_a_hub_out_of_reach_is_one_line(small_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    small_hub.close()
    assert "the hub cannot be reached: check the network" in refusal("some/model")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE forbids to fetch it" in refusal("some/model")


def test_an_error_that_nobody_foresaw_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise Exception("proxy\nsays no")

    monkeypatch.setattr(hub, "snapshot_download", fail)
    assert "could not be fetched from the hub (proxy)" in refusal("some/model")


# --- commands -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["train", "eval", "play"])
def test_every_command_says_it_and_stops_with_2(
    command: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken_models.BROKEN["quantised gptq"][0](folder)
    runs = tmp_path / "runs"
    own = [f"model.path={folder}", "--runs", str(runs)] if command == "train" else [str(folder)]
    assert main([command, *own]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("azr: cannot open the model")
    assert captured.err.count("\n") == 1
    assert not runs.exists()


def test_a_note_is_said_beside_what_a_command_prints(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken_models.FINE["sampling settings"](folder)
    tasks = folder / "none.jsonl"
    assert main(["eval", str(folder), "--data", str(tasks)]) == 2
    assert capsys.readouterr().err.startswith("azr: note: generation_config.json asks for temperature 0.6")


def test_nobody_is_asked_whether_code_may_run(folder: Path) -> None:
    """At a terminal transformers would wait for an answer, and take the one that lies there."""
    broken_models.BROKEN["remote code"][0](folder)
    outer, inner = pty.openpty()
    os.write(outer, b"y\ny\n")
    command = [
        sys.executable,
        "-c",
        "from absolute_zero.cli import main; raise SystemExit(main())",
        "eval",
        str(folder),
    ]
    source = str(Path(hub.__file__).parents[2])
    done = subprocess.run(
        command, stdin=inner, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": source},
    )  # fmt: skip
    os.close(outer)
    os.close(inner)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("azr: cannot open the model")
    assert done.stderr.count("\n") == 1
    assert not (folder / "ran").exists()
