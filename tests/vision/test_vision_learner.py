"""`vision_learner` and `unet_learner`: what they make of data and an architecture."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from vivace.core.errors import ArgumentError, DownloadError
from vivace.core.vision_shim import import_timm
from vivace.data.loader import DataLoader
from vivace.data.loaders import DataLoaders
from vivace.data.transforms import Normalize
from vivace.vision.all import CrossEntropyLossFlat, ImageDataLoaders, PILImageBW, Resize, accuracy
from vivace.vision.learner import cnn_learner, get_c, image_channels, unet_learner, vision_learner

TINY = "test_resnet"


@pytest.fixture
def dls(photo_folder: Path) -> Any:
    return ImageDataLoaders.from_folder(photo_folder, valid_pct=0.3, seed=1, item_tfms=Resize(32), bs=8, num_workers=0)


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    """Put made-up weights where they are looked for; return those of the first layer."""
    monkeypatch.setenv("VIVACE_HOME", str(tmp_path))
    (tmp_path / "weights").mkdir()
    state = import_timm().create_model(TINY, pretrained=False).state_dict()
    save_file(state, tmp_path / "weights" / f"{TINY}.safetensors")
    return next(iter(state.values()))


def tensor_dls(n_channels: int = 3, *, masks: bool = False) -> DataLoaders:
    images = torch.rand(8, n_channels, 32, 32)
    targets = torch.randint(2, (8, 32, 32)) if masks else torch.arange(8) % 2
    pairs = list(zip(images, targets, strict=True))
    return DataLoaders(DataLoader(pairs, bs=4), DataLoader(pairs, bs=4))


def rebuild(builder: dict[str, Any]) -> nn.Module:
    builder = json.loads(json.dumps(builder))
    module, _, name = builder["builder"].rpartition(".")
    return getattr(importlib.import_module(module), name)(**builder["args"])


def test_the_data_says_how_many_outputs_and_which_loss(dls: Any) -> None:
    learn = vision_learner(dls, TINY, pretrained=False, metrics=accuracy)
    assert len(learn.model) == 2
    assert learn.model[-1][-1].out_features == 3
    assert isinstance(learn.loss_func, CrossEntropyLossFlat)
    assert cnn_learner is vision_learner


def test_trained_body_starts_frozen_but_its_norms_learn(dls: Any, trained: torch.Tensor) -> None:
    learn = vision_learner(dls, TINY)
    assert torch.equal(next(learn.model[0].parameters()).cpu(), trained)
    convs = [m.weight for m in learn.model[0].modules() if isinstance(m, nn.Conv2d)]
    norms = [m.weight for m in learn.model[0].modules() if isinstance(m, nn.BatchNorm2d)]
    assert not any(p.requires_grad for p in convs)
    assert all(p.requires_grad for p in [*norms, *learn.model[1].parameters()])
    learn.unfreeze()
    assert all(p.requires_grad for p in learn.model.parameters())
    assert len(learn.opt.hypers) == 3


def test_untrained_body_is_not_frozen(dls: Any) -> None:
    learn = vision_learner(dls, TINY, pretrained=False)
    assert all(p.requires_grad for p in learn.model.parameters())


def test_normalisation_is_added_once_and_only_with_trained_weights(dls: Any, trained: torch.Tensor) -> None:
    def n_normalize() -> int:
        return sum(isinstance(transform, Normalize) for transform in dls.after_batch.fs)

    vision_learner(dls, TINY, pretrained=False)
    vision_learner(dls, TINY, normalize=False)
    assert n_normalize() == 0
    vision_learner(dls, TINY)
    vision_learner(dls, TINY)
    assert n_normalize() == 1
    assert float(dls.one_batch()[0].min()) < -0.2


def test_grey_images_get_a_grey_network(photo_folder: Path, trained: torch.Tensor) -> None:
    dls = ImageDataLoaders.from_folder(
        photo_folder, valid_pct=0.3, seed=1, item_tfms=Resize(32), bs=8, num_workers=0, img_cls=PILImageBW
    )
    assert image_channels(dls) == 1
    learn = vision_learner(dls, TINY)
    assert torch.allclose(next(learn.model[0].parameters()).cpu(), trained.sum(1, keepdim=True))
    assert any(isinstance(transform, Normalize) for transform in dls.after_batch.fs)
    learn.validate()


def test_channels_of_tensors_are_counted() -> None:
    dls = tensor_dls(5)
    assert image_channels(dls) == 5
    learn = vision_learner(dls, TINY, n_out=2, pretrained=False, loss_func=nn.functional.cross_entropy)
    learn.validate()
    assert next(learn.model.parameters()).shape[1] == 5


def test_unknown_number_of_outputs_asks_for_it() -> None:
    dls = tensor_dls()
    assert get_c(dls) is None
    with pytest.raises(ArgumentError, match="pass `n_out`"):
        vision_learner(dls, TINY, pretrained=False, loss_func=nn.functional.cross_entropy)


def test_missing_weights_leave_the_data_alone(dls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str, name: str) -> None:
        raise DownloadError("no network in tests")

    monkeypatch.setattr("vivace.vision.architectures.require_network", refuse)
    monkeypatch.setattr("vivace.vision.architectures._in_hub_cache", lambda config: None)
    with pytest.raises(DownloadError):
        vision_learner(dls, TINY)
    assert not any(isinstance(transform, Normalize) for transform in dls.after_batch.fs)


def test_the_builder_makes_the_same_model_again(dls: Any) -> None:
    learn = vision_learner(dls, TINY, pretrained=False, lin_ftrs=(16,), ps=(0.1, 0.2), y_range=(0, 1), n_in=3)
    again = rebuild(learn.builder)
    again.load_state_dict(learn.model.state_dict())
    x = torch.rand(2, 3, 32, 32)
    learn.model.cpu().eval()
    assert torch.equal(again.eval()(x), learn.model(x))


def test_code_of_the_users_has_no_builder(dls: Any) -> None:
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(3))
    assert vision_learner(dls, TINY, pretrained=False, custom_head=head, init=None).builder is None

    def own(pretrained: bool = False) -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))

    assert vision_learner(dls, own, pretrained=False).builder is None


def test_summary_shows_what_is_frozen(dls: Any, trained: torch.Tensor) -> None:
    learn = vision_learner(dls, TINY)
    text = str(learn.summary())
    frozen = sum(p.numel() for p in learn.model.parameters() if not p.requires_grad)
    assert f"Total non-trainable params: {frozen:,}" in text
    assert "frozen" in text


def test_a_network_from_scratch_learns(dls: Any) -> None:
    learn = vision_learner(dls, TINY, pretrained=False, ps=0)
    with learn.no_bar():
        learn.fit_one_cycle(4, 5e-3)
    losses = [float(loss) for loss in learn.recorder.losses]
    assert losses[-1] < losses[0] / 2


def test_unet_learner_builds_trains_and_can_be_built_again(trained: torch.Tensor) -> None:
    dls = tensor_dls(masks=True)
    learn = unet_learner(dls, TINY, n_out=2, loss_func=CrossEntropyLossFlat(axis=1))
    x, _ = dls.one_batch()
    assert learn.model(x).shape == (4, 2, 32, 32)
    assert torch.equal(next(learn.model.parameters()).cpu(), trained)
    assert not next(learn.model.parameters()).requires_grad
    with learn.no_bar():
        learn.fit(1)
    again = rebuild(learn.builder)
    again.load_state_dict(learn.model.state_dict())
    assert torch.allclose(again.eval()(x), learn.model.eval()(x), atol=1e-5)
