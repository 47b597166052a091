"""`collab_learner`: a Learner on ratings, which recommends."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import nn

from vivace.core.basics import defaults
from vivace.core.errors import ArgumentError
from vivace.data.options import check_names
from vivace.nn.groups import trainable_params
from vivace.tabular.learner import TabularLearner
from vivace.tabular.model import get_emb_sz, tabular_config
from vivace.training.learner import Callbacks
from vivace.training.optimizers import Adam

from . import ranking
from .model import EmbeddingDotBias, EmbeddingNN, create_dot_model

__all__ = ["CollabLearner", "collab_learner"]


class CollabLearner(TabularLearner):
    """A Learner whose data is ratings of items by users."""

    def recommend(self, user: Any, k: int = 10, exclude: Iterable[Any] | None = None) -> list[ranking.Recommendation]:
        """Return the `k` items that a user would rate highest, the best first.

        Args:
            user: as in the training data; None: somebody new, for whom items are ranked as for "#na#".
            k: how many items; fewer come back if there are no more.
            exclude: items that are left out; None: those that the user has rated in the data. A model from
                `load_learner` has no data: name them.

        Raises:
            DataError: there is no such user or item in the training data.
            ArgumentError: `k` is not positive.
        """
        return ranking.recommend(self, user, k, exclude)

    def similar_items(self, item: Any, k: int = 10) -> list[ranking.SimilarItem]:
        """Return the `k` items whose vectors point most in the direction of that of `item`, the nearest first.

        Raises:
            DataError: there is no such item in the training data.
            ArgumentError: `k` is not positive, or where the model keeps its vectors is not known.
        """
        return ranking.similar_items(self, item, k)


def collab_learner(
    dls: Any,
    n_factors: int = 50,
    use_nn: bool = False,
    emb_szs: Mapping[Any, int] | None = None,
    layers: Sequence[int] | None = None,
    config: Mapping[str, Any] | None = None,
    y_range: Sequence[float] | None = None,
    loss_func: Callable[..., Any] | None = None,
    *,
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
) -> CollabLearner:
    """Return a Learner whose model predicts ratings: `EmbeddingDotBias`, or `EmbeddingNN` with `use_nn`.

    Args:
        dls: loaders over ratings, from `CollabDataLoaders`.
        n_factors: how long the vectors of users and items are; without `layers`, how wide a network's hidden layer is.
        use_nn: a network of dense layers instead of products.
        emb_szs: lengths of the network's vectors by column; `emb_sz_rule` for the others.
        layers: widths of the network's hidden layers; None: one of `n_factors`.
        config: other arguments of the network, made by `tabular_config`.
        y_range: the lowest and highest rating, a little beyond those that occur; None: not bounded.
        loss_func: see `Learner`, as are all that follow.

    Warns:
        UserWarning: `emb_szs`, `layers` or `config` is given without `use_nn`, which alone looks at them.

    Raises:
        ArgumentError: `n_factors` is not positive, or `emb_szs` names no column.
        ArgumentTypeError: `config` holds an unknown setting.
    """
    if n_factors < 1:
        raise ArgumentError(f"n_factors is the length of the vectors, 1 or more; got {n_factors}.")
    unused = [name for name, value in (("emb_szs", emb_szs), ("layers", layers), ("config", config)) if value]
    if unused and not use_nn:
        warnings.warn(f"{unused[0]} shapes a network: it has no effect without use_nn=True.", stacklevel=2)
    model, builder = (
        _network(dls, n_factors, emb_szs, layers, config, y_range) if use_nn else _product(dls, n_factors, y_range)
    )
    learn = CollabLearner(
        dls,
        model,
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
    learn.builder = builder
    return learn


def _product(dls: Any, n_factors: int, y_range: Sequence[float] | None) -> tuple[nn.Module, dict[str, Any] | None]:
    user, item = dls.cat_names[:2]
    model = EmbeddingDotBias.from_classes(n_factors, dls.classes, user, item, y_range)
    names = {"users": list(dls.classes[user])[1:], "items": list(dls.classes[item])[1:]}
    return model, _builder(create_dot_model, {"n_factors": n_factors, **names, "y_range": y_range})


def _network(
    dls: Any,
    n_factors: int,
    emb_szs: Mapping[Any, int] | None,
    layers: Sequence[int] | None,
    config: Mapping[str, Any] | None,
    y_range: Sequence[float] | None,
) -> tuple[nn.Module, dict[str, Any] | None]:
    settings = {**tabular_config(), **(config or {})}
    check_names("tabular_config", settings, tabular_config())
    if y_range is not None:
        settings["y_range"] = tuple(y_range)
    shape: dict[str, Any] = {
        "emb_szs": get_emb_sz(dls, emb_szs),
        "layers": [n_factors] if layers is None else list(layers),
    }
    model = EmbeddingNN(**shape, **settings)
    if settings.pop("act_cls") is not nn.ReLU:
        return model, None  # recorded with the model
    return model, _builder(EmbeddingNN, {**shape, **settings})


def _builder(make: Callable[..., nn.Module], args: dict[str, Any]) -> dict[str, Any]:
    return {"builder": f"{make.__module__}.{make.__name__}", "args": args}
