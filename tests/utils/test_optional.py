"""The hint that a missing package gives."""

import sys

import pytest

from skshap.utils._optional import import_optional, locate_optional


def test_import_optional_returns_the_innermost_module():
    import json.decoder

    assert import_optional("json.decoder", "plot") is json.decoder


@pytest.mark.parametrize("name", ["skshap_no_such", "skshap_no_such.sub.sub"])
def test_missing_module_names_the_extra(name):
    with pytest.raises(ImportError, match="skshap_no_such, which is not") as caught:
        import_optional(name, "plot")
    assert 'pip install "skshap[plot]"' in str(caught.value)
    assert not isinstance(caught.value, ModuleNotFoundError)


def test_blocked_module_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    with pytest.raises(ImportError, match=r'pip install "skshap\[plot\]"'):
        import_optional("matplotlib.pyplot", "plot")


def test_broken_module_is_not_called_missing(tmp_path, monkeypatch):
    # The package is there; what it needs is not: no extra of ours would help.
    (tmp_path / "skshap_broken.py").write_text("import skshap_broken_dependency")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="skshap_broken_dependency") as caught:
        import_optional("skshap_broken", "plot")
    assert "skshap[" not in str(caught.value)


def test_a_dependency_whose_name_the_module_begins_with(tmp_path, monkeypatch):
    (tmp_path / "skshap_base_more.py").write_text("import skshap_base")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="skshap_base'"):
        import_optional("skshap_base_more", "plot")


def test_locate_optional_finds_a_file():
    assert locate_optional("numpy", "numpy/__init__.py", "demo").is_file()


def test_missing_distribution_names_the_extra():
    with pytest.raises(ImportError, match=r'pip install "skshap\[demo\]"'):
        locate_optional("skshap-no-such", "x.csv", "demo")


def test_missing_file_is_reported_with_the_version():
    with pytest.raises(FileNotFoundError, match=r"numpy \d.*'numpy/no_such.csv'"):
        locate_optional("numpy", "numpy/no_such.csv", "demo")
