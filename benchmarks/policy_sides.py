"""The two sides of the policy's benchmark, each a process that makes a step whenever it reads a line.

    python benchmarks/policy_sides.py ours|trl --model FOLDER --threads N [sizes]

Prints a line of JSON when it is ready, and one for each step: seconds and processor seconds of generating and of the
rest, and what was done. `trl` runs in a Python that has it (TRL 1.x); it does what `GRPOTrainer` does at the settings
that were found best for it on a CPU: bfloat16 autocast and eager attention. Neither side knows the other.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any


def prompts(count: int, tokens: int, seed: int, apart: bool = False) -> list[str]:
    """Return texts of letters, each of which is a token: to the benchmark's tokenizer joined, to others apart."""
    dice = random.Random(seed)
    letters = (dice.choices("abcdefghijklmnopqrstuvwxyz", k=tokens) for _ in range(count))
    return [(" " if apart else "").join(each) for each in letters]


def texts(chosen: argparse.Namespace, step: int) -> list[str]:
    """Return the prompts of a step."""
    return prompts(chosen.prompts, chosen.prompt_tokens, step, bool(chosen.apart))


def reward(tokens: Any) -> float:
    """Return something that differs between completions and costs nothing."""
    return float(sum(tokens) % 7)


class Clock:
    """Wall and processor seconds since the last look."""

    def __init__(self) -> None:
        self.look()

    def look(self) -> tuple[float, float]:
        """Return them, and start again."""
        now = time.perf_counter(), time.process_time()
        spent = tuple(new - old for new, old in zip(now, getattr(self, "last", now), strict=True))
        self.last = now
        return spent[0], spent[1]


def say(**what: Any) -> None:
    """Print a line of JSON."""
    print(json.dumps(what), flush=True)


def ours(chosen: argparse.Namespace) -> None:
    """Make steps of the policy of this package."""
    from absolute_zero.config import Config
    from absolute_zero.keys import Key
    from absolute_zero.policy.local import LocalPolicy
    from absolute_zero.policy.tokens import Tokens
    from absolute_zero.types import Prompt, Sample, Sampling

    settings = {
        "model": {"device": "cpu", "dtype": chosen.dtype, "threads": chosen.threads},
        "lora": {"rank": chosen.lora},
        "update": {
            "learning_rate": 1e-4,
            # Too small to matter: without it, samples of advantage 0 would not be computed, and TRL's are.
            "entropy": 1e-9,
            # 32 completions of 64 tokens and their four prompts.
            "tokens_per_batch": chosen.micro // chosen.rollouts * (chosen.prompt_tokens + 8)
            + chosen.micro * chosen.new_tokens,
        },
    }
    policy = LocalPolicy.open(Path(chosen.model), Config.model_validate(settings))
    policy.tokens = Tokens(policy.tokens.tokenizer, [])  # exactly this many tokens: there is no end of text
    sampling = Sampling(max_tokens=chosen.new_tokens, stop=())
    say(ready=True)
    for step, _ in enumerate(sys.stdin):
        asked = [Prompt(text) for text in texts(chosen, step)]
        clock = Clock()
        rows = policy.sample(asked, chosen.rollouts, sampling, [Key(step).at(item) for item in range(len(asked))])
        generating = clock.look()
        samples: list[Sample] = []
        for prompt, row in zip(asked, rows, strict=True):
            rewards = [reward(completion.tokens) for completion in row]
            mean = sum(rewards) / len(rewards)
            samples += [Sample(prompt, completion, r - mean) for completion, r in zip(row, rewards, strict=True)]
        metrics = policy.update(samples)
        rest = clock.look()
        say(generating=generating, rest=rest, tokens=sum(len(c.tokens) for row in rows for c in row), seen=metrics)


