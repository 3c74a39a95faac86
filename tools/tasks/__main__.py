"""Writes the bundled tasks: `python -m tools.tasks [--seed 24] [--to pipeline/weights/bundled]`.

Functions and references come from the families, expected values from running the references here, wording from a seed.
"""

import argparse
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.tasks import hold_out, practice
from tools.tasks.family import Family

SETS = {"hold-out": hold_out.FAMILIES, "practice": practice.FAMILIES}
WRITTEN_AT = "2026-12-01T00:00:00Z"
ASKED = (
    "Write a Python function `{signature}` that {text}.",
    "Please write `{signature}` in Python. The function {text}.",
    "Python: define a function `{signature}`. It {text}.",
    "I need a Python function `{signature}` that {text}.",
    "Complete this function, which {text}:\n\n```python\ndef {signature}:\n```\n\n",
    "Give me the Python code of `{signature}`, a function that {text}.",
)
ENDS = (" Answer with the code only.", " Only code, please.", " Reply with nothing but the code.", "")


def tasks_of(families: tuple[Family, ...], seed: int) -> Iterator[dict[str, Any]]:
    """Yields the tasks of all families, each with the values that its reference returns."""
    chance = random.Random(seed)
    for family in families:
        for name, *words in family.variants:
            signature = f"{name}({family.args})"
            reference = f"def {signature}:\n    {_filled(family.body, words)}\n"
            calls = [f"{name}({given})" for given in family.inputs]
            wording = chance.choice(ASKED)
            prompt = wording.format(signature=signature, text=_filled(family.text, words)).rstrip()
            yield {
                "task_id": f"{family.name.replace(' ', '-')}/{name}",
                "family": family.name,
                "prompt": prompt + (chance.choice(ENDS) if not prompt.endswith("`") else ""),
                "entry_point": name,
                "calls": calls,
                "expected": returned(reference, calls),
                "reference": reference,
                "written_at": WRITTEN_AT,
                "source": "bundled",
            }


def returned(reference: str, calls: list[str]) -> list[Any]:
    """Returns what our own code returns for the calls."""
    names: dict[str, Any] = {}
    exec(reference, names)
    return [eval(call, dict(names)) for call in calls]


def _filled(template: str, words: list[str]) -> str:
    """Replaces {0} and on; other braces stay, for references have dictionaries."""
    for number, word in enumerate(words):
        template = template.replace("{" + str(number) + "}", word)
    return template


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=24)
    parser.add_argument("--to", type=Path, default=Path("pipeline/weights/bundled"))
    given = parser.parse_args()
    given.to.mkdir(parents=True, exist_ok=True)
    for name, families in SETS.items():
        lines = [json.dumps(task, ensure_ascii=False, separators=(",", ":")) for task in tasks_of(families, given.seed)]
        (given.to / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
