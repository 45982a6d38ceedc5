"""What README and the pages of `docs` say is so: their Python runs, commands exist, and what they show is what comes.

```python    a file of its own, which runs; a comment `# -> text` after a print is what it prints
```py        an excerpt of our source
```console   `$ cat FILE` shows a file that the next commands read; `$ azr` prints what follows
```sh        commands; those of `azr` exist, and the settings they give can be given
```toml      a recipe, or a part of one
```text      anything
"""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from absolute_zero.renamed import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKING = [*PAGES, ROOT / "src/absolute_zero/pretraining/weights/README.md", *sorted(ROOT.glob("examples/*/README.md"))]
TEXTS = {path: path.read_text(encoding="utf-8") for path in LINKING}
OWN = re.compile(r"[a-z_]:[a-zA-Z_]")
"""A part by its dotted name, `package.module:name`."""
FENCED = re.compile(r"^(```+)(\w+)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
BLOCKS = [(path, language, body) for path in PAGES for _, language, body in FENCED.findall(TEXTS[path])]


def blocks(language: str) -> list[object]:
    """The blocks in a language, each named by its page."""
    return [pytest.param(body, id=path.stem) for path, named, body in BLOCKS if named == language]


def azr_lines() -> list[str]:
    """Every command of `azr` in the shell blocks, without comment, `$` and redirection."""
    lines = [line for _, language, body in BLOCKS if language == "sh" for line in body.splitlines()]
    return [re.split(r"\s+#|\s>\s", line)[0] for line in lines if line.startswith("azr ")]


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """One command in a folder of its own, with our source before anything installed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)


def azr(*arguments: str) -> int:
    """The exit code of a command, in this process, which is faster."""
    pytest.importorskip("typer")
    from absolute_zero.cli import main

    return main(arguments)


def test_there_is_something_to_check() -> None:
    for language in ("python", "console", "sh"):
        assert blocks(language)
    assert {language for _, language, _ in BLOCKS} <= {*"python py console sh toml text bibtex".split()}


def test_the_front_page_is_short() -> None:
    assert len(TEXTS[ROOT / "README.md"].split()) <= 1300


@pytest.mark.parametrize("body", blocks("python"))
def test_python_blocks_run(body: str, tmp_path: Path) -> None:
    named = re.match(r"# (\w+\.py)\n", body)  # a file that the reader writes
    script = tmp_path / (named[1] if named else "block.py")
    script.write_text(body, encoding="utf-8")
    done = run([sys.executable, "-W", "error", str(script)], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == re.findall(r"print\(.*# -> (.*)$", body, re.MULTILINE)


@pytest.mark.parametrize("body", blocks("py"))
def test_excerpts_are_the_source(body: str) -> None:
    paths = [path for folder in ("src", "examples") for path in (ROOT / folder).rglob("*.py")]
    assert any(body in path.read_text(encoding="utf-8") for path in paths)


@pytest.mark.parametrize("body", blocks("toml"))
def test_recipes_can_be_read(body: str, tmp_path: Path) -> None:
    """But for parts of a `pyproject.toml`, and recipes with parts that the reader has yet to write."""
    tomllib.loads(body)
    if OWN.search(body) or "[project" in body:
        return
    recipe = tmp_path / "part.toml"
    recipe.write_text(body, encoding="utf-8")
    assert azr("train", "--recipe", str(recipe), "--dry-run") == 0


@pytest.mark.parametrize("body", blocks("console"))
def test_console_blocks_show_what_comes(body: str, tmp_path: Path) -> None:
    """`$ cat FILE` gives the file that the next commands read; `$ azr` prints what follows, to the letter."""
    pytest.importorskip("typer")
    for step in body.split("$ ")[1:]:
        line, _, shown = step.partition("\n")
        program, *arguments = shlex.split(line)
        if program == "cat":
            (tmp_path / arguments[0]).write_text(shown, encoding="utf-8")
            continue
        assert program == "azr", line
        done = run([sys.executable, "-m", "absolute_zero.cli", *arguments], tmp_path)
        assert done.stdout + done.stderr == shown, line


def test_commands_named_exist(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Targets of make, commands of azr, and every option that a shell block gives to one."""
    shell = ("sh", "console")
    prose = "".join(FENCED.sub(lambda m: m[0] if m[2] in shell else "", TEXTS[path]) for path in PAGES)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", prose, re.MULTILINE))
    assert named
    assert named <= targets
    commands = set(re.findall(r"(?:^|`|\$ )azr ([a-z]+)", prose, re.MULTILINE))
    assert {"doctor", "exec", "train", "eval", "play", "report", "pretrain"} <= commands
    monkeypatch.setenv("COLUMNS", "200")  # a narrow table cuts names
    lines = [shlex.split(line) for line in azr_lines()]
    for command in commands:
        assert azr(command, "--help") == 0, f"a page names azr {command}"
        known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
        options = {word for _, name, *rest in lines if name == command for word in rest if word.startswith("--")}
        missing = options - known
        assert not missing, f"a page gives {missing} to azr {command}"


@pytest.mark.parametrize("line", [line for line in azr_lines() if line.startswith("azr train")])
def test_settings_shown_can_be_given(line: str) -> None:
    """But for a recipe or a part that the reader has yet to write."""
    _, _, *arguments = shlex.split(line)
    own = any(word.endswith(".toml") or OWN.search(word) for word in arguments)
    if own or {"--resume", "--help"} & {*arguments}:
        return
    assert azr("train", "--dry-run", *arguments) == 0


@pytest.mark.parametrize("path", LINKING, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    """Files and folders that are linked exist, and so do the headings."""
    dead = [link for link in re.findall(r"\]\((?!https?://)([^)]+)\)", TEXTS[path]) if not leads(path, link)]
    assert not dead


def leads(path: Path, link: str) -> bool:
    """Whether a link on a page leads to something within this repository."""
    name, _, heading = link.partition("#")
    target = (path.parent / name).resolve() if name else path
    if not target.exists() or ROOT not in (target, *target.parents):
        return False
    text = FENCED.sub("", target.read_text(encoding="utf-8") if heading else "")
    slugs = [
        re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in re.findall(r"^#+ (.*)", text, re.M)
    ]
    return not heading or heading in slugs


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_settings_have_their_names_of_today(path: Path) -> None:
    """But where the names that changed are listed, and shown to be refused."""
    old = [name for name in SETTINGS if re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", TEXTS[path])]
    assert not old or all(f"| `{name}` | `{SETTINGS[name]}` |" in TEXTS[path] for name in old)


def test_the_step_it_shows_is_the_source() -> None:
    source = (ROOT / "src" / "absolute_zero" / "selfplay.py").read_text(encoding="utf-8")
    [shown] = [body for path, language, body in BLOCKS if language == "py" and path.name == "README.md"]
    assert shown.startswith("def step(")
    assert f"\n\n{shown}\n" in source


def test_nothing_points_outside_the_repository() -> None:
    """A document that is named is one of ours, or lies with the data that some goldens read if it is there."""
    folders = [ROOT / name for name in ("src", "tests", "benchmarks", "examples", "docs")]
    paths = [*ROOT.glob("*.md"), *(path for folder in folders for path in folder.rglob("*"))]
    ours = {path.name for path in paths if path.suffix == ".md"}
    for path in paths:
        if path.suffix in (".py", ".md", ".toml", ".txt"):
            named = set(re.findall(r"\b[A-Za-z][\w-]*\.md\b", path.read_text(encoding="utf-8")))
            assert named <= ours | {"SOURCE.md"}, path
