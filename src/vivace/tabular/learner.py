"""`tabular_learner`: a Learner on a table, and what such a Learner can do besides."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from vivace.core.basics import defaults
from vivace.core.errors import ArgumentError, DataError
from vivace.data.options import check_names
from vivace.nn.groups import trainable_params
from vivace.training import predict
from vivace.training.learner import Callbacks, Learner
from vivace.training.optimizers import Adam

from . import importance
from .model import DEFAULT_LAYERS, TabularModel, create_tabular_model, get_emb_sz, tabular_config
from .reading import ReadTabBatch

if TYPE_CHECKING:
    from .core import TabularPandas

__all__ = ["TabularLearner", "tabular_learner"]

_BUILDER = f"{create_tabular_model.__module__}.{create_tabular_model.__name__}"


class TabularLearner(Learner):
    """A Learner whose data is a table."""

    def predict(
        self, item: Any, rm_type_tfms: int | None = None, with_input: bool = False
    ) -> tuple[TabularPandas, Tensor, Tensor]:
        """Return one row (a Series or dict) with its predicted target, the class (or numbers), and the probabilities.

        Args:
            item: the row, not prepared; its target may be missing.
            rm_type_tfms, with_input: accepted since all Learners take them; the row comes back in any case.

        Returns:
            The row as a table of one row, with `show()` and `decode()`; the rest as `Learner.predict`.

        Raises:
            DataError: it is several rows, or lacks a column of the model.
        """
        return predict_row(self, item)

    def feature_importance(
        self,
        metric: Callable[[Any, Any], Any] | None = None,
        ds_idx: int = 1,
        dl: Any = None,
        n_repeats: int = 5,
        seed: int = 0,
    ) -> importance.FeatureImportance:
        """Return how much worse predictions get when a column is shuffled; see `importance.feature_importance`."""
        return importance.feature_importance(self, metric, ds_idx, dl, n_repeats, seed)

    def partial_dependence(
        self, column: Any, ds_idx: int = 1, dl: Any = None, n_points: int = 20, max_rows: int = 1000
    ) -> importance.PartialDependence:
        """Return the mean prediction as one column takes each of its values; see `importance.partial_dependence`."""
        return importance.partial_dependence(self, column, ds_idx, dl, n_points, max_rows)


def predict_row(learn: Learner, row: Any) -> tuple[TabularPandas, Tensor, Tensor]:
    """See `TabularLearner.predict`."""
    dl = learn.dls.test_dl(row, bs=1, num_workers=0)
    if len(dl.dataset) != 1:
        raise DataError(
            f"predict takes one row, got {len(dl.dataset)}: for more use learn.get_preds(dl=learn.dls.test_dl(table))."
        )
    inputs = learn.runtime.prepare_batch(dl.one_batch())[: dl.n_inp]
    raw = predict.predict_batch(learn, inputs)
    _, answer, probabilities = predict.finish_prediction(learn, dl, inputs, raw, with_input=False)
    table = ReadTabBatch(dl.dataset).decodes((*inputs, answer[None]))
    return table, answer, probabilities


def tabular_learner(
    dls: Any,
    layers: Sequence[int] | None = None,
    emb_szs: Mapping[Any, int] | None = None,
    config: Mapping[str, Any] | None = None,
    n_out: int | None = None,
    y_range: Sequence[float] | None = None,
    *,
    loss_func: Callable[..., Any] | None = None,
    opt_func: Callable[..., Any] = Adam,
    lr: float | slice = defaults.lr,
    splitter: Callable[[nn.Module], Any] = trainable_params,
    cbs: Callbacks = None,
    metrics: Any = None,
    path: str | os.PathLike[str] | None = None,
    model_dir: str | os.PathLike[str] = "models",
    wd: float | None = None,
    wd_bn_bias: bool = False,
    train_bn: bool = True,
    moms: tuple[float, float, float] = (0.95, 0.85, 0.95),
    default_cbs: bool = True,
) -> TabularLearner:
    """Return a Learner with a `TabularModel` for the columns of `dls`.

    Args:
        dls: loaders over a table.
        layers: widths of the hidden layers; None: 200 and 100.
        emb_szs: lengths of embeddings by column; `emb_sz_rule` for the others.
        config: other arguments of `TabularModel`, made by `tabular_config`.
        n_out: number of outputs; told by the target by default.
        y_range: the lowest and the highest output, for numbers.
        loss_func: see `Learner`, as are all that follow.

    Raises:
        ArgumentError: the number of outputs is unknown, or `emb_szs` names no categorical column.
        ArgumentTypeError: `config` holds an unknown setting.
    """
    settings = {**tabular_config(), **(config or {})}
    check_names("tabular_config", settings, tabular_config())
    n_out = n_out or getattr(dls.train_ds, "c", None)
    if not n_out:
        raise ArgumentError("The table has no target, so the number of outputs is unknown: pass n_out, or y_names.")
    if y_range is not None:
        settings["y_range"] = tuple(y_range)
    shape: dict[str, Any] = {
        "emb_szs": get_emb_sz(dls, emb_szs),
        "n_cont": len(dls.cont_names),
        "out_sz": n_out,
        "layers": list(DEFAULT_LAYERS if layers is None else layers),
    }
    learn = TabularLearner(
        dls,
        TabularModel(**shape, **settings),
        loss_func=loss_func,
        opt_func=opt_func,
        lr=lr,
        splitter=splitter,
        cbs=cbs,
        metrics=metrics,
        path=path,
        model_dir=model_dir,
        wd=wd,
        wd_bn_bias=wd_bn_bias,
        train_bn=train_bn,
        moms=moms,
        default_cbs=default_cbs,
    )
    act = settings.pop("act_cls")
    act_cls = act if isinstance(act, type) else type(act)
    if getattr(nn, act_cls.__name__, None) is act_cls:  # another one is recorded with the model
        learn.builder = {"builder": _BUILDER, "args": {**shape, **settings, "act": act_cls.__name__}}
    return learn
