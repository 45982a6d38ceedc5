"""Model folders that do not fit, in every way a folder from somewhere else does not: from a tiny one that does.

Each entry of BROKEN takes a good folder and breaks it; beside it, what the one line about it has to say.
"""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import BertConfig, BertLMHeadModel, PreTrainedTokenizerFast

import tiny_models

Break = Callable[[Path], None]
WEIGHTS = "model.safetensors"


def edited(name: str, **changes: Any) -> Break:
    """Return what changes keys of a JSON file; None takes a key out."""

    def edit(folder: Path) -> None:
        path = folder / name
        values = {**(json.loads(path.read_text()) if path.exists() else {}), **changes}
        path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))

    return edit


def cut(name: str, share: float = 0.5) -> Break:
    """Return what truncates a file."""

    def truncate(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])

    return truncate


def written(name: str, text: str) -> Break:
    """Return what writes a file."""

    def write(folder: Path) -> None:
        (folder / name).write_text(text)

    return write


def without(*names: str) -> Break:
    """Return what deletes files."""

    def delete(folder: Path) -> None:
        for name in names:
            (folder / name).unlink(missing_ok=True)

    return delete


def both(*steps: Break) -> Break:
    """Return what does one after the other."""

    def run(folder: Path) -> None:
        for step in steps:
            step(folder)

    return run


def tensors(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor] | None]) -> Break:
    """Return what changes the weights."""

    def rewrite(folder: Path) -> None:
        weights = load_file(folder / WEIGHTS)
        weights = change(weights) or weights
        (folder / WEIGHTS).unlink()
        save_file({key: weight.contiguous() for key, weight in weights.items()}, folder / WEIGHTS, {"format": "pt"})

    return rewrite


def sharded(folder: Path) -> None:
    """Split the weights into two files with an index."""
    weights = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    names, index = sorted(weights), {}
    for number, part in enumerate((names[::2], names[1::2]), 1):
        file = f"model-{number:05}-of-00002.safetensors"
        save_file({name: weights[name].contiguous() for name in part}, folder / file, {"format": "pt"})
        index |= dict.fromkeys(part, file)
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))


def pickled(folder: Path) -> None:
    """Store the weights as torch pickles them."""
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def poisoned(folder: Path) -> None:
    """Store weights whose unpickling would write a file."""

    class Poison:
        def __reduce__(self) -> Any:
            return (Path.write_text, (folder / "ran", "code"))

    torch.save({"model.norm.weight": Poison()}, folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def tokenized(change: Callable[[Tokenizer], None], **options: Any) -> Break:
    """Return what changes the tokenizer's core, which keeps its vocabulary."""

    def rewrite(folder: Path) -> None:
        core = Tokenizer.from_file(str(folder / "tokenizer.json"))
        change(core)
        without("tokenizer.json", "tokenizer_config.json")(folder)
        PreTrainedTokenizerFast(tokenizer_object=core, **{"eos_token": tiny_models.END, **options}).save_pretrained(
            folder
        )

    return rewrite


def lower(core: Tokenizer) -> None:
    """Read everything in small letters."""
    core.normalizer = normalizers.Lowercase()


def squeeze(core: Tokenizer) -> None:
    """Read any white space as one space."""
    core.normalizer = normalizers.Replace(Regex(r"\s+"), " ")


def compose(core: Tokenizer) -> None:
    """Read what looks alike as the same."""
    core.normalizer = normalizers.NFKC()


def more(*texts: str, special: bool = True) -> Callable[[Tokenizer], None]:
    """Return what adds entries behind all others."""

    def add(core: Tokenizer) -> None:
        core.add_tokens([AddedToken(text, special=special) for text in texts])

    return add


def words(folder: Path) -> None:
    """Give it a tokenizer of a few words, as an old encoder has, and unknown for the rest."""
    vocabulary = {word: number for number, word in enumerate(["[UNK]", "[CLS]", "[SEP]", "the", "a", "def", "return"])}
    core = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer()
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece()
    without("tokenizer.json", "tokenizer_config.json")(folder)
    PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]", eos_token="[SEP]").save_pretrained(folder)


