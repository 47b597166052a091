"""MixUp and CutMix: what they mix, by which share, and the loss that goes with it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from vivace.core.errors import ArgumentError
from vivace.data.loaders import DataLoaders
from vivace.training.callback import Callback
from vivace.training.callbacks.mixup import CutMix, MixUp, mix_pairs, paste_box
from vivace.training.learner import Learner
from vivace.training.losses import CrossEntropyLossFlat


class Look(Callback):
    """Keep what training batches look like after mixing."""

    order = 90

    def __init__(self, read):
        self.read, self.seen = read, []

    def before_batch(self):
        if self.training:
            self.seen.append(self.read(self))


def pictures(loss_func, cbs, target=lambda y: y, **settings):
    """Each picture has one value of its own, which is also its target divided by 16."""
    y = torch.arange(16)
    x = (y / 16).view(-1, 1, 1, 1).expand(-1, 1, 8, 8).contiguous()
    data = TensorDataset(x, target(y))
    dls = DataLoaders.from_dsets(data, data, bs=16, device="cpu")
    torch.manual_seed(3)
    return Learner(dls, nn.Sequential(nn.Flatten(), nn.Linear(64, 16)), loss_func=loss_func, cbs=cbs, **settings)


# ---------------------------------------------------------------------- the functions
def test_mix_pairs_is_the_weighted_mean_of_each_sample():
    first, second, share = torch.rand(4, 3, 2), torch.rand(4, 3, 2), torch.tensor([0.0, 0.25, 0.5, 1.0])
    expected = torch.stack([s * a + (1 - s) * b for a, b, s in zip(first, second, share, strict=True)])
    assert torch.allclose(mix_pairs(first, second, share), expected)


@given(width=st.integers(1, 40), height=st.integers(1, 40), share=st.floats(0, 1))
def test_the_box_lies_in_the_image_and_covers_no_more_than_it_should(width, height, share):
    left, top, right, bottom = paste_box(width, height, torch.tensor(share))
    assert 0 <= left <= right <= width and 0 <= top <= bottom <= height
    assert (right - left) * (bottom - top) <= (1 - share) * width * height + 1e-4


def test_the_box_has_the_size_of_its_share_on_average_but_for_the_border():
    areas = []
    for _ in range(300):
        left, top, right, bottom = paste_box(100, 100, torch.tensor(0.75))
        areas.append((right - left) * (bottom - top))
    assert max(areas) == 50 * 50  # a quarter of 100 × 100: when the box is whole


# ---------------------------------------------------------------------- MixUp
def test_each_sample_is_mixed_with_its_partner_by_its_share():
    mixup = MixUp(0.4)
    look = Look(lambda cb: (cb.x, cb.y, mixup.lam, mixup.yb1[0]))
    pictures(F.cross_entropy, [mixup, look]).fit(1)
    x, y, share, partner = look.seen[0]
    assert torch.allclose(x[:, 0, 0, 0], (share * y + (1 - share) * partner) / 16, atol=1e-6)
    assert float(share.min()) >= 0.5 and len(share.unique()) > 8  # one for each sample; itself the larger part


@pytest.mark.parametrize(
    "loss_func", [F.cross_entropy, nn.CrossEntropyLoss(), CrossEntropyLossFlat()], ids=["function", "module", "ours"]
)
@pytest.mark.parametrize("cls", [MixUp, CutMix])
def test_the_loss_is_the_mean_of_both_labels_losses_by_share(cls, loss_func):
    mixup, seen = cls(), []

    class Check(Callback):
        order = 95

        @torch.no_grad()
        def after_loss(self):
            if self.training:
                own, other = (F.cross_entropy(self.pred, y, reduction="none") for y in (self.y, mixup.yb1[0]))
                seen.append((self.loss.item(), float((mixup.lam * own + (1 - mixup.lam) * other).mean())))

    learn = pictures(loss_func, [mixup, Check()])
    learn.fit(1)
    assert seen[0][0] == pytest.approx(seen[0][1], rel=1e-5)
    assert learn.loss_func is loss_func and getattr(loss_func, "reduction", "mean") == "mean"


def test_targets_that_are_numbers_are_mixed_as_their_inputs_are():
    look = Look(lambda cb: (cb.x, cb.y))
    learn = pictures(lambda p, y: F.mse_loss(p[:, :1], y), [MixUp(), look], target=lambda y: (y / 16)[:, None])
    learn.fit(1)
    x, y = look.seen[0]
    assert torch.allclose(x[:, 0, 0, :1], y, atol=1e-6) and not torch.allclose(16 * y, (16 * y).round(), atol=1e-2)


def test_validation_is_not_mixed():
    class Plain(Callback):
        order = 90

        def after_loss(self):
            if not self.training:
                assert torch.equal(self.x[:, 0, 0, 0], self.y / 16)
                assert torch.allclose(self.loss, F.cross_entropy(self.pred, self.y))

    pictures(F.cross_entropy, [MixUp(), Plain()]).fit(1)


def test_a_loss_that_cannot_give_the_loss_of_each_sample_is_named():
    def own_loss(pred, y):
        return F.cross_entropy(pred, y)

    with pytest.raises(ArgumentError, match="The loss own_loss has no `reduction`"):
        pictures(own_loss, MixUp()).fit(1)


@pytest.mark.parametrize("cls", [MixUp, CutMix])
def test_alpha_must_be_positive(cls):
    with pytest.raises(ArgumentError, match="needs alpha above 0, got 0"):
        cls(0)


# ---------------------------------------------------------------------- CutMix
def test_a_rectangle_comes_from_the_partner_and_the_share_is_its_area():
    cutmix = CutMix()
    look = Look(lambda cb: (cb.x, cb.y, cutmix.lam, cutmix.yb1[0]))
    pictures(F.cross_entropy, [cutmix, look]).fit(6)
    for x, y, share, partner in look.seen:
        own, other = (x == (t / 16).view(-1, 1, 1, 1) for t in (y, partner))
        assert (own | other).all()  # nothing is blended
        differ = y != partner
        assert torch.allclose(own[differ].float().mean((1, 2, 3)), share.expand(int(differ.sum())))
    assert len({float(seen[2]) for seen in look.seen}) > 2
