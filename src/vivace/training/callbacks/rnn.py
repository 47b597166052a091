"""Callbacks for recurrent networks: forget the state between phases, and regularise what they put out."""

from __future__ import annotations

from torch import Tensor

from vivace.training.callback import Callback

__all__ = ["ModelResetter", "RNNCallback", "RNNRegularizer", "rnn_cbs"]


class ModelResetter(Callback):
    """Let a model with a `reset()` forget its state before it trains, before it validates, and when the fit ends."""

    def before_train(self) -> None:
        self._reset()

    def before_validate(self) -> None:
        self._reset()

    def after_fit(self) -> None:
        self._reset()

    def close(self) -> None:
        self._reset()

    def _reset(self) -> None:
        reset = getattr(self.learn.model, "reset", None)
        if reset is not None:
            reset()


class RNNCallback(Callback):
    """Take a prediction apart that comes with the features it was made from; other predictions pass.

    Attributes:
        raw_out: the features before dropout, of this batch; None where there are none.
        out: the features after dropout.
    """

    raw_out: Tensor | None = None
    out: Tensor | None = None

    def after_pred(self) -> None:
        pred = self.learn.pred
        self.raw_out = self.out = None
        if isinstance(pred, tuple) and len(pred) == 3:
            self.learn.pred, self.raw_out, self.out = pred

    def close(self) -> None:
        self.raw_out = self.out = None


class RNNRegularizer(Callback):
    """Add to the loss: activations should be small, and change little from step to step (arXiv:1708.01009).

    It needs `RNNCallback`, and acts on what is differentiated, not on the loss that is shown.

    Args:
        alpha: the weight of the mean square of the features after dropout.
        beta: the weight of the mean square of the change of the features before dropout.
    """

    order = 1  # after RNNCallback
    run_valid = False

    def __init__(self, alpha: float = 0.0, beta: float = 0.0) -> None:
        self.alpha, self.beta = alpha, beta

    def after_loss(self) -> None:
        source = next((cb for cb in self.learn.cbs if isinstance(cb, RNNCallback)), None)
        if source is None or source.out is None or source.raw_out is None:
            return
        if self.alpha:
            self.learn.loss_grad = self.learn.loss_grad + self.alpha * source.out.float().square().mean()
        if self.beta and source.raw_out.shape[1] > 1:
            self.learn.loss_grad = self.learn.loss_grad + self.beta * source.raw_out.float().diff(dim=1).square().mean()


def rnn_cbs(alpha: float = 0.0, beta: float = 0.0) -> list[Callback]:
    """Return the callbacks of a recurrent network, `RNNRegularizer` only if it has something to do."""
    regularizer = [RNNRegularizer(alpha, beta)] if alpha or beta else []
    return [ModelResetter(), RNNCallback(), *regularizer]
