"""The embedded model, quickly: `python benchmarks/embedded.py documents` and `... quiz FOLDER`.

`documents` measures how fast documents are drawn and how long they are, by form. `quiz` asks a pretrained model
questions from another stream, at some temperatures, and shows examples. For comparing designs while they are made: it
writes nothing. What is reported of a model is measured on the fixed held-out sets.
"""

import argparse
import time
from collections import Counter, defaultdict
from pathlib import Path

from quiz import Form, quiz

from absolute_zero.pretraining.traces.documents import Document, document
from absolute_zero.pretraining.traces.pieces import length


def name(form: Form) -> str:
    role, kind = form
    return f"{role} {kind}"


def show_documents(count: int, examples: int) -> None:
    """Show speed and lengths of the first documents of seed 0."""
    begun = time.process_time()
    drawn = [document(0, number)[0] for number in range(count)]
    seconds = time.process_time() - begun
    print(f"{count / seconds:,.0f} documents a CPU second, {seconds:.1f} s")
    forms: dict[Form, list[Document]] = defaultdict(list)
    for item in drawn:
        forms[item.role, item.kind].append(item)
    whole = sum(length(item.prompt + item.response) for item in drawn)
    print(f"{whole / count:.0f} tokens a document")
    for form, same in sorted(forms.items()):
        lengths = sorted(length(item.prompt + item.response) for item in same)
        responses = sorted(length(item.response) for item in same)
        print(
            f"{name(form):18}  {len(same) / count:4.0%} of documents, {sum(lengths) / whole:4.0%} of tokens"
            f"  mean {sum(lengths) / len(same):4.0f}  median {lengths[len(same) // 2]}"
            f"  95 % {lengths[len(same) * 95 // 100]}  longest {lengths[-1]}"
            f"  response {sum(responses) / len(same):.0f}"
        )
        for item in same[:examples]:
            print(f"\n{item.prompt}|{item.response}\n")


def show_quiz(folder: Path, count: int, temperatures: list[float], examples: int) -> None:
    for temperature in temperatures:
        for form, tally in quiz(folder, count, temperature).items():
            print(f"temperature {temperature}  {name(form):18}  {tally}", flush=True)
            print(f"    {Counter(str(became) for _, _, became in tally.examples).most_common()}")
            for prompt, response, became in tally.examples[:examples]:
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
    chosen = parser.parse_args()
    if chosen.command == "documents":
        show_documents(chosen.count, chosen.examples)
    else:
        show_quiz(chosen.folder, chosen.count, chosen.temperatures, chosen.examples)


if __name__ == "__main__":
    main()
