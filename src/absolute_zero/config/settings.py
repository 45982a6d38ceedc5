"""The whole: what there is outside of sections, how settings fit together, and what the domain has to say.

Promises: a Config that exists is whole and consistent; it is frozen, and equal settings give equal JSON. What cannot
be is refused when it is made, not an hour later; nothing is converted but lists to tuples, words to roles, and whole
numbers to numbers. Does not read files (`reading` does), and imports nothing that settings name but the domain.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self, cast

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from absolute_zero import plugins
from absolute_zero.config.domain import choose_kinds, load_domain, validated
from absolute_zero.config.section import Int, Section, Text
from absolute_zero.config.sections import (
    PER_PROMPT,
    Buffer,
    Checkpoints,
    DomainName,
    Estimators,
    Evals,
    FormSection,
    Lora,
    Model,
    Propose,
    Reward,
    SamplingSection,
    Sandbox,
    Seeding,
    Solve,
    Store,
    TemplatesName,
    Update,
)
from absolute_zero.ports import Domain
from absolute_zero.types import Role

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


class Config(Section):
    """One run. The defaults are the paper's numbers (section 4.1)."""

    # The domain's section is the only other key, and has its name.
    model_config = ConfigDict(extra="allow")

    seed: Annotated[Int, Field(ge=0)] = 0
    """A number from which every random choice derives."""
    steps: Annotated[Int, Field(ge=0)] = 500
    """Training steps, one update of the weights each; seeding comes before and does not count."""
    preset: Literal["paper", "reference"] = "paper"
    """`reference`: reward.scale and estimator as in the paper's public code, unless set beside it or later."""
    domain: DomainName = "python"
    """What is played: kinds of task, and what decides their truth. Its own settings stand in a section of its name."""
    kinds: tuple[Text, ...] = ()
    """Kinds of task; empty for all of the domain. Leaving some out is an ablation (paper section 4.3)."""
    train_roles: Annotated[tuple[Role, ...], Field(min_length=1)] = (Role.PROPOSE, Role.SOLVE)
    """Roles whose responses are learned from; ["solve"] is the ablation that trains the solver only."""
    templates: TemplatesName = "long"
    """Prompts: `long` for language models, `brief` for small ones, `compact` for the embedded model, or a folder.
    Unless it is set, a domain with a set of its own takes that."""
    model: Model = Model()
    propose: Propose = Propose()
    solve: Solve = Solve()
    seeding: Seeding = Seeding()
    buffer: Buffer = Buffer()
    reward: Reward = Reward()
    estimator: Estimators = Estimators()
    form: FormSection = FormSection()
    sampling: SamplingSection = SamplingSection()
    update: Update = Update()
    lora: Lora = Lora()
    sandbox: Sandbox = Sandbox()
    checkpoints: Checkpoints = Checkpoints()
    store: Store = Store()
    evals: Evals = Evals()

    @property
    def domain_section(self) -> Any:
        """The domain's own settings, an instance of its `settings`; None if it has none."""
        return next(iter((self.model_extra or {}).values()), None)

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, settings: object) -> object:
        """Return the settings with those that a preset implies under them."""
        if not isinstance(settings, dict):
            return settings
        filled = dict(cast("dict[str, object]", settings))
        for section, implied in PRESETS.get(str(filled.get("preset")), {}).items():
            own = filled.get(section, {})
            if isinstance(own, Section):
                own = own.model_dump(exclude_unset=True)
            if isinstance(own, dict):
                filled[section] = {**implied, **cast("dict[str, object]", own)}
        return filled

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        tags = (*self.form.think, *self.form.answer)
        if len(set(self.train_roles)) < len(self.train_roles):
            raise ValueError("train_roles names each only once")
        if self.seeding.factor * self.propose.batch > self.buffer.capacity:
            raise ValueError("seeding wants more than a buffer holds: raise buffer.capacity, or lower seeding.factor")
        if self.estimator.propose in PER_PROMPT:
            raise ValueError(
                f"estimator.propose = {self.estimator.propose!r} compares the rollouts of a prompt, and a proposal has"
                " one: use trr++, trr++_token or reinforce++"
            )
        if self.estimator.solve in PER_PROMPT and self.solve.n_practice < 2:
            raise ValueError(
                f"estimator.solve = {self.estimator.solve!r} compares the rollouts of a prompt, and practice has one:"
                " set solve.n_practice to 2 or more"
            )
        if self.form.reading == "strict" and (not self.form.tags or self.form.opening == "fence"):
            raise ValueError("form.reading = 'strict' wants the tags, after a thought: set form.reading to 'natural'")
        if self.form.strict_by and (self.form.reading == "strict" or not self.form.tags):
            raise ValueError(
                "form.strict_by goes from natural to strict: set form.reading to 'natural', form.tags to true"
            )
        if not all(tag.strip() for tag in tags) or len(set(tags)) < len(tags):
            raise ValueError("form.think and form.answer are four different tags")
        one_rollout = self.solve.n_difficulty < 2
        if self.solve.practice == "learnable" and one_rollout:
            raise ValueError(
                "solve.practice = 'learnable' looks for tasks that some rollouts solved: raise solve.n_difficulty"
            )
        if self.estimator.solve in PER_PROMPT and self.solve.reuse_difficulty and one_rollout:
            raise ValueError(f"estimator.solve = {self.estimator.solve!r} needs solve.n_difficulty of 2 or more")
        if Role.PROPOSE in self.train_roles and self.reward.learnability != "keep_unsolved" and one_rollout:
            raise ValueError(
                "a proposer is rewarded for tasks that some rollouts solve: raise solve.n_difficulty to 2 or more"
            )
        return self

    @model_validator(mode="after")
    def _ask_domain(self) -> Self:
        """Check the domain's section and the kinds, and fill in what was left out. Raises UserError for the domain."""
        domain, section = section_of(self.domain)
        extra = cast("dict[str, object]", self.model_extra)
        for key in extra:
            if section is None or key != domain:
                raise _mistake((key,), "no such setting", extra[key])
        if section is not None:
            try:
                extra[domain] = validated(self.domain, section, extra.get(domain, {}))
            except ValidationError as error:
                raise _within(domain, section, error) from None
        loaded: Domain = plugins.load("domains", self.domain)
        if loaded.templates and "templates" not in self.model_fields_set:
            object.__setattr__(self, "templates", loaded.templates)  # the model is frozen for all others
        try:
            kinds = choose_kinds(loaded, self)
        except ValueError as error:
            raise _mistake(("kinds",), str(error), self.kinds) from None
        object.__setattr__(self, "kinds", kinds)
        return self


