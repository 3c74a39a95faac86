"""The seeded generator of the bundled sample streams and of the bench's larger ones.

The texts live in `fragments/`; this package only combines them. One *block* (block.py) is about a thousand
lines over twelve streams with a fixed mix of verdicts. The sample is one block stretched over four weeks; the
bench is many blocks, each squeezed into six hours, so group sizes stay those of the sample at any size.
"""
