"""Where a setting comes from, which way a gate opens, and that nothing but the command line opens one wider."""

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pipeline import remembered
from pipeline.cli import main
from pipeline.cli.config import KEYS
from pipeline.errors import DistillError, InputError, UsageError
from pipeline.settings import DEFAULTS, GATES, LISTS, OPTION, Gates, Settings, as_option, opened_gates


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and no variables."""
    for name in list(os.environ):
        if name.startswith("DISTILL_"):
            monkeypatch.delenv(name)
    folder = tmp_path / "project/below"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def shown(*arguments: str, **environment: str) -> dict[str, tuple[Any, str]]:
    """Returns each setting as `distill settings` shows it: its value, and where it comes from."""
    done = CliRunner().invoke(main, ["settings", "--json", *arguments], env=environment)
    assert done.exit_code == 0, done.output
    return {row["setting"]: (row["value"], row["from"]) for row in json.loads(done.output)}


def refusal(*arguments: str, **environment: str) -> str:
    """Returns the one line that `distill settings` refuses with."""
    done = CliRunner().invoke(main, ["settings", *arguments], env=environment)
    assert done.exit_code == 2, done.output
    (line,) = done.stderr.splitlines()
    return line


def test_every_gate_says_which_way_it_opens() -> None:
    assert set(GATES) == set(DEFAULTS) == {gate.name for gate in fields(Gates)}
    assert set(LISTS) == {"known_paths"}
    assert not any(gate.wider(DEFAULTS[name], DEFAULTS[name]) for name, gate in GATES.items())


@pytest.mark.parametrize(
    ("name", "strict", "wide"),
    [
        ("include_review", False, True),
        ("include_partial", False, True),
        ("known_paths", Path("list"), None),
        ("cross_stream", False, True),
        ("cross_stream_days", 7, 8),
        ("max_chars", 10, 11),
        ("max_chars", 10, None),
        ("pairs", "same-prompt", "task"),
        ("max_pairs", 5, 6),
        ("settlers", ("ann",), ("ann", "bob")),
        ("settlers", ("ann",), ("bob",)),
    ],
)
def test_which_way_a_gate_opens(name: str, strict: Any, wide: Any) -> None:
    assert GATES[name].wider(wide, strict)
    if {strict, wide} != {("ann",), ("bob",)}:
        assert not GATES[name].wider(strict, wide)


def test_what_is_said_of_open_gates() -> None:
    assert opened_gates(vars(Gates(known_paths=Path("x")))) == []
    assert [
        text.split()[0].strip(":") for text in opened_gates(vars(Gates(True, True, None, True, 30, None, "task", 9, ("ann",))))
    ] == [*("include_review", "include_partial", "known_paths", "cross_stream_days", "pairs", "max_pairs", "settlers")]


def test_an_option_comes_before_a_variable_before_the_file_before_the_default(here: Path) -> None:
    (here.parent / "distill.toml").write_text('warehouse = "w"\nmax_pairs = 3\ndata = "/abs"\nsettlers = ["ann", "bob b"]\n')
    file = str(here.parent / "distill.toml")
    found = shown("--max-pairs", "1", DISTILL_MAX_PAIRS="2")
    assert found["max_pairs"] == (1, OPTION)
    assert found["warehouse"] == (str(here.parent / "w"), file)
    assert found["data"] == ("/abs", file)
    assert found["exports"] == ("exports", "default")
    assert found["settlers"] == (["ann", "bob b"], file)
    assert shown(DISTILL_MAX_PAIRS="2")["max_pairs"] == (2, "DISTILL_MAX_PAIRS")
    assert shown()["max_pairs"] == (3, file)
    (here / "distill.toml").write_text('\ufeffknown_paths = "known.txt"\n', encoding="utf-8")
    assert shown()["known_paths"] == ("known.txt", str(here / "distill.toml"))
    assert shown()["max_pairs"] == (5, "default")


def test_what_takes_an_option_away(here: Path) -> None:
    (here / "distill.toml").write_text(
        'known_paths = "x"\nmax_chars = 3\nsettlers = ["ann"]\nsql = "m"\ninclude_review = true\n'
    )
    off = shown(
        "--no-known-paths", "--no-max-chars", "--no-settler", "--no-sql", "--no-include-review", DISTILL_KNOWN_PATHS="y"
    )
    for name, value in {"known_paths": None, "max_chars": None, "settlers": [], "sql": None, "include_review": False}.items():
        assert off[name] == (value, OPTION)
    for option in ("known-paths", "max-chars", "sql"):
        assert f"--no-{option}" in refusal(f"--{option}", "7", f"--no-{option}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("known-paths = 'x'", 'known_paths = "a/path"'),
        ("Max_Pairs = 3", "max_pairs = a whole number"),
        ("nonsense = 1", "there is no setting 'nonsense'"),
        ("accept_rewrite = true", "there is no setting 'accept_rewrite'"),
        ("[warehouse]\nx = 1", "warehouse is {'x': 1}"),
        ("known_paths = false", "known_paths is False"),
        ("warehouse = ''", "warehouse is ''"),
        ("include_review = 1", "include_review = true or false"),
        ("include_review = 'no'", "include_review = true or false"),
        ("max_pairs = true", "max_pairs is True"),
        ("max_pairs = 2.5", "max_pairs is 2.5"),
        ("max_pairs = 0", "max_pairs is 0"),
        ("pairs = 'all'", "pairs is 'all'"),
        ("settlers = 'ann'", 'settlers = ["text", "text"]'),
        ("settlers = [1]", "settlers is [1]"),
        ("drift_threshold = nan", "drift_threshold is nan"),
        ("fail_on = 'never'", "fail_on is 'never'"),
        ("data = ", "this is not TOML"),
        ("data = 'x'\ndata = 'y'", "this is not TOML"),
    ],
)
def test_a_file_that_says_nonsense(here: Path, text: str, said: str) -> None:
    (here / "distill.toml").write_text(text)
    line = refusal()
    assert line.startswith(f"distill: {here / 'distill.toml'}: ") and said in line
    assert CliRunner().invoke(main, ["run-all", "--help"]).exit_code == 0


def test_a_file_that_is_no_text(here: Path) -> None:
    (here / "distill.toml").write_bytes(b"data = '\xff'")
    assert "this is not TOML" in refusal()
    (here / "distill.toml").unlink()
    (here / "distill.toml").mkdir()
    assert shown()["data"] == ("data/_kb", "default")


@pytest.mark.parametrize("name", sorted(set(KEYS) - {"recorded_at"}))
def test_an_empty_variable_is_refused(here: Path, name: str) -> None:
    variable = f"DISTILL_{name.upper()}"
    line = refusal(**{variable: ""})
    assert f"{variable} is empty" in line and f"`env -u {variable} distill settings`" in line
    if name in (*LISTS, "sql", "max_chars", "settlers"):
        (off,) = as_option(name, None)
        assert f"`distill settings {off}`" in line
        shown(off, **{variable: ""})


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "include_review": st.booleans(),
    "include_partial": st.booleans(),
    "known_paths": st.none() | st.sampled_from([b"", b"a.py\n", b"a.py\nb.py\n"]),
    "cross_stream": st.booleans(),
    "cross_stream_days": st.integers(0, 9),
    "max_chars": st.none() | st.integers(1, 9),
    "pairs": st.sampled_from(["same-prompt", "task"]),
    "max_pairs": st.integers(1, 9),
    "settlers": st.lists(st.sampled_from(["ann", "bob", "cy"]), max_size=2, unique=True).map(tuple),
}
ORIGINS = st.sampled_from([OPTION, "DISTILL_X", "distill.toml"])
GIVEN = st.fixed_dictionaries({}, optional={name: st.tuples(values, ORIGINS) for name, values in VALUES.items()})


def test_every_gate_is_drawn() -> None:
    assert set(VALUES) == set(DEFAULTS)


@given(st.lists(GIVEN, max_size=8))
def test_no_gate_gets_wider_unless_the_command_line_says_so(tmp_path_factory: pytest.TempPathFactory, runs: list[Any]) -> None:
    """Runs with options given or left out: what was not given stays, and an opening that a file or variable asks is refused."""
    root = tmp_path_factory.mktemp("gates")
    (root / "list").touch()
    state: dict[str, Any] = {}
    for given_now in runs:
        values = {name: value for name, (value, _) in given_now.items()}
        if values.get("known_paths") is not None:
            (root / "list").write_bytes(values["known_paths"])
            values["known_paths"] = root / "list"
        origins = {name: origin for name, (_, origin) in given_now.items()}
        settings = Settings(warehouse=root / "warehouse", gates=Gates(**values), origins=origins)
        before = dict(state.get("gates", {}))
        wider = {
            name
            for name in before
            if name in values and GATES[name].wider(values[name], tuple(v) if isinstance(v := before[name], list) else v)
        }
        try:
            settled = remembered.settled(settings, state, "run-1", remembered.read_lists(settings))
        except UsageError:
            assert {name for name in wider if origins[name] != OPTION}
            continue
        assert all(origins[name] == OPTION for name in wider)
        state = json.loads(json.dumps(remembered.noted(settled)))
        for name, value in state["gates"].items():
            if name not in given_now:
                assert value == before.get(name, list(DEFAULTS[name]) if name == "settlers" else DEFAULTS[name])
        if settled.gates.known_paths is not None and "known_paths" in given_now:
            assert settled.gates.known_paths.read_bytes() == given_now["known_paths"][0]


def settled(root: Path, state: dict[str, Any], **origins: str) -> Settings:
    settings = Settings(warehouse=root / "warehouse", origins=origins)
    return remembered.settled(settings, state, "run-1", remembered.read_lists(settings))


def made_with(root: Path, content: bytes) -> tuple[dict[str, Any], Path]:
    """Returns a state that was made with a list, and where its warehouse keeps that."""
    path = root / "list"
    path.write_bytes(content)
    settings = Settings(warehouse=root / "warehouse", gates=Gates(known_paths=path))
    made = remembered.settled(settings, {}, None, remembered.read_lists(settings))
    assert made.gates.known_paths is not None
    return remembered.noted(made), made.gates.known_paths


def test_a_list_is_remembered_by_its_content(tmp_path: Path) -> None:
    state, kept = made_with(tmp_path, b"a.py\n")
    (tmp_path / "list").unlink()
    assert settled(tmp_path, state).gates.known_paths == kept
    kept.write_bytes(b"a.py\nmade/up.py\n")
    with pytest.raises(DistillError, match="was changed or damaged since") as damaged:
        settled(tmp_path, state)
    assert damaged.value.exit_code == 3
    kept.unlink()
    with pytest.raises(UsageError, match="--no-known-paths"):
        settled(tmp_path, state)
    assert settled(tmp_path, state, known_paths=OPTION).gates.known_paths is None


def test_a_list_that_an_older_release_did_not_keep(tmp_path: Path) -> None:
    state = {"switches": {"known_paths_given": True, "include_partial": True, "cross_stream_days": 3}}
    with pytest.raises(UsageError, match=r"git ls-files \| distill run-all .*--known-paths /dev/stdin"):
        settled(tmp_path, state)
    found = settled(tmp_path, {"switches": state["switches"] | {"known_paths_given": False}}).gates
    assert found == Gates(include_partial=True, cross_stream_days=3)


def test_a_list_that_can_not_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(InputError, match=r"distill\.toml names it"):
            remembered.read_lists(Settings(gates=Gates(known_paths=path), origins={"known_paths": "distill.toml"}))
    (tmp_path / "utf-16").write_bytes("a.py\n".encode("utf-16"))
    with pytest.raises(InputError, match="utf-16"):
        remembered.read_lists(Settings(gates=Gates(known_paths=tmp_path / "utf-16")))


def test_vacuum_removes_lists_that_no_state_needs(tmp_path: Path) -> None:
    first, one = made_with(tmp_path, b"a.py\n")
    second, other = made_with(tmp_path, b"b.py\n")
    assert remembered.unneeded_lists(tmp_path / "warehouse", [first, second]) == []
    assert remembered.unneeded_lists(tmp_path / "warehouse", [second]) == [one]
    assert other.exists()


@pytest.mark.parametrize("moved", [False, True])
def test_models_are_remembered_by_their_folder(tmp_path: Path, moved: bool) -> None:
    """A warehouse that moves together with its models finds those beside it; one that moves alone, those where they were."""
    there = tmp_path / "there"
    (there / "models").mkdir(parents=True)
    (there / "warehouse").mkdir()
    state = remembered.noted(Settings(warehouse=there / "warehouse", sql=there / "models"))
    at = there
    if moved:
        at = there.rename(tmp_path / "elsewhere")
    unsaid = Settings(warehouse=at / "warehouse", origins={})
    assert remembered.sql_folder(unsaid, state, "run-1") == at / "models"
    assert remembered.sql_folder(Settings(warehouse=at / "warehouse", origins={"sql": OPTION}), state, "run-1") is None
    other = Settings(warehouse=at / "warehouse", sql=tmp_path, origins={"sql": "DISTILL_SQL"})
    with pytest.raises(UsageError, match="DISTILL_SQL has sql"):
        remembered.sql_folder(other, state, "run-1")
    (at / "models").rmdir()
    with pytest.raises(UsageError, match="--no-sql"):
        remembered.sql_folder(unsaid, state, "run-1")


def test_a_warehouse_brings_no_models_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "warehouse/models").mkdir(parents=True)
    state = remembered.noted(Settings(warehouse=tmp_path / "warehouse", sql=tmp_path / "warehouse/models"))
    with pytest.raises(UsageError, match="--no-sql"):
        remembered.sql_folder(Settings(warehouse=tmp_path / "warehouse", origins={}), state, "run-1")
