"""Every setting once: its type, unit, bounds, default, and where the paper speaks of it.

Promises: a Config that exists is whole and consistent; it is frozen, and equal settings give equal JSON. What cannot
be is refused when it is made, not an hour later; nothing is converted but lists to tuples, words to kinds and roles,
and whole numbers to numbers. Does not read files (`reading` does), and does not know implementations: names are
checked against literals here, and a test holds them equal to the tables they name.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from absolute_zero.types import Kind, Role, Sampling

# Strict: without it 1.0 and "1" pass for whole numbers, and 1 and "yes" for true. SQLite and TOML hold 64 bits.
Int = Annotated[int, Field(strict=True, lt=1 << 63)]
Real = Annotated[float, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
# Also refuses half a surrogate pair (an argument that was not UTF-8), which no file could hold.
Text = Annotated[str, Field(min_length=1)]
PositiveInt = Annotated[Int, Field(ge=1)]
Share = Annotated[Real, Field(ge=0, le=1)]
Decay = Annotated[Real, Field(ge=0, lt=1)]
Estimator = Literal["trr++", "trr++_token", "reinforce++", "grpo", "dr_grpo", "rloo"]
PER_PROMPT: frozenset[Estimator] = frozenset(("grpo", "dr_grpo", "rloo"))
"""Estimators that compare the tries of one prompt, and so need at least two."""

PRESETS: Final[Mapping[str, Mapping[str, Mapping[str, str]]]] = {
    "paper": {
        "reward": {"scale": "paper"},
        "estimator": {"propose": "trr++", "solve": "trr++"},
    },
    "reference": {
        "reward": {"scale": "reference"},
        "estimator": {"propose": "trr++_token", "solve": "trr++_token"},
    },
}
"""What a preset sets in each section, unless it is given."""


class Section(BaseModel):
    """A table of settings: frozen, and no key that is not there."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @field_validator("*", mode="after")
    @classmethod
    def _one_zero(cls, value: object) -> object:
        """-0.0 becomes 0.0: they are equal, and would be written as two texts."""
        if isinstance(value, tuple):
            return tuple(cls._one_zero(item) for item in cast("tuple[object, ...]", value))
        return value + 0.0 if isinstance(value, float) else value


class Propose(Section):
    """Making tasks (paper section 3.3)."""

    batch: PositiveInt = 64
    """B: proposals per kind and step; also the tasks per kind that are practised."""
    references: Annotated[Int, Field(ge=0, le=64)] = 6
    """K: at most so many past triplets are shown. 0 is the ablation without references (paper section 4.3)."""
    choice: Literal["uniform", "recent", "learnable"] = "uniform"
    """Which past triplets: any; the newer half; or those that some but not all trials solved (and seeds)."""
    inputs: Annotated[Int, Field(ge=2, le=64)] = 10
    """N: inputs of an induction task; the first half of the pairs is shown, the rest hidden."""
    message_characters: Annotated[Int, Field(ge=0, le=10_000)] = 300
    """Longest message of an induction task, in characters; a longer one is refused."""


class Solve(Section):
    """Answering tasks."""

    trials: PositiveInt = 8
    """n: tries per new task, from which its learnability is estimated (paper eq. 4)."""
    tries: PositiveInt = 1
    """Tries per practised task."""
    reuse_trials: Flag = False
    """Train on the trials of new tasks, and practise only what is missing to B per kind."""
    practice: Literal["uniform", "learnable"] = "uniform"
    """Which tasks count towards B, and are practised: any; or those that some but not all trials solved, and seeds.
    New ones that do not count leave room for more from the buffer."""
    lam: Annotated[Real, Field(ge=0, le=1000)] = 1.0
    """lambda: the weight of the solver's reward against the proposer's (paper eq. 3)."""
    induction: Literal["binary", "fraction"] = "binary"
    """What an induction answer is worth: all hidden pairs or nothing; or the share of them."""