def larger(folder: Path) -> None:
    """Give it a tokenizer of another model, with more entries than this one has embeddings."""
    core = Tokenizer.from_file(str(folder / "tokenizer.json"))
    vocabulary = core.get_vocab(with_added_tokens=False)
    letters = [chr(first) + chr(second) for first in range(97, 123) for second in range(65, 91)]
    pairs = [(text[0], text[1]) for text in letters]
    grown = models.BPE(vocab={**vocabulary, **{t: len(vocabulary) + n for n, t in enumerate(letters)}}, merges=pairs)
    other = Tokenizer(grown)
    other.pre_tokenizer, other.decoder = core.pre_tokenizer, core.decoder
    other.add_special_tokens([AddedToken(tiny_models.END, special=True)])
    without("tokenizer.json", "tokenizer_config.json")(folder)
    PreTrainedTokenizerFast(tokenizer_object=other, eos_token=tiny_models.END).save_pretrained(folder)


def deeper(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Add a third layer."""
    return weights | {k.replace("layers.1", "layers.2"): w.clone() for k, w in weights.items() if "layers.1" in k}


def spoil(name: str, value: float) -> Callable[[dict[str, torch.Tensor]], None]:
    """Return what writes one wrong number."""

    def put(weights: dict[str, torch.Tensor]) -> None:
        weights[name].view(-1)[5] = value

    return put


def moved(folder: Path) -> None:
    """Put everything one folder deeper, as a trainer's checkpoints lie."""
    (folder / "checkpoint-500").mkdir()
    for path in [path for path in folder.iterdir() if path.is_file()]:
        shutil.move(path, folder / "checkpoint-500" / path.name)


def emptied(folder: Path) -> None:
    """Leave nothing."""
    shutil.rmtree(folder)
    folder.mkdir()


def wordless(folder: Path) -> None:
    """Put a tokenizer there that has no vocabulary."""
    PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE())).save_pretrained(folder)


def encoder(folder: Path) -> None:
    """Put an encoder there that calls itself a causal language model."""
    emptied(folder)
    sizes: dict[str, Any] = {
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 40,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BertConfig(vocab_size=tiny_models.VOCABULARY, **sizes, pad_token_id=None)
        BertLMHeadModel(config).save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)


LORA = {"peft_type": "LORA", "base_model_name_or_path": "a/b"}
NORM = "model.norm.weight"
TOKENIZER = ("tokenizer.json", "tokenizer_config.json")
CODE = "raise SystemExit(__import__('pathlib').Path(__file__).with_name('ran').write_text('code'))\n"
REMOTE = {"AutoConfig": "configuration_new.NewConfig", "AutoModelForCausalLM": "modeling_new.NewForCausalLM"}
END_ID = tiny_models.tokenizer().eos_token_id


def remote(**changes: Any) -> Break:
    """Return what adds code of the model's own, which writes a file `ran` if it is ever run."""
    return both(
        edited("config.json", auto_map=REMOTE, **changes),
        written("configuration_new.py", CODE), written("modeling_new.py", CODE), written("tokenization_new.py", CODE),
    )  # fmt: skip


QUANTISED: dict[str, Break] = {
    method: edited("config.json", quantization_config={"quant_method": method, **more_})
    for method, more_ in {
        "gptq": {"bits": 4}, "awq": {"bits": 4}, "fp8": {"weight_block_size": [128, 128]}, "mxfp4": {},
        "bitsandbytes": {"load_in_4bit": True}, "compressed-tensors": {"format": "pack-quantized"}, "hqq": {},
        "torchao": {}, "never-heard-of": {},
    }.items()
}  # fmt: skip

