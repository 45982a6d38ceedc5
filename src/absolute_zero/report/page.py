"""The page put together: one file, written aside and moved into place.

Promises: `write_report` raises UserError, and leaves an older page as it is, if the folder is not a run or cannot be
written. The page may load nothing (its own policy forbids it) and run nothing but its own few lines of script, which
it can do without. The domain of the run is loaded once, and only to show its tasks. Knows no times but those in the
store and in `result.json`.
"""

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from absolute_zero.disk import explain_failures, write
from absolute_zero.report.figures import Figures, gather, names, number, read_object
from absolute_zero.report.headline import facts, held_out_results
from absolute_zero.report.markup import Markup, Part, block, brief, empty, join, lone, table, tag
from absolute_zero.report.proposals import funnel, variety
from absolute_zero.report.sections import counted, difficulty_curves, learnability, learning, others, rests_on, tokens
from absolute_zero.report.texts import open_texts
from absolute_zero.report.transcripts import transcripts
from absolute_zero.run import CONFIG, DATABASE, REPORT, RESULT
from absolute_zero.store import Store, migrate_config
from absolute_zero.types import UserError


def write_report(folder: Path) -> Path:
    """Write `report.html` of the run in a folder, also while it runs, and return its path."""
    if not os.path.isdir(folder):
        raise UserError(f"{folder} is not a run folder, or may not be entered: name one, such as runs/latest")
    with Store.read(folder / DATABASE) as store:
        page = render(store, folder)
    path = folder / REPORT
    with explain_failures(path, "make the folder writable"):
        write(path, page)
    return path


def render(store: Store, folder: Path) -> str:
    """Return the page of a run, whose `config.json` and `result.json` lie in this folder."""
    config, result = read_object(folder / CONFIG), read_object(folder / RESULT)
    settings = migrate_config(config or {})
    texts = open_texts(settings)
    figures = gather(store, texts, names(settings.get("kinds")))
    scale = str(_of(settings, "reward", "scale") or "paper")
    limit = number(_of(settings, "sampling", "max_tokens"))
    sections: list[tuple[str, str, Markup]] = [
        ("held-out", "What it gained on held-out tasks", held_out_results(result, figures, settings)),
        ("learning", "How it learned", learning(figures)),
        ("funnel", "What became of its proposals", funnel(figures, scale)),
        ("learnability", "How hard the new tasks were", learnability(figures)),
        ("difficulty", "Does difficulty regulate itself?", difficulty_curves(figures)),
        ("tokens", "How long it writes, and in what form", tokens(figures, limit)),
        ("variety", "What it proposes", variety(figures)),
        ("transcripts", "Tasks, word for word", transcripts(store, figures, texts)),
        (
            "settings",
            "Settings, and how to repeat the run",
            _settings(None if config is None else settings, result or {}),
        ),
        ("numbers", "Everything else that was recorded", _numbers(figures)),
    ]
    name = folder.resolve().name
    head = tag(
        "header",
        tag("p", "Absolute Zero: one model that proposes tasks, solves them, and learns from both", class_="over"),
        tag("h1", f"Run {name}"),
        tag("p", _state(figures, settings), class_="state"),
        facts(figures, settings, result or {}),
        _flags(figures),
    )
    nav = tag("nav", *(join((tag("a", title, href=f"#{id_}"), " ")) for id_, title, _ in sections))
    body = [tag("section", tag("h2", title), part, id=id_) for id_, title, part in sections]
    return _document(f"Run {name}", join((head, nav, tag("main", *body))))


def _of(settings: Mapping[str, Any], section: str, key: str) -> object:
    """Return a setting, or None if the file does not hold it."""
    table_ = settings.get(section)
    return table_.get(key) if isinstance(table_, dict) else None  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]