class Seeding(Section):
    """Filling the buffers from the zero triplet, before the first step (paper section 3.3)."""

    factor: PositiveInt = 4
    """S = factor * B tasks per kind are wanted."""
    rounds: PositiveInt = 20
    """At most so many rounds of B proposals per kind. With fewer than B tasks of a kind then, the run stops."""


class Buffer(Section):
    """What is kept at hand for references and practice, and what counts as new."""

    capacity: PositiveInt = 16_384
    """Entries per kind, and learnable ones; beyond it the oldest goes."""
    per_behaviour: PositiveInt = 3
    """Stored tasks per kind that behave the same on the probes, or have the same normalised program."""
    held_out: tuple[Text, ...] = ()
    """JSONL files; the `program` (or `code`) of each row never enters a buffer."""


class Reward(Section):
    """What responses earn (paper section 3.1)."""

    learnability: Literal["paper", "variance", "keep_unsolved"] = "paper"
    """From the success rate s: 1 - s, but 0 at 0 and 1 (eq. 4); 4 s (1 - s); or 1 - s at 0 as well."""
    scale: Literal["paper", "reference"] = "paper"
    """Rewards by standing: the paper's text (eq. 6), or what its public code does."""


class Estimators(Section):
    """Advantage estimators per role (paper section 3.3)."""

    propose: Estimator = "trr++"
    """Of proposals. They are sampled once each, so it cannot be one that compares the tries of a prompt."""
    solve: Estimator = "trr++"
    """Of solutions. grpo, dr_grpo and rloo compare the tries of one task, and need solve.tries of 2 or more."""
    shuffled: Flag = False
    """A control: advantages are dealt anew within each role and kind. A run with it must not get better."""


class SamplingSection(Section):
    """How completions are drawn in training."""

    temperature: Annotated[Real, Field(gt=0, le=10)] = 1.0
    """The logits are divided by it; 1 is on-policy (paper section 4.1)."""
    top_p: Annotated[Real, Field(gt=0, le=1)] = 1.0
    """Share of the probability, likeliest tokens first, that is drawn from; 1 is all of it."""
    max_prompt_tokens: PositiveInt = 6144
    """Longest prompt, in tokens; a longer one is not answered, and leaves the batch."""
    max_tokens: PositiveInt = 8096
    """Longest response, in tokens; one that is cut there is a format error."""

    @property
    def drawing(self) -> Sampling:
        """The part that a policy is told with each call."""
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


class Model(Section):
    """Which model, and where it runs."""

    path: Text = "embedded"
    """A folder in Hugging Face's format, a hub name, or `embedded` for the model in the package."""
    device: Literal["auto", "cuda", "cpu"] = "auto"
    """`auto`: the GPU if there is one."""
    threads: Annotated[Int, Field(ge=0, le=1024)] = 0
    """Threads that compute on the CPU, one a processor; 0 is as many as there are, up to four.
    With 0, models other than Llama, Qwen2 and Qwen3 are computed by one: they are not cut into pieces."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of matrix products; weights are kept in float32. `auto`: bfloat16 where the hardware does it well."""


class Sandbox(Section):
    """Limits on foreign code, each for one input by itself."""

    workers: Annotated[Int, Field(ge=0, le=1024)] = 0
    """Lanes; 0 is one per core."""
    minimum_level: Literal["weak", "filtered", "sealed"] = "filtered"
    """Below this level of isolation the run does not start."""
    cpu_seconds: Annotated[Real, Field(ge=0.01, le=3600)] = 1.0
    """Processor time of an answer, in seconds. A proposal has half of it, so that what is accepted can be answered."""
    memory_mb: Annotated[Int, Field(ge=1, le=1 << 20)] = 256
    """Memory, in MiB, on top of what the bare interpreter takes."""
    value_bytes: Annotated[Int, Field(ge=1, le=65_536)] = 2048
    """Longest text of an output or of a proposed input, in bytes. What is longer is refused, never cut."""


class Store(Section):
    """What the run database keeps."""

    rollouts: Literal["all", "sample", "none"] = "all"
    """Every prompt and response; one in sixteen; or none. Tasks, rewards and metrics are always kept."""