BROKEN: dict[str, tuple[Break, str]] = {
    "empty folder": (emptied, r"no config\.json"),
    "no config": (without("config.json"), r"no config\.json"),
    "truncated config": (cut("config.json"), r"config\.json"),
    "config is a list": (written("config.json", "[]"), r"config\.json"),
    "no model_type": (edited("config.json", model_type=None), "model_type"),
    "unknown model_type": (edited("config.json", model_type="qwen99"), "qwen99"),
    "nonsense in config": (edited("config.json", num_attention_heads="many"), r"json is broken .*num_attention"),
    "no such activation": (edited("config.json", hidden_act="nope"), r"cannot load it .*nope.*config\.json"),
    "padding beyond": (edited("config.json", pad_token_id=5000), r"cannot load it .*(?i:padding_idx)"),
    "other heads": (edited("config.json", num_key_value_heads=4), "shape"),
    "checkpoint one deeper": (moved, "checkpoint-500"),
    # --- no causal language model
    "classification": (edited("config.json", architectures=["Qwen2ForSequenceClassification"]), "Classification"),
    "embedding model": (edited("config.json", architectures=["Qwen2Model"]), "Qwen2Model"),
    "encoder-decoder": (edited("config.json", model_type="t5", architectures=["T5ForConditionalGeneration"]), "T5"),
    "encoder": (edited("config.json", model_type="bert", architectures=["BertForMaskedLM"]), "BertForMaskedLM"),
    "encoder that looks ahead": (encoder, "sees what comes after"),
    "pictures too": (edited("config.json", vision_config={"depth": 2}), "vision_config"),
    "vision": (edited("config.json", model_type="vit", architectures=["ViTForImageClassification"]), "ViT"),
    "vision language": (
        edited("config.json", model_type="qwen2_vl", architectures=["Qwen2VLForConditionalGeneration"]), "Qwen2VL"),
    # --- code
    "remote code": (remote(model_type="new_model"), "code"),
    "remote tokenizer": (
        both(remote(), edited("tokenizer_config.json", tokenizer_class="NewTokenizer",
             auto_map={"AutoTokenizer": ["tokenization_new.NewTokenizer", None]}), without("tokenizer.json")),
        "no tokenizer"),
    "remote tokenizer with its vocabulary": (
        both(remote(), edited("tokenizer_config.json", tokenizer_class="NewTokenizer",
             auto_map={"AutoTokenizer": ["tokenization_new.NewTokenizer", None]}), without("tokenizer.json"),
             written("new.model", "x")), "code of its own"),
    "poisoned pickle": (poisoned, "pytorch_model.bin"),
    # --- quantised
    **{f"quantised {method}": (step, method) for method, step in QUANTISED.items()},
    "quantised mlx": (edited("config.json", quantization={"group_size": 64, "bits": 4}), "quanti"),
    "quantised in a file": (written("quantize_config.json", '{"bits": 4}'), "quanti"),
    "int8 weights": (tensors(lambda w: {k: v.to(torch.int8) if v.dim() > 1 else v for k, v in w.items()}), "int8|I8"),
    "gguf only": (both(without(WEIGHTS, "config.json", *TOKENIZER), written("model-Q4_K_M.gguf", "GGUF")), "GGUF"),
    "gguf beside config": (both(without(WEIGHTS), written("model-Q4_K_M.gguf", "GGUF")), "GGUF"),
    # --- weights
    "no weights": (without(WEIGHTS), "weights"),
    "truncated weights": (cut(WEIGHTS), r"model\.safetensors"),
    "weights end early": (cut(WEIGHTS, 0.999), r"model\.safetensors"),
    "empty weights": (written(WEIGHTS, ""), r"model\.safetensors"),
    "pointer of git lfs": (written(WEIGHTS, "version https://git-lfs.github.com/spec/v1\n"), "lfs"),
    "missing shard": (both(sharded, without("model-00002-of-00002.safetensors")), "model-00002-of-00002"),
    "missing index": (both(sharded, without("model.safetensors.index.json")), "index"),
    "broken index": (both(sharded, cut("model.safetensors.index.json")), "index"),
    "truncated shard": (both(sharded, cut("model-00002-of-00002.safetensors")), "model-00002-of-00002"),
    "other hidden size": (edited("config.json", hidden_size=48), "shape"),
    "other vocabulary": (edited("config.json", vocab_size=300), "shape"),
    "more layers": (edited("config.json", num_hidden_layers=3, layer_types=None), r"layers\.2"),
    "fewer layers": (edited("config.json", num_hidden_layers=1, layer_types=None), r"layers\.1"),
    "no layers": (edited("config.json", num_hidden_layers=0, layer_types=None), "fewer layers"),
    "more layers in file": (tensors(deeper), r"layers\.2"),
    "missing tensor": (tensors(lambda w: {k: v for k, v in w.items() if k != NORM}), "norm"),
    "other names": (tensors(lambda w: {f"base.{k}": v for k, v in w.items()}), "missing"),
    "not a number": (tensors(spoil("model.layers.1.mlp.up_proj.weight", float("nan"))), "up_proj"),
    "infinite": (tensors(spoil("model.embed_tokens.weight", float("inf"))), "embed_tokens"),
    # --- adapters
    "adapter beside": (edited("adapter_config.json", **LORA), "adapter"),
    "adapter alone": (both(emptied, edited("adapter_config.json", **LORA)), "adapter of 'a/b'"),
    "adapter without base": (both(emptied, written("adapter_config.json", '{"peft_type": "LORA"}')), "base_model"),
    "broken adapter": (both(emptied, written("adapter_config.json", "{")), "adapter_config"),
    # --- tokenizers
    "no tokenizer": (without(*TOKENIZER), "tokenizer"),
    "tokenizer_config only": (without("tokenizer.json"), "tokenizer"),
    "truncated tokenizer": (cut("tokenizer.json"), r"tokenizer"),
    "truncated tokenizer_config": (cut("tokenizer_config.json"), r"tokenizer"),
    "tokenizer is a list": (written("tokenizer.json", "[]"), "tokenizer"),
    "empty vocabulary": (
        both(without(*TOKENIZER), wordless), "tokenizer"),
    "larger tokenizer": (larger, "tokenizer"),
    "token without embedding": (tokenized(more("<tool>")), "<tool>"),
    "plain token without embedding": (tokenized(more("class ", special=False)), "class "),
    "end token without embedding": (tokenized(more("<stop>"), eos_token="<stop>"), "<stop>"),
    "lowercases": (tokenized(lower), "loses text .*'Task 42.*comes back as 'task 42"),
    "squeezes spaces": (tokenized(squeeze), "loses text"),
    "composes": (tokenized(compose), "loses text"),
    "words only": (words, "loses text"),
    "end in config beyond": (edited("config.json", eos_token_id=5000), "5000"),
    "end in generation config beyond": (edited("generation_config.json", eos_token_id=[5000]), "5000"),
    "end negative": (edited("config.json", eos_token_id=-1), "-1"),
    "end is text": (edited("config.json", eos_token_id="</s>"), r"config\.json is broken .*eos_token_id"),
    "end in a list of lists": (edited("generation_config.json", eos_token_id=[[1]]), "eos_token_id"),
    "nonsense in generation config": (
        edited("generation_config.json", max_new_tokens=-1), r"generation_config\.json is broken .*max_new_tokens"),
    "broken generation config": (cut("generation_config.json"), r"generation_config\.json"),
}  # fmt: skip

