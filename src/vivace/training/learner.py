"""`Learner`: a model, its data, and the loop that trains it. Longer work lives in named modules beside this one."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from vivace.core.basics import defaults, noop
from vivace.core.collection import L
from vivace.core.device import default_device
from vivace.core.errors import ArgumentError, ArgumentTypeError, LossError, VivaceError
from vivace.core.memory import large_memory_given_back
from vivace.nn.groups import trainable_params

from . import checkpoint, describe, lr_find, predict, recipes, scopes
from .callback import EVENTS, Callback, Cancel, Phase, listens, overrides
from .callbacks.mixed_precision import MixedPrecision
from .callbacks.progress import ProgressCallback
from .callbacks.recorder import Recorder
from .callbacks.train_eval import TrainEvalCallback
from .loss_errors import explain_backward_error, explain_loss_error, name_of
from .metrics import as_metric
from .optimizer import Optimizer
from .optimizers import Adam
from .runtime import Runtime

if TYPE_CHECKING:
    from .lr_find import SuggestedLRs

__all__ = ["Learner"]

Callbacks = Callback | type[Callback] | Sequence[Callback | type[Callback]] | None


class Learner:
    """Train `model` on `dls`.

    Args:
        dls: the loaders; batches are tuples of inputs and targets.
        model: any `nn.Module`.
        loss_func: prediction and targets to a scalar; None: chosen by what the target is.
        opt_func: makes the optimizer from parameters: one of ours, or any class of `torch.optim`.
        lr: learning rate where a method is given none.
        splitter: model to parameter groups, for freezing and discriminative learning rates.
        cbs: callbacks, besides `TrainEvalCallback`, `Recorder` and `ProgressCallback`.
        metrics: functions of (prediction, target), `Metric` objects, or torchmetrics objects.
        path: where to write (None: the loaders' path); models go to `model_dir` inside it.
        wd: weight decay (None: the optimizer's own).
        wd_bn_bias: whether weight decay also acts on biases and normalisation layers.
        train_bn: whether normalisation layers learn even in frozen groups.
        moms: momentum at the beginning, the peak and the end of `fit_one_cycle`.
    """

    training: bool = False
    dl: Any = None  # the loader of the phase that runs
    epoch: int = 0
    n_epoch: int = 1
    iter: int = 0
    n_iter: int = 0
    train_iter: int = 0
    pct_train: float = 0.0
    data_wait: float = 0.0  # seconds that the loop has waited for batches, in all
    batch: tuple[Any, ...] = ()
    xb: tuple[Any, ...] = ()
    yb: tuple[Any, ...] = ()
    pred: Any = None  # None until this batch has been through the model
    loss: Any = None  # a scalar on the device; None until this batch has one
    loss_grad: Any = None  # what is differentiated
    final_record: Any = None
    sample: tuple[Any, ...] | None = None  # what goes into the model, in a Learner that was loaded without data
    builder: dict[str, Any] | None = None  # how an exported model is built again: {"builder": name, "args": {...}}
    recorder: Recorder

    def __init__(
        self,
        dls: Any,
        model: nn.Module,
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
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ArgumentTypeError(f"Learner needs an nn.Module as model, got {type(model).__name__}: {model!r:.80}.")
        self.dls, self.model = dls, model
        self.loss_func = loss_func if loss_func is not None else recipes.default_loss(dls)
        self.opt_func, self.lr, self.splitter = opt_func, lr, splitter
        self.path = Path(path if path is not None else getattr(dls, "path", "."))
        self.model_dir, self.wd, self.wd_bn_bias, self.train_bn, self.moms = model_dir, wd, wd_bn_bias, train_bn, moms
        self.opt: Optimizer | None = None
        self.logger: Callable[[Any], Any] = print
        self.create_mbar = True
        self.metrics = metrics
        self.runtime = Runtime(getattr(dls, "device", None) or default_device())
        self.to(self.runtime.device)
        self.cbs: L[Any] = L()
        self._handlers: dict[str, list[Callback]] = {}
        if default_cbs:
            self.add_cbs([TrainEvalCallback(), Recorder(), ProgressCallback()])
        self.add_cbs(cbs)
        self._emit("after_create")

    # ------------------------------------------------------------------ the loop, from the outside in
    def fit(
        self,
        n_epoch: int,
        lr: float | slice | Sequence[float] | None = None,
        wd: float | None = None,
        cbs: Callbacks = None,
        reset_opt: bool = False,
        start_epoch: int = 0,
    ) -> None:
        """Train for `n_epoch` epochs at a constant rate.

        Args:
            n_epoch: how many epochs.
            lr: a number, a `slice` (lowest to highest group), or one for each group; None: the Learner's.
            wd: weight decay (None: the Learner's).
            cbs: callbacks for this call only.
            reset_opt: begin with a new optimizer.
            start_epoch: pass over the epochs before this one.
        """
        with large_memory_given_back(), self.added_cbs(recipes.skip_to(start_epoch)), self.added_cbs(cbs):
            if reset_opt or self.opt is None:
                self.create_opt()
            wd = wd if wd is not None else self.wd
            assert self.opt is not None
            if wd is not None:
                self.opt.set_hypers(wd=wd)
            self.opt.set_hypers(lr=self.lr if lr is None else lr)
            self.n_epoch = n_epoch
            try:
                self.run_phase("fit", self._all_epochs)
            finally:
                self._end_fit()

    def _all_epochs(self) -> None:
        for epoch in range(self.n_epoch):
            self.epoch = epoch
            self.run_phase("epoch", self._one_epoch)

    def _one_epoch(self) -> None:
        self._train_epoch()
        loaders = getattr(self.dls, "loaders", None)
        if hasattr(self.dls, "valid") if loaders is None else len(loaders) > 1:
            self._validate_epoch(self.dls.valid)

    def _train_epoch(self) -> None:
        self.training, self.dl = True, self.dls.train
        self.run_phase("train", self._all_batches)

    def _validate_epoch(self, dl: Any) -> None:
        self.training, self.dl = False, dl
        with torch.no_grad():
            self.run_phase("validate", self._all_batches)

    def _all_batches(self) -> None:
        self.n_iter = operator.length_hint(self.dl)  # 0: nobody knows
        self._forward = self.runtime.forward_of(self.model)
        n_inp = None
        with scopes.batches_of(self) as batches:
            for self.iter, batch in enumerate(batches):
                self.batch = self.runtime.prepare_batch(batch)
                n_inp = self._n_inp(self.batch) if n_inp is None else n_inp
                self.xb, self.yb = self.batch[:n_inp], self.batch[n_inp:]
                self.pred = self.loss = self.loss_grad = None
                self.run_phase("batch", self._one_batch)

    def _one_batch(self) -> None:
        with self.runtime.autocast():
            self.pred = self._forward(*self.xb)
            self._emit("after_pred")
            if self.yb:
                self.loss = self.loss_grad = self._loss_of(self.pred, *self.yb)
        self._emit("after_loss")
        if not self.training or not self.yb:
            return
        self.run_phase("backward", self._backward)
        assert self.opt is not None
        with self.runtime.true_gradients(self.opt):  # so that before_step callbacks see, and may clip, true gradients
            self.run_phase("step", self._step)
        self.opt.zero_grad()

    def _backward(self) -> None:
        if self.loss_grad.numel() != 1 or not self.loss_grad.requires_grad:
            raise explain_backward_error(self.loss_func, self.loss_grad)
        self.runtime.backward(self.loss_grad)

    def _step(self) -> None:
        assert self.opt is not None
        self.runtime.step(self.opt)

    def _loss_of(self, pred: Any, *targets: Any) -> Tensor:
        try:
            loss = self.loss_func(pred, *targets)
        except (VivaceError, torch.OutOfMemoryError):
            raise
        except (RuntimeError, IndexError, ValueError, TypeError) as error:
            raise explain_loss_error(self.loss_func, pred, targets, error) from error
        if not isinstance(loss, Tensor):
            raise LossError(f"The loss must return a tensor, {name_of(self.loss_func)} returned {type(loss).__name__}.")
        return loss

    def run_phase(self, phase: Phase, body: Callable[[], Any]) -> None:
        """Run `body` between its events. A callback may cut it short with `Cancel(phase)`."""
        try:
            self._emit("before_" + phase)
            body()
        except Cancel as cancel:
            if cancel.phase != phase:
                raise
            self._emit("after_cancel_" + phase)
        self._emit("after_" + phase)

    def _emit(self, event_name: str) -> None:
        for callback in self._handlers.get(event_name, ()):
            if listens(callback, event_name, self.training):
                getattr(callback, event_name)()

    def __call__(self, event_name: str) -> None:
        """Run the callbacks of one event."""
        if event_name not in EVENTS:
            raise ArgumentError(f"{event_name!r} is not a training event; events are {', '.join(EVENTS)}.")
        self._emit(event_name)

    def _end_fit(self) -> None:
        with ExitStack() as closing:  # all of them, even if one raises
            for callback in self.cbs:
                callback.run = True
                closing.callback(callback.close)
        if self.opt is not None:
            self.opt.zero_grad()  # of a batch that was left in the middle
        # let go of the last batch: on a GPU it holds the memory of its whole graph
        self.batch = self.xb = self.yb = ()
        self.pred = self.loss_grad = None
        self.loss = self.loss.detach() if isinstance(self.loss, Tensor) else self.loss

    def _n_inp(self, batch: tuple[Any, ...]) -> int:
        n_inp: int = getattr(self.dl, "n_inp", None) or getattr(self.dls, "n_inp", None) or -1
        return len(batch) if len(batch) == 1 else n_inp if n_inp > 0 else max(len(batch) - 1, 1)

    @property
    def x(self) -> Any:
        """The input of the batch, or the tuple of inputs."""
        return self.xb[0] if len(self.xb) == 1 else self.xb

    @property
    def y(self) -> Any:
        """The target of the batch, or the tuple of targets."""
        return self.yb[0] if len(self.yb) == 1 else self.yb

    @property
    def smooth_loss(self) -> Any:
        """The running mean of the training loss."""
        return self.recorder.smooth_loss

    # ------------------------------------------------------------------ callbacks and metrics
    def add_cb(self, cb: Callback | type[Callback]) -> Learner:
        """Add a callback (a class is made); it is reachable under its name from then on."""
        cb = cb() if isinstance(cb, type) else cb
        if not isinstance(cb, Callback):
            raise ArgumentTypeError(f"A callback must be a `Callback`, got {type(cb).__name__}: {cb!r:.80}.")
        if hasattr(type(self), cb.name):
            raise ArgumentError(
                f"The callback {type(cb).__name__} would hide `Learner.{cb.name}`: give it another name."
            )
        cb.learn = self
        setattr(self, cb.name, cb)
        self.cbs.append(cb)
        self._sort_cbs()
        cb.on_add()
        return self

    def add_cbs(self, cbs: Callbacks) -> Learner:
        """Add several callbacks."""
        for cb in [cbs] if isinstance(cbs, (Callback, type)) else cbs or ():
            self.add_cb(cb)
        return self

    def remove_cb(self, cb: Callback | type[Callback]) -> Learner:
        """Remove a callback, or all callbacks of a class."""
        if isinstance(cb, type):
            for each in [c for c in self.cbs if isinstance(c, cb)]:
                self.remove_cb(each)
        elif any(c is cb for c in self.cbs):
            self.cbs = L([c for c in self.cbs if c is not cb], use_list=True)
            if self.__dict__.get(cb.name) is cb:
                delattr(self, cb.name)
            self._sort_cbs()
            cb.on_remove()
        return self

    def remove_cbs(self, cbs: Callbacks) -> Learner:
        """Remove several callbacks."""
        for cb in [cbs] if isinstance(cbs, (Callback, type)) else list(cbs or ()):
            self.remove_cb(cb)
        return self

    def _sort_cbs(self) -> None:
        self.cbs = L(sorted(self.cbs, key=lambda cb: cb.order), use_list=True)
        self._handlers = {e: [cb for cb in self.cbs if overrides(cb, e)] for e in EVENTS}

    def added_cbs(self, cbs: Callbacks) -> AbstractContextManager[Learner]:
        """Add callbacks for the duration of a `with` block."""
        return scopes.added_cbs(self, cbs)

    def removed_cbs(self, cbs: Callbacks) -> AbstractContextManager[Learner]:
        """Remove callbacks for the duration of a `with` block."""
        return scopes.removed_cbs(self, cbs)

    def no_bar(self) -> AbstractContextManager[Learner]:
        """Show no progress for the duration of a `with` block."""
        return scopes.removed_cbs(self, ProgressCallback)

    def no_logging(self) -> AbstractContextManager[Learner]:
        """Print nothing for the duration of a `with` block."""
        return scopes.replaced(self, "logger", noop)

    def no_mbar(self) -> AbstractContextManager[Learner]:
        """Show no progress bar (the table stays) for the duration of a `with` block."""
        return scopes.replaced(self, "create_mbar", False)

    def ordered_cbs(self, event_name: str) -> list[Callback]:
        """Return the callbacks that act on an event, in their order."""
        return list(self._handlers.get(event_name, ()))

    @property
    def metrics(self) -> L[Any]:
        """The metrics, as `Metric` objects."""
        return self._metrics

    @metrics.setter
    def metrics(self, metrics: Any) -> None:
        listed = [] if metrics is None else metrics if isinstance(metrics, (list, tuple, L)) else [metrics]
        self._metrics: L[Any] = L([as_metric(m) for m in listed], use_list=True)

    # ------------------------------------------------------------------ optimizer and freezing
    def create_opt(self) -> None:
        """Make a new optimizer for the model's parameter groups."""
        self.opt = recipes.make_optimizer(self)

    def freeze_to(self, n: int) -> None:
        """Train only the parameter groups from `n` on (negative: counted from the end)."""
        recipes.freeze_to(self, n)

    def freeze(self) -> None:
        """Train only the last parameter group."""
        self.freeze_to(-1)

    def unfreeze(self) -> None:
        """Train all parameter groups."""
        self.freeze_to(0)

    # ------------------------------------------------------------------ ways to train (recipes.py)
    def fit_one_cycle(
        self,
        n_epoch: int,
        lr_max: float | slice | Sequence[float] | None = None,
        div: float = 25.0,
        div_final: float = 1e5,
        pct_start: float = 0.25,
        wd: float | None = None,
        moms: tuple[float, float, float] | None = None,
        cbs: Callbacks = None,
        reset_opt: bool = False,
        start_epoch: int = 0,
    ) -> None:
        """Train with the 1cycle schedule: the rate rises to `lr_max`, then falls; momentum does the opposite.

        Args:
            n_epoch: how many epochs.
            lr_max: the highest rate (None: the Learner's).
            div: the rate begins at `lr_max / div`.
            div_final: and ends at `lr_max / div_final`.
            pct_start: the fraction of training in which the rate rises.
            wd: weight decay (None: the Learner's).
            moms: momentum at the beginning, the peak and the end (None: the Learner's).
            cbs: callbacks for this call only.
            reset_opt: begin with a new optimizer.
            start_epoch: pass over the epochs before this one.

        Smith and Topin, *Super-Convergence*, 2018 (arXiv:1708.07120).
        """
        recipes.fit_one_cycle(self, n_epoch, lr_max, div, div_final, pct_start, wd, moms, cbs, reset_opt, start_epoch)

    def fit_flat_cos(
        self,
        n_epoch: int,
        lr: float | slice | Sequence[float] | None = None,
        div_final: float = 1e5,
        pct_start: float = 0.75,
        wd: float | None = None,
        cbs: Callbacks = None,
        reset_opt: bool = False,
        start_epoch: int = 0,
    ) -> None:
        """Train at a flat rate for the fraction `pct_start`, then let it fall along a cosine to `lr / div_final`."""
        recipes.fit_flat_cos(self, n_epoch, lr, div_final, pct_start, wd, cbs, reset_opt, start_epoch)

    def fit_sgdr(
        self,
        n_cycles: int,
        cycle_len: int,
        lr_max: float | slice | Sequence[float] | None = None,
        cycle_mult: int = 2,
        cbs: Callbacks = None,
        reset_opt: bool = False,
        wd: float | None = None,
        start_epoch: int = 0,
    ) -> None:
        """Train in `n_cycles` cosine cycles: the first of `cycle_len` epochs, each `cycle_mult` times the last.

        Loshchilov and Hutter, *SGDR: Stochastic Gradient Descent with Warm Restarts*, 2017 (arXiv:1608.03983).
        """
        recipes.fit_sgdr(self, n_cycles, cycle_len, lr_max, cycle_mult, cbs, reset_opt, wd, start_epoch)

    def fine_tune(
        self,
        epochs: int,
        base_lr: float = 2e-3,
        freeze_epochs: int = 1,
        lr_mult: float = 100,
        pct_start: float = 0.3,
        div: float = 5.0,
        *,
        div_final: float = 1e5,
        wd: float | None = None,
        moms: tuple[float, float, float] | None = None,
        cbs: Callbacks = None,
        reset_opt: bool = False,
        start_epoch: int = 0,
    ) -> None:
        """Train the head for `freeze_epochs`, then everything for `epochs`, lower groups at lower rates.

        Args:
            epochs: how many epochs with all groups.
            base_lr: the rate of the frozen stage; the second stage has half of it at most.
            freeze_epochs: how many epochs with the last group alone.
            lr_mult: the lowest group's rate is the highest's divided by this.
            pct_start: as in `fit_one_cycle`, for the second stage.
            div: as in `fit_one_cycle`, for the second stage.
        """
        rest = {
            "div_final": div_final,
            "wd": wd,
            "moms": moms,
            "cbs": cbs,
            "reset_opt": reset_opt,
            "start_epoch": start_epoch,
        }
        recipes.fine_tune(self, epochs, base_lr, freeze_epochs, lr_mult, pct_start, div, **rest)

    def lr_find(
        self,
        start_lr: float = 1e-7,
        end_lr: float = 10.0,
        num_it: int = 100,
        stop_div: bool = True,
        show_plot: bool = True,
        suggest_funcs: Any = None,
    ) -> SuggestedLRs:
        """Try rising learning rates and suggest one; everything is put back as it was. See `lr_find.lr_find`."""
        return lr_find.lr_find(self, start_lr, end_lr, num_it, stop_div, show_plot, suggest_funcs)

    # ------------------------------------------------------------------ using the model (predict.py)
    def validate(self, ds_idx: int = 1, dl: Any = None, cbs: Callbacks = None) -> L[Any]:
        """Return the loss and the metrics on the validation set, another data set by number, or another loader."""
        return predict.validate(self, ds_idx, dl, cbs)

    def get_preds(
        self,
        ds_idx: int = 1,
        dl: Any = None,
        with_input: bool = False,
        with_decoded: bool = False,
        with_loss: bool = False,
        act: Callable[[Any], Any] | None = None,
        inner: bool = False,
        reorder: bool = True,
        cbs: Callbacks = None,
        with_preds: bool = True,
        with_targs: bool = True,
        save_preds: Path | None = None,
        save_targs: Path | None = None,
        concat_dim: int = 0,
    ) -> tuple[Any, ...]:
        """Return predictions and targets of a data set, in its order; see `predict.get_preds`."""
        wanted = predict.Wanted(
            with_input, with_preds, with_targs, with_decoded, with_loss, save_preds, save_targs, concat_dim
        )
        return predict.get_preds(self, ds_idx, dl, wanted, act, reorder, cbs)

    def predict(self, item: Any, rm_type_tfms: int | None = None, with_input: bool = False) -> Any:
        """Return (decoded, what it was decoded from, probabilities) of one item; of a list of items, a list of them."""
        return predict.predict(self, item, rm_type_tfms, with_input)

    def show_results(self, ds_idx: int = 1, dl: Any = None, max_n: int = 9, shuffle: bool = True, **kwargs: Any) -> Any:
        """Draw samples with their targets and predictions (`shuffle`: other samples each time)."""
        return predict.show_results(self, ds_idx, dl, max_n, shuffle, **kwargs)

    def tta(
        self,
        ds_idx: int = 1,
        dl: Any = None,
        n: int = 4,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        beta: float | None = 0.25,
        use_max: bool = False,
    ) -> tuple[Any, Any]:
        """Return predictions averaged over `n` augmented passes and the plain one; see `predict.tta`."""
        return predict.tta(self, ds_idx, dl, n, item_tfms, batch_tfms, beta, use_max)

    def loss_not_reduced(self) -> Any:
        """Give the loss of each sample for the duration of a `with` block."""
        return predict.loss_not_reduced(self)

    def validation_context(self, cbs: Callbacks = None) -> Any:
        """Show nothing and add callbacks for the duration of a `with` block."""
        return predict.validation_context(self, cbs)

    # ------------------------------------------------------------------ device and precision
    def to(self, device: torch.device | str) -> Learner:
        """Move model, optimizer and batches to `device`."""
        checkpoint.move(self, device)
        return self

    def compile(self, **options: Any) -> Learner:
        """Train and predict with `torch.compile(model, **options)`; `learn.model` itself stays as it is."""
        self.runtime.compile(**options)
        return self

    def to_fp16(self, **scaler_options: Any) -> Learner:
        """Train in mixed precision with float16 (loss scaling included)."""
        return self.to_fp32().add_cb(MixedPrecision(torch.float16, **scaler_options))

    def to_bf16(self) -> Learner:
        """Train in mixed precision with bfloat16."""
        return self.to_fp32().add_cb(MixedPrecision(torch.bfloat16))

    def to_fp32(self) -> Learner:
        """Train in full precision."""
        return self.remove_cb(MixedPrecision)

    # ------------------------------------------------------------------ files and descriptions
    def save(self, file: str | os.PathLike[str], with_opt: bool = True, pickle_protocol: int = 2) -> Path:
        """Write weights (and the optimizer's state) to `path/model_dir/file.pth`; the write is atomic."""
        return checkpoint.save(self, file, with_opt, pickle_protocol)

    def load(
        self,
        file: str | os.PathLike[str],
        with_opt: bool = True,
        device: torch.device | str | int | None = None,
        strict: bool = True,
    ) -> Learner:
        """Read what `save` wrote. Nothing in the file is executed."""
        return checkpoint.load(self, file, with_opt, device, strict)

    def export(self, fname: str | os.PathLike[str] = "export.pkl", pickle_protocol: int = 2) -> Path:
        """Write model and input pipeline to one file that `load_learner` reads: data, not code; no pickle."""
        from vivace.inference.bundle import export  # the one allowed upward import: see docs/design.md

        return export(self, fname)

    def export_onnx(self, path: str | os.PathLike[str] = "model.onnx") -> Path:
        """Write one ONNX file: a picture of any size in, probabilities out. See `vivace.inference.onnx`."""
        from vivace.inference.onnx import export_onnx

        return export_onnx(self, path)

    def summary(self) -> describe.Text:
        """Return a table of the model's layers, output shapes and parameters, and how it is trained."""
        return describe.summary(self)

    def show_training_loop(self) -> None:
        """Print the events of the loop in order, with the callbacks that act on each."""
        describe.show_training_loop(self)

    def __repr__(self) -> str:
        return (
            f"Learner({type(self.model).__name__}, {self.loss_func!r}, {self.runtime.describe()}, cbs={list(self.cbs)})"
        )