def section_of(domain: str) -> tuple[str, type[Section] | None]:
    """Return the name of a domain's section and its class (None if it has none). Raises UserError.

    >>> section_of("python")[0]
    'python'
    """
    loaded, section = load_domain(domain, {*Config.model_fields, "base"})
    return loaded.name, section


def _mistake(key: tuple[str, ...], reason: str, value: object) -> ValidationError:
    """Return a mistake that is laid on the setting with this key."""
    kind = PydanticCustomError("value_error", "{reason}", {"reason": reason})
    return ValidationError.from_exception_data("Config", [InitErrorDetails(type=kind, loc=key, input=value)])


def _within(name: str, section: type[Section], error: ValidationError) -> ValidationError:
    """Return the mistakes in a section as those of the whole."""
    known = f"no such setting: {name} has {', '.join(section.model_fields)}"
    return ValidationError.from_exception_data(
        "Config",
        [
            InitErrorDetails(
                type=PydanticCustomError(cast("Any", detail["type"]), "{reason}", {"reason": reason}),
                loc=(name, *detail["loc"]),
                input=detail["input"],
            )
            for detail in error.errors(include_url=False)
            for reason in [known if detail["type"] == "extra_forbidden" else reason_of(detail)]
        ],
    )


def reason_of(detail: Mapping[str, Any]) -> str:
    """Return why a value was refused, from one of pydantic's errors: the text of our own exception, or its message."""
    context = cast("Mapping[str, object]", detail.get("ctx", {}))
    return str(context.get("error") or context.get("reason") or detail["msg"])