FINE: dict[str, Break] = {
    "as it is": lambda folder: None,
    "sharded": sharded,
    "pickled": pickled,
    "float16": tensors(lambda w: {k: v.half() for k, v in w.items()}),
    "float64": tensors(lambda w: {k: v.double() for k, v in w.items()}),
    "code that is not needed": remote(),
    "other tensors": tensors(lambda w: w | {"v_head.weight": torch.zeros(3)}),
    "no architectures": edited("config.json", architectures=None),
    "no end anywhere": both(
        tokenized(lambda core: None, eos_token=None),
        edited("config.json", eos_token_id=None),
        edited("generation_config.json", eos_token_id=None),
    ),
    "no generation config": without("generation_config.json"),
    "sampling settings": edited("generation_config.json", do_sample=True, temperature=0.6, top_k=20, top_p=0.9),
    "contradictory sampling": edited("generation_config.json", do_sample=False, temperature=0.6, top_p=0.9),
    "sampling settings in config": edited("config.json", temperature=0.6, do_sample=True, repetition_penalty=1.1),
    "image token": tokenized(more("<image_soft_token>")),
}


def good(folder: Path) -> Path:
    """Write a small Qwen2 with its tokenizer."""
    model = copy.deepcopy(tiny_models.model("qwen2"))  # whose config is shared by every test
    model.config.eos_token_id = model.generation_config.eos_token_id = END_ID
    model.save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)
    return folder
