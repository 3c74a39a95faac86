"""Weights as the last resort: tasks with executable truth, a sandbox for answers, a sampler without hidden defaults."""