def trl_settings(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of GRPOConfig."""
    return {
        "output_dir": tempfile.mkdtemp(),
        "per_device_train_batch_size": chosen.micro,
        "gradient_accumulation_steps": chosen.prompts * chosen.rollouts // chosen.micro,
        "num_generations": chosen.rollouts,
        "max_completion_length": chosen.new_tokens,
        "generation_kwargs": {"min_new_tokens": chosen.new_tokens},
        "num_iterations": 1,
        "max_steps": 1000,
        "learning_rate": 1e-4,
        "beta": 0.0,
        "temperature": 1.0,
        "use_cpu": True,
        "bf16": chosen.dtype == "bfloat16",
        "scale_rewards": "batch",
        "loss_type": "grpo",
        "report_to": "none",
        "save_strategy": "no",
        "logging_steps": 10**6,
        "disable_tqdm": True,
        "gradient_checkpointing": False,
        "dataloader_pin_memory": False,
    }


def adapter(rank: int) -> Any:
    """Return the settings of an adapter like ours."""
    peft: Any = import_module("peft")
    return peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")


def trl(chosen: argparse.Namespace) -> None:
    """Make steps of TRL's trainer."""
    import torch

    torch.set_num_threads(chosen.threads)
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback

    # Only in the peer's Python: imported by name, so that the type check is the same with and without them.
    datasets: Any = import_module("datasets")
    peer: Any = import_module("trl")

    tokenizer = AutoTokenizer.from_pretrained(chosen.model)
    model = AutoModelForCausalLM.from_pretrained(
        chosen.model, dtype=torch.float32, attn_implementation=chosen.attention
    )
    rows = [{"prompt": text} for step in range(1000) for text in texts(chosen, step)]
    generated = {"tokens": 0}
    spent: list[tuple[float, float]] = []

    def rewards(completion_ids: Any, **_: Any) -> list[float]:
        generated["tokens"] = sum(map(len, completion_ids))
        return [reward(tokens) for tokens in completion_ids]

    settings = peer.GRPOConfig(**trl_settings(chosen))
    trainer = peer.GRPOTrainer(
        model=model,
        processing_class=tokenizer,
        reward_funcs=rewards,
        args=settings,
        train_dataset=datasets.Dataset.from_list(rows),
        peft_config=adapter(chosen.lora) if chosen.lora else None,
    )
    name = "_generate_single_turn" if hasattr(trainer, "_generate_single_turn") else "_generate"
    generate = getattr(trainer, name)

    def timed(*arguments: Any, **named: Any) -> Any:
        clock = Clock()
        out = generate(*arguments, **named)
        spent.append(clock.look())
        return out

    setattr(trainer, name, timed)

    class Steps(TrainerCallback):
        """Waits for a line before each step, and says what it took."""

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            say(ready=True)
            self.wait()

        def wait(self) -> None:
            if not sys.stdin.readline():
                sys.exit(0)
            self.clock = Clock()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            whole = self.clock.look()
            generating = [sum(part) for part in zip(*spent, strict=True)]
            spent.clear()
            rest = [all_ - part for all_, part in zip(whole, generating, strict=True)]
            say(generating=generating, rest=rest, tokens=generated["tokens"])
            self.wait()

    trainer.add_callback(Steps())
    trainer.train()


def main() -> None:
    parser = argparse.ArgumentParser(description="One side of benchmarks/policy.py.")
    parser.add_argument("side", choices=["ours", "trl"])
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, default=0)
    for name, default in (("prompts", 32), ("rollouts", 8), ("prompt-tokens", 100), ("new-tokens", 64), ("micro", 32)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--attention", default="eager", choices=["eager", "sdpa"], help="of TRL's model")
    parser.add_argument("--lora", type=int, default=0, help="rank of an adapter; 0 trains all weights")
    parser.add_argument("--apart", type=int, default=0, help="1: letters are joined by blanks, for other tokenizers")
    chosen = parser.parse_args()
    {"ours": ours, "trl": trl}[chosen.side](chosen)


if __name__ == "__main__":
    main()
