"""Adam (arXiv 1412.6980) with clipped gradients, and a learning rate that warms up and runs out."""

from collections.abc import Mapping

import numpy as np

from pipeline.weights.llama.base import Array

_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8
_LARGEST_NORM = 1.0


def rate(highest: float, step: int, steps: int) -> float:
    """Returns the learning rate of a step, from 0: a tenth of the steps to warm up, and a straight line down to the end."""
    return highest * min(1.0, (step + 1) / max(1, steps // 10)) * (1 - step / steps)


class Adam:
    """Changes values in place by their gradients, and sets these to zero."""

    def __init__(self, values: Mapping[str, Array]) -> None:
        self._values, self._steps = values, 0
        self._means = {name: np.zeros_like(value) for name, value in values.items()}
        self._squares = {name: np.zeros_like(value) for name, value in values.items()}

    def step(self, gradients: Mapping[str, Array], learning_rate: float) -> None:
        """One step. Gradients whose norm over all values is beyond 1 are scaled down to it."""
        self._steps += 1
        size = float(np.sqrt(sum(float((value * value).sum(dtype=np.float64)) for value in gradients.values())))
        clipped = np.float32(min(1.0, _LARGEST_NORM / (size + 1e-6)))
        mean_scale, square_scale = 1 - _FIRST**self._steps, 1 - _SECOND**self._steps
        for name, value in self._values.items():
            gradient = gradients[name] * clipped
            mean, square = self._means[name], self._squares[name]
            mean += np.float32(1 - _FIRST) * (gradient - mean)
            square += np.float32(1 - _SECOND) * (gradient * gradient - square)
            root = np.sqrt(square / np.float32(square_scale)) + np.float32(_TINY)
            value -= np.float32(learning_rate / mean_scale) * mean / root
            gradients[name].fill(0)
