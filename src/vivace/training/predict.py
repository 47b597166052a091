"""Using the model of a Learner: validation, predictions of data sets and of single items, test-time augmentation."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vivace.core.basics import noop
from vivace.core.collection import L
from vivace.core.device import to_detach, to_device
from vivace.core.errors import ArgumentError, DataError
from vivace.core.files import atomic_write
from vivace.core.randomness import mix
from vivace.core.types import TensorBase, TensorImage, TensorPoint, plain_tensor
from vivace.data.collate import sample_of

from .callback import Callback
from .collected import Collected
from .evaluation import shared_evaluation

if TYPE_CHECKING:
    from .learner import Learner

__all__ = [
    "FetchPredsCallback",
    "GatherPredsCallback",
    "Wanted",
    "get_preds",
    "loss_not_reduced",
    "predict",
    "predict_batch",
    "show_results",
    "tta",
    "validate",
    "validation_context",
]


class Wanted(NamedTuple):
    """What `get_preds` returns, and where it writes."""

    with_input: bool = False
    with_preds: bool = True
    with_targs: bool = True
    with_decoded: bool = False
    with_loss: bool = False
    save_preds: Path | None = None
    save_targs: Path | None = None
    concat_dim: int = 0


class GatherPredsCallback(Callback):
    """Keep the predictions, targets, inputs and losses of a validation, on the CPU."""

    order = 1000  # after all that may change predictions

    def __init__(
        self,
        with_input: bool = False,
        with_loss: bool = False,
        with_preds: bool = True,
        with_targs: bool = True,
        save_preds: Path | None = None,
        save_targs: Path | None = None,
        concat_dim: int = 0,
    ) -> None:
        self.with_input, self.with_loss, self.with_preds, self.with_targs = (
            with_input,
            with_loss,
            with_preds,
            with_targs,
        )
        self.save_preds, self.save_targs, self.concat_dim = save_preds, save_targs, concat_dim
        self.before_validate()

    def before_validate(self) -> None:
        n = getattr(getattr(self.learn, "dl", None), "n", None)
        self.inputs, self.preds, self.targets, self.losses = (
            Collected(n, self.concat_dim),
            Collected(n, self.concat_dim),
            Collected(n, self.concat_dim),
            Collected(n),
        )

    def after_batch(self) -> None:
        learn = self.learn
        if learn.training or learn.pred is None:
            return
        preds, targets = to_detach(learn.pred), to_detach(learn.yb)
        if self.with_input:
            self.inputs.add(to_detach(learn.xb))
        if self.save_preds is not None:
            _save_array(self.save_preds, str(learn.iter), preds)
        elif self.with_preds:
            self.preds.add(preds)
        if self.save_targs is not None:
            _save_array(self.save_targs, str(learn.iter), targets[0] if len(targets) == 1 else targets)
        elif self.with_targs:
            self.targets.add(targets)
        if self.with_loss and learn.loss is not None:
            n = len(targets[0])
            self.losses.add(to_detach(learn.loss).reshape(n, -1).mean(1))

    def all_preds(self) -> Any:
        """The predictions of all batches."""
        return self.preds.joined()

    def all_targets(self) -> Any:
        """The targets of all batches: one tensor, or a tuple of them; None without targets."""
        return _alone(self.targets.joined())

    def all_inputs(self) -> Any:
        """The inputs of all batches: one tensor, or a tuple of them."""
        return _alone(self.inputs.joined())

    def all_losses(self) -> Tensor | None:
        """The loss of each sample."""
        return self.losses.joined()  # type: ignore[no-any-return]


def _alone(joined: Any) -> Any:
    """The only member of a tuple; None for an empty one."""
    if not isinstance(joined, tuple):
        return joined
    return joined[0] if len(joined) == 1 else joined or None


def _save_array(folder: Path, name: str, values: Any) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    with atomic_write(Path(folder) / name) as out:
        np.save(out, plain_tensor(values).numpy(), allow_pickle=False)


class FetchPredsCallback(Callback):
    """Keep the predictions on the validation set after each epoch, in `preds`."""

    order = 900
    run_lr_find = False

    def __init__(
        self,
        ds_idx: int = 1,
        dl: Any = None,
        with_input: bool = False,
        with_decoded: bool = False,
        cbs: Any = None,
        reorder: bool = True,
    ) -> None:
        self.ds_idx, self.dl_given, self.with_input, self.with_decoded = ds_idx, dl, with_input, with_decoded
        self.cbs_given, self.reorder = cbs, reorder

    def after_validate(self) -> None:
        learn = self.learn
        with learn.removed_cbs([self, *(cb for cb in learn.cbs if cb.name in ("recorder", "progress"))]):
            self.preds = learn.get_preds(
                self.ds_idx, self.dl_given, self.with_input, self.with_decoded, reorder=self.reorder, cbs=self.cbs_given
            )


def _loader(learn: Learner, ds_idx: int, dl: Any) -> Any:
    """The loader to use: nothing shuffled, nothing dropped."""
    if dl is None:
        loaders = getattr(learn.dls, "loaders", None) or [learn.dls.train, learn.dls.valid]
        if not -len(loaders) <= ds_idx < len(loaders):
            raise ArgumentError(f"There is no data set number {ds_idx}: these DataLoaders have {len(loaders)}.")
        dl = loaders[ds_idx]
    if getattr(dl, "shuffle", False) or getattr(dl, "drop_last", False):
        dl = dl.new(shuffle=False, drop_last=False) if hasattr(dl, "new") else dl
    if hasattr(dl, "__len__") and len(dl) == 0:
        raise DataError("There is nothing to predict: this data set has no items.")
    return dl


@contextmanager
def validation_context(learn: Learner, cbs: Any = None) -> Iterator[Learner]:
    """See `Learner.validation_context`."""
    with ExitStack() as stack:
        stack.enter_context(learn.no_logging())
        stack.enter_context(learn.added_cbs(cbs))
        yield learn


_LOOP_STATE = ("training", "dl", "iter", "n_iter", "batch", "xb", "yb", "pred", "loss", "loss_grad")


@contextmanager
def _in_eval_mode(learn: Learner) -> Iterator[None]:
    """Evaluate; afterwards the model's mode, and the loop around this call if there is one, are as before."""
    modes = [(m, m.training) for m in learn.model.modules()]
    loop = {name: getattr(learn, name) for name in _LOOP_STATE}
    learn.model.eval()
    try:
        yield
    finally:
        for module, was_training in modes:
            module.training = was_training
        for name, value in loop.items():
            setattr(learn, name, value)


