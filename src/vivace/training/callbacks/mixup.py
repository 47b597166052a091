"""Mix the samples of a batch: MixUp blends them, CutMix pastes a rectangle of one into another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from vivace.core.errors import ArgumentError
from vivace.training.callback import Callback
from vivace.training.loss_errors import name_of
from vivace.training.predict import loss_not_reduced

__all__ = ["CutMix", "MixHandler", "MixUp", "mix_pairs", "paste_box"]


def mix_pairs(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """Blend two batches: each sample keeps `share` `(batch,)` of the first."""
    weight = share.view(-1, *([1] * (first.ndim - 1))).to(first.dtype)
    return torch.lerp(second, first, weight)


def paste_box(width: int, height: int, share: Tensor) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of a box that covers 1 - `share` of an image, cut off at the border.

    Args:
        width: of the image, in pixels.
        height: of the image, in pixels.
        share: 0-d, what stays of the image, in 0..1.
    """
    ratio = (1 - share).sqrt()
    half_w, half_h = int(width * ratio) // 2, int(height * ratio) // 2
    x, y = int(torch.randint(0, width, ())), int(torch.randint(0, height, ()))
    return max(x - half_w, 0), max(y - half_h, 0), min(x + half_w, width), min(y + half_h, height)


class MixHandler(Callback):
    """What MixUp and CutMix share: they draw a share for each sample, and mix losses or targets by it.

    Losses of classes are mixed (the model is asked for both labels); targets that are floats are mixed themselves.

    Args:
        alpha: of the Beta distribution that shares are drawn from: small: nearly pure samples, large: halves.
    """

    order = 60
    run_valid = False
    lam: Tensor  # what stays of each sample of this batch, `(batch,)` or 0-d
    yb1: tuple[Any, ...]  # the targets of the partners

    def __init__(self, alpha: float = 0.5) -> None:
        if alpha <= 0:
            raise ArgumentError(f"{type(self).__name__} needs alpha above 0, got {alpha}.")
        self.alpha = alpha
        self.distrib = torch.distributions.Beta(torch.tensor(float(alpha)), torch.tensor(float(alpha)))
        self._own_loss: Callable[..., Any] | None = None  # the Learner's, while it holds ours

    def before_train(self) -> None:
        def mixed_loss(pred: Any, *targets: Any) -> Tensor:
            return self._mixed_loss(pred, *targets)

        self._own_loss = self.learn.loss_func
        mixed_loss.__name__ = name_of(self._own_loss)  # what messages call it
        self.learn.loss_func = mixed_loss

    def after_train(self) -> None:
        self._give_back()

    def close(self) -> None:
        self._give_back()

    def _give_back(self) -> None:
        if self._own_loss is not None:
            self.learn.loss_func, self._own_loss = self._own_loss, None

    def _mixes_targets(self) -> bool:
        return all(torch.is_floating_point(y) for y in self.learn.yb)

    def _mixed_loss(self, pred: Any, *targets: Any) -> Tensor:
        assert self._own_loss is not None
        if not self.learn.training or self._mixes_targets():
            return self._own_loss(pred, *targets)  # type: ignore[no-any-return]
        self.learn.loss_func, mine = self._own_loss, self.learn.loss_func
        try:
            with loss_not_reduced(self.learn):
                n = len(targets[0])
                other = self.learn.loss_func(pred, *self.yb1).reshape(n, -1).mean(1)
                own = self.learn.loss_func(pred, *targets).reshape(n, -1).mean(1)
        finally:
            self.learn.loss_func = mine
        loss = torch.lerp(other, own, self.lam.to(own.dtype))
        reduction = getattr(self._own_loss, "reduction", "mean")
        return loss if reduction == "none" else loss.sum() if reduction == "sum" else loss.mean()


class MixUp(MixHandler):
    """Blend each sample with another one of its batch.

    Zhang, Cisse, Dauphin and Lopez-Paz, *mixup: Beyond Empirical Risk Minimization*, 2018 (arXiv:1710.09412).

    Args:
        alpha: of the Beta distribution that shares are drawn from.
    """

    def __init__(self, alpha: float = 0.4) -> None:
        super().__init__(alpha)

    def before_batch(self) -> None:
        learn = self.learn
        n, device = len(learn.yb[0]), learn.yb[0].device
        lam = self.distrib.sample((n,))
        self.lam = torch.maximum(lam, 1 - lam).to(device)  # the sample itself is always the larger part
        shuffle = torch.randperm(n).to(device)
        self.yb1 = tuple(y[shuffle] for y in learn.yb)
        learn.xb = tuple(mix_pairs(x, x[shuffle], self.lam) for x in learn.xb)
        if self._mixes_targets():
            learn.yb = tuple(mix_pairs(y, other, self.lam) for y, other in zip(learn.yb, self.yb1, strict=True))


class CutMix(MixHandler):
    """Paste a rectangle of another image of the batch into each image; one box for the whole batch.

    Yun et al., *CutMix*, 2019 (arXiv:1905.04899).

    Args:
        alpha: of the Beta distribution that the share is drawn from.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha)

    def before_batch(self) -> None:
        learn = self.learn
        images = learn.xb[0]
        n, height, width = len(images), images.shape[-2], images.shape[-1]
        left, top, right, bottom = paste_box(width, height, self.distrib.sample(()))
        shuffle = torch.randperm(n).to(images.device)
        self.yb1 = tuple(y[shuffle] for y in learn.yb)
        mixed = images.clone()
        mixed[..., top:bottom, left:right] = images[shuffle][..., top:bottom, left:right]
        self.lam = torch.full((), 1 - (right - left) * (bottom - top) / (width * height), device=images.device)
        learn.xb = (mixed, *learn.xb[1:])
        if self._mixes_targets():
            share = self.lam.expand(n)
            learn.yb = tuple(mix_pairs(y, other, share) for y, other in zip(learn.yb, self.yb1, strict=True))
