"""The command line `azr`: where a person looks in.

Promises: `azr --help` and `azr --version` start no sandbox and import nothing heavy. What the user can fix
(an option, a file, a missing part of the machine) is one line on stderr and exit code 2, never a traceback.
Computes nothing itself: verdicts are the executor's, grades the domain's, and metrics and intervals those of
`monitors` and `evals`.
"""

import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Final, cast

import typer
from typer.main import get_command

from absolute_zero import __version__
from absolute_zero.executor import Level, rank
from absolute_zero.machine import processors
from absolute_zero.types import AbsoluteZeroError, Job, SandboxError, UserError
from absolute_zero.values import one_line

if TYPE_CHECKING:
    from absolute_zero.executor import Sandbox

MAX_FILE_BYTES: Final = 1 << 20
"""A program file over this is a slip (a device, a data file). It bounds what is read, not what may run."""

# What typer raises for an option it cannot read. Older typers take the class from click and newer ones carry
# their own, so it is found through its public subclass.
_Misuse = cast("type[Exception]", typer.BadParameter.__base__)


app = typer.Typer(name="azr", add_completion=False, pretty_exceptions_enable=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 the answer is no, 2 misuse, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            # A value may hold letters that the terminal cannot show; showing it must not fail. A log is read meanwhile.
            reconfigure(errors="backslashreplace", line_buffering=True)
    try:
        code: object = get_command(app).main(
            args=None if arguments is None else list(arguments), prog_name="azr", standalone_mode=False
        )
    except (AbsoluteZeroError, _Misuse) as error:
        # A message of typer's is in `format_message`: its `str` leaves out which option it is about.
        text: object = getattr(error, "format_message", error.__str__)()
        print(f"azr: {one_line(str(text))}", file=sys.stderr)
        return 2
    except typer.Abort:
        return 130
    return code if isinstance(code, int) else 0


def _version(wanted: bool) -> None:
    if wanted:
        print(f"azr {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _azr(  # pyright: ignore[reportUnusedFunction]
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Self-play reasoning with zero data. One model proposes tasks, solves them, and learns from both."""
    if context.invoked_subcommand is None:
        print(context.get_help())


def _train_help(context: typer.Context, wanted: bool) -> None:
    if wanted:
        from absolute_zero.config import recipes

        print(context.get_help())
        print("Recipes:")
        for name, purpose in recipes().items():
            print(f"  {name:<16} {purpose}")
        raise typer.Exit


# Its help lists the recipes, which are read when it is asked for and not whenever `azr` starts.
@app.command("train", add_help_option=False)
def train_command(
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Settings over the recipe's, such as solve.n_difficulty=4."),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="NAME_OR_FILE", help="A recipe's name or TOML file; default: laptop.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print every setting as a recipe that reads back equal, and stop.")
    ] = False,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the run's folder.")] = None,
    runs: Annotated[str | None, typer.Option(metavar="FOLDER", help="Where run folders are; default: runs.")] = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Resume the run in this folder.")] = None,
    _help: Annotated[
        bool,
        typer.Option("--help", callback=_train_help, is_eager=True, help="Show this and the recipes, and exit."),
    ] = False,
) -> None:
    """Train a model by self-play. Ctrl-C finishes the step and saves (130); a second one leaves at once."""
    if resume is not None:
        if settings or dry_run or (recipe, name, runs) != (None, None, None):
            raise UserError("--resume takes the settings and the folder of its run: give nothing beside it")
        from absolute_zero.cli import train

        raise typer.Exit(train.resume(resume))
    from absolute_zero.config import as_toml, load

    config = load(recipe or "laptop", settings or ())
    if dry_run:
        print(as_toml(config), end="")
        return
    from absolute_zero.cli import train

    raise typer.Exit(train.begin(config, runs or "runs", name))


@app.command()
def doctor(
    workers: Annotated[int, typer.Option(min=1, max=256, help="Workers to start.")] = 1,
    minimum_level: Annotated[
        Level, typer.Option(help="Exit with 1 when the level that the canaries find is below this one.")
    ] = Level.FILTERED,
) -> None:
    """Show how well this machine isolates foreign code, what proved it, and what would raise the level."""
    from absolute_zero.executor import Sandbox

    print(f"azr      {__version__}")
    print(f"python   {platform.python_implementation()} {platform.python_version()} ({sys.executable})")
    print(f"kernel   {platform.system()} {platform.release()} {platform.machine()}")
    print(f"cores    {processors()} usable of {os.cpu_count() or 1}")
    try:
        with Sandbox(workers=workers, minimum_level=Level.WEAK.value) as sandbox:
            _show_isolation(sandbox)
            level = sandbox.level
    except SandboxError as error:
        print(f"level    none: {one_line(str(error))}")
        raise typer.Exit(1) from None
    raise typer.Exit(0 if rank(level) >= rank(minimum_level) else 1)


def _show_isolation(sandbox: "Sandbox") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    print(f"level    {sandbox.level}")
    table = Table("canary", "held", "what happened", box=box.SIMPLE_HEAD, pad_edge=False)
    for proof in sandbox.report.proofs:
        table.add_row(Text(proof.name), "yes" if proof.held else "NO", Text(proof.detail))
    Console().print(table)
    missing = sandbox.report.missing
    print("to raise the level:" if missing else "nothing would raise the level")
    for line in missing:
        print(f"  {one_line(line)}")


@app.command()
def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The folder of a run, such as runs/latest.")],
) -> None:
    """Write RUN/report.html, one page that shows what a run did and gained, and print its path; also while it runs."""
    from absolute_zero.report import write_report

    print(write_report(Path(run)))


@app.command("exec")
def execute_command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Python source that defines f; - reads stdin.")],
    inputs: Annotated[
        list[str],
        typer.Option("--input", metavar="ARGUMENTS", help="Arguments of f, as literals: '1, 2'. Repeatable."),
    ],
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="Run again, in interpreters that differ on purpose.")
    ] = False,
    cpu_seconds: Annotated[float, typer.Option(help="Processor time for each input, 0.01 to 3600.")] = 1.0,
    memory_mb: Annotated[int, typer.Option(min=1, max=1 << 20, help="Memory for each input, in MiB.")] = 256,
    check: Annotated[bool, typer.Option("--guard", help="Apply the static guard first.")] = False,
    minimum_level: Annotated[Level, typer.Option(help="Refuse to run below this level.")] = Level.FILTERED,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Run f of FILE on each input, in the sandbox; one line for each. Exit code 0 when all gave a value."""
    if not 0.01 <= cpu_seconds <= 3600:  # typer's own range check lets nan through
        raise UserError(f"--cpu-seconds is {cpu_seconds}; give a number from 0.01 to 3600")
    from absolute_zero.cli.execute import execute

    program = _read(file)
    job = Job(program, tuple(inputs), deterministic, cpu_seconds, memory_mb)
    raise typer.Exit(execute(job, check, minimum_level.value, as_json))


_BY_MODEL: Final = "default: laptop for `embedded`, else coder-0.5b-lora"
_Model = Annotated[str, typer.Argument(metavar="RUN_OR_MODEL", help="A run's folder, a model's, or `embedded`.")]
_Settings = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Settings over the recipe's, for a model.")
]
_Recipe = Annotated[
    str | None,
    typer.Option(metavar="NAME_OR_FILE", help=f"Settings for a model; {_BY_MODEL}. A run has its own."),
]
_Data = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="Tasks instead of the domain's: JSONL; in Python also CRUXEval's. Repeatable."),
]


