"""The sections that every run has: each setting with its type, unit, bounds, default, and where the paper speaks of it.

Does not import what names stand for: a name is checked against those that are registered, and a dotted one is taken.
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from absolute_zero import plugins
from absolute_zero.config.section import Flag, Int, Real, Section, Text
from absolute_zero.types import Sampling

PositiveInt = Annotated[Int, Field(ge=1)]
Share = Annotated[Real, Field(ge=0, le=1)]
Decay = Annotated[Real, Field(ge=0, lt=1)]
PER_PROMPT: Final = frozenset(("grpo", "dr_grpo", "rloo"))
"""Estimators in this package that compare the rollouts of one prompt, and so need at least two."""


def _named(group: str, name: str) -> str:
    """Return the name if it stands for a part, as far as can be said without importing it."""
    if plugins.is_named(group, name) or (group == "templates" and re.search(r"[/\\]", name)):
        return name
    raise ValueError(f"give {plugins.choices(group)}")


def _reward_terms(terms: Mapping[str, float]) -> Mapping[str, float]:
    """Return the terms in the order of their names, so that equal settings are written as equal texts."""
    scales = plugins.BUILT_IN["rewards"]
    for name in terms:
        if name in scales or not plugins.is_named("rewards", name):
            known = [other for other in plugins.names("rewards") if other not in scales]
            raise ValueError(f"no reward term is called {name!r}: give {plugins.listed(known)}")
    return dict(sorted(terms.items()))


EstimatorName = Annotated[
    Text, AfterValidator(partial(_named, "estimators")), Field(json_schema_extra={"group": "estimators"})
]
ScaleName = Annotated[Text, AfterValidator(partial(_named, "rewards")), Field(json_schema_extra={"group": "rewards"})]
TemplatesName = Annotated[
    Text, AfterValidator(partial(_named, "templates")), Field(json_schema_extra={"group": "templates"})
]
DomainName = Annotated[Text, Field(json_schema_extra={"group": "domains"})]


class Propose(Section):
    """Making tasks (paper section 3.3)."""

    batch: PositiveInt = 64
    """B: proposals per kind and step; also the tasks per kind that are practised."""
    references: Annotated[Int, Field(ge=0, le=64)] = 6
    """K: past tasks that a prompt shows, at most. 0 is the ablation without references (paper section 4.3)."""
    choice: Literal["uniform", "recent", "learnable"] = "uniform"
    """Which past tasks: any; the newer half; or those with a success rate between 0 and 1 (and seeds)."""


class Solve(Section):
    """Solving tasks."""

    n_difficulty: PositiveInt = 8
    """n: rollouts per new task, whose success rate says how learnable it is (paper eq. 4)."""
    n_practice: PositiveInt = 1
    """Rollouts per practised task."""
    reuse_difficulty: Flag = False
    """Train on the difficulty rollouts of new tasks, and practise only as many more tasks as make B per kind."""
    practice: Literal["uniform", "learnable"] = "uniform"
    """Which tasks count towards B, and are practised: any; or those with a success rate between 0 and 1, and seeds.
    New ones that do not count leave room for more from the buffer."""
    solver_weight: Annotated[Real, Field(ge=0, le=1000)] = 1.0
    """lambda: the weight of solutions against proposals, in the loss and in the baselines (paper eq. 3). Rewards are
    not multiplied by it."""


class Seeding(Section):
    """Filling the buffers from the domain's seeds, before the first step (paper section 3.3)."""

    factor: PositiveInt = 4
    """S = factor * B tasks per kind are wanted."""
    rounds: PositiveInt = 20
    """Rounds of B proposals per kind, at most. A kind with fewer than B tasks after them is left out."""


class Buffer(Section):
    """What is kept at hand for references and practice, and what counts as new."""

    capacity: PositiveInt = 16_384
    """Tasks per kind, and learnable ones; beyond it the oldest goes."""
    per_behaviour: PositiveInt = 3
    """Stored tasks per kind that behave the same on the probes, or are of the same family."""
    held_out: tuple[Text, ...] = ()
    """JSONL files in the domain's format; the family of each row never enters a buffer."""


