"""What messy data directories are made of: small pools, so that tasks, texts, runs and paths meet."""

from __future__ import annotations

from typing import Any

KNOWN_PATHS = frozenset({"src/app.py", "src/it's.py", "docs/größe.md", "Makefile", "src/a b.py"})
"""A known-paths list that the generated cited paths hit and miss."""

STREAM_TIMES = {
    "scrum_reviews": "created_at",
    "observer_reviews": "ts",
    "audits": "ts",
    "contract_analyses": "created_at",
    "auto_apply": "ts",
    "outcomes": "created_at",
    "mode_experiments": "created_at",
    "audit_facts": "ts",
    "distilled_facts": "created_at",
    "distilled_procedures": "created_at",
    "distilled_config_hints": "created_at",
    "observer_escalations": "ts",
    "agent_checkpoints": "created_at",
    "code_reviews": "collected_at",
    "optimization_runs": "timestamp",
    "audit_discrepancies": "ts",
    "model_trust": "ts",
    "surprise_stream": "ts",
}
"""Every stream that is written, the last without a model, and the key of its time."""


class Raw(str):
    """Text that goes into the JSON as it stands."""


Pool = list[Any]
Pairs = list[tuple[str, Any]]

# fmt: off
BLANKS: Pool = ["", " ", "\t\n\r\f\v ", None]
LOOKS_BLANK: Pool = ["\u00a0", "\u2003", "\u200b", "\u0085", "\x1f", "\x00"]
WRONG: Pool = [0, 7, -1, 1.5, True, False, None, [], {}, ["text"], {"text": "x"}, Raw("1e400"), Raw("-0.0")]
TASKS: Pool = [
    *["t1"] * 5, *["t2"] * 3, "t3", "t4", "t5", "t6", "T1", "t1 ", "'; drop table runs; --", "", "\u00a0",
]
FILES: Pool = ["src/app.py", "src/app.py", "src/it's.py", "docs/größe.md", "%_\\", "🦆.py", *BLANKS[:2]]
CONTENTS: Pool = [
    "Use a lock.", "Use a lock. ", "\tUse a lock.\n", "use a lock.", "Guard \u2028 the \"quote' 100%",
    "🦆 quack",
    "a\x1fb", "a", "b\x1fc", "line\r\nline", "null", "NUL \x00 inside", "half \ud83d pair", "\udc00", "é",
    "e\u0301",
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
]
INSTRUCTIONS: Pool = [
    "Fix it", "Fix it", "Fix it ", "Review src/app.py", "select * from x;", "a", "🦆", "\u00a0", "",
]
RUNS: Pool = ["r1", "r1", "r2", "r3", "r4", "r5", "R1", "r1 ", "audits:0000000000000000", 17, *BLANKS[2:]]
PATHS: Pool = [
    "src/app.py", "src/app.py", "Makefile", "src/it's.py", "src/nope.py", "makefile", "./Makefile", " ",
]
MARKERS: Pool = ["timeout", "oom", "OOM", "oom", "a:b", "", " ", "é", "zz", "\ufb01", "🦆", 3, None, ["oom"]]
VERDICTS: Pool = [
    *["accept", "reject", "cycle", "pass", "fail", "warn"] * 2, " Accept\n", "REJECT", "Cycle\t", "PASS",
    " fail ",
    "accept\u00a0", "accepted", "", " ", "none", "\u0130", "ΑΣ",
]
SEVERITIES: Pool = [
    "info", "Low", " MEDIUM ", "high", "CRITICAL\n", "minor", "warning", "blocker", "", None, "med\u00a0",
    "error",
]
ATTEMPTS: Pool = [
    0, 1, 1, 1, 2, 3, 4, 7, -1, 1.0, 2.5, "1", True, None, Raw("1e0"), Raw("10E-1"),
    Raw("99999999999999999999"),
]
NUMBERS: Pool = [
    0, 1, 3, -5, 120000, 120001, 3.0, 3.7, "5", True, None, 2**63 - 1, 2**63, -(2**63), 10**30,
    Raw("9223372036854775807.0"), Raw("-0"), Raw("1e400"), Raw("1E5"), Raw("1e-400"), Raw("0.1"), Raw("1e19"),
    Raw("9007199254740993"), Raw("9007199254740993.0"), Raw("1" * 4300), Raw("3.0000000000000000000000001"),
]
FRACTIONS: Pool = [
    0.8, 0.8, 0.7999, 0.5, 0.5, 0.49999, 0, 1, -0.1, "0.9", True, None, Raw("0.79999999999999999999"),
]
INSTANTS: Pool = [
    "2026-04-27T03:33:53Z", "2026-04-27T03:33:53.000000+00:00", "2026-04-27 05:33:53+02:00", "2026-04-29T21:00:00Z",
    "2026-05-04T03:33:53Z", "2026-05-04T03:33:53.000001Z", "2026-04-30T03:33:53Z", "2026-05-01T03:33:53.5Z",
    "2026-04-27_03-33-53", "2026-04-27", "2026-04-27T00:00", "2026-04-26T23:59:59.999999999-0000",
    "2026-04-27 03:33:53,5z", "2026-04-27T03:33:53.1234567Z", "2026-04-27T09:03:53+0530",
    "2026-04-27T03:33:53-03",
    "0001-01-01", "9999-12-31T23:59:59.999999Z", "2024-02-29T12:00:00+23:59", "1969-12-31T23:59:59.5Z",
    1777260833, 1777260833000, 1777260833123, 1777260833.5, 0, 99999999999, 100000000000,
    Raw("1.777260833E9"),
    Raw("1777260833.123456789"), Raw("1777260833123.4567"), Raw("0.0000019"), Raw("-0.0"),
    Raw("253402300799999"),
]
BROKEN_TIMES: Pool = [
    "", " ", "yesterday", "2026-02-30", "2026-13-01", "2025-02-29T00:00:00Z", "0000-01-01", "10000-01-01",
    "2026-04-27T24:00:00Z", "2026-04-27T23:59:60Z", "2026-04-27T03:60:00Z", "2026-04-27T03:33:53+25:00",
    "2026-04-27T03:33:53+02:60", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
    "2026-04-27_03-33-61",
    "2026-04-27T", "2026-04-27T03", "2026-04-27T03:33:53.", "20260427T033353Z", "2026-4-27", "1777260833",
    "2026-04-27T03:33:53Z junk", "2026-04-27T03:33:53 UTC", "\uff12026-04-27", "infinity", "epoch", "now",
    True, False, [], {}, ["2026-04-27"], -1, -0.5, 253402300800000, Raw("1e300"), Raw("1e400"), 10**40,
    "2026-04-27_03-33-53Z", "2026-04-27 (local)", "-2026-04-27", "2026-04-27T03:33:53.1234567890Z",
    "27.04.2026",
    "2026-W18-1",
]
FIELDS: dict[str, dict[str, Pool]] = {
    "scrum_reviews": {
        "file": FILES, "prompt": INSTRUCTIONS, "review": CONTENTS,
        "accepted": [True, True, True, False, None, "false", 0], "accepted_on_attempt": ATTEMPTS,
    },
    "observer_reviews": {"file": FILES, "prompt": INSTRUCTIONS, "notes": CONTENTS, "verdict": VERDICTS},
    "audits": {
        "phase": [1, 2, "one", 3.0, 3.5, True, " ", None, 2**63], "topic": FILES, "evidence": CONTENTS,
        "resolution": [*CONTENTS[:4], *BLANKS, *LOOKS_BLANK], "severity": SEVERITIES, "verdict": VERDICTS,
        "finding_id": ["f1", "f1", 17, -3, 17.0, 17.5, True, " ", None],
    },
    "contract_analyses": {
        "contract_id": ["c1", "c2", 5, *BLANKS], "prompt": INSTRUCTIONS, "analysis": CONTENTS,
        "failure_markers": [[], [], [], MARKERS, MARKERS[:2], ["", " ", 1], "oom", None, {}],
        "observer_verdict": VERDICTS,
    },
    "auto_apply": {
        "file": FILES, "prompt": INSTRUCTIONS, "patch": CONTENTS,
        "action": ["committed", "committed", " Committed ", "build_red_REVERTED", "_reverted", "_reverted_",
        "", "noop"],
    },
    "outcomes": {
        "task": INSTRUCTIONS, "summary": CONTENTS, "all_events_ok": [True, True, False, None, "true", 1],
        "gap_signals": [0, 0, 0, *NUMBERS],
    },
    "mode_experiments": {
        "mode": ["fast", "slow", *BLANKS], "prompt": INSTRUCTIONS, "text": [*CONTENTS, *BLANKS],
        "latency_ms": [119999, 120000, 120001, 120000.0, 120000.5, "130000", None, -1],
        "validation_results": [{"grounded_fraction": value} for value in FRACTIONS] + [[], "0.9", None, 0.9,
        {}],
    },
    "audit_facts": {
        "facts": [["a", "b"], ["a", 1, "b", None], [], [1], "a", None, [" "], [["a"]], ["half \ud83d", "🦆"]],
    },
    "distilled_facts": {"text": CONTENTS},
    "distilled_procedures": {"text": CONTENTS},
    "distilled_config_hints": {"text": CONTENTS},
    "observer_escalations": {"reason": INSTRUCTIONS, "analysis": CONTENTS},
    "agent_checkpoints": {
        "checkpoint_id": ["k1", "k2", "k3", 5, ""], "session_id": ["s1", "s2", "s3", " "],
        "branch": ["main", "t1", *BLANKS], "prompt": INSTRUCTIONS, "final_message": CONTENTS,
        "files_touched": [PATHS[:2], PATHS, [], [1, None, " "], "src/app.py", None],
        "outcome": ["merged_main", "Merged_Main ", "branch_only", "no_commit", "lost", None],
    },
    "code_reviews": {
        "pr": ["https://example.org/pull/1", "t1", "t2", *BLANKS], "pr_title": [*INSTRUCTIONS, *BLANKS],
        "comment": CONTENTS, "severity": SEVERITIES, "tool": ["reviewer-1", "", 3],
        "judgement": ["true_positive", "TRUE_POSITIVE\t", "false_positive", "false_negative", None],
    },
    "optimization_runs": {
        "item_id": ["i1", "t1", *BLANKS], "repo": ["repo", *BLANKS],
        "evaluation": [
            {"status": "success", "improvement": True}, {"status": " Success", "improvement": False},
            {"status": "no_patch", "improvement": True}, {"status": "success", "improvement": "true"},
            {"status": "success"}, {"improvement": True}, None, [], "success", {"status": None},
        ],
    },
    "audit_discrepancies": {
        "discrepancy_id": ["d1", "d2", "t1", "t2", 17, 17.5, *BLANKS[:2]], "prompt": INSTRUCTIONS,
        "finding_a": [*CONTENTS, *BLANKS], "finding_b": [*CONTENTS, *BLANKS],
        "run_a": RUNS[:8] + BLANKS[:1], "run_b": [*RUNS[:8], *RUNS[-3:]],
        "model_a": ["m-1", "M-2", "judge", None], "model_b": ["m-2", "m-3", "", 4],
        "winner": [*["a", "b"] * 3, " A\n", "B", "c", "", None, 1],
        "settled_by": [
            *["person:ann", " Test: unit", "TOOL:merge\t", "person:M-1"] * 2,
            "human", "the models' owner", "tool", "person", "model", "MODEL:m-1", "llm-judge", "M-1", "m-2 ",
            "judge", "m-9", "", None, True,
        ],
    },
    "model_trust": {
        "task_type": FILES, "ok": [True, True, False, None, "true"],
        "thumb": ["up", "Down ", "thumbs_up", "thumbs_down", "+1", "-1", 1, -1, 1.0, 0, 1.5, True, False, None, "", "meh"],
    },
    "surprise_stream": {"text": CONTENTS},
}
COMMON: dict[str, Pool] = {
    "model": ["m-1", "m-2", "", 4, None], "provider": ["local", "cloud", False], "cost_usd": NUMBERS,
    "cited_paths": [PATHS[:2], PATHS[1:5], [], PATHS, [1, None, "", "src/app.py"], "src/app.py", {}, None],
    "latency_ms": NUMBERS, "prompt_tokens": NUMBERS, "completion_tokens": NUMBERS, "success_markers": [["ok"],
    "ok"],
    "File": ["wrong case"], "TASK_ID": ["wrong case"], "x\u2028\"'\\": ["odd key"],
    "half \ud83d": ["odd \udc00 value"],
}
BROKEN_LINES: list[bytes] = [
    b"{", b'{"a": 1', b'{"a": 1}}', b'{"a": 1} {"b": 2}', b"{'a': 1}", b'{"a": 1,}', b'{"a" 1}', b"{a: 1}",
    b"nul",
    b'{"a": "tab\tinside"}', b'{"a": "nul\x00inside"}', b"\x00", b"\x00\x00{}", b'{"a": 01}', b'{"a": .5}',
    b'{"ts": NaN}', b'{"a": [Infinity]}', b'{"a": -Infinity, "a": 1}', b"NaN", b'{"a": "\\x41"}',
    b'{"a": "\\ud83"}',
    b'\xef\xbb\xbf{"a": 1}', b'\x0c{"a": 1}', b"\xc2\xa0", b"\xe2\x80\xa8", b'{"a": "' + b"x" * 70_000,
    b'{"a": +1}',
    b"[]", b'[{"a": 1}]', b"1", b'"text"', b"null", b"true", b" 1.5 ", b'"{}"', b"[" * 512 + b"]" * 512,
    b'{"a": "\xff"}', b"\xff\xfe", b'{"a": "\xed\xa0\xbd"}', b'{"a": "\xc3', b'\x80{"a": 1}',
    b'{"a": \xf4\x90\x80\x80}',
    b"[" * 513 + b"]" * 513, b'{"a":' * 600 + b"1" + b"}" * 600, b"[" * 100_000,
    b'{"n": ' + b"1" * 4301 + b"}",
]
BLANK_LINES: list[bytes] = [b"", b"", b" ", b"\t \t", b"\r", b"\x0c\x0b", b"   \r"]
TAILS: list[bytes] = [
    b"", b"", b'{"task_id": "t1", "ts"', b'{"a": "\xc3', b"[1, 2", b'{"task_id": "t1", "ts": 0}', b"17",
]
# fmt: on
