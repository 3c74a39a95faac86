"""The table of the gate's decisions in docs/replay.md is what the gate decides; and it is not flattering by accident."""

import re
from pathlib import Path

import pytest

from tools import gate_answers
from tools.gate_answers import Made

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Made]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        warehouse = gate_answers.sample(tmp_path_factory.mktemp("sample"))
    return list(gate_answers.built(gate_answers.bundles_of(warehouse)))


def test_the_page_shows_what_the_gate_decides(made: list[Made]) -> None:
    page = (ROOT / gate_answers.PAGE).read_text(encoding="utf-8")
    assert gate_answers.placed(page, gate_answers.table(made)) == page, "run `make gate-table`"


def test_there_are_enough_answers_of_every_kind(made: list[Made]) -> None:
    assert len(made) >= 120
    kinds = {kind: (total, passed) for kind, total, passed, _ in gate_answers.rows(made)}
    assert {*gate_answers.PLANTED} <= kinds.keys() and sum(kind.startswith("plausible") for kind in kinds) == 4
    assert all(passed == 0 for kind, (_, passed) in kinds.items() if kind in gate_answers.PLANTED)


def test_the_page_says_what_slips_through(made: list[Made]) -> None:
    page = (ROOT / gate_answers.PAGE).read_text(encoding="utf-8")
    assert re.search(r"\d+ plausible but wrong ones \d+ slipped through", page)


def test_the_readme_says_the_same_of_it() -> None:
    page, readme = ((ROOT / name).read_text(encoding="utf-8") for name in (gate_answers.PAGE, "README.md"))
    (said,) = re.findall(r"of (\d+) answers that were made\s+plausible and wrong, (\d+) slipped through", readme)
    assert said == re.findall(r"Of (\d+) plausible but wrong ones (\d+) slipped through", page)[0]
