"""What a model of a table looks at: importance of columns by permutation, and partial dependence on one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from vivace.core.basics import is_listy
from vivace.core.errors import ArgumentError, DataError, MetricError
from vivace.core.randomness import mix, permutation
from vivace.data.columns import missing_column
from vivace.training.loss_errors import name_of
from vivace.training.predict import decode_preds

if TYPE_CHECKING:
    from vivace.training.learner import Learner

    from .core import TabularPandas

__all__ = ["FeatureImportance", "PartialDependence", "feature_importance", "partial_dependence"]

Columns = list[tuple[int, int]]  # (part of the batch, position in it)


@dataclass(frozen=True)
class FeatureImportance:
    """How much worse predictions get without the information in a column.

    Args:
        table: a frame, the most important column first: `feature`, `importance` (the mean over all shuffles) and `std`.
        baseline: the loss (or the metric) with all columns as they are.
        name: what was measured.
    """

    table: Any
    baseline: float
    name: str

    def plot(self, max_n: int = 20, ax: Any = None) -> Any:
        """Draw the `max_n` most important columns as bars, with their deviations, and return the axes."""
        import matplotlib.pyplot as plt

        shown = self.table.head(max_n).iloc[::-1]
        if ax is None:
            _, ax = plt.subplots(figsize=(7, 1 + 0.3 * len(shown)), layout="constrained")
        ax.barh(shown["feature"].map(str), shown["importance"], xerr=shown["std"], color="#4C72B0", ecolor="#555555")
        ax.axvline(0, color="#555555", linewidth=0.8)
        ax.set(xlabel=f"worse by ({self.name})", title="Importance by permutation")
        return ax

    def __repr__(self) -> str:
        what = f"{self.name} {self.baseline:.4g}; worse, when a column is shuffled, by"
        return f"{what}\n{self.table.to_string(index=False)}"

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False))


@dataclass(frozen=True)
class PartialDependence:
    """The mean prediction as a function of one column, all others as they are in the data.

    Args:
        column: its name.
        table: a frame: `value`, then one column for each output of the model.
        is_category: whether the values are categories.
    """

    column: Any
    table: Any
    is_category: bool

    def plot(self, ax: Any = None) -> Any:
        """Draw the mean prediction over the values, a line for each output (bars for categories); return the axes."""
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(figsize=(7, 4), layout="constrained")
        outputs = list(self.table.columns[1:])
        if self.is_category:
            labels = self.table["value"].map(str)
            width = 0.8 / len(outputs)
            places = np.arange(len(labels))
            for i, name in enumerate(outputs):
                ax.bar(places + (i - (len(outputs) - 1) / 2) * width, self.table[name], width, label=str(name))
            ax.set_xticks(places, labels, rotation=45 if len(labels) > 6 else 0)
        else:
            for name in outputs:
                ax.plot(self.table["value"], self.table[name], marker=".", label=str(name))
        ax.set(xlabel=str(self.column), ylabel="mean prediction", title=f"Partial dependence on {self.column}")
        if len(outputs) > 1:
            ax.legend()
        return ax

    def __repr__(self) -> str:
        return f"Mean prediction by {self.column}\n{self.table.to_string(index=False)}"

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False))


def feature_importance(
    learn: Learner,
    metric: Callable[[Any, Any], Any] | None = None,
    ds_idx: int = 1,
    dl: Any = None,
    n_repeats: int = 5,
    seed: int = 0,
) -> FeatureImportance:
    """Shuffle one column after the other and measure how much worse the model predicts (Breiman, 2001).

    A column of numbers is shuffled together with the one that says where it was filled. Columns that say the same hide
    each other: shuffling one of them does little harm.

    Args:
        learn: a trained Learner on a table.
        metric: a function of (decoded predictions, targets) where more is better, such as scikit-learn's scores; None:
            the loss.
        ds_idx: which data set, 1 is the validation rows.
        dl: another loader, with targets.
        n_repeats: how often each column is shuffled.
        seed: the same seed gives the same table.

    Raises:
        ArgumentError: `n_repeats` is not positive.
        DataError: the rows have no target.
        MetricError: the metric cannot take them.
    """
    import pandas as pd

    if n_repeats < 1:
        raise ArgumentError(f"n_repeats must be 1 or more, got {n_repeats}.")
    dl = learn.dls[ds_idx] if dl is None else dl
    to: TabularPandas = dl.dataset
    parts = to.as_columns()
    if len(parts) <= to.n_inp or not parts[to.n_inp].shape[1]:
        raise DataError("Importance compares predictions with targets, and these rows have none.")
    measure = _Measure(learn, dl, metric)
    baseline = measure(parts)
    rows = []
    for number, (name, places) in enumerate(_features(to).items()):
        worse = []
        for repeat in range(n_repeats):
            order = torch.from_numpy(permutation(mix(seed, number, repeat), len(to)))
            changed = [part.clone() for part in parts]
            for part, position in places:
                changed[part][:, position] = parts[part][order, position]
            worse.append(measure(tuple(changed)) - baseline)
        sign = 1.0 if metric is None else -1.0
        rows.append((name, sign * float(np.mean(worse)), float(np.std(worse))))
    rows.sort(key=lambda row: -row[1])
    table = pd.DataFrame(rows, columns=["feature", "importance", "std"])
    return FeatureImportance(table, baseline, "loss" if metric is None else name_of(metric))


def partial_dependence(
    learn: Learner, column: Any, ds_idx: int = 1, dl: Any = None, n_points: int = 20, max_rows: int = 1000
) -> PartialDependence:
    """Return the mean prediction with one column set to each of its values in turn (Friedman, 2001).

    Args:
        learn: a trained Learner on a table.
        column: its name.
        ds_idx: which data set, 1 is the validation rows.
        dl: another loader.
        n_points: values of a column of numbers: quantiles of its rows. Of categories all are taken.
        max_rows: rows that are averaged over, evenly spaced.

    Raises:
        ArgumentError: it is several columns.
        DataError: there is no such column, or there are no rows.
    """
    import pandas as pd

    dl = learn.dls[ds_idx] if dl is None else dl
    to: TabularPandas = dl.dataset
    features = _features(to)
    if is_listy(column):
        raise ArgumentError(f"partial_dependence takes one column at a time, got {len(column)}.")
    if column not in features:
        raise missing_column(column, features, where="The model")
    n_rows = len(to)
    if not n_rows:
        raise DataError("There are no rows to average over: give others, ds_idx=0 or dl.")
    chosen = np.unique(np.linspace(0, n_rows - 1, min(max_rows, n_rows)).astype(np.int64))
    parts = tuple(part[torch.from_numpy(chosen)] for part in to.as_columns())[: to.n_inp]
    (part, position), *flags = features[column]
    is_category = part == 0
    values = torch.arange(1, len(to.classes[column])) if is_category else _quantiles(parts[part][:, position], n_points)
    means = []
    for value in values:
        changed = tuple(p.clone() for p in parts)
        changed[part][:, position] = value
        for flag_part, flag_position in flags:  # the number is not missing: the flag's categories are #na#, False, True
            changed[flag_part][:, flag_position] = 1
        means.append(_predictions(learn, dl, changed)[0].float().mean(0).reshape(-1))
    numbers = torch.stack(means).numpy()
    labels = _read(to, column, values, is_category)
    names = list(to.vocab) if to.vocab is not None and len(to.vocab) == numbers.shape[1] else list(to.y_names)
    names = names if len(names) == numbers.shape[1] else [f"output {i}" for i in range(numbers.shape[1])]
    table = pd.concat([pd.Series(labels, name="value"), pd.DataFrame(numbers, columns=names)], axis=1)
    return PartialDependence(column, table, is_category)


def _features(to: TabularPandas) -> dict[Any, Columns]:
    """The columns of the model and where they are in a batch; a number comes with the flag that it was missing."""
    flags = {f"{name}_na": name for name in to.na_dict if f"{name}_na" in to.cat_names}
    places: dict[Any, Columns] = {name: [(0, i)] for i, name in enumerate(to.cat_names) if name not in flags}
    if to.with_cont:
        places |= {name: [(1, i)] for i, name in enumerate(to.cont_names)}
    for flag, name in flags.items():
        places[name].append((0, list(to.cat_names).index(flag)))
    return places


class _Measure:
    """The loss, or a metric, of the model on altered rows."""

    def __init__(self, learn: Learner, dl: Any, metric: Callable[[Any, Any], Any] | None) -> None:
        self.learn, self.dl, self.metric = learn, dl, metric

    def __call__(self, parts: tuple[Tensor, ...]) -> float:
        if self.metric is None:
            losses = _predictions(self.learn, self.dl, parts, with_loss=True)[2]
            return float(losses.double().mean())
        predictions, targets = _predictions(self.learn, self.dl, parts)[:2]
        decoded = decode_preds(self.learn, predictions).reshape(targets.shape)
        answers = (v.squeeze(1).numpy() if v.shape[1] == 1 else v.numpy() for v in (decoded, targets))
        try:
            return float(self.metric(*answers))
        except Exception as error:
            name = name_of(self.metric)
            raise MetricError(
                f"The metric {name} failed ({type(error).__name__}: {error}): it gets decoded predictions and targets, "
                "arrays of classes or numbers, as scikit-learn's accuracy_score and r2_score take them."
            ) from error


def _predictions(learn: Learner, dl: Any, parts: tuple[Tensor, ...], *, with_loss: bool = False) -> tuple[Any, ...]:
    n_inp = dl.n_inp
    altered = dl.new(TensorDataset(*parts), shuffle=False, drop_last=False)
    altered.n_inp = n_inp
    altered.n = len(parts[0])
    with learn.no_bar():
        return learn.get_preds(dl=altered, with_loss=with_loss)


def _quantiles(values: Tensor, n_points: int) -> Tensor:
    return torch.from_numpy(np.unique(np.quantile(values.numpy(), np.linspace(0, 1, n_points)))).float()


def _read(to: TabularPandas, column: Any, values: Tensor, is_category: bool) -> list[Any]:
    """The values as people read them."""
    if is_category:
        return [to.classes[column][int(v)] for v in values]
    return [float(v) * to.stds.get(column, 1.0) + to.means.get(column, 0.0) for v in values]
