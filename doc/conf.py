"""Configuration of the Sphinx build."""

import skshap

project = "skshap"
author = "the skshap developers"
project_copyright = "2026, the skshap developers"
version = release = skshap.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
html_theme = "alabaster"
# Methods inherited from scikit-learn refer to labels of its user guide.
suppress_warnings = ["ref.ref"]

autosummary_generate = True
# Methods are listed on the page of their class; a page each would say no more.
numpydoc_class_members_toctree = False
extlinks = {
    "arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s"),
    "doi": ("https://doi.org/%s", "doi:%s"),
}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "plot_",
}