def validate(learn: Learner, ds_idx: int = 1, dl: Any = None, cbs: Any = None) -> L[Any]:
    """See `Learner.validate`."""
    with validation_context(learn, cbs), _in_eval_mode(learn), learn.recorder.aside():
        learn._validate_epoch(_loader(learn, ds_idx, dl))
    return L(learn.final_record, use_list=True)


def get_preds(
    learn: Learner,
    ds_idx: int = 1,
    dl: Any = None,
    wanted: Wanted | None = None,
    act: Callable[[Any], Any] | None = None,
    reorder: bool = True,
    cbs: Any = None,
) -> tuple[Any, ...]:
    """Run the model over a data set.

    Args:
        learn: whose model.
        ds_idx: which data set (0: training, in its order and complete; 1: validation).
        dl: another loader.
        wanted: what to return.
        act: the activation of predictions; None: the loss's (softmax for cross-entropy, …); `noop` for none.
        reorder: give results in the order of the data set when the loader sorts them.
        cbs: callbacks for this call only.

    Returns:
        (inputs,) predictions, targets (, decoded predictions) (, loss of each sample). What was not asked for is left
        out, except predictions and targets, which are None then; targets are also None when there are none.
    """
    wanted = Wanted() if wanted is None else wanted
    dl = _loader(learn, ds_idx, dl)
    need_preds = wanted.with_preds or wanted.with_decoded
    gather = GatherPredsCallback(
        wanted.with_input,
        wanted.with_loss,
        need_preds,
        wanted.with_targs,
        wanted.save_preds,
        wanted.save_targs,
        wanted.concat_dim,
    )
    recorder = [learn.recorder] if hasattr(learn, "recorder") else []
    unreduced = loss_not_reduced(learn) if wanted.with_loss else ExitStack()
    scene = validation_context(learn, cbs), learn.removed_cbs(recorder), learn.added_cbs(gather)
    with scene[0], scene[1], scene[2], _in_eval_mode(learn), unreduced:
        learn._validate_epoch(dl)
    raw = gather.all_preds()
    activation = act if act is not None else getattr(learn.loss_func, "activation", noop)
    probabilities = activation(raw) if raw is not None else None
    results: list[Any] = [gather.all_inputs()] if wanted.with_input else []
    results.append(probabilities if wanted.with_preds else None)
    results.append(gather.all_targets() if wanted.with_targs else None)
    if wanted.with_decoded:
        results.append(decode_preds(learn, probabilities) if probabilities is not None else None)
    if wanted.with_loss:
        results.append(gather.all_losses())
    order = getattr(dl, "get_idxs_back", None)
    if reorder and order is not None:
        back = torch.as_tensor(order())
        results = [_take(r, back) for r in results]
    return tuple(results)


