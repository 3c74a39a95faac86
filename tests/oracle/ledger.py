"""What the ledger of models must say of records and their scores, in plain Python.

Costs are added up as exact fractions; the interval is Wilson's formula as the textbook has it: the two shares at which the
observed one lies 1.96 standard errors away.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction
from statistics import NormalDist
from typing import Any

from .landing import is_blank

Row = dict[str, Any]
CATEGORIES = ("accepted", "partially_accepted", "rejected", "needs_human_review")
BLANKS = " \t\n\v\f\r"
Z = NormalDist().inv_cdf(0.975)


def ledger(records: Iterable[Row], scores: Iterable[Row]) -> dict[tuple[str, str], Row]:
    """Returns the ledger's rows by model and type of task."""
    categories = {(row["source_file"], row["line_offset"]): row["category"] for row in scores}
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in records:
        if name := _filled(row["model_name"]):
            category = categories[row["source_file"], row["line_offset"]]
            groups[name, _task_type(row)].append(row | {"category": category})
    return {key: _entry(rows) for key, rows in groups.items()}


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Returns the ends of the 95 % interval: the roots of (p - share)^2 = z^2 p (1 - p) / trials."""
    share = hits / trials
    a, b, c = 1 + Z * Z / trials, -(2 * share + Z * Z / trials), share * share
    reach = math.sqrt(max(b * b - 4 * a * c, 0.0))
    return (-b - reach) / (2 * a), (-b + reach) / (2 * a)


def quantile(values: list[float], part: float) -> float | None:
    """Returns the value at a part of the sorted values, between two of them where it must be."""
    if not values:
        return None
    ordered, place = sorted(values), part * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _entry(rows: list[Row]) -> Row:
    counts = {name: sum(row["category"] == name for row in rows) for name in CATEGORIES}
    judged = len(rows) - counts["needs_human_review"]
    latencies = [float(row["latency_ms"]) for row in rows if row["latency_ms"] is not None and row["latency_ms"] >= 0]
    priced = [row for row in rows if row["cost_usd"] is not None and 0 <= row["cost_usd"] < 1e9]
    costs = [row["cost_usd"] for row in priced]
    total = sum(map(Fraction, costs), Fraction(0))
    paid_for = sum(row["category"] == "accepted" for row in priced)
    providers = {name for row in rows if (name := _filled(row["model_provider"]))}
    times = [row["occurred_at"] for row in rows]
    entry: Row = {
        "model_provider": providers.pop() if len(providers) == 1 else None,
        "records": len(rows),
        "judged": judged,
        "latency_records": len(latencies),
        "cost_records": len(costs),
        "cost_usd_total": float(total) if costs else None,
        "cost_usd_per_accepted": float(total / paid_for) if paid_for else None,
        "first_seen_at": min(times),
        "last_seen_at": max(times),
        **_share("accepted_of_judged", counts["accepted"], judged, "accepted_of_judged"),
    }
    for name, amount in counts.items():
        entry |= {name: amount} | _share(name, amount, len(rows), f"{name}_share")
    for name, part in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        entry |= {f"latency_ms_{name}": quantile(latencies, part), f"cost_usd_{name}": quantile(costs, part)}
    return entry


def _share(name: str, hits: int, trials: int, share: str) -> Row:
    low, high = wilson(hits, trials) if trials else (None, None)
    return {share: hits / trials if trials else None, f"{name}_low": low, f"{name}_high": high}


def _task_type(row: Row) -> str:
    named = _filled(row["subject"]) if row["source"] == "model_trust" else None
    return named or row["source"]


def _filled(text: str | None) -> str | None:
    return None if text is None or is_blank(text) else text.strip(BLANKS)
