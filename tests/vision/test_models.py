"""Architectures by name, bodies, heads, and networks for other numbers of channels."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from vivace.core.errors import ArgumentError
from vivace.core.vision_shim import import_timm
from vivace.nn.groups import default_split
from vivace.nn.xresnet import xresnet18
from vivace.vision.body import TimmBody, create_body, cut_model
from vivace.vision.channels import adapt_input
from vivace.vision.encoders import create_encoder
from vivace.vision.heads import create_head
from vivace.vision.models import (
    create_timm_model,
    create_vision_model,
    input_config,
    mobilenet_v2,
    resnet18,
    squeezenet1_1,
)
from vivace.vision.unet import create_unet_model

TINY = "test_resnet"  # networks that timm made for tests
TINY_TOKENS = "test_vit"


def linears(model: nn.Module) -> list[nn.Linear]:
    return [m for m in model.modules() if isinstance(m, nn.Linear)]


def test_names_cost_no_import_before_they_are_used() -> None:
    code = "import sys, vivace.vision.models as m; sys.exit('timm' in sys.modules or 'torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_architecture_makes_a_plain_network() -> None:
    network = resnet18(weights=None)
    assert [name for name, _ in network.named_children()][-2:] == ["global_pool", "fc"]
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 1000)
    assert resnet18.__name__ == repr(resnet18) == "resnet18"
    assert resnet18(n_in=1, n_out=5).eval()(torch.rand(1, 1, 32, 32)).shape == (1, 5)


def test_body_of_a_network_is_the_chain_of_its_children() -> None:
    network = resnet18()
    assert create_body(network, cut=-2)(torch.rand(2, 3, 64, 64)).shape == (2, 512, 2, 2)
    body = create_body(network)
    assert isinstance(body, nn.Sequential)
    assert body[0] is network.conv1
    assert len(body) == 8


def test_body_computes_the_features_of_its_network() -> None:
    network, x = import_timm().create_model(TINY, pretrained=False).eval(), torch.rand(1, 3, 64, 64)
    assert torch.allclose(create_body(network).eval()(x), network.forward_features(x), atol=1e-6)


def test_tokens_are_pooled_by_their_own_network() -> None:
    model = create_vision_model(TINY_TOKENS, 4, pretrained=False).eval()
    assert isinstance(model[0], TimmBody)
    assert model[0].is_pooled
    assert not any(isinstance(m, nn.AdaptiveAvgPool2d) for m in model[1].modules())
    assert model(torch.rand(2, 3, 64, 64)).shape == model(torch.rand(2, 3, 160, 160)).shape == (2, 4)


def test_networks_without_a_pooling_layer_are_cut_after_their_features() -> None:
    body = create_body(mobilenet_v2, pretrained=False)
    assert body(torch.rand(2, 3, 64, 64)).shape == (2, 1280, 2, 2)
    assert create_body(squeezenet1_1, pretrained=False)(torch.rand(1, 3, 64, 64)).shape[1] == 512


def test_body_needs_a_cut_where_nothing_shows_its_end() -> None:
    with pytest.raises(ArgumentError, match="pass `cut`"):
        create_body(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    with pytest.raises(ArgumentError, match="number of children"):
        cut_model(nn.Sequential(nn.ReLU()), "x")  # type: ignore[arg-type]
    assert isinstance(cut_model(nn.Sequential(nn.ReLU()), lambda m: m[0]), nn.ReLU)


def test_xresnet_is_cut_before_its_pool() -> None:
    model = create_vision_model(xresnet18, 3, pretrained=False)
    assert len(model[0]) == 8
    assert linears(model)[0].in_features == 1024


def test_head_has_two_pools_side_by_side() -> None:
    head = create_head(512, 4).eval()
    assert [(layer.in_features, layer.out_features) for layer in linears(head)] == [(1024, 512), (512, 4)]
    assert head(torch.rand(2, 512, 2, 2)).shape == (2, 4)
    assert [layer.p for layer in head if isinstance(layer, nn.Dropout)] == [0.25, 0.5]


def test_head_options() -> None:
    head = create_head(8, 4, lin_ftrs=[6, 5], ps=[0.1, 0.2, 0.3], concat_pool=False, bn_final=True, y_range=(-1, 2))
    assert [(layer.in_features, layer.out_features) for layer in linears(head)] == [(8, 6), (6, 5), (5, 4)]
    assert [layer.p for layer in head if isinstance(layer, nn.Dropout)] == [0.1, 0.2, 0.3]
    out = head(100 * torch.randn(8, 8, 2, 2))
    assert float(out.detach().min()) >= -1
    assert float(out.detach().max()) <= 2
    first = create_head(8, 4, lin_first=True, first_bn=False)
    assert isinstance(first[2], nn.Dropout)
    assert isinstance(first[3], nn.Linear)
    assert create_head(8, 4, pool=False).eval()(torch.rand(2, 8)).shape == (2, 4)
    with pytest.raises(ArgumentError, match="expected 2, got 3"):
        create_head(8, 4, ps=[0.1, 0.2, 0.3])
    with pytest.raises(ArgumentError, match="low < high"):
        create_head(8, 4, y_range=(1, 0))


def test_trained_first_layer_answers_a_grey_image_as_it_did_in_colour() -> None:
    network = resnet18()
    colour = network.conv1.weight.detach().clone()
    grey = torch.rand(1, 1, 32, 32)
    want = network.conv1(grey.expand(1, 3, 32, 32))
    adapt_input(network, 1, pretrained=True)
    assert torch.equal(network.conv1.weight, colour.sum(1, keepdim=True))
    assert torch.allclose(network.conv1(grey), want, atol=1e-5)


def test_further_channels_start_silent() -> None:
    network = resnet18()
    colour = network.conv1.weight.detach().clone()
    x = torch.rand(1, 5, 32, 32)
    want = network.conv1(x[:, :3])
    body = create_body(network, n_in=5)
    assert torch.allclose(body[0](x), want, atol=1e-5)
    assert torch.equal(body[0].weight[:, :3], colour)


def test_untrained_first_layer_is_drawn_anew() -> None:
    network = resnet18()
    adapt_input(network, 4, pretrained=False)
    assert float(network.conv1.weight[:, 3].detach().abs().max()) > 0


def test_networks_that_rearrange_pixels_say_so() -> None:
    rearranging = nn.Sequential(nn.PixelUnshuffle(4), nn.Conv2d(48, 8, 3))
    with pytest.raises(ArgumentError, match="n_in=3"):
        adapt_input(rearranging, 1, pretrained=True)


@pytest.mark.parametrize("arch", [TINY, TINY_TOKENS, xresnet18])
def test_three_groups_hold_each_parameter_once(arch) -> None:
    model = create_vision_model(arch, 2, pretrained=False)
    groups = default_split(model)
    assert len(groups) == 3
    assert sorted(id(p) for group in groups for p in group) == sorted(id(p) for p in model.parameters())
    assert [id(p) for p in groups[2]] == [id(p) for p in model[1].parameters()]


def test_resnet_is_split_after_its_second_stage() -> None:
    model = create_vision_model(resnet18, 2, pretrained=False)
    assert [id(p) for p in default_split(model)[0]] == [id(p) for p in model[0][:6].parameters()]


def test_the_number_of_channels_reaches_the_first_layer() -> None:
    model = create_vision_model(TINY, 2, pretrained=False, n_in=5).eval()
    assert model(torch.rand(1, 5, 64, 64)).shape == (1, 2)


def test_own_functions_and_networks_are_architectures_too() -> None:
    def tiny(pretrained: bool = False) -> nn.Module:
        assert not pretrained
        return nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 10))

    for arch in (tiny, tiny()):
        model = create_vision_model(arch, 2, pretrained=False)
        assert linears(model[1])[0].in_features == 12
        assert model(torch.rand(2, 3, 8, 8)).shape == (2, 2)


def test_custom_head_is_used_as_it_is() -> None:
    head = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
    model = create_vision_model(TINY, 3, pretrained=False, custom_head=head, init=None)
    assert model[1] is head


def test_building_a_model_does_not_run_on_random_numbers() -> None:
    network, x = resnet18(), torch.get_rng_state()
    create_body(network)
    assert torch.equal(x, torch.get_rng_state())


def test_unknown_names_are_answered_with_a_likely_one() -> None:
    with pytest.raises(ArgumentError, match="Did you mean 'resnet18'"):
        create_vision_model("resent18", 2, pretrained=False)
    with pytest.raises(ArgumentError, match="got int"):
        create_vision_model(3, 2, pretrained=False)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="n_out"):
        create_vision_model("resnet18", 0, pretrained=False)


def test_input_config_is_that_of_the_weights() -> None:
    assert input_config(resnet18).mean == (0.485, 0.456, 0.406)
    assert input_config("tf_efficientnet_lite0").std == (0.5, 0.5, 0.5)
    assert input_config(xresnet18).input_size == (3, 224, 224)
    model, config = create_timm_model(TINY, 3, pretrained=False)
    assert linears(model)[-1].out_features == 3
    assert config.input_size[0] == 3


@pytest.mark.parametrize("arch", [TINY, TINY_TOKENS, "test_efficientnet", "test_convnext"])
def test_unet_gives_one_value_per_pixel_at_odd_sizes(arch: str) -> None:
    sizes = [(64, 64)] if arch == TINY_TOKENS else [(48, 64), (51, 67)]
    model = create_unet_model(arch, 3, sizes[0], pretrained=False).eval()
    for size in sizes:
        with torch.no_grad():
            assert model(torch.rand(1, 3, *size)).shape == (1, 3, *size)
    assert len(default_split(model)) == 3


def test_encoder_gives_ever_smaller_maps() -> None:
    maps: list[Tensor] = create_encoder(resnet18, (64, 64), pretrained=False)(torch.rand(1, 3, 64, 64))
    assert [tuple(each.shape[1:]) for each in maps] == [
        (64, 32, 32),
        (64, 16, 16),
        (128, 8, 8),
        (256, 4, 4),
        (512, 2, 2),
    ]


def test_unet_options() -> None:
    model = create_unet_model(
        TINY,
        2,
        (64, 64),
        pretrained=False,
        n_in=1,
        blur=True,
        self_attention=True,
        y_range=(0, 1),
        bottle=True,
        norm_type="Weight",
    )
    out = model(torch.rand(2, 1, 64, 64))
    assert out.shape == (2, 2, 64, 64)
    assert 0 <= float(out.detach().min()) <= float(out.detach().max()) <= 1
    out.mean().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert create_unet_model(TINY, 2, (64, 64), pretrained=False, last_cross=False)(torch.rand(1, 3, 64, 64)).ndim == 4


def test_unet_learns_where_the_square_is() -> None:
    images = torch.rand(8, 3, 32, 32) * 0.1
    masks = torch.zeros(8, 32, 32, dtype=torch.long)
    for i in range(8):
        masks[i, i : i + 16, 8:24] = 1
        images[i, :, i : i + 16, 8:24] += 0.8
    model = create_unet_model(TINY, 2, (32, 32), pretrained=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(12):
        loss = nn.functional.cross_entropy(model(images), masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float((model(images).argmax(1) == masks).float().mean()) > 0.95
