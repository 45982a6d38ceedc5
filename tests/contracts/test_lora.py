"""Learning with an adapter: peft's folders and numbers, exact resume, and no gradient of the base."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tiny_models
from absolute_zero.keys import Key
from absolute_zero.policy import hardware, head, lora
from absolute_zero.policy.local import LocalPolicy
from absolute_zero.types import UserError
from local_policies import apart, config, plain_loss, policy, samples_of

pytestmark = pytest.mark.lora
NAMES = ("llama-biased", "qwen2", "qwen3", "gpt2")
RANK = {"lora": {"rank": 2}}
peft: Any = None


@pytest.fixture(autouse=True)
def _needs_peft() -> None:
    global peft
    peft = pytest.importorskip("peft")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return saved("qwen2", tmp_path)


def saved(name: str, folder: Path) -> Path:
    """Return the folder of a base model."""
    (folder / "base").mkdir()
    policy(name).save(folder / "base")
    return folder / "base"


def opened(base: Path, **sections: Any) -> LocalPolicy:
    return LocalPolicy.open(base, config(**{**RANK, **sections}))


def stir(local: LocalPolicy) -> None:
    """Give every B numbers, so that the adapter matters."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in local.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.3)


def captured(monkeypatch: pytest.MonkeyPatch, local: LocalPolicy, samples: Any) -> tuple[float, dict[str, Tensor]]:
    """Return loss and gradients by name of an update that is left out."""
    grads: dict[str, Tensor] = {}

    def instead(*_: object, **__: object) -> None:
        named = local.model.named_parameters()
        grads.update({name: p.grad.clone() for name, p in named if p.grad is not None})

    monkeypatch.setattr(local.learner.optimizer, "step", instead)
    return local.update(samples)["loss"], grads


@pytest.mark.parametrize("name", NAMES)
def test_at_first_it_computes_what_the_base_does(name: str, tmp_path: Path) -> None:
    folder = saved(name, tmp_path)
    plain, local = LocalPolicy.open(folder, config()), opened(folder)
    samples = samples_of(plain)
    for ours, theirs in zip(samples_of(local), samples, strict=True):
        assert ours.completion.tokens == theirs.completion.tokens
        # To rounding: merged weights lie elsewhere in memory, and short products go by that.
        assert ours.completion.logprobs == pytest.approx(theirs.completion.logprobs, abs=1e-5)
    assert local.update(samples)["loss"] == pytest.approx(plain.update(samples)["loss"], rel=1e-6, abs=1e-8)


