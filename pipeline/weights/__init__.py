"""Weights as the last resort: tasks with executable truth, a sandbox for answers, trainers of adapters, and their store."""
