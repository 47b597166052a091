"""Light and colour: the formulas, in one pass, on images alone."""

from __future__ import annotations

import colorsys
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vivace.core.errors import ArgumentError, ShapeError
from vivace.core.types import TensorImage, TensorMask, TensorPoint, plain_tensor
from vivace.data.transform import Pipeline, Transform
from vivace.vision.augment import (
    Augmentation,
    Brightness,
    Contrast,
    FusedLighting,
    HSVTfm,
    Hue,
    LightingTfm,
    RandomErasing,
    Rotate,
    Saturation,
    SpaceTfm,
    cutout_gaussian,
    grayscale,
    hsv2rgb,
    norm_apply_denorm,
    rgb2hsv,
)


def images(n: int = 4, channels: int = 3, seed: int = 0) -> Tensor:
    return torch.rand(n, channels, 12, 16, generator=torch.Generator().manual_seed(seed))


def log_odds(x: Tensor) -> Tensor:
    return torch.log(x / (1 - x))


def lit(transform: Any, x: Tensor) -> Tensor:
    return plain_tensor(transform(TensorImage(x.clone()), split_idx=0))


def test_brightness_takes_middle_grey_to_its_draw() -> None:
    out = lit(Brightness(p=1.0, draw=[0.8, 0.3]), torch.full((2, 3, 4, 4), 0.5))
    assert torch.allclose(out[0], torch.tensor(0.8))
    assert torch.allclose(out[1], torch.tensor(0.3))


def test_brightness_and_contrast_act_on_log_odds() -> None:
    x = images(2)
    assert torch.allclose(
        lit(Brightness(p=1.0, draw=0.7), x), (log_odds(x) + log_odds(torch.tensor(0.7))).sigmoid(), atol=1e-5
    )
    assert torch.allclose(lit(Contrast(p=1.0, draw=1.6), x), (log_odds(x) * 1.6).sigmoid(), atol=1e-5)


