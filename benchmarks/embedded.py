"""The embedded model, quickly: `python benchmarks/embedded.py documents` and `... quiz FOLDER`.

`documents` measures how fast documents are drawn and how long they are, by form. `quiz` asks a pretrained model
questions from another stream, at some temperatures, and shows examples. For comparing designs while they are made: it
writes nothing. What is reported of a model is measured on the fixed held-out sets.
"""

import argparse
import time
from collections import Counter, defaultdict
from pathlib import Path

from absolute_zero.embedded.documents import Document, document
from absolute_zero.embedded.pieces import length
from absolute_zero.embedded.quiz import Form, quiz


def name(form: Form) -> str:
    role, kind = form
    return f"{role.value} {kind.value}"


def show_documents(count: int, examples: int) -> None:
    """Speed and lengths of the first documents of seed 0."""
    begun = time.process_time()
    made = [document(0, number)[0] for number in range(count)]
    seconds = time.process_time() - begun
    print(f"{count / seconds:,.0f} documents a CPU second, {seconds:.1f} s")
    forms: dict[Form, list[Document]] = defaultdict(list)
    for one in made:
        forms[one.role, one.kind].append(one)
    whole = sum(length(one.prompt + one.response) for one in made)
    print(f"{whole / count:.0f} tokens a document")
    for form, found in sorted(forms.items()):
        lengths = sorted(length(one.prompt + one.response) for one in found)
        responses = sorted(length(one.response) for one in found)
        print(
            f"{name(form):18}  {len(found) / count:4.0%} of documents, {sum(lengths) / whole:4.0%} of tokens"
            f"  mean {sum(lengths) / len(found):4.0f}  median {lengths[len(found) // 2]}"
            f"  95 % {lengths[len(found) * 95 // 100]}  longest {lengths[-1]}"
            f"  response {sum(responses) / len(found):.0f}"
        )
        for one in found[:examples]:
            print(f"\n{one.prompt}|{one.response}\n")


def show_quiz(folder: Path, count: int, temperatures: list[float], examples: int) -> None:
    for temperature in temperatures:
        for form, marks in quiz(folder, count, temperature).items():
            print(f"temperature {temperature}  {name(form):18}  {marks}", flush=True)
            print(f"    {Counter(str(became) for _, _, became in marks.examples).most_common()}")
            for prompt, response, became in marks.examples[:examples]:
                print(f"\n{prompt}|{response}\n    -> {became}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    of_documents = commands.add_parser("documents")
    of_documents.add_argument("--count", type=int, default=3000)
    of_quiz = commands.add_parser("quiz")
    of_quiz.add_argument("folder", type=Path, help="a finished model: OUT/model of azr pretrain")
    of_quiz.add_argument("--count", type=int, default=100, help="questions of each form")
    of_quiz.add_argument("--temperatures", type=float, nargs="+", default=[1.0, 0.0])
    for command in (of_documents, of_quiz):
        command.add_argument("--examples", type=int, default=0, help="of each form, to read")
    given = parser.parse_args()
    if given.command == "documents":
        show_documents(given.count, given.examples)
    else:
        show_quiz(given.folder, given.count, given.temperatures, given.examples)


if __name__ == "__main__":
    main()
