"""`TabularModel`: embeddings of categories beside normalised numbers, then fully connected layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from vivace.core.errors import ArgumentError, suggest
from vivace.nn.activations import SigmoidRange
from vivace.nn.embedding import Embedding
from vivace.nn.layers import LinBnDrop

from .frames import emb_sz_rule

__all__ = ["TabularModel", "create_tabular_model", "get_emb_sz", "tabular_config"]

DEFAULT_LAYERS = (200, 100)


def get_emb_sz(to: Any, sz_dict: Mapping[Any, int] | None = None) -> list[tuple[int, int]]:
    """Return (number of categories, length of the vector) for each categorical column.

    Args:
        to: a `TabularPandas`, or loaders over one.
        sz_dict: lengths by column; `emb_sz_rule` for the others.

    Raises:
        ArgumentError: `sz_dict` names no categorical column.
    """
    lengths = dict(sz_dict or {})
    unknown = [name for name in lengths if name not in to.cat_names]
    if unknown:
        known = [str(name) for name in to.cat_names]
        raise ArgumentError(
            f"There is no categorical column {unknown[0]!r} to embed; there are {', '.join(known)}."
            f"{suggest(str(unknown[0]), known)}"
        )
    counts = {name: len(to.classes[name]) for name in to.cat_names}
    return [(n, int(lengths.get(name, emb_sz_rule(n)))) for name, n in counts.items()]


class TabularModel(nn.Module):
    """Embed each categorical column, normalise the numbers, and feed both to fully connected layers.

    Guo and Berkhahn, *Entity Embeddings of Categorical Variables*, 2016 (arXiv:1604.06737).

    Args:
        emb_szs: (number of categories, length of the vector) for each categorical column.
        n_cont: how many continuous columns there are.
        out_sz: how many outputs.
        layers: the widths of the hidden layers.
        ps: dropout after each hidden layer: one probability for all, or one each.
        embed_p: dropout of the embeddings.
        y_range: the lowest and the highest output; None: not bounded.
        use_bn: batch norm in the hidden layers.
        bn_final: batch norm in the last layer, too.
        bn_cont: batch norm of the numbers.
        act_cls: activation of the hidden layers: a class, or a layer.
        lin_first: in each layer the linear part comes first, then activation, norm and dropout.

    Raises:
        ArgumentError: there are no columns, or `ps` holds another number of probabilities than there are hidden layers.
    """

    def __init__(
        self,
        emb_szs: Sequence[Sequence[int]],
        n_cont: int,
        out_sz: int,
        layers: Sequence[int],
        ps: float | Sequence[float] | None = None,
        embed_p: float = 0.0,
        y_range: Sequence[float] | None = None,
        use_bn: bool = True,
        bn_final: bool = False,
        bn_cont: bool = True,
        act_cls: type[nn.Module] | nn.Module = nn.ReLU,
        lin_first: bool = True,
    ) -> None:
        super().__init__()
        dropouts = list(ps) if isinstance(ps, Sequence) else [0.0 if ps is None else float(ps)] * len(layers)
        if len(dropouts) != len(layers):
            raise ArgumentError(f"ps holds {len(dropouts)} probabilities for {len(layers)} hidden layers.")
        self.embeds = nn.ModuleList([Embedding(n, length) for n, length in emb_szs])
        self.emb_drop = nn.Dropout(embed_p)
        self.bn_cont = nn.BatchNorm1d(n_cont) if bn_cont and n_cont else None
        self.n_emb, self.n_cont = sum(length for _, length in emb_szs), n_cont
        if not self.n_emb + n_cont:
            raise ArgumentError("There is nothing to predict from: give cat_names or cont_names.")
        widths = [self.n_emb + n_cont, *layers, out_sz]
        blocks: list[nn.Module] = []
        for i, (n_in, n_out) in enumerate(pairwise(widths)):
            is_last = i == len(layers)
            blocks.append(
                LinBnDrop(
                    n_in,
                    n_out,
                    bn=use_bn and (not is_last or bn_final),
                    p=0.0 if is_last else dropouts[i],
                    act=None if is_last else _activation(act_cls),
                    lin_first=lin_first,
                )
            )
        if y_range is not None:
            blocks.append(SigmoidRange(*y_range))
        self.layers = nn.Sequential(*blocks)

    def forward(self, x_cat: Tensor, x_cont: Tensor | None = None) -> Tensor:
        """Return `(batch, out_sz)` of codes `(batch, n_cat)` and numbers `(batch, n_cont)`."""
        parts: list[Tensor] = []
        if self.n_emb:
            vectors = [embed(codes) for embed, codes in zip(self.embeds, x_cat.t().contiguous().unbind(), strict=False)]
            parts.append(self.emb_drop(torch.cat(vectors, 1)))
        if self.n_cont and x_cont is not None:
            parts.append(x_cont if self.bn_cont is None else self.bn_cont(x_cont))
        out: Tensor = self.layers(torch.cat(parts, 1))
        return out


def _activation(act_cls: type[nn.Module] | nn.Module) -> nn.Module:
    return act_cls() if isinstance(act_cls, type) else act_cls


def tabular_config(
    *,
    ps: float | Sequence[float] | None = None,
    embed_p: float = 0.0,
    y_range: Sequence[float] | None = None,
    use_bn: bool = True,
    bn_final: bool = False,
    bn_cont: bool = True,
    act_cls: type[nn.Module] | nn.Module = nn.ReLU,
    lin_first: bool = True,
) -> dict[str, Any]:
    """Return settings for `tabular_learner(config=...)`: arguments of `TabularModel` by name."""
    return dict(locals())


def create_tabular_model(
    emb_szs: Sequence[Sequence[int]],
    n_cont: int,
    out_sz: int,
    layers: Sequence[int],
    act: str = "ReLU",
    ps: float | Sequence[float] | None = None,
    embed_p: float = 0.0,
    y_range: Sequence[float] | None = None,
    use_bn: bool = True,
    bn_final: bool = False,
    bn_cont: bool = True,
    lin_first: bool = True,
) -> TabularModel:
    """Return a `TabularModel` made of plain values, as an exported model holds them.

    Args:
        act: the name of an activation of `torch.nn`; all others as for `TabularModel`.

    Raises:
        ArgumentError: `torch.nn` has no such activation.
    """
    act_cls = getattr(nn.modules.activation, act, None)
    if not (isinstance(act_cls, type) and issubclass(act_cls, nn.Module)):
        raise ArgumentError(f"torch.nn has no activation {act!r}.")
    return TabularModel(
        emb_szs, n_cont, out_sz, layers, ps, embed_p, y_range, use_bn, bn_final, bn_cont, act_cls, lin_first
    )