class Evals(Section):
    """Measuring on held-out tasks, before the first step and after the last one."""

    tasks: Annotated[Int, Field(ge=0, le=10_000)] = 300
    """Tasks per kind and suite that are posed; 0 measures nothing."""
    base_every: Annotated[Int, Field(ge=0)] = 0
    """Steps between those whose new tasks are tried by the first model too, loaded a second time; 0 for none."""


class Config(Section):
    """One run. The defaults are the paper's numbers (section 4.1)."""

    seed: Annotated[Int, Field(ge=0)] = 0
    """A number from which every random choice derives."""
    steps: Annotated[Int, Field(ge=0)] = 500
    """Training steps, one update of the weights each; seeding comes before and does not count."""
    preset: Literal["paper", "reference"] = "paper"
    """`reference`: reward.scale and estimator as in the paper's public code, unless set beside it or later."""
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = (Kind.DEDUCTION, Kind.ABDUCTION, Kind.INDUCTION)
    """Kinds of task. Leaving some out is an ablation (paper section 4.3)."""
    train_roles: Annotated[tuple[Role, ...], Field(min_length=1)] = (Role.PROPOSE, Role.SOLVE)
    """Roles whose responses are learned from; ["solve"] is the ablation that trains the solver only."""
    templates: Literal["long", "compact"] = "long"
    """Prompts for language models, or the few tokens of frame that the embedded model knows."""
    checkpoint_every: Annotated[Int, Field(ge=0)] = 50
    """Steps between checkpoints; the last step always has one, and with 0 no other has."""
    model: Model = Model()
    propose: Propose = Propose()
    solve: Solve = Solve()
    seeding: Seeding = Seeding()
    buffer: Buffer = Buffer()
    reward: Reward = Reward()
    estimator: Estimators = Estimators()
    sampling: SamplingSection = SamplingSection()
    update: Update = Update()
    sandbox: Sandbox = Sandbox()
    store: Store = Store()
    evals: Evals = Evals()

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, given: object) -> object:
        """Settings that a preset implies, under those that are given."""
        if not isinstance(given, dict):
            return given
        filled = dict(cast("dict[str, object]", given))
        for section, implied in PRESETS.get(str(filled.get("preset")), {}).items():
            own = filled.get(section, {})
            if isinstance(own, Section):
                own = own.model_dump(exclude_unset=True)
            if isinstance(own, dict):
                filled[section] = {**implied, **cast("dict[str, object]", own)}
        return filled

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.kinds)) < len(self.kinds) or len(set(self.train_roles)) < len(self.train_roles):
            raise ValueError("kinds and train_roles name each only once")
        if set(self.kinds) == {Kind.INDUCTION}:
            raise ValueError("induction takes its programs from the other kinds: add deduction or abduction to kinds")
        if self.seeding.factor * self.propose.batch > self.buffer.capacity:
            raise ValueError("seeding wants more than a buffer holds: raise buffer.capacity, or lower seeding.factor")
        if self.estimator.propose in PER_PROMPT:
            raise ValueError(
                f"estimator.propose = {self.estimator.propose!r} compares the tries of a prompt, and a proposal has"
                " one: use trr++, trr++_token or reinforce++"
            )
        if self.estimator.solve in PER_PROMPT and self.solve.tries < 2:
            raise ValueError(
                f"estimator.solve = {self.estimator.solve!r} compares the tries of a prompt, and practice has one:"
                " set solve.tries to 2 or more"
            )
        if self.solve.practice == "learnable" and self.solve.trials < 2:
            raise ValueError("solve.practice = 'learnable' looks for tasks that some trials solved: raise solve.trials")
        if self.estimator.solve in PER_PROMPT and self.solve.reuse_trials and self.solve.trials < 2:
            raise ValueError(f"estimator.solve = {self.estimator.solve!r} needs solve.trials of 2 or more")
        if Role.PROPOSE in self.train_roles and self.reward.learnability != "keep_unsolved" and self.solve.trials < 2:
            raise ValueError("a proposer is paid for tasks that some trials solve: raise solve.trials to 2 or more")
        return self
