"""Convolutions, norms, pooling, attention, residual blocks and XResNet."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vivace.core.errors import ArgumentError
from vivace.nn import xresnet
from vivace.nn.attention import PooledSelfAttention2d, SelfAttention, SimpleSelfAttention
from vivace.nn.blocks import ResBlock, SEBlock, SEModule, SeparableBlock, SEResNeXtBlock
from vivace.nn.conv import ConvLayer, PixelShuffle_ICNR, SimpleCNN
from vivace.nn.embedding import Embedding
from vivace.nn.init import apply_init, cond_init, icnr_init, init_linear, trunc_normal_
from vivace.nn.norm import BatchNorm, BatchNorm1dFlat, InstanceNorm, NormType
from vivace.nn.pooling import (
    AdaptiveAvgPool,
    AdaptiveConcatPool1d,
    AdaptiveConcatPool2d,
    AvgPool,
    MaxPool,
    PoolFlatten,
    adaptive_pool,
)


def kinds(layers: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in layers.children()]


def test_conv_layer_is_conv_norm_activation() -> None:
    layer = ConvLayer(3, 8)
    assert kinds(layer) == ["Conv2d", "BatchNorm2d", "ReLU"]
    assert layer[0].bias is None
    assert layer(torch.rand(2, 3, 8, 8)).shape == (2, 8, 8, 8)


def test_conv_layer_options() -> None:
    assert kinds(ConvLayer(3, 8, norm_type=None)) == ["Conv2d", "ReLU"]
    assert ConvLayer(3, 8, norm_type=None)[0].bias is not None
    assert kinds(ConvLayer(3, 8, bn_1st=False)) == ["Conv2d", "ReLU", "BatchNorm2d"]
    assert kinds(ConvLayer(3, 8, act_cls=None, xtra=nn.Dropout())) == ["Conv2d", "BatchNorm2d", "Dropout"]
    assert kinds(ConvLayer(3, 8, ndim=1, norm_type=NormType.Instance)) == ["Conv1d", "InstanceNorm1d", "ReLU"]
    assert ConvLayer(4, 8, ks=3, stride=2, groups=2, padding=0)(torch.rand(1, 4, 9, 9)).shape == (1, 8, 4, 4)
    assert ConvLayer(3, 8, ks=2, stride=2, transpose=True)(torch.rand(2, 3, 4, 4)).shape == (2, 8, 8, 8)
    assert ConvLayer(3, 8, ks=(5, 3))(torch.rand(2, 3, 8, 8)).shape == (2, 8, 8, 8)
    assert ConvLayer(3, 8, ndim=3)(torch.rand(2, 3, 4, 4, 4)).shape == (2, 8, 4, 4, 4)
    with pytest.raises(ArgumentError, match="ndim"):
        ConvLayer(3, 8, ndim=4)


@pytest.mark.parametrize("norm_type", list(NormType))
def test_every_norm_type_trains(norm_type: NormType) -> None:
    layer = ConvLayer(3, 8, norm_type=norm_type, act_cls=None)
    layer(torch.randn(2, 3, 8, 8)).sum().backward()
    assert all(p.grad is not None for p in layer.parameters())


@pytest.mark.parametrize("norm_type", [NormType.BatchZero, NormType.InstanceZero])
def test_zero_norms_start_silent(norm_type: NormType) -> None:
    norm = (
        BatchNorm(4, norm_type=norm_type) if norm_type is NormType.BatchZero else InstanceNorm(4, norm_type=norm_type)
    )
    assert float(norm(torch.randn(2, 4, 3, 3)).detach().abs().max()) == pytest.approx(1e-3)


def test_batch_norm_flat_normalises_the_last_dimension() -> None:
    out = BatchNorm1dFlat(4)(5 + 3 * torch.randn(6, 7, 4))
    assert out.shape == (6, 7, 4)
    assert torch.allclose(out.mean((0, 1)), torch.zeros(4), atol=1e-5)


def test_concat_pools_hold_maximum_and_average() -> None:
    x = torch.rand(2, 5, 4, 4)
    out = AdaptiveConcatPool2d()(x)
    assert out.shape == (2, 10, 1, 1)
    assert torch.allclose(out[:, :5, 0, 0], x.amax((2, 3)))
    assert torch.allclose(out[:, 5:, 0, 0], x.mean((2, 3)))
    assert AdaptiveConcatPool2d(2)(x).shape == (2, 10, 2, 2)
    assert AdaptiveConcatPool1d()(x[..., 0]).shape == (2, 10, 1)


def test_pools_by_number_of_dimensions() -> None:
    x = torch.rand(2, 3, 8)
    assert AvgPool(ndim=1)(x).shape == (2, 3, 4)
    assert MaxPool(3, stride=1, padding=1, ndim=1)(x).shape == (2, 3, 8)
    assert AdaptiveAvgPool(2, ndim=1)(x).shape == (2, 3, 2)
    assert PoolFlatten("Cat")(torch.rand(2, 3, 4, 4)).shape == (2, 6)
    with pytest.raises(ArgumentError, match="Avg, Max, Cat"):
        adaptive_pool("Median")
    with pytest.raises(ArgumentError, match="ndim"):
        AvgPool(ndim=4)


@pytest.mark.parametrize("norm_type", [NormType.Weight, NormType.Spectral, None])
def test_pixel_shuffle_starts_as_nearest_neighbour(norm_type: NormType | None) -> None:
    out = PixelShuffle_ICNR(8, 4, scale=2, norm_type=norm_type)(torch.rand(1, 8, 3, 3))
    assert out.shape == (1, 4, 6, 6)
    for dy, dx in ((0, 1), (1, 0), (1, 1)):
        assert torch.allclose(out[:, :, ::2, ::2], out[:, :, dy::2, dx::2], atol=1e-6)
    assert PixelShuffle_ICNR(8, blur=True)(torch.rand(1, 8, 3, 3)).shape == (1, 8, 6, 6)


def test_icnr_repeats_each_kernel() -> None:
    weight = icnr_init(torch.empty(18, 2, 1, 1), scale=3)
    assert weight.shape == (18, 2, 1, 1)
    assert torch.equal(weight[0], weight[8])
    assert not torch.equal(weight[8], weight[9])


@pytest.mark.parametrize("make", [SelfAttention, PooledSelfAttention2d, SimpleSelfAttention])
def test_attention_starts_as_the_identity_and_learns(make) -> None:
    layer, x = make(16), torch.randn(2, 16, 4, 4)
    assert torch.equal(layer(x), x)
    layer(x).sum().backward()
    assert float(layer.gamma.grad.abs()) > 0


def test_self_attention_matches_its_formula() -> None:
    layer, x = SelfAttention(8).eval(), torch.randn(1, 8, 2, 2)
    with torch.no_grad():
        layer.gamma.fill_(0.7)
        flat = x.flatten(2)
        q, k, v = (part[0].weight[..., 0] @ flat for part in (layer.query, layer.key, layer.value))
        want = 0.7 * torch.einsum("bcf,bft->bct", v, torch.softmax(torch.einsum("bcf,bct->bft", q, k), 1)) + flat
        assert torch.allclose(layer(x).flatten(2), want, atol=1e-5)


def test_res_block_shapes_and_shortcut() -> None:
    x = torch.rand(2, 8, 9, 9)
    assert ResBlock(1, 8, 8)(x).shape == (2, 8, 9, 9)
    assert ResBlock(1, 8, 16, stride=2)(x).shape == (2, 16, 5, 5)
    assert ResBlock(4, 2, 4, stride=2)(x).shape == (2, 16, 5, 5)
    assert kinds(ResBlock(1, 8, 16, stride=2).idpath) == ["AvgPool2d", "ConvLayer"]
    assert kinds(ResBlock(1, 8, 16, stride=2, pool_first=False).idpath) == ["ConvLayer", "AvgPool2d"]
    assert kinds(ResBlock(1, 8, 8).idpath) == []


def test_a_new_res_block_is_nearly_its_shortcut() -> None:
    x = torch.rand(2, 8, 4, 4)
    assert torch.allclose(ResBlock(1, 8, 8)(x), x, atol=2e-3)


def test_block_variants() -> None:
    x = torch.rand(2, 64, 4, 4)
    for block in (
        ResBlock(1, 64, 64, dw=True),
        ResBlock(1, 64, 64, sa=True, sym=True),
        ResBlock(4, 16, 16, ks=5),
        SEBlock(1, 64, 64),
        SEResNeXtBlock(1, 64, 64),
        SeparableBlock(1, 64, 64),
    ):
        assert block(x).shape == x.shape
    gated = SEModule(64, reduction=16)(x)
    assert bool((gated.abs() <= x.abs()).all())


def test_xresnets_give_one_number_per_class() -> None:
    model = xresnet.xresnet18(n_out=7)
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 7)
    assert kinds(model)[-4:] == ["AdaptiveAvgPool2d", "Flatten", "Dropout", "Linear"]
    assert xresnet.xresnet18(n_out=2, c_in=1, sa=True, act_cls=nn.Mish)(torch.rand(2, 1, 32, 32)).shape == (2, 2)
    assert xresnet.xresnet18(ndim=1, c_in=2, n_out=3)(torch.rand(2, 2, 64)).shape == (2, 3)


def test_relatives_of_xresnet_run() -> None:
    image = torch.rand(1, 3, 32, 32)
    for name in ("xresnet18_deep", "xse_resnet18", "xresnext18", "xse_resnext18"):
        model = getattr(xresnet, name)(n_out=3).eval()
        with torch.no_grad():
            assert model(image).shape == (1, 3)


def test_xresnet_has_no_pretrained_weights() -> None:
    with pytest.raises(ArgumentError, match="pretrained=False"):
        xresnet.xresnet18(pretrained=True)


def test_simple_cnn() -> None:
    model = SimpleCNN([3, 4, 5])
    assert model(torch.rand(2, 3, 16, 16)).shape == (2, 5)
    assert [len(layer) for layer in model][:2] == [3, 2]
    with pytest.raises(ArgumentError, match="need 2 values each"):
        SimpleCNN([3, 4, 5], strides=[1])


def test_embedding_is_small_and_cut_off() -> None:
    table = Embedding(1000, 20, std=0.01)
    assert table(torch.tensor([[1, 2]])).shape == (1, 2, 20)
    assert 0.007 < float(table.weight.detach().std()) < 0.011
    assert float(table.weight.detach().abs().max()) <= 0.02 + 1e-6
    assert float(trunc_normal_(torch.empty(10_000), mean=3, std=1).mean()) == pytest.approx(3, abs=0.05)


def test_apply_init_spares_norms_and_frozen_layers() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4))
    for p in model[2].parameters():
        p.requires_grad_(False)
    frozen = model[2].weight.clone()
    apply_init(model, lambda weight: nn.init.constant_(weight, 7.0))
    assert bool((model[0].weight == 7).all())
    assert bool((model[0].bias == 0).all())
    assert bool((model[1].weight == 1).all())
    assert torch.equal(model[2].weight, frozen)
    cond_init(model[1], nn.init.zeros_)
    assert bool((model[1].weight == 1).all())


def test_init_linear_follows_the_activation() -> None:
    layer = nn.Conv2d(3, 64, 3)
    init_linear(layer, nn.ReLU(), bias_std=0)
    bound = (6 / (3 * 9)) ** 0.5  # Kaiming's uniform bound for a fan-in of 27
    assert bound * 0.9 < float(layer.weight.detach().abs().max()) <= bound
    assert bool((layer.bias == 0).all())


@pytest.mark.parametrize("n_rows", [1, 511, 512, 2000])
def test_an_embedding_gives_the_vectors_and_gradients_of_torch_for_any_batch(n_rows):
    table = Embedding(50, 9)
    plain = nn.Embedding(50, 9, _weight=table.weight.detach().clone())
    codes = torch.arange(n_rows) * 7 % 50
    upstream = torch.randn(n_rows, 9)
    for layer in (table, plain):
        (layer(codes) * upstream).sum().backward()
    assert torch.equal(table(codes), plain(codes)) and torch.equal(table.weight.grad, plain.weight.grad)
