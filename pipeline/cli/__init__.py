"""The command `distill`: parse, call, print. No logic lives here."""

from pipeline.cli.main import main

__all__ = ["main"]
