"""What a Learner says about itself: a table of its model, the events of its loop."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import torch

from vivace.nn.summary import module_summary

from .callback import EVENTS
from .loss_errors import name_of

if TYPE_CHECKING:
    from .learner import Learner

__all__ = ["Text", "show_training_loop", "summary"]


class Text(str):
    """A str that a notebook or console shows as it is, with its line breaks."""

    def __repr__(self) -> str:
        return str(self)


def summary(learn: Learner) -> Text:
    """See `Learner.summary`."""
    batch = learn.runtime.prepare_batch(learn.dls.one_batch())
    learn.dl = learn.dls.train
    inputs = batch[: learn._n_inp(batch)]
    out = io.StringIO()
    with torch.no_grad():
        out.write(module_summary(learn.model, *inputs))
    out.write(f"\nOptimizer used: {name_of(learn.opt_func)}\nLoss function: {learn.loss_func!r}\n")
    if learn.opt is not None:
        n_frozen = learn.opt.frozen_idx
        state = "unfrozen" if n_frozen == 0 else f"frozen up to parameter group #{n_frozen}"
        out.write(f"Model {state}\n")
    out.write("Callbacks:\n" + "".join(f"  - {cb!r}\n" for cb in learn.cbs))
    return Text(out.getvalue())


def show_training_loop(learn: Learner) -> None:
    """See `Learner.show_training_loop`."""
    indent = 0
    loop = [name for name in EVENTS if name != "after_create" and "cancel" not in name]
    work = {
        "before_batch": "learn.pred = learn.model(*learn.xb)",
        "after_pred": "learn.loss = learn.loss_func(learn.pred, *learn.yb)",
        "before_backward": "learn.loss_grad.backward()",
        "before_step": "learn.opt.step()",
        "after_step": "learn.opt.zero_grad()",
    }
    for event_name in loop:
        when, phase = event_name.split("_", 1)
        is_phase = phase not in ("pred", "loss")
        indent -= when == "after" and is_phase
        print(f"{'  ' * indent}{event_name:17}: {learn.ordered_cbs(event_name)}")
        indent += when == "before"
        if event_name in work:
            print(f"{'  ' * indent}{work[event_name]}")
