"""The newest state frozen under a name, after six gates: what it is made of stays, whatever is vacuumed."""

from pipeline.release.freezing import MANIFEST, REPORT, Frozen, freeze

__all__ = ["MANIFEST", "REPORT", "Frozen", "freeze"]