def test_saturation_moves_away_from_grey() -> None:
    x = images(2)
    grey = (log_odds(x) * torch.tensor([0.2989, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    for factor in (0.0, 0.4, 1.7):
        expected = (grey + factor * (log_odds(x) - grey)).sigmoid()
        assert torch.allclose(lit(Saturation(p=1.0, draw=factor), x), expected, atol=1e-5)
    assert torch.allclose(grayscale(x), (x * torch.tensor([0.2989, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True))


def test_hue_agrees_with_the_standard_library() -> None:
    x = images(1)
    out = lit(Hue(p=1.0, draw=0.2), x)
    for i, j in [(0, 0), (3, 7), (11, 15)]:
        hue, saturation, value = colorsys.rgb_to_hsv(*x[0, :, i, j].tolist())
        expected = colorsys.hsv_to_rgb((hue + 0.2) % 1, saturation, value)
        assert out[0, :, i, j].tolist() == pytest.approx(expected, abs=1e-5)


@given(st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3))
def test_hsv_is_that_of_the_standard_library_and_back(rgb: list[float]) -> None:
    pixel = torch.tensor(rgb, dtype=torch.float64).view(1, 3, 1, 1)
    assert rgb2hsv(pixel).flatten().tolist() == pytest.approx(colorsys.rgb_to_hsv(*rgb), abs=1e-6)
    assert torch.allclose(hsv2rgb(rgb2hsv(pixel)), pixel, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_fused_equals_one_after_the_other(channels: int) -> None:
    x = images(3, channels).clamp(0.05, 0.95)
    chain = [
        Brightness(p=1.0, draw=[0.7, 0.4, 0.5]),
        Saturation(p=1.0, draw=[0.5, 1.5, 1.0]),
        Contrast(p=1.0, draw=[0.8, 1.2, 1.0]),
        Brightness(p=1.0, draw=0.55),
        Saturation(p=1.0, draw=0.9),
        *([Hue(p=1.0, draw=0.1)] if channels == 3 else []),
        Contrast(p=1.0, draw=1.1),
    ]
    fused = Pipeline(chain)
    assert len(fused.fs) == 1
    assert isinstance(fused[0], FusedLighting)
    expected = x
    for transform in chain:
        expected = lit(transform, expected)
    assert torch.allclose(plain_tensor(fused(TensorImage(x))), expected, atol=1e-4)


def test_fused_with_geometry_equals_geometry_and_then_colour() -> None:
    x, mask = images(4), torch.ones(4, 12, 16, dtype=torch.int64)
    moves, colours = [Rotate(p=1.0, draw=10.0)], [Brightness(p=1.0, draw=0.7), Contrast(p=1.0, draw=0.9)]
    whole = Pipeline([*colours, *moves])
    assert isinstance(whole[0], Augmentation)
    assert len(whole) == 1
    before = x.clone()
    out, moved_mask = whole((TensorImage(x), TensorMask(mask)))
    assert torch.equal(x, before)
    step_by_step = lit(colours[1], lit(colours[0], lit(moves[0], x)))
    assert torch.allclose(plain_tensor(out), step_by_step, atol=1e-5)
    assert torch.equal(plain_tensor(moved_mask), mask)
    again = Augmentation(**whole[0].config())
    assert again.config() == whole[0].config()


def test_colour_alone_never_overwrites_what_it_was_given() -> None:
    x = images()
    before = x.clone()
    for transform in (Brightness(p=1.0), Pipeline([Rotate(p=0.0), Contrast(p=1.0)])):
        transform(TensorImage(x))
        assert torch.equal(x, before)


def test_black_and_white_stay_within_the_range() -> None:
    x = torch.tensor([0.0, 1.0, 0.5, 1e-8]).view(1, 1, 2, 2).repeat(2, 3, 1, 1)
    for transform in (
        Brightness(p=1.0, draw=0.99),
        Contrast(p=1.0, draw=4.0),
        Saturation(p=1.0, draw=3.0),
        Hue(p=1.0, draw=0.3),
    ):
        out = lit(transform, x)
        assert bool(torch.isfinite(out).all())
        assert float(out.min()) >= 0
        assert float(out.max()) <= 1


def test_draws_are_spread_as_documented() -> None:
    n = 4000
    grey = torch.full((n, 3, 1, 1), 0.5)
    levels = lit(Brightness(0.2, p=1.0), grey)[:, 0, 0, 0]
    assert 0.4 <= float(levels.min()) < 0.402
    assert 0.598 < float(levels.max()) <= 0.6001
    factors = log_odds(lit(Contrast(0.2, p=1.0), torch.full((n, 3, 1, 1), 0.8)))[:, 0, 0, 0] / log_odds(
        torch.tensor(0.8)
    )
    assert float(factors.min()) > 0.799
    assert float(factors.max()) < 1.2501
    assert float((factors < 1).float().mean()) == pytest.approx(0.5, abs=0.04)
    untouched = (lit(Brightness(0.2, p=0.75), grey)[:, 0, 0, 0] == 0.5).float().mean()
    assert float(untouched) == pytest.approx(0.25, abs=0.03)


def test_masks_points_and_the_validation_set_are_left_alone() -> None:
    x, mask, points = TensorImage(images()), TensorMask(torch.ones(4, 12, 16).long()), TensorPoint(torch.rand(4, 2, 2))
    out = Brightness(p=1.0, draw=0.9)((x, mask, points), split_idx=0)
    assert out[1] is mask
    assert out[2] is points
    assert not torch.equal(out[0], x)
    assert Brightness(p=1.0, draw=0.9)(x, split_idx=1) is x
    assert Brightness(p=0.0)(x, split_idx=0) is x


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.uint8])
def test_type_and_layout_stay(layout: torch.memory_format, dtype: torch.dtype) -> None:
    x = images().clamp(0.02, 0.98)  # at 0 the log-odds of neighbouring bytes are far apart
    given_type = ((x * 255).round() if dtype == torch.uint8 else x).to(dtype).contiguous(memory_format=layout)
    out = lit(Contrast(p=1.0, draw=0.8), given_type)
    assert out.dtype == dtype
    assert out.is_contiguous(memory_format=layout)
    scale = 255 if dtype == torch.uint8 else 1
    assert torch.allclose(out.float() / scale, lit(Contrast(p=1.0, draw=0.8), x), atol=5e-3)


def test_own_functions_in_log_odds_hsv_or_any_space() -> None:
    x = images().clamp(0.01, 0.99)
    assert torch.allclose(lit(LightingTfm(lambda z: z + 0.5), x), (log_odds(x) + 0.5).sigmoid(), atol=1e-5)

    def grey(hsv: Tensor) -> Tensor:
        return hsv * torch.tensor([1.0, 0.0, 1.0])[:, None, None]

    out = lit(HSVTfm(grey), x)
    assert torch.allclose(out, x.amax(1, keepdim=True).expand_as(x), atol=1e-6)
    squared = SpaceTfm([lambda z: z * 2, lambda z: z + 1], lambda z, function: (function(z.square()) - 1).div(2).sqrt())
    assert torch.allclose(lit(squared, x), x, atol=1e-5)


def test_a_function_of_the_batch_sees_the_moved_images() -> None:
    seen: list[float] = []

    def level(batch: Tensor) -> float:
        seen.append(float(batch.mean()))
        return 0.5

    pipeline = Pipeline([Rotate(p=1.0, draw=45.0, pad_mode="zeros"), Brightness(p=1.0, draw=level)])
    assert len(pipeline) == 2
    pipeline(TensorImage(torch.ones(2, 3, 16, 16)))
    assert seen[0] < 0.95


def test_wrong_settings_say_what_is_wrong() -> None:
    with pytest.raises(ArgumentError, match=r"max_lighting must be in 0..1 .* got 1.5"):
        Contrast(max_lighting=1.5)
    with pytest.raises(ArgumentError, match="max_hue"):
        Hue(max_hue=1.0)
    with pytest.raises(ShapeError, match="add the first dimension"):
        Brightness(p=1.0)(TensorImage(torch.rand(3, 4, 4)))
    with pytest.raises(ArgumentError, match="is no colour transform .* Did you mean 'Contrast'"):
        FusedLighting([{"name": "Contrst"}])


# ---------------------------------------------------------------- erasing


def test_erasing_fills_one_rectangle_of_the_promised_area() -> None:
    x = torch.full((60, 3, 40, 40), 7.0)
    out = lit(RandomErasing(p=1.0, sl=0.1, sh=0.3), x)
    shares = []
    for picture in out:
        changed = (picture[0] != 7).nonzero()
        low, high = changed.amin(0), changed.amax(0) + 1
        assert bool((picture[:, low[0] : high[0], low[1] : high[1]] != 7).all())
        assert len(changed) == int((high - low).prod())
        shares.append(len(changed) / 1600)
    assert min(shares) > 0.07
    assert max(shares) < 0.33
    assert len({round(s, 3) for s in shares}) > 10
    noise = out[out != 7]
    assert float(noise.mean()) == pytest.approx(0, abs=0.05)
    assert float(noise.std()) == pytest.approx(1, abs=0.05)


def test_erasing_follows_its_probability_seed_and_count() -> None:
    x = torch.full((200, 3, 16, 16), 7.0)
    touched = (lit(RandomErasing(p=0.5, sl=0.1), x) != 7).flatten(1).any(1).float().mean()
    assert 0.4 < float(touched) < 0.6
    torch.manual_seed(1)
    first = lit(RandomErasing(p=1.0, max_count=3), x[:8])
    torch.manual_seed(1)
    assert torch.equal(first, lit(RandomErasing(p=1.0, max_count=3), x[:8]))
    assert RandomErasing(p=1.0)(TensorImage(x), split_idx=1)[0, 0, 0, 0] == 7
    with pytest.raises(ArgumentError, match="sl <= sh"):
        RandomErasing(sl=0.5, sh=0.3)


def test_noise_in_areas_and_functions_of_normalised_images() -> None:
    x = torch.zeros(1, 3, 4, 4)
    cutout_gaussian(x, [(0, 2, 1, 3)])
    assert bool((x[..., :2, 1:3] != 0).all())
    assert int((x != 0).sum()) == 12
    norm = Transform(lambda z: (z - 0.5) / 0.25, lambda z: z * 0.25 + 0.5)
    assert torch.allclose(norm_apply_denorm(images(), lambda z: z * 0, norm), torch.tensor(0.5))