def test_a_fresh_adapter_is_of_the_seed_and_nothing_else(base: Path) -> None:
    def drawn(seed: int) -> Tensor:
        torch.manual_seed(seed + 5)  # whatever state torch is in
        state = torch.get_rng_state()
        local = opened(base, seed=seed)
        assert torch.equal(torch.get_rng_state(), state)
        return torch.cat([p.detach().flatten() for name, p in local.model.named_parameters() if "lora_A" in name])

    first = drawn(1)
    assert torch.equal(first, drawn(1))
    assert not torch.equal(first, drawn(2))
    assert 0.9 / 24**0.5 < float(first.abs().max()) <= 1 / 24**0.5  # 24 inputs; the inner layer has 40


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_loss_and_gradient_are_those_of_pefts_own_forward(
    name: str, large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in the way of large models: as a forest, the head in chunks, nothing kept that can be computed again."""
    if large:
        monkeypatch.setattr(hardware, "LARGE", 1)
        monkeypatch.setattr(head, "CELLS", 1 << 12)
    folder = saved(name, tmp_path)
    update = {"entropy": 0.1, "grad_clip": 1e9, "checkpoint_activations": large}
    local = opened(folder, update=update)
    stir(local)
    samples = samples_of(local)
    loss, grads = captured(monkeypatch, local, samples)
    assert grads
    assert all("lora_" in name for name in grads)

    expected = plain_loss(local, samples)
    named = [(name, p) for name, p in local.model.named_parameters() if p.requires_grad]
    theirs = torch.autograd.grad(expected, [p for _, p in named])
    assert loss == pytest.approx(expected.item(), rel=1e-5, abs=1e-6)
    ours = torch.cat([grads[name].flatten() for name, _ in named])
    assert apart(ours, torch.cat([grad.flatten() for grad in theirs])) < 5e-6


def test_the_gradient_is_the_full_one_by_the_chain_rule(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """dA = s B^T dW and dB = s dW A^T, with dW the gradient of a model that has the merged weights."""
    settings = {"update": {"grad_clip": 1e9}}
    local = opened(base, **settings)
    stir(local)
    samples = samples_of(local)
    whole = LocalPolicy.open(base, config(**settings))
    with torch.no_grad():
        for name, part in local.model.named_modules():
            if low := lora.adapter_of(part):
                whole.model.get_submodule(name).weight += low.product()
    _, grads = captured(monkeypatch, local, samples)
    _, full = captured(monkeypatch, whole, samples)
    layers = {name: low for name, part in local.model.named_modules() if (low := lora.adapter_of(part))}
    assert len(layers) == 14
    for name, low in layers.items():
        dweight = full[f"{name}.weight"]
        assert apart(grads[f"{name}.lora_A.default.weight"], low.scale * low.b_OR.T @ dweight) < 1e-4, name
        assert apart(grads[f"{name}.lora_B.default.weight"], low.scale * dweight @ low.a_RE.T) < 1e-4, name


def test_only_the_adapter_trains_and_only_it_is_clipped(base: Path) -> None:
    local = opened(base, update={"learning_rate": 0.01, "grad_clip": 1e-3})
    before = {name: p.detach().clone() for name, p in local.model.named_parameters()}
    assert local.update(samples_of(local))["grad_norm"] > 1e-3
    after = dict(local.model.named_parameters())
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed
    assert all("lora_" in name for name in changed)
    assert set(local.learner.optimizer.state) == {p for name, p in after.items() if "lora_" in name}


@pytest.mark.parametrize("name", NAMES)
def test_two_updates_after_a_load_are_bit_for_bit_those_without(name: str, tmp_path: Path) -> None:
    folder, checkpoint = saved(name, tmp_path), tmp_path / "checkpoint"
    settings = {"update": {"learning_rate": 0.01, "warmup_steps": 3}}
    local = opened(folder, **settings)
    local.update(samples_of(local))
    checkpoint.mkdir()
    local.save(checkpoint)
    other = opened(folder, seed=9, **settings)  # whose fresh adapter is another
    other.load(checkpoint)
    for seed in (1, 2):
        for each in (local, other):
            each.update(samples_of(each, seed))
    ours, theirs = local.model.state_dict(), other.model.state_dict()
    assert ours.keys() == theirs.keys()
    for key, weight in ours.items():
        assert torch.equal(weight, theirs[key]), key
    assert samples_of(local, 3) == samples_of(other, 3)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")
def test_the_folder_is_pefts_own(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM

    monkeypatch.chdir(base.parent)
    local = opened(Path("base"))  # a relative path, which nobody finds from elsewhere
    stir(local)
    folder = tmp_path / "adapter"
    folder.mkdir()
    local.save(folder)
    names = {path.name for path in folder.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "learner.safetensors"} <= names
    assert not {"README.md", "model.safetensors", "config.json"} & names
    assert (
        sum(path.stat().st_size for path in folder.glob("*.safetensors")) < (base / "model.safetensors").stat().st_size
    )
    monkeypatch.chdir("/")
    theirs = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder)
    assert theirs.peft_config["default"].base_model_name_or_path == str(base)
    ids = torch.tensor([[1, 2, 3, 4]])
    assert torch.equal(theirs(ids).logits, local.model(ids).logits)
    again = LocalPolicy.open(folder, config(**RANK))
    assert samples_of(again) == samples_of(local)


def test_merged_is_unmerged(base: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    local = opened(base)
    stir(local)
    (tmp_path / "adapter").mkdir()
    local.save(tmp_path / "adapter")
    ids = torch.tensor([[1, 2, 3, 4]])
    expected = local.model(ids).logits
    lora.export(lora_model(tmp_path / "adapter"), local.tokens.tokenizer, tmp_path / "plain")
    assert not (tmp_path / "plain" / "adapter_config.json").exists()
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "plain")
    torch.testing.assert_close(plain(ids).logits, expected, rtol=1e-5, atol=1e-5)
    # Without a rank the folder opens merged, and all weights train.
    merged = LocalPolicy.open(tmp_path / "adapter", config())
    torch.testing.assert_close(merged.model(ids).logits, expected, rtol=1e-5, atol=1e-5)
    assert all(parameter.requires_grad for parameter in merged.model.parameters())
    # Sampling merges too.
    samples = samples_of(local)
    assert local.update(samples)["mismatch/max"] == pytest.approx(1.0, abs=1e-4)
    assert merged.update(samples)["mismatch/max"] == pytest.approx(1.0, abs=1e-4)


def lora_model(folder: Path) -> Any:
    from absolute_zero.policy.opening import open_model

    return open_model(folder)[0]


@pytest.mark.parametrize("name", ["qwen2", "gpt2"])
def test_the_reference_is_the_base_and_no_second_copy(name: str, tmp_path: Path) -> None:
    folder = saved(name, tmp_path)
    local = opened(folder, update={"kl": 0.5})
    assert local.learner.reference is None
    samples = samples_of(local)
    assert local.update(samples)["kl"] == pytest.approx(0.0, abs=1e-9)
    stir(local)
    plain = LocalPolicy.open(folder, config(update={"kl": 0.5}))
    with torch.no_grad():
        for label, part in local.model.named_modules():
            if low := lora.adapter_of(part):
                target = plain.model.get_submodule(label).weight
                target += low.product().T if target.shape != low.product().shape or name == "gpt2" else low.product()
    divergence = plain.update(samples)["kl"]
    assert divergence > 1e-3
    assert local.update(samples)["kl"] == pytest.approx(divergence, rel=1e-4)
    assert all(p.requires_grad == ("lora_" in label) for label, p in local.model.named_parameters())


def test_what_does_not_fit_is_a_line(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"lora.targets = .*q_proj"):
        opened(base, lora={"rank": 2, "targets": ["nowhere"]})
    local = opened(base)
    (tmp_path / "adapter").mkdir()
    local.save(tmp_path / "adapter")
    with pytest.raises(UserError, match=r"lora.rank = 2"):
        opened(base, lora={"rank": 3}).load(tmp_path / "adapter")
    with pytest.raises(UserError, match=r"lora.rank = 0"):
        local.load(base)
    (tmp_path / "nowhere").mkdir()
    with pytest.raises(UserError, match="opened from nowhere"):
        policy("qwen2", **RANK).save(tmp_path / "nowhere")
    (tmp_path / "adapter" / "adapter_model.safetensors").write_bytes(b"broken")
    with pytest.raises(UserError, match="peft cannot read this adapter"):
        LocalPolicy.open(tmp_path / "adapter", config(**RANK))
    base.rename(tmp_path / "moved")
    with pytest.raises(UserError, match="it is an adapter of"):
        LocalPolicy.open(tmp_path / "adapter", config(**RANK))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": 3}, "has rank 2 and scale 2, and not rank 3"),
        ({"rank": 2, "alpha": 1.0}, r"and not rank 2 and scale 0\.5"),
    ],
)
def test_an_adapter_that_the_settings_do_not_describe_is_refused(
    settings: dict[str, Any], message: str, base: Path, tmp_path: Path
) -> None:
    (tmp_path / "adapter").mkdir()
    opened(base).save(tmp_path / "adapter")
    with pytest.raises(UserError, match=message):
        opened(tmp_path / "adapter", lora=settings)
    with pytest.raises(UserError, match=r"update\.kl compares with the model without its adapter"):
        opened(tmp_path / "adapter", update={"kl": 0.5})


def test_a_base_that_has_changed_is_refused(base: Path, tmp_path: Path) -> None:
    local, folder = opened(base), tmp_path / "adapter"
    folder.mkdir()
    local.save(folder)
    local.load(folder)
    model = opened(base, lora={"rank": 0}).model
    with torch.no_grad():
        model.model.norm.weight *= 3
    model.save_pretrained(base)
    with pytest.raises(UserError, match="the base of its adapter is another now"):
        local.load(folder)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["q_proj", "vproj"], r"the model has no linear layer 'vproj': give some of .*q_proj"),
        (["embed_tokens"], "no linear layer 'embed_tokens'"),
    ],
)
def test_targets_that_are_no_linear_layers_are_refused(targets: list[str], message: str, base: Path) -> None:
    with pytest.raises(UserError, match=message):
        opened(base, lora={"rank": 2, "targets": targets})


def test_an_adapter_with_a_tokenizer_that_does_not_fit_is_refused(base: Path, tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    local = opened(base)
    local.save(tmp_path / "adapter")
    larger = local.tokens.tokenizer
    larger.add_tokens([f"more{number}" for number in range(500)])
    larger.save_pretrained(tmp_path / "adapter")
    with pytest.raises(UserError, match="embeddings"):
        opened(tmp_path / "adapter")


def test_targets_and_alpha_are_those_asked_for(base: Path) -> None:
    local = opened(base, lora={"rank": 2, "alpha": 6.0, "targets": ["v_proj", "down_proj", "lm_head"]})
    layers = {
        name.rpartition(".")[2]: low for name, part in local.model.named_modules() if (low := lora.adapter_of(part))
    }
    assert {name: low.scale for name, low in layers.items()} == {"v_proj": 3.0, "down_proj": 3.0, "lm_head": 3.0}
    assert all(low.a_RE.shape[0] == 2 for low in layers.values())
    stir(local)
    samples = samples_of(local)
    assert local.update(samples)["mismatch/max"] == pytest.approx(1.0, abs=1e-4)


def test_of_a_base_that_is_tied_the_head_stays_frozen(tmp_path: Path) -> None:
    local = opened(saved("llama-one-kv", tmp_path))
    stir(local)
    samples = samples_of(local)
    assert local.update(samples)["mismatch/max"] == pytest.approx(1.0, abs=1e-4)
    assert isinstance(local.model.lm_head, nn.Linear)
    assert not local.model.lm_head.weight.requires_grad


def test_the_seed_of_an_adapter_is_an_address(base: Path) -> None:
    model: Any = tiny_models.model("qwen2")
    whole = lora.attach(model, config(**RANK).lora, Key(3))
    drawn = dict(lora.unwrapped(whole).named_parameters())["model.layers.1.mlp.up_proj.lora_A.default.weight"]
    noise = torch.Generator().manual_seed(Key(3).at("lora", "model.layers.1.mlp.up_proj").bits >> 1)
    assert torch.equal(drawn, torch.empty(2, 24).uniform_(-(24**-0.5), 24**-0.5, generator=noise))
