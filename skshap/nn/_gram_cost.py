"""Operations and bytes that Gram matrices of gradients take."""

__all__ = ["count_operations", "gram_cost"]


def gram_cost(layout, n, n_tokens, itemsize):
    """Predict what `gram` of n rows takes.

    Parameters
    ----------
    layout : Layout
        Of the rows.
    n : int
        Rows.
    n_tokens : array-like of shape (n_factors,)
        Tokens of a row, by factor.
    itemsize : int
        Bytes of a number.

    Returns
    -------
    n_bytes : int
        That the rows take.
    n_operations : float
        Multiplications and additions.
    """
    pairs = n**2 / 2
    numbers, products = layout.n_vector, pairs * layout.n_vector
    for factor, t in zip(layout.factors, n_tokens, strict=True):
        numbers += t * factor.width
        if not factor.is_lookup:
            products += min(count_operations(factor, pairs, t, t, n * t))
    return int(n * numbers * itemsize), 2.0 * products


def count_operations(factor, pairs, t, u, n_tokens):
    """Count what the products of one factor take by either of the two ways.

    Parameters
    ----------
    factor : Factor
        No lookup.
    pairs : float
        Of rows.
    t, u : float
        Tokens of a row on either side, on average.
    n_tokens : float
        Of all rows of both sides, or of the only one.

    Returns
    -------
    by_tokens, multiplied_out : float
        Multiplications; products are taken by what needs fewer.
    """
    size = factor.n_inputs * factor.n_outputs
    return pairs * t * u * factor.width, (pairs + n_tokens) * size
