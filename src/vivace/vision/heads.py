"""The head that turns a body's features into predictions."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from vivace.core.errors import ArgumentError
from vivace.nn.activations import SigmoidRange
from vivace.nn.init import InitFunction, apply_init
from vivace.nn.layers import Flatten, LinBnDrop
from vivace.nn.pooling import AdaptiveConcatPool2d

__all__ = ["add_head", "create_head"]


def create_head(
    nf: int,
    n_out: int,
    lin_ftrs: Sequence[int] | None = None,
    ps: float | Sequence[float] = 0.5,
    pool: bool = True,
    concat_pool: bool = True,
    first_bn: bool = True,
    bn_final: bool = False,
    lin_first: bool = False,
    y_range: Sequence[float] | None = None,
) -> nn.Sequential:
    """Return pooling, then linear layers with batch norm, dropout and ReLU, down to `n_out` numbers.

    Args:
        nf: channels of the feature map, `(batch, nf, height, width)`; with `pool=False` number of features,
            `(batch, nf)`.
        n_out: number of outputs; the head gives `(batch, n_out)`.
        lin_ftrs: widths between the linear layers; one of 512 by default.
        ps: dropout before each linear layer; one number is that of the last, the others have half of it.
        pool: pool the map to one vector.
        concat_pool: maximum beside average (twice the features), or average alone.
        first_bn: batch norm before the first linear layer.
        bn_final: batch norm after the last.
        lin_first: each linear layer comes before its norm and dropout.
        y_range: `(low, high)` that a sigmoid keeps the output between.

    Raises:
        ArgumentError: `ps` does not hold one probability per linear layer, or `y_range` is not a pair.
    """
    if pool and concat_pool:
        nf *= 2
    widths = [nf, *([512] if lin_ftrs is None else lin_ftrs), n_out]
    n_linear = len(widths) - 1
    drops = [ps / 2] * (n_linear - 1) + [ps] if isinstance(ps, int | float) else list(ps)
    if len(drops) == 1:
        drops = [drops[0] / 2] * (n_linear - 1) + drops
    if len(drops) != n_linear:
        raise ArgumentError(f"`ps` needs one dropout per linear layer: expected {n_linear}, got {len(drops)}.")

    layers: list[nn.Module] = []
    if pool:
        layers += [AdaptiveConcatPool2d() if concat_pool else nn.AdaptiveAvgPool2d(1), Flatten()]
    if lin_first:
        layers.append(nn.Dropout(drops.pop(0)))
    for i, p in enumerate(drops):
        is_last = widths[i + 1] == n_out and i == n_linear - 1
        activation = None if is_last else nn.ReLU(inplace=True)
        has_norm = first_bn if i == 0 else True
        layers += LinBnDrop(widths[i], widths[i + 1], bn=has_norm, p=p, act=activation, lin_first=lin_first)
    if lin_first:
        layers.append(nn.Linear(widths[-2], n_out))
    if bn_final:
        layers.append(nn.BatchNorm1d(n_out, momentum=0.01))
    if y_range is not None:
        layers.append(SigmoidRange(*_pair(y_range)))
    return nn.Sequential(*layers)


def _pair(y_range: Sequence[float]) -> tuple[float, float]:
    values = tuple(y_range)
    if len(values) != 2 or not values[0] < values[1]:
        raise ArgumentError(f"`y_range` is a pair (low, high) with low < high; got {y_range!r}.")
    return values[0], values[1]


def add_head(
    body: nn.Module,
    nf: int,
    n_out: int,
    init: InitFunction | None = nn.init.kaiming_normal_,
    head: nn.Module | None = None,
    concat_pool: bool = True,
    pool: bool = True,
    lin_ftrs: Sequence[int] | None = None,
    ps: float | Sequence[float] = 0.5,
    first_bn: bool = True,
    bn_final: bool = False,
    lin_first: bool = False,
    y_range: Sequence[float] | None = None,
) -> nn.Sequential:
    """Return `nn.Sequential(body, head)`, the head made by `create_head` unless given, and filled by `init`.

    Args:
        body: gives `nf` channels or features.
        nf: see `create_head`, as are all arguments not named here.
        n_out: number of outputs.
        init: fills the head's weights; None leaves them as torch made them.
        head: a head of your own.
    """
    if head is None:
        head = create_head(
            nf,
            n_out,
            lin_ftrs,
            ps=ps,
            pool=pool,
            concat_pool=concat_pool,
            first_bn=first_bn,
            bn_final=bn_final,
            lin_first=lin_first,
            y_range=y_range,
        )
    model = nn.Sequential(body, head)
    if init is not None:
        apply_init(head, init)
    return model