def _take(values: Any, index: Tensor) -> Any:
    if isinstance(values, Tensor):
        return values[index]
    return tuple(_take(v, index) for v in values) if isinstance(values, tuple) else values


def decode_preds(learn: Learner, probabilities: Any) -> Any:
    """Return what the loss makes of activated predictions: the class for cross-entropy, labels above a threshold, …"""
    return getattr(learn.loss_func, "decodes", noop)(probabilities)


@contextmanager
def loss_not_reduced(learn: Learner) -> Iterator[None]:
    """See `Learner.loss_not_reduced`."""
    loss_func = learn.loss_func
    if hasattr(loss_func, "reduction"):
        before = loss_func.reduction
        loss_func.reduction = "none"
        try:
            yield
        finally:
            loss_func.reduction = before
        return

    def each(pred: Any, *targets: Any) -> Any:
        try:
            return loss_func(pred, *targets, reduction="none")
        except TypeError as error:
            if "reduction" not in str(error):
                raise
            name = getattr(loss_func, "__name__", type(loss_func).__name__)
            raise ArgumentError(
                f"The loss {name} has no `reduction`, so the loss of each sample cannot be had from it."
            ) from error

    learn.loss_func = each
    try:
        yield
    finally:
        learn.loss_func = loss_func


def predict(
    learn: Learner, item: Any, rm_type_tfms: int | None = None, with_input: bool = False
) -> tuple[Any, ...] | L[tuple[Any, ...]]:
    """See `Learner.predict`."""
    if _is_several(learn, item):
        return L([predict(learn, one, rm_type_tfms, with_input) for one in item], use_list=True)
    with torch.inference_mode(not with_input):  # an input that is given back must be a tensor like any other
        dl, loaded = learn.dls.single_batch(item, rm_type_tfms)
    n_inp = getattr(dl.dataset, "n_inp", None)  # a row of a table may bring its target
    batch = learn.runtime.prepare_batch(loaded)[:n_inp]
    return finish_prediction(learn, dl, loaded, predict_batch(learn, batch), with_input)


def predict_batch(learn: Learner, inputs: tuple[Any, ...]) -> Any:
    """Return the model's output for a batch, in evaluation mode; several threads may call it at once."""
    with shared_evaluation(learn.model), torch.inference_mode(), learn.runtime.autocast():
        return to_detach(learn.runtime.forward_of(learn.model)(*inputs), gather=False)


def _is_several(learn: Learner, item: Any) -> bool:
    """Whether it is a list of items: of files or pictures, for a model that takes one of them."""
    if not isinstance(item, (list, L)) or not item or getattr(learn.dls.train_ds, "n_inp", 1) != 1:
        return False
    # Of a data set without transforms, a list of arrays may be one item.
    makes_items = hasattr(learn.dls.train_ds, "tls")
    return all(
        isinstance(one, (str, os.PathLike, bytes, Image.Image))
        or (makes_items and isinstance(one, (np.ndarray, Tensor)) and one.ndim > 1)
        for one in item
    )


