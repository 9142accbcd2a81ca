r"""AdamW (Loshchilov and Hutter, 2019, algorithm 2) with a moving average of the weights, as a state that can be saved.

With the gradient g at step t,

.. math:: m &\leftarrow \beta_1 m + (1 - \beta_1) g, \qquad s \leftarrow \beta_2 s + (1 - \beta_2) g^2, \\
          x &\leftarrow x - \eta \Big( \frac{m / (1 - \beta_1^t)}{\sqrt{s / (1 - \beta_2^t)} + \epsilon}
              + \lambda x \Big), \qquad
          \bar x \leftarrow \beta \bar x + (1 - \beta) x .
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["AdamW"]

Array = np.ndarray[Any, Any]

EPSILON = 1e-12


@dataclass
class AdamW:
    """Where an optimisation stands.

    Parameters
    ----------
    x : (n,) float64
        What is optimised.
    mean, square : (n,) float64
        Moving averages of the gradient and of its square.
    average : (n,) float64
        Moving average of `x`.
    step : int
        Steps taken.
    """

    x: Array
    mean: Array
    square: Array
    average: Array
    step: int = 0

    @classmethod
    def at(cls, x: Array) -> AdamW:
        """The state before the first step."""
        return cls(x.copy(), np.zeros_like(x), np.zeros_like(x), x.copy())

    def update(
        self,
        gradient: Array,
        rate: float,
        betas: tuple[float, float] = (0.9, 0.98),
        decay: float = 0.0,
        ema: float = 0.9,
    ) -> None:
        """One step against a gradient.

        Parameters
        ----------
        gradient : (n,) float64
        rate : float
            eta.
        betas : tuple of float
            beta_1 and beta_2.
        decay : float
            lambda, of the weights.
        ema : float
            beta, of the average; smaller in the first steps, so that the start is forgotten soon.
        """
        one, two = betas
        self.step += 1
        self.mean = one * self.mean + (1 - one) * gradient
        self.square = two * self.square + (1 - two) * gradient**2
        mean, square = self.mean / (1 - one**self.step), self.square / (1 - two**self.step)
        self.x = self.x - rate * (mean / (np.sqrt(square) + EPSILON) + decay * self.x)
        beta = min(ema, self.step / (self.step + 10.0))
        self.average = beta * self.average + (1 - beta) * self.x
