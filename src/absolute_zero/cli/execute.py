"""`azr exec`: run one program in the sandbox, and show what came of each input."""

import json
from collections.abc import Sequence

from absolute_zero.domains.python import guard
from absolute_zero.executor import Sandbox
from absolute_zero.types import Job, Refusal, Result, Verdict
from absolute_zero.values import one_line


def execute(job: Job, check: bool, minimum_level: str, as_json: bool) -> int:
    """Run a job, after the static guard if `check`, and print a line for each input; return the exit code."""
    refusal = guard(job.program) if check else None
    if refusal is not None:
        _show_refusal(refusal, as_json)
        return 1
    with Sandbox(workers=1, minimum_level=minimum_level) as sandbox:
        [outcome] = sandbox.run([job])
    _show_results(job.inputs, outcome.results, as_json)
    return 0 if outcome.ok else 1


def _show_refusal(refusal: Refusal, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"verdict": "refused", "value": "", "detail": str(refusal)}))
    else:
        print(f"refused  {one_line(str(refusal))}")


def _show_results(inputs: Sequence[str], results: Sequence[Result], as_json: bool) -> None:
    width = max(len(result.verdict) for result in results)
    for text, result in zip(inputs, results, strict=True):
        shown = result.value if result.verdict is Verdict.VALUE else one_line(result.detail)
        if as_json:
            row = {
                "input": text,
                "verdict": result.verdict.value,
                "value": result.value,
                "detail": result.detail,
                "cpu_seconds": round(result.cpu_seconds, 6),
            }
            print(json.dumps(row))
        else:
            print(f"{result.verdict:<{width}}  {shown}".rstrip())
