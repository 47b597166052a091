"""Evaluation side by side on the CPU, with packed convolutions: the same results, events and errors as one by one."""

from __future__ import annotations

import copy
import threading

import pytest
import torch
from torch import nn

from vivace.core import own_cores
from vivace.core.errors import ItemError
from vivace.core.vision_shim import import_timm
from vivace.data.loader import DataLoader
from vivace.data.loaders import DataLoaders
from vivace.nn.layers import LinBnDrop
from vivace.training.callback import Callback, Cancel
from vivace.training.learner import Learner
from vivace.training.losses import CrossEntropyLossFlat
from vivace.training.packed import packed_convolutions


@pytest.fixture(autouse=True)
def _two_cores():
    n_threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(n_threads)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, dilation=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(16, 8, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        LinBnDrop(8, 4, p=0.5),
    )


def learner(n: int = 83, model: nn.Module | None = None, bs: int = 16) -> Learner:
    generator = torch.Generator().manual_seed(1)
    x, y = torch.rand((n, 3, 20, 24), generator=generator), torch.randint(0, 4, (n,), generator=generator)
    data = torch.utils.data.TensorDataset(x.contiguous(memory_format=torch.channels_last), y)
    dls = DataLoaders.from_dsets(data, data, bs=bs, num_workers=0, device="cpu")
    return Learner(dls, network() if model is None else model, loss_func=CrossEntropyLossFlat(), cbs=[])


