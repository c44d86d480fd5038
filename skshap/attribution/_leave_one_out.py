"""Leave-one-out values: what every player adds to all others."""

__all__ = ["leave_one_out_values"]


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
    out = problem.zeros(game.n_players)[0]
    for s, utility in enumerate(problem.utilities):
        losses = utility.gains(
            everyone.decision, everyone.leaving, per_sample=problem.per_sample
        )
        out[s].index_add_(0, everyone.leaving.players, losses, alpha=-1)
    return out
