"""What is kept: Delta tables, which versions of them belong together, and who is reading these."""