class Threads(Callback):
    """Notes in which threads a layer is called, without touching the model."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: set[str] = set()
        whole = nn.Flatten.forward

        def noted(layer: nn.Flatten, x: torch.Tensor) -> torch.Tensor:
            self.names.add(threading.current_thread().name)
            return whole(layer, x)

        monkeypatch.setattr(nn.Flatten, "forward", noted)

    @property
    def is_beside(self) -> bool:
        assert self.names
        return all(name.startswith("vivace-evaluation") for name in self.names)


def one_by_one(learn: Learner) -> torch.Tensor:
    model = copy.deepcopy(learn.model).eval().to(memory_format=torch.channels_last)
    with torch.no_grad():
        return torch.cat([model(x) for x, _ in learn.dls.valid])


def test_predictions_and_metrics_are_those_of_one_batch_after_the_other(monkeypatch):
    learn, threads = learner(), Threads(monkeypatch)
    expected = one_by_one(learn)
    threads.names.clear()
    preds, targets, losses = learn.get_preds(act=lambda x: x, with_loss=True)
    assert threads.is_beside
    assert torch.equal(preds[:80], expected[:80])
    assert torch.allclose(preds, expected, rtol=1e-5)  # of three samples, by other kernels on one core than on two
    assert torch.allclose(losses, nn.functional.cross_entropy(expected, targets, reduction="none"), rtol=1e-5)
    assert learn.validate()[0] == pytest.approx(losses.mean().item(), rel=1e-6)


def test_a_callback_of_ones_own_sees_one_batch_after_the_other(monkeypatch):
    class Notes(Callback):
        def __init__(self):
            self.seen = []

        def after_pred(self):
            self.seen.append(("pred", self.iter, len(self.xb[0])))

        def after_batch(self):
            self.seen.append(("batch", self.iter, len(self.pred)))

    notes, threads = Notes(), Threads(monkeypatch)
    learner(n=70).get_preds(cbs=notes)
    assert not threads.is_beside
    sizes = [16, 16, 16, 16, 6]
    assert notes.seen == [(event, i, n) for i, n in enumerate(sizes) for event in ("pred", "batch")]


def test_a_callback_that_changes_the_input_is_heeded(monkeypatch):
    class Dark(Callback):
        def before_batch(self):
            self.learn.xb = (self.xb[0] * 0,)

    learn, threads = learner(), Threads(monkeypatch)
    preds, _ = learn.get_preds(act=lambda x: x, cbs=Dark())
    assert not threads.is_beside
    assert torch.equal(preds, preds[:1].expand_as(preds))


class OwnLayer(nn.Module):
    def forward(self, x):
        return x


class Resettable(nn.Identity):
    def reset(self):
        pass


def with_hook(model):
    model[2].register_forward_hook(lambda *a: None)
    return model


def with_patched_layer(model):
    usual = model[2].forward
    model[2].forward = lambda x: usual(x)
    return model


@pytest.mark.parametrize(
    "changed",
    [
        lambda m: nn.Sequential(OwnLayer(), *m),
        lambda m: nn.Sequential(Resettable(), *m),
        with_hook,
        with_patched_layer,
    ],
    ids=["a class of one's own", "keeps a state", "a hook", "another forward"],
)
def test_what_may_keep_something_between_calls_runs_in_order(monkeypatch, changed):
    learn, threads = learner(model=changed(network())), Threads(monkeypatch)
    learn.get_preds()
    assert threads.names == {threading.current_thread().name}


def test_training_is_not_run_ahead(monkeypatch):
    learn, threads = learner(), Threads(monkeypatch)

    class NoValidation(Callback):
        def before_validate(self):
            raise Cancel("validate")

    with learn.no_bar(), learn.no_logging():
        learn.fit(1, 1e-3, cbs=NoValidation())
    assert threads.names == {threading.current_thread().name}
    threads.names.clear()
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, 1e-3)
    assert any(name.startswith("vivace-evaluation") for name in threads.names)  # its validation is


def test_an_error_of_the_model_and_one_of_the_data_reach_the_caller():
    learn = learner(model=nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(7, 7)))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        learn.get_preds()

    class Broken:
        def __len__(self):
            return 64

        def __getitem__(self, i):
            if i == 40:
                raise ItemError("number 40 is broken")
            return torch.rand(3, 20, 24), 0

    learn = learner()
    with pytest.raises(ItemError, match="number 40"):
        learn.get_preds(dl=DataLoader(Broken(), bs=16, num_workers=0))
    assert len(learn.get_preds()[0]) == 83  # and nothing is left over


def test_leaving_early_leaves_nothing_behind():
    class Stop(Callback):
        def after_batch(self):
            if self.iter == 1:
                raise Cancel("validate")

    learn = learner()
    before = {name: id(m.forward.__func__) for name, m in learn.model.named_modules()}
    learn.get_preds(cbs=Stop())
    assert all(id(m.forward.__func__) == before[name] for name, m in learn.model.named_modules())
    assert torch.equal(learn.get_preds(act=lambda x: x)[0][:80], one_by_one(learn)[:80])


@pytest.mark.parametrize(
    "mode",
    [lambda: torch.autocast("cpu", dtype=torch.bfloat16), lambda: torch.device("cpu")],
    ids=["autocast", "device"],
)
def test_what_holds_for_this_thread_only_holds_for_the_model(monkeypatch, mode):
    learn, threads = learner(), Threads(monkeypatch)
    with mode():
        learn.get_preds()
    assert not threads.is_beside


def test_callbacks_made_of_functions_are_heeded(monkeypatch):
    learn, threads, seen = learner(), Threads(monkeypatch), []
    learn.get_preds(cbs=Callback(after_batch=lambda cb: seen.append(cb.learn.iter)))
    assert not threads.is_beside and seen == list(range(6))


def test_it_can_be_switched_off(monkeypatch):
    learn, threads = learner(), Threads(monkeypatch)
    learn.runtime.evaluates_ahead = False
    learn.get_preds()
    assert not threads.is_beside


def test_a_foreign_loader_may_use_its_memory_again(monkeypatch):
    memory = torch.zeros(16, 3, 20, 24)

    class OneMemory:
        dataset = range(64)

        def __len__(self):
            return 4

        def __iter__(self):
            for i in range(4):
                yield memory.fill_(i), torch.zeros(16, dtype=torch.int64)

    learn, threads = learner(), Threads(monkeypatch)
    preds, _ = learn.get_preds(dl=OneMemory(), act=lambda x: x)
    assert not threads.is_beside
    assert not torch.allclose(preds[0], preds[-1])


class TakesList(nn.Module):
    """Of a list of pictures, the mean; as if a library had it."""

    __module__ = "timm.tests"
    n_calls = 0

    def __init__(self):
        super().__init__()
        self.body = network()

    def forward(self, pictures):
        type(self).n_calls += 1
        return self.body(torch.stack(pictures).mean(0))


def test_inputs_other_than_tensors_are_computed_once():
    class Lists:
        def __len__(self):
            return 64

        def __getitem__(self, i):
            return [torch.rand(3, 20, 24), torch.rand(3, 20, 24)], 0

    learn = learner(model=TakesList())
    learn.get_preds(dl=DataLoader(Lists(), bs=16, num_workers=0))
    assert TakesList.n_calls == 4


def test_predictions_in_the_middle_of_a_validation_leave_it_as_it_was():
    class Nested(Callback):
        def after_batch(self):
            if self.iter == 1:
                with self.learn.removed_cbs(self):
                    inner.append(self.learn.get_preds(act=lambda x: x)[0])

    inner: list[torch.Tensor] = []
    learn = learner()
    expected = learn.validate()[0]
    assert learn.validate(cbs=Nested())[0] == pytest.approx(expected, rel=1e-5)
    assert torch.allclose(inner[0], one_by_one(learn), rtol=1e-5)
    assert not any("forward" in m.__dict__ for m in learn.model.modules())


def test_a_model_made_in_inference_mode_predicts():
    with torch.inference_mode():
        model = network()
    assert len(learner(model=model).get_preds()[0]) == 83


def test_one_core_evaluates_in_this_thread(monkeypatch):
    torch.set_num_threads(1)
    learn, threads = learner(), Threads(monkeypatch)
    learn.get_preds()
    assert threads.names == {threading.current_thread().name}


@pytest.mark.parametrize("name", ["resnet18", "tf_efficientnet_lite0", "convnext_atto", "vit_tiny_patch16_224"])
def test_models_of_timm_give_the_same_packed_and_side_by_side(name):
    options = {"img_size": 64} if "vit" in name else {}
    model = import_timm().create_model(name, num_classes=4, **options)
    generator = torch.Generator().manual_seed(1)
    x = torch.rand((80, 3, 64, 64), generator=generator).contiguous(memory_format=torch.channels_last)
    data = torch.utils.data.TensorDataset(x, torch.zeros(80, dtype=torch.int64))
    dls = DataLoaders.from_dsets(data, data, bs=16, num_workers=0, device="cpu")
    learn = Learner(dls, model, loss_func=CrossEntropyLossFlat())
    preds, _ = learn.get_preds(act=lambda x: x)
    model.eval()
    with torch.no_grad():
        expected = torch.cat([model(part) for part in x.split(16)])
    assert torch.allclose(preds, expected, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------------- packed weights
def batch(n: int = 16, size: int = 12, seed: int = 0) -> torch.Tensor:
    made = torch.rand((n, 3, size, size), generator=torch.Generator().manual_seed(seed))
    return made.contiguous(memory_format=torch.channels_last)


def test_packed_convolutions_give_the_same_for_every_batch():
    model = network().eval().to(memory_format=torch.channels_last)
    batches = [batch(), batch(seed=1), batch(seed=2), batch(5), batch(size=17), batch(size=17, seed=3), batch()]
    with torch.no_grad():
        expected = [model(x) for x in batches]
        with packed_convolutions(model):
            assert "forward" in model[0].__dict__
            found = [model(x) for x in batches]
            assert model[0].forward.packed is not None
    assert "forward" not in model[0].__dict__
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_copy_made_meanwhile_is_an_ordinary_model():
    model = network().eval().to(memory_format=torch.channels_last)
    with torch.no_grad(), packed_convolutions(model):
        for _ in range(3):
            model(batch())
        twin = copy.deepcopy(model)
        expected = model(batch())
        model[0].weight.zero_()
        assert torch.equal(twin(batch()), expected)


def test_with_gradients_packed_layers_compute_as_usual():
    layer = nn.Conv2d(3, 8, 3).to(memory_format=torch.channels_last)
    with packed_convolutions(nn.Sequential(layer)):
        with torch.no_grad():
            for _ in range(3):
                layer(batch())
        layer(batch()).sum().backward()
    assert layer.weight.grad is not None


def test_without_the_kernels_nothing_is_packed(monkeypatch):
    monkeypatch.setattr("vivace.training.packed._has_kernels", lambda: False)
    model = network()
    with packed_convolutions(model):
        assert "forward" not in model[0].__dict__


def test_pools_are_made_once():
    learn = learner()
    learn.get_preds()
    made = dict(own_cores._shared)
    learn.get_preds()
    assert made and own_cores._shared == made
