"""A worker: its zygotes, and what it takes to keep them alive.

A worker owns a zygote, A, and three more that differ from it on purpose, B, C and D, to check what has to be
deterministic: they start when that is first asked for. Recorded values come from A; the others can only object. Two
would agree by luck half the time on one bit of an address or on a set of two, four agree one time in eight. A zygote
that dies is started again and its work is done again, one job at a time, so that a job that kills it spoils no other.
"""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from absolute_zero import values
from absolute_zero.executor import protocol
from absolute_zero.executor.canaries import Proof, level_of, prove
from absolute_zero.types import Job, Outcome, Result, SandboxError, Verdict

SEEDS = {"A": 1, "B": 2, "C": 3, "D": 4}
"""Hash seed, clock and random seed of each zygote: fixed, so that verdicts are the same in every run. Addresses are
drawn by the system, each time."""
OTHERS = ("B", "C", "D")
"""Those that only check what has to be deterministic."""
FULL = "+"
"""Ends the name of a zygote of the full world (executor/world.py): started when a program first needs it."""
START_SECONDS = 60.0
MAX_PROGRAM = 512 * 1024
"""Characters of a program that is run at all."""
_VERDICTS = tuple(Verdict)
_PACKAGE = Path(__file__).resolve().parent.parent
_BOOT = """
import sys
from types import ModuleType
root, seed, channel, full, walls, without = sys.argv[1:]
for name, path in (("absolute_zero", root), ("absolute_zero.executor", root + "/executor")):
    package = sys.modules[name] = ModuleType(name)
    package.__path__ = [path]
from absolute_zero.executor.zygote import main
main(int(seed), int(channel), full == "full", walls.split(), without.split())
"""
_TOO_LONG = "\0"  # stands for an input that no reader would take; as unreadable, and shorter
_PLAIN = re.compile(r"(?:None|True|False|0|-?[1-9][0-9]{0,17}|'[ -&(-\[\]-~]*')\Z").match
"""Values whose text is canonical at a glance; all others are read and written again."""


class StartFailure(Exception):
    """A zygote could not be started, or did not hold what it should. One line."""


class ZygoteProcess:
    """One running zygote, as the supervisor sees it."""

    def __init__(self, name: str, walls: Sequence[str], without: Sequence[str], nursery: ThreadPoolExecutor) -> None:
        self.walls = walls
        self.served = 0
        try:
            self.channel, theirs = socket.socketpair()
        except OSError as error:
            raise StartFailure(f"no channel to a sandbox process: {error}") from error
        low: list[socket.socket] = []
        while theirs.fileno() <= 2:  # a process without standard streams: their places are taken in the child
            low.append(theirs)
            theirs = theirs.dup()
        for early in low:
            early.close()
        # From one long-lived thread: the kernel ties the zygote's life to the thread that forked it.
        with theirs:
            try:
                self.process = nursery.submit(_spawn, name, theirs, walls, without).result()
            except (OSError, subprocess.SubprocessError) as error:
                self.channel.close()
                raise StartFailure(f"cannot start {sys.executable}: {error}") from error
        self.channel.settimeout(START_SECONDS)
        try:
            word, *rest = protocol.unpack_fields(protocol.receive(self.channel.recv))
        except (protocol.Broken, ValueError) as error:
            self.close()
            raise StartFailure("the interpreter of the sandbox did not come up") from error
        if word != b"ready":
            self.close()
            raise StartFailure(": ".join(part.decode("utf-8", "replace") for part in rest))

    def ask(self, orders: Sequence[protocol.Order]) -> list[list[protocol.Report]]:
        """Run orders. Raises Broken when the zygote is gone, silent, or speaks nonsense."""
        self.served += len(orders)
        # The zygote's own limits are sooner; this one is for a zygote that is itself stuck.
        self.channel.settimeout(
            60 + sum(len(order.inputs) * (1 + 1.1 * protocol.patience(order.cpu_seconds)) for order in orders)
        )
        protocol.send(self.channel.sendall, protocol.pack_orders(orders))
        body = protocol.receive(self.channel.recv)
        return protocol.unpack_reports(body, [len(order.inputs) for order in orders])

    def prove(self) -> tuple[Proof, ...]:
        """Return what the canaries show about this very process; nothing if it is gone."""
        try:
            return prove(self.ask, self.walls)
        except protocol.Broken:
            return ()

    def close(self) -> None:
        """Kill it; the kernel takes its children along."""
        self.channel.close()
        self.process.kill()
        self.process.wait()


