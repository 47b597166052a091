"""The usual augmentations in one call."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vivace.core.errors import ArgumentError
from vivace.core.randomness import fresh_keys, use_keys
from vivace.core.types import TensorBBox, TensorImage, TensorMask, TensorPoint, plain_tensor
from vivace.data.transform import Pipeline
from vivace.vision.augment import (
    AffineCoordTfm,
    Brightness,
    Contrast,
    Dihedral,
    Flip,
    FusedGeometry,
    FusedLighting,
    Hue,
    RandomErasing,
    RandomResizedCropGPU,
    Rotate,
    Saturation,
    Warp,
    Zoom,
    aug_transforms,
    setup_aug_tfms,
)


def photos(n: int = 4, height: int = 32, width: int = 32) -> Tensor:
    coarse = torch.rand(n, 3, height // 4, width // 4, generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)


def parts(transform: Any) -> list[type]:
    return [type(t) for t in transform.parts]


def test_the_defaults_are_one_geometric_and_one_colour_transform() -> None:
    geometry, colour = aug_transforms()
    assert parts(geometry) == [Flip, Warp, Rotate, Zoom]
    assert parts(colour) == [Brightness, Contrast]
    assert [t.p for t in geometry.parts] == [0.5, 0.75, 0.75, 0.75]
    assert (geometry.parts[1].magnitude, geometry.parts[2].max_deg, geometry.parts[3].max_zoom) == (0.2, 10.0, 1.1)
    assert (geometry.mode, geometry.pad_mode, geometry.align_corners, geometry.size) == (
        "bilinear",
        "reflection",
        True,
        None,
    )


def test_in_a_pipeline_both_are_one() -> None:
    assert len(Pipeline(aug_transforms(size=16, min_scale=0.5))) == 1
    assert len(Pipeline([*aug_transforms(), RandomErasing()])) == 2


def test_arguments_reach_their_transforms() -> None:
    geometry, colour = aug_transforms(
        mult=2.0, flip_vert=True, min_zoom=0.9, p_affine=0.3, p_lighting=0.4, pad_mode="zeros"
    )
    assert parts(geometry) == [Dihedral, Warp, Rotate, Zoom]
    dihedral, warp, rotate, zoom = geometry.parts
    assert (warp.magnitude, rotate.max_deg, zoom.min_zoom, zoom.max_zoom) == (0.4, 20.0, 0.9, 1.1)
    assert (dihedral.p, warp.p, rotate.p, zoom.p) == (0.5, 0.3, 0.3, 0.3)
    assert [(t.max_lighting, t.p) for t in colour.parts] == [(0.4, 0.4), (0.4, 0.4)]
    assert geometry.pad_mode == "zeros"


def test_all_switched_off_does_nothing() -> None:
    x = TensorImage(photos())
    off = {"do_flip": False, "max_rotate": 0, "max_zoom": 1.0, "max_lighting": 0, "max_warp": 0}
    assert list(aug_transforms(**off)) == []  # type: ignore[arg-type]
    assert Pipeline(aug_transforms(**off))(x) is x  # type: ignore[arg-type]
    (only,) = aug_transforms(size=16, **off)  # type: ignore[arg-type]
    assert type(only) is AffineCoordTfm
    assert only(x, split_idx=0).shape == (4, 3, 16, 16)


def test_training_images_change_each_in_its_own_way_and_validation_images_do_not() -> None:
    x = TensorImage(photos(1).repeat(4, 1, 1, 1))
    out = Pipeline(aug_transforms(p_affine=1.0), split_idx=0)(x)
    assert type(out) is TensorImage
    assert out.shape == x.shape
    assert all(not torch.allclose(out[0], out[i], atol=1e-3) for i in range(1, 4))
    assert Pipeline(aug_transforms(), split_idx=1)(x) is x


@pytest.mark.parametrize("size", [16, (16, 24)])
@pytest.mark.parametrize("min_scale", [1.0, 0.6])
def test_size_holds_for_both_sets(size: Any, min_scale: float) -> None:
    expected = (16, 16) if size == 16 else size
    x, mask = TensorImage(photos(4, 40, 48)), TensorMask(torch.randint(0, 3, (4, 40, 48)))
    for split_idx in (0, 1):
        out, followed = Pipeline(aug_transforms(size=size, min_scale=min_scale), split_idx=split_idx)((x, mask))
        assert out.shape == (4, 3, *expected)
        assert followed.shape == (4, *expected)
        assert followed.dtype == torch.int64
        assert float(out.min()) >= 0
        assert float(out.max()) <= 1


def test_a_crop_has_the_shape_of_size() -> None:
    ramp = torch.stack([torch.linspace(0, 1, 80).expand(80, 80), torch.linspace(0, 1, 80)[:, None].expand(80, 80)])
    tfms = aug_transforms(
        size=(20, 40), min_scale=0.4, do_flip=False, max_rotate=0, max_warp=0, max_zoom=1, max_lighting=0
    )
    out = plain_tensor(tfms[0](TensorImage(ramp[None].repeat(8, 1, 1, 1)), split_idx=0))
    across, down = out[:, 0, 10, -1] - out[:, 0, 10, 0], out[:, 1, -1, 20] - out[:, 1, 0, 20]
    assert torch.allclose(across / down, torch.full((8,), 2.0), atol=0.06)


def test_batch_draws_once_for_all() -> None:
    x = TensorImage(photos(1).repeat(5, 1, 1, 1))
    out = plain_tensor(Pipeline(aug_transforms(batch=True, size=24, min_scale=0.5, flip_vert=True), split_idx=0)(x))
    assert torch.allclose(out, out[:1].expand_as(out), atol=1e-5)


def test_extra_transforms_join_their_kind() -> None:
    geometry, colour, erasing = aug_transforms(xtra_tfms=[RandomErasing(), Saturation(), Rotate(45)])
    assert parts(geometry)[-1] is Rotate
    assert parts(colour)[-1] is Saturation
    assert isinstance(erasing, RandomErasing)
    assert len(aug_transforms(xtra_tfms=Saturation())) == 2


def test_setup_fuses_and_keeps_what_it_does_not_know() -> None:
    def double(x: TensorImage) -> Tensor:
        return x * 2

    out = setup_aug_tfms([Brightness(), Flip(), double, Contrast(), Rotate()])
    assert len(out) == 3
    assert isinstance(out[1], FusedGeometry)
    assert isinstance(out[2], FusedLighting)


def test_settings_of_the_list_make_the_same_transforms() -> None:
    geometry, colour = aug_transforms(size=20, min_scale=0.5)
    assert repr(FusedGeometry(**geometry.config())) == repr(geometry)
    assert repr(FusedLighting(**colour.config())) == repr(colour)


def test_one_key_is_one_result_whatever_the_batch() -> None:
    x, keys = photos(6), fresh_keys(6)
    pipeline = Pipeline([*aug_transforms(size=24, min_scale=0.5), RandomErasing(p=1.0)], split_idx=0)
    with use_keys(keys):
        whole = plain_tensor(pipeline(TensorImage(x)))
    for part in (slice(0, 2), slice(2, 3), slice(3, 6)):
        with use_keys(keys[part]):
            alone = plain_tensor(pipeline(TensorImage(x[part])))
        assert torch.allclose(whole[part], alone, atol=1e-5)


def test_presizing_looks_like_the_photo() -> None:
    x = F.interpolate(torch.rand(2, 3, 4, 4), size=(120, 120), mode="bicubic").clamp(0, 1)
    out = plain_tensor(Pipeline(aug_transforms(size=56, min_scale=0.75), split_idx=1)(TensorImage(x)))
    assert (out - F.interpolate(x, size=(56, 56), mode="bilinear", antialias=True)).abs().mean() < 0.02


def test_nothing_waits_for_the_device() -> None:
    # the "meta" device has no values: whatever asks for one fails, as does mixing it with the CPU
    x = TensorImage(torch.empty(8, 3, 24, 24, device="meta"))
    mask = TensorMask(torch.empty(8, 24, 24, device="meta", dtype=torch.int64))
    points, boxes = (kind(torch.zeros(8, 2, k, device="meta")) for kind, k in ((TensorPoint, 2), (TensorBBox, 4)))
    everything = aug_transforms(flip_vert=True, xtra_tfms=[Saturation(), Hue(), RandomErasing()])
    for tfms in (everything, aug_transforms(size=12, min_scale=0.5)):
        out = Pipeline(tfms, split_idx=0)((x, mask, points, boxes))
        assert [o.device.type for o in out] == ["meta"] * 4
        assert [type(o) for o in out] == [TensorImage, TensorMask, TensorPoint, TensorBBox]


def test_wrong_settings_say_what_is_wrong() -> None:
    with pytest.raises(ArgumentError, match="give a size"):
        aug_transforms(min_scale=0.5)
    with pytest.raises(ArgumentError, match="mult"):
        aug_transforms(mult=10.0)
    with pytest.raises(ArgumentError, match="min_scale <= max_scale"):
        aug_transforms(size=10, min_scale=2.0)


def test_names_of_the_public_module_are_what_it_lists() -> None:
    import vivace.vision.augment as augment

    assert augment.__all__ == sorted(augment.__all__)
    assert all(hasattr(augment, name) for name in augment.__all__)
    assert RandomResizedCropGPU.__name__ in augment.__all__


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    x, keys, n_threads = photos(16, 64, 64), fresh_keys(16), torch.get_num_threads()
    pipeline = Pipeline([*aug_transforms(size=48, min_scale=0.5), Hue()], split_idx=0)
    results = []
    try:
        for n in (1, 2, 3):
            torch.set_num_threads(n)
            with use_keys(keys):
                results.append(plain_tensor(pipeline(TensorImage(x))))
            assert torch.get_num_threads() == n
    finally:
        torch.set_num_threads(n_threads)
    assert torch.allclose(results[0], results[1], atol=1e-6)
    assert torch.allclose(results[0], results[2], atol=1e-6)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_it_works_in_inference_mode_and_beside_gradients(mode: Any) -> None:
    with mode():
        x = TensorImage(photos(6) + 0)
        out = Pipeline(aug_transforms(size=16), split_idx=0)(x)
    assert out.is_inference() == (mode is torch.inference_mode)
    assert not out.requires_grad


def test_gradients_reach_the_images() -> None:
    x = photos(4).requires_grad_()
    out = aug_transforms(size=16)[0](TensorImage(x), split_idx=0)
    plain_tensor(out).sum().backward()
    assert x.grad is not None
    assert bool((x.grad != 0).any())


def test_an_error_in_a_thread_reaches_the_caller() -> None:
    from vivace.vision.augment.rows import for_rows

    def fail(rows: slice) -> None:
        raise RuntimeError(f"at {rows.start}")

    with pytest.raises(RuntimeError, match="at 0"):
        for_rows(torch.zeros(8, 3, 4, 4), 8, fail)
