"""bf16 and fp16: training works, predictions are float32, and gradients are seen at their true scale."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vivace.core.errors import ArgumentError
from vivace.training.callback import Callback, CancelBackwardException, CancelBatchException
from vivace.training.callbacks.gradients import GradientAccumulation, GradientClip
from vivace.training.callbacks.mixed_precision import MixedPrecision

LOW = [("to_bf16", torch.bfloat16), ("to_fp16", torch.float16)]


def to_fp16(learn):
    """With a loss scale at which these gradients do not overflow."""
    return learn.to_fp16(init_scale=128.0)


def in_precision(learn, method):
    return to_fp16(learn) if method == "to_fp16" else getattr(learn, method)()


class Gradients(Callback):
    """Keep what `before_step` sees."""

    order = 100

    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []

    def before_step(self) -> None:
        self.seen.append(torch.cat([p.grad.flatten() for p in self.model.parameters()]).clone())


@pytest.mark.parametrize("method, dtype", LOW)
def test_it_learns_the_line_on_the_cpu(line_learner, method, dtype):
    learn = in_precision(line_learner(), method)
    learn.fit(10, 0.1)
    assert learn.model.weight.item() == pytest.approx(2, abs=0.1) and learn.model.bias.item() == pytest.approx(
        3, abs=0.1
    )
    assert learn.model.weight.dtype == torch.float32


@pytest.mark.parametrize("method, dtype", LOW)
def test_layers_run_in_the_low_precision_and_outputs_come_in_full(line_learner, method, dtype):
    inside, outside = set(), set()

    class Watch(Callback):
        def after_pred(self):
            outside.add(self.pred.dtype)

    learn = in_precision(line_learner(cbs=Watch()), method)
    learn.model.register_forward_hook(lambda module, inputs, output: inside.add(output.dtype))
    learn.fit(1)
    preds, _ = learn.get_preds()
    assert inside == {dtype} and outside == {torch.float32} and preds.dtype == torch.float32


def test_full_precision_is_back_when_the_callback_goes(line_learner):
    learn = line_learner().to_bf16()
    assert learn.runtime.amp_dtype == torch.bfloat16 and "bf16" in repr(learn)
    assert learn.to_fp16().runtime.amp_dtype == torch.float16 and learn.runtime.describe() == "cpu, fp16"
    assert [type(cb) for cb in learn.cbs].count(MixedPrecision) == 1
    assert learn.to_fp32().runtime.amp_dtype is None
    learn.fit(1, cbs=MixedPrecision("bf16"))
    assert learn.runtime.amp_dtype is None


def test_an_unknown_precision_is_refused():
    with pytest.raises(ArgumentError, match='needs "fp16" or "bf16", got \'fp8\''):
        MixedPrecision("fp8")


@pytest.mark.parametrize("method, dtype", LOW)
def test_callbacks_before_the_step_see_unscaled_gradients(line_learner, method, dtype):
    plain, low = Gradients(), Gradients()
    line_learner().fit(1, 1e-4, cbs=plain)
    in_precision(line_learner(), method).fit(1, 1e-4, cbs=low)
    for a, b in zip(plain.seen, low.seen, strict=True):
        assert torch.allclose(a, b, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("precision", ["to_fp32", "to_bf16", "to_fp16"])
def test_clipping_bounds_the_true_norm(line_learner, precision):
    watch = Gradients()
    in_precision(line_learner(), precision).fit(1, 0.01, cbs=[GradientClip(0.1), watch])
    norms = [float(g.norm()) for g in watch.seen]
    assert len(norms) == 8 and max(norms) <= 0.1 + 1e-4 and min(norms) > 0.09  # they were all above


@pytest.mark.parametrize("precision", ["to_fp32", "to_fp16"])
def test_accumulation_equals_the_big_batch(line_learner, precision):
    def trained(bs, cbs=None):
        learn = in_precision(line_learner(bs=bs), precision)
        learn.fit(2, 0.05, cbs=cbs)
        return torch.cat([learn.model.weight.flatten(), learn.model.bias]).detach()

    tolerance = 1e-6 if precision == "to_fp32" else 2e-3
    assert torch.allclose(trained(32), trained(8, GradientAccumulation(32)), atol=tolerance)
    # and it is not by chance: without accumulation it is another result
    assert not torch.allclose(trained(32), trained(8), atol=0.02)


def test_accumulation_steps_once_for_each_n_acc_samples_over_epochs(line_learner):
    steps: list[int] = []

    class Count(Callback):
        def after_step(self):
            steps.append(self.train_iter)

    line_learner().fit(3, 0.01, cbs=[GradientAccumulation(24), Count()])  # 24 batches of 8
    assert steps == list(range(2, 24, 3))


def test_what_is_left_over_at_the_end_of_a_fit_does_not_reach_the_next(line_learner):
    learn, fresh = line_learner(n=24), line_learner(n=24)
    learn.fit(1, 0.0, cbs=GradientAccumulation(16))  # the third batch is left over
    learn.fit(1, 0.1)
    fresh.fit(1, 0.1)
    assert torch.equal(learn.model.weight, fresh.model.weight)


def test_accumulation_by_cancelling_before_the_step_works_in_float16_too(line_learner):
    class Every4(Callback):
        """How users write it themselves: gradients are unscaled already when it cancels."""

        def after_loss(self):
            self.learn.loss_grad = self.loss_grad / 4

        def before_step(self):
            if self.iter % 4 != 3:
                raise CancelBatchException

    results = []
    for precision in ("to_fp32", "to_fp16"):
        learn = in_precision(line_learner(), precision)
        learn.fit(2, 0.05, cbs=Every4())
        results.append(learn.model.weight.item())
    assert results[0] == pytest.approx(results[1], abs=2e-3)


def test_a_cancelled_backward_does_not_upset_the_scaler(line_learner):
    class Skip(Callback):
        def before_backward(self):
            if self.iter % 2:
                raise CancelBackwardException

    learn = to_fp16(line_learner())
    learn.fit(2, 0.05, cbs=Skip())
    assert torch.isfinite(learn.model.weight).all()


def test_an_overflow_leaves_out_the_step_and_lowers_the_scale(line_learner):
    learn = line_learner().to_fp16(init_scale=2.0**40)  # such gradients are infinite
    weight = learn.model.weight.clone()

    class First(Callback):
        def after_batch(self):
            if self.training and self.iter == 0:
                assert torch.equal(self.model.weight, weight)

    learn.fit(1, 0.1, cbs=First())
    assert learn.runtime.scaler.get_scale() < 2.0**40 and torch.isfinite(learn.model.weight).all()


def test_the_scale_is_kept_between_fits_and_its_options_over_a_move(line_learner):
    learn = line_learner().to_fp16(init_scale=2.0**40)
    learn.fit(1)
    scale = learn.runtime.scaler.get_scale()
    learn.to("cpu")
    assert learn.runtime.scaler.get_scale() == scale < 2.0**40


def test_models_that_return_several_values_come_in_full_precision_as_well(line_learner):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(1, 1)

        def forward(self, x):
            return self.layer(x), {"twice": self.layer(x) * 2}

    learn = line_learner(
        Two(), loss_func=lambda pred, y: (pred[0] - y).square().mean() + 0 * pred[1]["twice"].sum()
    ).to_bf16()
    learn.fit(1)
    x, _ = learn.dls.one_batch()
    with learn.runtime.autocast():
        first, rest = learn.runtime.forward_of(learn.model)(x)
    assert first.dtype == rest["twice"].dtype == torch.float32
