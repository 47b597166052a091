"""Draw the losses while training."""

from __future__ import annotations

from typing import Any

from vivace.core.basics import in_notebook
from vivace.training.callback import Callback

__all__ = ["ShowGraphCallback"]


class ShowGraphCallback(Callback):
    """Draw training and validation loss after each epoch: updated in place in a notebook, once at the end elsewhere."""

    order = 65
    run_lr_find = False

    def before_fit(self) -> None:
        self._display: Any = None
        self.figure: Any = None

    def after_epoch(self) -> None:
        if in_notebook():
            self._draw()

    def after_fit(self) -> None:
        if self._display is None:
            self._draw()

    def _draw(self) -> None:
        import matplotlib.pyplot as plt

        if self.figure is None:
            self.figure, self._axes = plt.subplots(figsize=(6, 4))
        self._axes.clear()
        self.learn.recorder.plot_loss(skip_start=0, ax=self._axes)
        if in_notebook():
            from IPython.display import display

            if self._display is None:
                self._display = display(self.figure, display_id=True)
                plt.close(self.figure)  # the notebook would show it a second time when the cell ends
            else:
                self._display.update(self.figure)