def _state(figures: Figures, settings: Mapping[str, Any]) -> str:
    """Say where the run stands."""
    planned = number(settings.get("steps"))
    if figures.last is None:
        return "This run has not stored anything yet."
    if figures.last < 1:
        return f"Seeding: {counted(figures.seeding.rounds, 'round')} stored, and no training step yet."
    over = planned is not None and figures.steps >= planned
    rest = "" if over else " The run is not over: this page shows what was stored when it was written."
    return f"{counted(figures.steps, 'step')} with {rests_on(figures)}.{rest}"


def _flags(figures: Figures) -> Markup:
    """Return what a person should look at."""
    rows: list[Part] = [
        tag("li", tag("b", brief(flag.name.replace("_", " "), 80)), f" at step {step}. ", _detail(flag.detail))
        for step, flag in figures.flags
    ]
    return tag("ul", *rows, class_="flags") if rows else join([])


def _detail(text: str) -> Part:
    return text if len(text) <= 600 else block("what it says", text)


# --- settings and numbers -----------------------------------------------------------------------------------


def _settings(config: Mapping[str, Any] | None, result: Mapping[str, Any]) -> Markup:
    if config is None:
        return empty(f"There is no {CONFIG} that can be read in this folder.")
    rows: list[tuple[Part, Part]] = [(name, tag("code", json.dumps(value))) for name, value in _leaves(config, "")]
    summary = tag("summary", f"All {len(rows)} settings")
    listing = tag("details", summary, table(("setting", "value"), rows), class_="more")
    commit = result.get("commit")
    checkout = ""
    if isinstance(commit, str) and commit:
        clean = commit.removesuffix("-dirty")
        checkout = f"git checkout {clean}{'' if clean == commit else '  # with changes that are not in it'}\n"
    line = _command(config)
    if line is None:
        why = f"This version of azr cannot load the settings in {CONFIG}, so there is no command to show for them."
        return join((empty(why), listing))
    words = (
        "The same settings on the same machine, with the same versions and threads, give the same steps; elsewhere the"
        " last bits of the arithmetic differ, and in time so do the texts."
    )
    return join((block("command", checkout + line), tag("p", words, class_="note"), listing))


def _leaves(value: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    leaves: list[tuple[str, Any]] = []
    for name, item in value.items():
        if isinstance(item, dict):
            leaves += _leaves(item, f"{prefix}{name}.")  # pyright: ignore[reportUnknownArgumentType]
        else:
            leaves.append((f"{prefix}{name}", item))
    return leaves


def _command(config: Mapping[str, Any]) -> str | None:
    """Return the command that gives these settings; None if they cannot be loaded here, or no recipe leads to them."""
    from absolute_zero.config import Config, command_for

    with suppress(ValueError, UserError):
        return command_for(Config.model_validate_json(json.dumps(config)))
    return None


def _numbers(figures: Figures) -> Markup:
    parts: list[Part] = []
    for name, series in (("metrics", figures.metrics), ("clocks", figures.clocks)):
        summary = "Numbers of the update, and others" if name == "metrics" else "Where the time went"
        listed = others(series, "metrics" if name == "metrics" else "clocks")
        parts.append(tag("details", tag("summary", summary), listed, class_="more"))
    return join(parts)


# --- the document -------------------------------------------------------------------------------------------

_HERE: Final = files("absolute_zero.report")


def _document(title: str, body: Markup) -> str:
    style, script = (_HERE.joinpath(name).read_text(encoding="utf-8") for name in ("style.css", "script.js"))
    allowed = f"style-src {_digest(style)}; script-src {_digest(script)}"
    policy = f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        lone("meta", charset="utf-8"),
        lone("meta", http_equiv="Content-Security-Policy", content=policy),
        lone("meta", name="viewport", content="width=device-width, initial-scale=1"),
        lone("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    page = tag("html", head, tag("body", body, tag("script", Markup(script))), lang="en")
    return f"<!DOCTYPE html>\n{page.html}\n"


def _digest(source: str) -> str:
    """Return the digest of a text as a content security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
