"""From evidence to scores: what each run is worth, and each model by its runs."""
