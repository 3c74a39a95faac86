"""`python -m pipeline` is `distill`."""

from pipeline.cli import main

main(prog_name="distill")
