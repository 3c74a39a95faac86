"""The command `distill`: parse, call, print. No logic lives here."""

from pipeline import keyboard

with keyboard.ending_at_once():
    from pipeline.cli.main import main

__all__ = ["main"]
