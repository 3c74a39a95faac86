"""What the repository needs around the pipeline: the sample, the lock, the benchmark, the generated docs."""
