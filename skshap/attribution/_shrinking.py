"""What adding or removing any row does to a coalition that few rows are left out of.

With ``P = (K + alpha I)^-1``, taking a set R out of all rows lowers the prediction by
what ridge without penalty predicts from R with kernel P, cross kernel ``P k(x)`` and
targets ``P Y``: the algebra of growing coalitions with joining and leaving exchanged,
from one inverse for all permutations.
"""

from skshap.attribution._growing import GrowingCoalitions
from skshap.attribution._moves import Coalition

__all__ = ["ShrinkingCoalitions"]


class ShrinkingCoalitions:
    """Kernel ridge regression on all rows but some, with all moves.

    Parameters
    ----------
    P : Tensor of shape (n, n)
        ``(K + alpha I)^-1``, from `invert_ridge`.
    cross : Tensor of shape (n, m)
        ``P`` times the kernel between training rows and the rows to predict.
    weights : Tensor of shape (n, n_outputs)
        ``P`` times the targets.
    decision : Tensor of shape (n_outputs, m)
        What the ridge on all rows predicts.
    most : int
        How many rows are taken out at most.

    Notes
    -----
    Taking out k of n rows takes what growing to k rows takes.
    """

    def __init__(self, P, cross, weights, decision, *, most):
        self._decision = decision
        self._taken = GrowingCoalitions(P, cross, weights, 0.0, most=most)

    def coalitions(self, order, numbers, choose=None):
        """Take rows out along a permutation and stop at some numbers of them.

        Parameters
        ----------
        order : Tensor of shape (n,)
            The permutation.
        numbers : list of int
            Increasing numbers of rows taken out, from 0 to `most`.
        choose : callable or None, default=None
            See :class:`GrowingCoalitions`.

        Yields
        ------
        Coalition
            Of the other rows, each time; rows on both sides as in the permutation. Its
            tensors are overwritten by the next one.
        """

        def choose_left(taken, reach):
            return choose(self._decision - taken, reach)

        wrapped = None if choose is None else choose_left
        for taken in self._taken.coalitions(order, numbers, wrapped):
            everyone, scored = self._decision, taken.scored
            if scored is not None:
                everyone = everyone[:, scored.index]
            yield Coalition(
                len(order) - taken.size,
                everyone - taken.decision,
                taken.leaving._replace(sign=-taken.leaving.sign),
                taken.joining._replace(sign=-taken.joining.sign),
                scored,
            )
