"""Count batches and epochs, and switch the model between training and evaluation."""

from __future__ import annotations

from torch import nn

from vivace.training.callback import Callback

__all__ = ["TrainEvalCallback"]


class TrainEvalCallback(Callback):
    """Keep `train_iter` and `pct_train`, and put the model in training or evaluation mode.

    A fit that ends by itself leaves the model in evaluation mode if it validated; one that ends in an error leaves it
    as it was before.
    """

    order = -10
    run_valid = False
    _modes: list[tuple[nn.Module, bool]] | None = None  # of all modules, while a fit runs

    def before_fit(self) -> None:
        self.learn.epoch, self.learn.train_iter, self.learn.pct_train = 0, 0, 0.0
        self._modes = [(module, module.training) for module in self.learn.model.modules()]

    def before_train(self) -> None:
        self.learn.pct_train = self.learn.epoch / self.learn.n_epoch
        self.learn.model.train()

    def after_batch(self) -> None:
        learn = self.learn
        learn.train_iter += 1
        if learn.n_iter:
            learn.pct_train += 1.0 / (learn.n_iter * learn.n_epoch)

    def before_validate(self) -> None:
        self.learn.model.eval()

    def after_fit(self) -> None:
        self._modes = None

    def close(self) -> None:
        for module, was_training in self._modes or ():
            module.training = was_training
        self._modes = None