def _spawn(name: str, channel: socket.socket, walls: Sequence[str], without: Sequence[str]) -> subprocess.Popen[bytes]:
    seed, world = SEEDS[name[0]], "full" if name.endswith(FULL) else "lean"
    environment = {"PYTHONHASHSEED": str(seed), "PYTHONUTF8": "1", "LC_ALL": "C", "LD_BIND_NOW": "1"}
    if "LD_LIBRARY_PATH" in os.environ:  # some interpreters find their own library only so
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    orders = [str(_PACKAGE), str(seed), str(channel.fileno()), world, " ".join(walls), " ".join(without)]
    return subprocess.Popen(
        [sys.executable, "-s", "-S", "-P", "-W", "ignore", "-c", _BOOT, *orders],
        env=environment,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(channel.fileno(),),
        start_new_session=True,  # Ctrl-C in the terminal is the trainer's business
    )


class Worker:
    """Runs batches of jobs, one after the other, on zygotes that it starts and restarts itself."""

    def __init__(self, start: Callable[[str], ZygoteProcess], level: str, recycle_after: int | None) -> None:
        self.start, self.level, self.recycle_after = start, level, recycle_after
        self.zygotes: dict[str, ZygoteProcess] = {}
        self.failing = ""
        """The zygote that could not be started when it was last needed."""

    def adopt(self, name: str, zygote: ZygoteProcess) -> None:
        """Take over a zygote that has proven itself."""
        self.zygotes[name] = zygote

    def zygote(self, name: str) -> ZygoteProcess:
        """Return the zygote of that name, started and proven if need be. Raises StartFailure."""
        zygote = self.zygotes.get(name)
        if zygote is not None and self.recycle_after is not None and zygote.served >= self.recycle_after:
            self.drop(name)
            zygote = None
        if zygote is None:
            zygote = self.start(name)
            proofs = zygote.prove()
            if level_of(proofs) != self.level:
                zygote.close()
                broken = [f"{proof.name} ({proof.detail})" for proof in proofs if not proof.held]
                raise StartFailure(f"a new sandbox process does not hold level {self.level}: {', '.join(broken)}")
            self.zygotes[name] = zygote
        return zygote

    def start_others(self) -> None:
        """Start what is missing at the same time. A failure is met again where the zygote is asked."""
        if missing := [name for name in OTHERS if name not in self.zygotes]:
            with ThreadPoolExecutor(len(missing), "sandbox-start") as starters:
                for name in missing:
                    starters.submit(self.zygote, name)

    def drop(self, name: str) -> None:
        """Kill one zygote; the next use starts another."""
        if (zygote := self.zygotes.pop(name, None)) is not None:
            zygote.close()

    def close(self) -> None:
        """Kill them all."""
        for name in list(self.zygotes):
            self.drop(name)

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Run jobs, and return their outcomes in order. Never raises for what a program does or for a zygote that dies;
        raises SandboxError where one could not be started anew, and cannot after all else was done."""
        self.failing = ""
        answers = self.ask("A", [_order(job, job.inputs) for job in jobs])
        results = [_translated(job, reports) for job, reports in zip(jobs, answers, strict=True)]
        if any(job.deterministic for job in jobs):
            self.start_others()
        for name in OTHERS:
            self.repeat(name, jobs, results)
        if self.failing:
            try:
                self.zygote(self.failing)
            except StartFailure as failure:
                raise SandboxError(f"the sandbox cannot start a process that it needs any more: {failure}") from failure
        return [Outcome(tuple(of_job)) for of_job in results]

    def repeat(self, name: str, jobs: Sequence[Job], results: list[list[Result]]) -> None:
        """Run again, in another zygote and backwards, what has to be the same and gave a value so far; replace what
        now differs."""
        orders: list[protocol.Order] = []
        checked: list[tuple[int, list[int]]] = []
        """Index of a job, and of those of its inputs that are run again."""
        for job_index, (job, of_job) in enumerate(zip(jobs, results, strict=True)):
            indices = [index for index, result in enumerate(of_job) if result.verdict is Verdict.VALUE][::-1]
            if indices and job.deterministic:
                orders.append(_order(job, [job.inputs[index] for index in indices]))
                checked.append((job_index, indices))
        for (job_index, indices), reports in zip(checked, self.ask(name, orders), strict=True):
            for index, report in zip(indices, reports, strict=True):
                results[job_index][index] = _agreed_again(jobs[job_index], report, results[job_index][index])

    def ask(self, name: str, orders: Sequence[protocol.Order]) -> list[list[protocol.Report]]:
        """Ask one zygote. What failed through its own fault or the machine's is asked once more; what needs the full
        world goes there."""
        if not orders:
            return []
        try:
            answers = self.zygote(name).ask(orders)
        except (protocol.Broken, StartFailure):
            self.drop(name)
            answers = [self.ask_again(name, order) for order in orders]
        for index, reports in enumerate(answers):
            if any(report[0] == protocol.INFRASTRUCTURE for report in reports):
                answers[index] = self.ask_again(name, orders[index])
        moving = [index for index, reports in enumerate(answers) if any(r[0] == protocol.NEEDS_FULL for r in reports)]
        if moving and not name.endswith(FULL):
            moved = self.ask(name + FULL, [orders[index] for index in moving])
            for index, reports in zip(moving, moved, strict=True):
                answers[index] = reports
        return answers

    def ask_again(self, name: str, order: protocol.Order) -> list[protocol.Report]:
        """Ask for one order alone, the second and last time."""
        try:
            return self.zygote(name).ask([order])[0]
        except (protocol.Broken, StartFailure) as failure:
            self.drop(name)
            if isinstance(failure, StartFailure):
                self.failing = name
            return [(protocol.INFRASTRUCTURE, "", "", 0.0)] * len(order.inputs)


def _order(job: Job, texts: Sequence[str]) -> protocol.Order:
    inputs = [text if len(text) <= values.MAX_TEXT else _TOO_LONG for text in texts]
    return protocol.Order(job.program, inputs, job.cpu_seconds, job.memory_mb, job.output_bytes, 0)


def _translated(job: Job, reports: Sequence[protocol.Report]) -> list[Result]:
    return [_believed(report, job.output_bytes) for report in reports]


def _agreed_again(job: Job, report: protocol.Report, first: Result) -> Result:
    """Return what holds after a second run; a text that is already known to be canonical is not read again."""
    same = report[0] == protocol.VALUE and report[1] == first.value
    return first if same else agreed(first, _believed(report, job.output_bytes))


def _believed(report: protocol.Report, output_bytes: int) -> Result:
    """Return the result of a report. Its value is read and written again: whatever a child claims, it is canonical."""
    code, value, detail, seconds = report
    if code == protocol.NEEDS_FULL:  # only a taken-over zygote asks for another world again
        return Result(Verdict.INFRASTRUCTURE, "", "", seconds)
    if code != protocol.VALUE:
        return Result(_VERDICTS[code], "", detail, seconds)
    if len(value) > output_bytes:
        return Result(Verdict.TOO_LARGE, "", "", seconds)
    if _PLAIN(value):
        return Result(Verdict.VALUE, value, "", seconds)
    try:
        return Result(Verdict.VALUE, values.canonical(values.read(value), output_bytes), "", seconds)
    except values.TooLarge:
        return Result(Verdict.TOO_LARGE, "", "", seconds)
    except (values.Unreadable, values.Unwritable):
        return Result(Verdict.UNSERIALISABLE, "", "", seconds)


def agreed(first: Result, second: Result) -> Result:
    """Return what holds after a second run elsewhere. Values are compared as values, whatever the order in a set."""
    if second.verdict is not Verdict.VALUE:
        ours = (Verdict.INFRASTRUCTURE, Verdict.TIMEOUT, Verdict.BLOCKED, Verdict.MEMORY)
        return second if second.verdict in ours else Result(Verdict.NONDETERMINISTIC)
    if first.value == second.value or values.equal(values.read(first.value), values.read(second.value)):
        return first
    return Result(Verdict.NONDETERMINISTIC)
