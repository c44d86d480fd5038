"""Means of independent draws, and their standard errors."""

import torch

__all__ = ["RunningMoments"]


class RunningMoments:
    """Mean and variance of arrays that come one by one (Welford's recurrence).

    Arrays may have different variances if they have the same mean and are uncorrelated:
    the standard error is that of their plain mean all the same, without bias in its
    square.
    """

    def __init__(self):
        self.count = 0
        self.mean = self.squares = None

    def update(self, values):
        """Take in one more array; it is used as scratch space."""
        if not self.count:
            self.mean = torch.zeros_like(values)
            self.squares = torch.zeros_like(values)
        self.count += 1
        step = values.sub_(self.mean)
        self.mean.add_(step, alpha=1 / self.count)
        self.squares.addcmul_(step, step, value=1 - 1 / self.count)

    def largest_error(self):
        """Return the largest standard error."""
        return (float(self.squares.max()) / self._divisor()) ** 0.5

    def typical_error(self):
        """Return the root mean square of standard errors."""
        return (float(self.squares.mean()) / self._divisor()) ** 0.5

    def errors(self):
        """Return standard errors; NaN after a single array."""
        return (self.squares / self._divisor()).sqrt()

    def _divisor(self):
        return self.count * (self.count - 1) if self.count > 1 else float("nan")