class Reward(Section):
    """What responses earn (paper section 3.1)."""

    learnability: Literal["paper", "variance", "keep_unsolved"] = "paper"
    """From the success rate s: 1 - s, but 0 at 0 and 1 (eq. 4); 4 s (1 - s); or 1 - s at 0 as well."""
    scale: ScaleName = "paper"
    """Rewards by status: the paper's text (eq. 6), what its public code does (`reference`), or a plug-in's table."""
    terms: Annotated[Mapping[Text, Real], AfterValidator(_reward_terms)] = Field(default_factory=dict[str, float])
    """Plug-ins added to the reward of responses that pass, each times its weight."""


class Estimators(Section):
    """Advantage estimators per role (paper section 3.3)."""

    propose: EstimatorName = "trr++"
    """Of proposals. They are sampled once each, so it cannot be one that compares the rollouts of a prompt."""
    solve: EstimatorName = "trr++"
    """Of solutions. grpo, dr_grpo and rloo compare the rollouts of a task, and need solve.n_practice of 2 or more."""
    shuffled: Flag = False
    """A control: advantages are shuffled within each role and kind. A run with it must not get better."""


class FormSection(Section):
    """How a model is asked, and how its responses are read (`absolute_zero.forms`). Prompts that a task type or a
    template writes as one whole text, up to the thought, are taken as they are."""

    reading: Literal["strict", "natural"] = "strict"
    """`strict`: the paper's tags, nothing outside. `natural`: what a chat model writes by itself. All before the last
    blocks of the right kind is the thought, and an answer that the model's own end token closes is an answer."""
    template: Literal["auto", "chat", "text"] = "auto"
    """Prompts in the model's chat template, or as the plain text of a conversation. `auto`: the first, if there is
    one."""
    examples: Annotated[Int, Field(ge=0, le=8)] = 0
    """Worked examples before each prompt: so many tasks with a good response, or as many as the domain has."""
    tags: Flag = True
    """The tags are asked for, and shown in worked examples. Without them only the natural reading finds an answer."""
    opening: Literal["none", "thought", "fence"] = "thought"
    """What the prompt begins of the response. `thought`: the thought, if there are tags; `fence`: the block of a
    solution that is one, which then has no thought."""
    system: Annotated[str, Field(strict=True)] = ""
    """What the model is told before everything else: a system message, or the first words of plain text."""
    think: tuple[Text, Text] = ("<think>", "</think>")
    """The tags of the thought, such as a model's own special tokens."""
    answer: tuple[Text, Text] = ("<answer>", "</answer>")
    """The tags of the answer."""
    strict_by: Annotated[Int, Field(ge=0)] = 0
    """Steps from natural to strict. What a response loses whose format is only natural grows with the steps, until at
    this one it is paid as a malformed one. 0: it loses nothing but what `reward.scale` says."""


class SamplingSection(Section):
    """How completions are drawn in training."""

    temperature: Annotated[Real, Field(gt=0, le=10)] = 1.0
    """The logits are divided by it; 1 is on-policy (paper section 4.1)."""
    top_p: Annotated[Real, Field(gt=0, le=1)] = 1.0
    """Share of the probability, likeliest tokens first, that is drawn from; 1 is all of it."""
    max_prompt_tokens: PositiveInt = 6144
    """Longest prompt, in tokens; a longer one is not answered, and leaves the batch."""
    max_tokens: PositiveInt = 8096
    """Longest response, in tokens; one that is truncated there is a format error."""

    @property
    def drawing(self) -> Sampling:
        """The part that a policy gets with each call."""
        return Sampling(self.temperature, self.top_p, self.max_tokens)