def finish_prediction(learn: Learner, dl: Any, batch: Any, raw: Any, with_input: bool) -> tuple[Any, ...]:
    """Return (decoded, index or mask, probabilities) of a batch with one sample.

    Args:
        learn: whose loss says what the output means, and whose data how it is decoded.
        dl: the loader that made the batch.
        batch: what it gave, with types.
        raw: the model's output.
        with_input: return the decoded input as well, first.
    """
    probabilities = getattr(learn.loss_func, "activation", noop)(raw)
    index = decode_preds(learn, probabilities)
    decode = getattr(learn.dls.train_ds, "decode_target", None)
    first = index[0] if isinstance(index, Tensor) else tuple(i[0] for i in index)
    probability = probabilities[0] if isinstance(probabilities, Tensor) else tuple(p[0] for p in probabilities)
    first, probability = _clean(first), _clean(probability)
    decoded = decode(first, partial(_undone, dl, batch)) if decode is not None else first
    result = (decoded, first, probability)
    if not with_input:
        return result
    inputs = dl.decode_batch(batch, max_n=1)[0]
    return (inputs[0] if isinstance(inputs, tuple) else inputs, *result)


def _undone(dl: Any, batch: Any, part: Any) -> Any:
    """Undo for a prediction what the transforms of batch and sample do to such targets: normalise, scale positions."""
    if not isinstance(part, (TensorImage, TensorPoint)):
        return part
    inputs = batch if isinstance(batch, tuple) else (batch,)
    decoded = dl.after_batch.decode((*to_device(inputs[: dl.n_inp], "cpu"), part[None].cpu()))
    return dl.after_item.decode(sample_of(decoded, 0))[-1]


def _clean(x: Any) -> Any:
    """A plain tensor that is none of inference mode, so that users can do anything with it."""
    if not isinstance(x, Tensor) or isinstance(x, TensorBase) or (type(x) is Tensor and not x.is_inference()):
        return x
    return x.clone().as_subclass(Tensor)


def show_results(
    learn: Learner, ds_idx: int = 1, dl: Any = None, max_n: int = 9, shuffle: bool = True, **kwargs: Any
) -> Any:
    """See `Learner.show_results`."""
    if dl is None:
        dl = learn.dls[ds_idx]
        dl = dl.new(shuffle=shuffle, drop_last=False) if hasattr(dl, "new") else dl
    b = dl.one_batch() if hasattr(dl, "one_batch") else next(iter(dl))
    prepared = learn.runtime.prepare_batch(b)
    learn.dl = dl
    with _in_eval_mode(learn), torch.no_grad(), learn.runtime.autocast():
        raw = learn.runtime.forward_of(learn.model)(*prepared[: learn._n_inp(prepared)])
    decoded = decode_preds(learn, getattr(learn.loss_func, "activation", noop)(to_detach(raw)))
    return dl.show_results(b, decoded, max_n=max_n, **kwargs)


def tta(
    learn: Learner,
    ds_idx: int = 1,
    dl: Any = None,
    n: int = 4,
    item_tfms: Any = None,
    batch_tfms: Any = None,
    beta: float | None = 0.25,
    use_max: bool = False,
) -> tuple[Any, Any]:
    """Test-time augmentation.

    Args:
        learn: whose model.
        ds_idx: which data set.
        dl: another loader.
        n: how many passes with the training transforms.
        item_tfms: item transforms for those passes (None: the training set's).
        batch_tfms: batch transforms for those passes (None: the training set's).
        beta: the weight of the plain predictions in the result; None: return (augmented, plain) instead.
        use_max: take the highest instead of the mean.

    Returns:
        Predictions and targets.
    """
    plain_dl = _loader(learn, ds_idx, dl)
    train = learn.dls.train
    augmented_dl = plain_dl.new(
        split_idx=0,
        after_item=train.after_item.fs if item_tfms is None else item_tfms,
        after_batch=train.after_batch.fs if batch_tfms is None else batch_tfms,
    )
    passes = []
    for i in range(n):
        augmented_dl.seed = mix(plain_dl.seed, i)
        passes.append(learn.get_preds(dl=augmented_dl)[0])
    stacked = torch.stack(passes)
    augmented = stacked.max(0)[0] if use_max else stacked.mean(0)
    plain, targets = learn.get_preds(dl=plain_dl)
    if use_max:
        return torch.stack([augmented, plain]).max(0)[0], targets
    if beta is None:
        return (augmented, plain), targets
    return torch.lerp(augmented, plain, beta), targets
