"""The 22 invariants, held against a small fixture that runs end to end in a temporary warehouse."""

from pipeline.acceptance.checks import Verdict, examine, judge, report

__all__ = ["Verdict", "examine", "judge", "report"]