class Update(Section):
    """The loss and its optimiser (paper section 3.3 and appendix)."""

    learning_rate: Share = 1e-6
    """AdamW's step size (paper section 4.1)."""
    warmup_steps: Annotated[Int, Field(ge=0)] = 0
    """Steps over which the learning rate rises linearly from 0."""
    decay_steps: Annotated[Int, Field(ge=0)] = 0
    """Steps at the end of the run, at most all of them, over which the learning rate falls linearly to 0."""
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    """AdamW's decays of the first and second moment."""
    weight_decay: Share = 0.01
    """AdamW's pull towards 0: per update, learning_rate times this share of each weight."""
    clip_low: Share = 0.2
    """The ratio of new to old probability is clipped to at least 1 - clip_low."""
    clip_high: Annotated[Real, Field(ge=0, le=100)] = 0.2
    """The ratio of new to old probability is clipped to at most 1 + clip_high."""
    entropy: Share = 0.001
    """Coefficient of the entropy bonus."""
    kl: Annotated[Real, Field(ge=0, le=100)] = 0.0
    """Coefficient of the KL divergence to the weights the run began with; 0 keeps no copy of them."""
    mismatch_cap: Annotated[Real, Field(ge=1, le=100)] = 2.0
    """Bound on pi_learner / pi_sampler, which weighs tokens where the two engines differ."""
    grad_clip: Annotated[Real, Field(gt=0)] = 1.0
    """Largest norm of the gradient."""
    epochs: PositiveInt = 1
    """Updates per step on the same samples."""
    tokens_per_batch: PositiveInt = 8192
    """Padded tokens per micro-batch: memory, not the result, depends on it."""
    checkpoint_activations: Flag = False
    """Recompute activations in the backward pass: less memory, a third more time."""


def _targets(targets: tuple[str, ...]) -> tuple[str, ...]:
    if "all-linear" in targets and len(targets) > 1:
        raise ValueError('give names of modules, or ["all-linear"] alone')
    return targets


class Lora(Section):
    """A low-rank adapter that is trained instead of the weights (needs peft: pip install 'absolute-zero[lora]')."""

    rank: Annotated[Int, Field(ge=0, le=4096)] = 0
    """Rank of what is added to each weight; 0 trains all weights. Learning rates are some ten times those of full
    training."""
    alpha: Annotated[Real, Field(ge=0, le=1e6)] = 0.0
    """The product that is added to a weight is scaled by alpha / rank; 0 stands for twice the rank."""
    targets: Annotated[tuple[Text, ...], Field(min_length=1), AfterValidator(_targets)] = ("all-linear",)
    """Names of the modules that get an adapter, as peft knows them; all-linear is every linear layer but the head."""


class Model(Section):
    """Which model, and where it runs."""

    path: Text = "embedded"
    """A folder in Hugging Face's format, a hub name, or `embedded` for the model in the package.
    Also a policy's name: `scripted`, or that of a plug-in."""
    device: Literal["auto", "cuda", "cpu"] = "auto"
    """`auto`: the GPU if there is one."""
    threads: Annotated[Int, Field(ge=0, le=1024)] = 0
    """Threads that compute on the CPU; 0 is one per processor, up to four.
    With 0, models of 50 million weights or more get one for every processor, and smaller ones other than Llama, Qwen2
    and Qwen3 a single thread, as their work is not divided."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of matrix products; weights are kept in float32. `auto`: bfloat16 where the hardware does it well."""


class Sandbox(Section):
    """Limits on foreign code, each for one input by itself."""

    workers: Annotated[Int, Field(ge=0, le=1024)] = 0
    """Worker processes; 0 is one per core."""
    minimum_level: Literal["weak", "filtered", "sealed"] = "filtered"
    """Below this level of isolation the run does not start."""
    cpu_seconds: Annotated[Real, Field(ge=0.01, le=3600)] = 1.0
    """Processor time of an answer, in seconds. A proposal has half of it, so that what is accepted can be answered."""
    memory_mb: Annotated[Int, Field(ge=1, le=1 << 20)] = 256
    """Memory, in MiB, on top of what the bare interpreter takes."""
    value_bytes: Annotated[Int, Field(ge=1, le=65_536)] = 2048
    """Longest text of an output or of a proposed input, in bytes. What is longer is refused, never truncated."""


class Checkpoints(Section):
    """When the weights are kept."""

    every: Annotated[Int, Field(ge=0)] = 50
    """Steps between checkpoints; the last step always has one, and with 0 no other has."""


class Store(Section):
    """What the run database keeps."""

    rollouts: Literal["all", "sample", "none"] = "all"
    """Every prompt and response; one in sixteen; or none. Tasks, rewards and metrics are always kept."""


class Evals(Section):
    """Measuring on held-out tasks, before the first step and after the last."""

    tasks: Annotated[Int, Field(ge=0, le=10_000)] = 300
    """Tasks per kind and suite that are posed; 0 measures nothing."""
    base_every: Annotated[Int, Field(ge=0)] = 0
    """Every this many steps, the model that the run began with solves the new tasks as well, for comparison. It is
    loaded a second time. 0 is never."""
