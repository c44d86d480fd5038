"""What estimators that carry an attributor share."""

from numbers import Number

from sklearn.base import clone
from sklearn.utils import get_tags

from skshap.attribution import FreeShapAttributor, FreeShapRegressor
from skshap.utils._columns import text_advice
from skshap.utils._texts import is_text

__all__ = ["OF_REGRESSION", "Attributed"]

OF_REGRESSION = (
    "DataRemoval, DataSelector and LabelNoiseDetector take classes only. Of a "
    "regression fit FreeShapRegressor(...) by itself, and leave out the rows of "
    "largest abs(y - loo_prediction_), whose targets may be wrong."
)


class Attributed:
    """Mixin of estimators with a parameter `attributor`, fitted as `attributor_`."""

    def set_params(self, **params):
        """Set parameters, also of the attributor, as ``attributor__alpha``.

        Parameters
        ----------
        **params : dict
            Values by name.

        Returns
        -------
        self : estimator
            The same object.

        Raises
        ------
        ValueError
            If there is no attributor whose parameters could be set.
        """
        nested = [name for name in params if name.startswith("attributor__")]
        if nested and params.get("attributor", self.attributor) is None:
            raise ValueError(
                f"{nested[0]} cannot be set while attributor=None; pass an attributor "
                "whose parameters these are, such as FreeShapAttributor('auto', "
                "alpha='auto'), which chooses kernel and alpha as None does."
            )
        return super().set_params(**params)

    def _check_attributor(self, X):
        """Raise if `attributor` is not one, or rows are texts and there is none."""
        given = self.attributor
        if isinstance(given, FreeShapRegressor):
            raise ValueError(
                "attributor must be a FreeShapAttributor or None, got "
                f"FreeShapRegressor: {OF_REGRESSION}"
            )
        if not isinstance(given, (FreeShapAttributor, type(None))):
            is_shown = isinstance(given, (str, Number, type))
            raise ValueError(
                "attributor must be a FreeShapAttributor or None, got "
                f"{repr(given) if is_shown else type(given).__name__}; a kernel goes "
                "into one, FreeShapAttributor(kernel), a classifier does not; other "
                "parameters are passed by name."
            )
        is_string = is_text(X)  # raises for a single text
        if self.attributor is None and is_string:
            advice = text_advice(X)
            raise ValueError(
                f"{type(self).__name__} needs an attributor for texts, as "
                "attributor=None works on numbers; use "
                "attributor=FreeShapAttributor(EmpiricalNTK(model)) or, without a "
                "pretrained model, FreeShapAttributor(make_pipeline(TfidfVectorizer(), "
                f'PairwiseKernel("linear"))). {advice}'.rstrip()
            )

    def _unfitted_attributor(self, **options):
        """Return a clone of `attributor`; options are of that which stands for None."""
        if self.attributor is None:
            return FreeShapAttributor("auto", alpha="auto", **options)
        return clone(self.attributor)

    def _take_names(self):
        """Take over the number and the names of columns from the attributor."""
        for name in ("n_features_in_", "feature_names_in_"):
            vars(self).pop(name, None)
            if hasattr(self.attributor_, name):
                setattr(self, name, getattr(self.attributor_, name))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        attributor = self.attributor
        if attributor is None:
            attributor = FreeShapAttributor()
        tags.input_tags = get_tags(attributor).input_tags
        tags.target_tags.required = True
        return tags
