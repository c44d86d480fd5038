"""Leave-one-out values: what every player adds to all others."""

__all__ = ["leave_one_out_floats", "leave_one_out_values"]


def leave_one_out_values(game, problem):
    """Compute what every player adds to all others, exactly.

    Parameters
    ----------
    game : KernelGame or FeatureGame
        With its inverse.
    problem : Problem
        Its semivalues are not looked at.

    Returns
    -------
    Tensor of shape (n_scorings, n_players), or (n_scorings, n_players, m)
    """
    everyone = game.everyone()
    out = problem.zeros()[0]
    for s, utility in enumerate(problem.utilities):
        losses = utility.gains(
            everyone.decision, everyone.leaving, per_sample=problem.per_sample
        )
        out[s].index_add_(0, everyone.leaving.players, losses, alpha=-1)
    return out


def leave_one_out_floats(game, problem):
    """Count what these values take on the way, as :meth:`Sweep.count_floats` does."""
    n, q, utility = game.n_players, game.n_outputs, problem.utilities[0]
    walk = game.walk_floats(game.to_everyone, is_chosen=False)
    moves = game.players.moves_floats(problem.n_scored, q)
    return *walk, moves + utility.gains_floats(n, q, per_sample=problem.per_sample)
