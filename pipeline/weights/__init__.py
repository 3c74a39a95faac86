"""Weights, changed as a last resort: trainers of adapters, where adapters are kept, and how sure a model is with one."""