@app.command("try")
def try_command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model's folder or hub name, or `embedded`.")],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Settings that are kept as you say them.")
    ] = None,
    domain: Annotated[str | None, typer.Option(metavar="NAME", help="What is played; default: the recipe's.")] = None,
    recipe: Annotated[str | None, typer.Option(metavar="NAME_OR_FILE", help=f"Where to begin; {_BY_MODEL}.")] = None,
    data: _Data = None,
    responses: Annotated[
        int, typer.Option(min=1, max=10_000, help="Of each kind and role, for the way that is chosen.")
    ] = 16,
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the recipe here, such as mine.toml.")] = None,
) -> None:
    """Find out how to ask a model on a domain, what it can do there, and what a step costs on this machine.

    Compares ways to ask (chat template, worked examples, tags) by valid proposals and right answers, and recommends a
    recipe, or says which kind of task cannot start and why. Ctrl-C shows what is known so far.
    """
    from absolute_zero.cli.fit import fit

    raise typer.Exit(fit(model, settings or (), recipe, domain, data or (), responses, save))


@app.command("eval")
def eval_command(
    model: _Model,
    settings: _Settings = None,
    recipe: _Recipe = None,
    data: _Data = None,
    tasks: Annotated[int, typer.Option(min=1, help="Tasks per kind and suite, at most.")] = 1_000_000,
    temperature: Annotated[
        list[float] | None, typer.Option(min=0.01, max=10, help="Of the eight rollouts. Repeatable; default: 1.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Measure a model on held-out tasks: greedy, pass@1 and pass@8, with 95 % intervals over groups of like tasks."""
    from absolute_zero.cli.evaluate import evaluate

    evaluate(model, settings or (), recipe, data or (), tasks, temperature or (1.0,), as_json)


@app.command("play")
def play_command(
    model: _Model,
    settings: _Settings = None,
    recipe: _Recipe = None,
    kind: Annotated[list[str] | None, typer.Option(help="Propose a task of this kind. Repeatable.")] = None,
    task: Annotated[
        str,
        typer.Option(metavar="ROW_OR_FILE", help="A task as JSON, or a JSONL file of tasks; as the domain has them."),
    ] = "",
    program: Annotated[
        str, typer.Option(metavar="FILE", help="A task in pieces: its program; - reads stdin. In Python, it defines f.")
    ] = "",
    inputs: Annotated[
        list[str] | None, typer.Option("--input", metavar="TEXT", help="Its input, such as \"1, 'a'\". Repeatable.")
    ] = None,
    outputs: Annotated[
        list[str] | None, typer.Option("--output", metavar="TEXT", help='Its output, such as "[1, 2]". Repeatable.')
    ] = None,
    message: Annotated[str, typer.Option(help="Beside pairs: what the program is about.")] = "",
    rollouts: Annotated[
        int | None, typer.Option("--rollouts", min=1, max=1000, help="Answers to the task you give; default: 1.")
    ] = None,
    temperature: Annotated[float, typer.Option(min=0, max=10, help="0 is greedy.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other draws.")] = 0,
) -> None:
    """Ask a model and see its thought, its answer and the grade.

    Without a task, it proposes one of each kind and solves it. With --program and --input it says the output, with
    --program and --output an input, and with pairs of --input and --output the program; or give any task with --task.
    """
    from dataclasses import replace

    from absolute_zero.cli import play
    from absolute_zero.cli.screen import note
    from absolute_zero.components import domain_of
    from absolute_zero.evals.suites import played_tasks
    from absolute_zero.run import open_model

    pieces = bool(program or inputs or outputs)
    if (pieces or task) and kind:
        raise UserError("--kind is for proposals: the task you give has its kind already")
    if task and (pieces or message):
        raise UserError("--task is a whole task: give no --program, --input, --output or --message beside it")
    if not pieces and not task and (rollouts or message):
        raise UserError("--rollouts and --message go with a task: add --task, --program, or --input and --output")
    with open_model(model, recipe, settings or (), note) as opened:
        sampling = replace(opened.cfg.sampling.drawing, temperature=temperature)
        if not task and not pieces:
            play.propose(opened, kind or list(opened.parts.task_types), sampling, seed)
            return
        source: str | dict[str, object] = task
        if pieces:
            text = _read(program).strip() if program else ""
            source = {"program": text, "inputs": inputs or [], "outputs": outputs or [], "message": message}
        for each in played_tasks(source, domain_of(opened.cfg), opened.parts):
            play.solve(opened, each, rollouts or 1, sampling, seed)


@app.command()
def pretrain(
    out: Annotated[Path, typer.Option(help="Folder of the run; the finished model is in its folder `model`.")],
    tokens: Annotated[int, typer.Option(min=0, help="Budget in tokens.")] = 0,
    minutes: Annotated[float, typer.Option(min=0, help="Budget in minutes, instead.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another model.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Micro-batches computed side by side.")] = 1,
    workers: Annotated[int, typer.Option(min=0, help="Processes that draw documents.")] = 1,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    dtype: Annotated[
        str, typer.Option(help="Of matrix products: float32, bfloat16, or auto: bfloat16 where the hardware has it.")
    ] = "auto",
    start: Annotated[
        Path | None, typer.Option(help="Folder of a model to begin with, instead of random weights.")
    ] = None,
    learning_rate: Annotated[float, typer.Option(min=0, help="Of AdamW, at its peak; Muon's is 5 times it.")] = 3e-3,
    decay: Annotated[
        float, typer.Option(max=1, help="Share of the budget, above 0, over which the learning rate falls to 0.")
    ] = 0.7,
    held_out: Annotated[
        list[Path] | None, typer.Option(help="JSONL file of programs to leave out, beside the suites. Repeatable.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume from its checkpoint; give the same options.")
    ] = False,
) -> None:
    """Pretrain the embedded model on documents that a grammar writes, for --tokens or for --minutes."""
    # Before torch is imported: threads that wait must not spin on cores that others need.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from absolute_zero.domains.python.rows import suite_files
    from absolute_zero.pretraining.training.pretrain import Settings
    from absolute_zero.pretraining.training.pretrain import pretrain as train

    settings = Settings(
        tokens=tokens, minutes=minutes, seed=seed, threads=threads, workers=workers, device=device,
        dtype=dtype, held_out=(*suite_files(), *(held_out or ())), start=start, learning_rate=learning_rate,
        decay=decay,
    )  # fmt: skip
    train(out, settings, resume=resume)


def _read(file: str) -> str:
    """Return the text of a program file, or of standard input for `-`. Raises UserError if it is no such text."""
    try:
        if file == "-":
            data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        else:
            stream: IO[bytes]
            with open(file, "rb") as stream:
                data = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(f"cannot read {file!r}: {reason}") from None
    if len(data) > MAX_FILE_BYTES:
        raise UserError(f"{file!r} is over {MAX_FILE_BYTES} bytes; give a Python source file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{file!r} is not UTF-8 (byte {error.start}); save it as UTF-8") from None
