"""Geometric augmentation: maps compose, pixels move as the maps say, and masks, points and boxes follow."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vivace.core.errors import ArgumentError, ShapeError
from vivace.core.randomness import Draws, fresh_keys, use_keys
from vivace.core.types import TensorBBox, TensorImage, TensorMask, TensorPoint, plain_tensor
from vivace.data.transform import Pipeline
from vivace.vision.augment import (
    AffineCoordTfm,
    DeterministicDihedral,
    DeterministicFlip,
    Dihedral,
    Flip,
    FusedGeometry,
    RandomResizedCropGPU,
    Rotate,
    Warp,
    Zoom,
    affine_mat,
    apply_perspective,
    find_coeffs,
    mask_tensor,
    rotate_mat,
    zoom_mat,
)
from vivace.vision.augment.geometry import symmetry_codes, warp_matrices
from vivace.vision.augment.resample import downscale, resample, sampling_grid


def smooth_images(n: int = 2, height: int = 48, width: int = 48, cell: int = 8) -> Tensor:
    """Pictures without fine detail, so that interpolating them twice or once gives nearly the same."""
    coarse = torch.rand(n, 3, height // cell, width // cell, generator=torch.Generator().manual_seed(1))
    return F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=False).clamp(0, 1)


def blobs(centres: Tensor, height: int, width: int, sigma: float = 2.0) -> Tensor:
    """Pictures `(n, 3, h, w)` with a soft white dot at each centre `(n, 2)`, in -1..1."""
    x = (torch.arange(width) + 0.5) / width * 2 - 1
    y = (torch.arange(height) + 0.5) / height * 2 - 1
    across = ((x[None] - centres[:, :1]) * width / 2).square()
    down = ((y[None] - centres[:, 1:]) * height / 2).square()
    dots = torch.exp(-(across[:, None, :] + down[:, :, None]) / (2 * sigma**2))
    return dots[:, None].repeat(1, 3, 1, 1)


def centre_of_mass(images: Tensor) -> Tensor:
    """Where the light of each picture is, `(n, 2)`, in -1..1."""
    height, width = images.shape[-2:]
    weight = images[:, 0] / images[:, 0].sum((1, 2), keepdim=True)
    x = (torch.arange(width) + 0.5) / width * 2 - 1
    y = (torch.arange(height) + 0.5) / height * 2 - 1
    return torch.stack([(weight * x).sum((1, 2)), (weight * y[:, None]).sum((1, 2))], dim=1)


MOVES = {
    "rotate": lambda size: Rotate(p=1.0, draw=20.0, pad_mode="zeros", size=size),
    "zoom in": lambda size: Zoom(p=1.0, draw=1.3, draw_x=0.3, draw_y=0.8, pad_mode="zeros", size=size),
    "zoom out": lambda size: Zoom(p=1.0, draw=0.8, pad_mode="zeros", size=size),
    "warp": lambda size: Warp(p=1.0, draw_x=0.2, draw_y=-0.15, pad_mode="zeros", size=size),
    "flip": lambda size: Flip(p=1.0, pad_mode="zeros", size=size),
    **{f"dihedral {k}": lambda size, k=k: Dihedral(p=1.0, draw=k, pad_mode="zeros", size=size) for k in range(8)},
    "size": lambda size: AffineCoordTfm(size=size or (40, 40), align_corners=True),
}


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("shape", [(64, 64), (48, 72)])
@pytest.mark.parametrize("size", [None, (56, 40), 28])
def test_points_follow_the_picture_to_less_than_a_pixel(name: str, shape: tuple[int, int], size: Any) -> None:
    points = torch.tensor([[-0.3, 0.2], [0.25, -0.35], [0.1, 0.1]])
    images = TensorImage(blobs(points, *shape))
    moved, where = MOVES[name](size)((images, TensorPoint(points[:, None])), split_idx=0)
    half = torch.tensor([moved.shape[-1], moved.shape[-2]]) / 2
    assert type(where) is TensorPoint
    assert where.shape == (3, 1, 2)
    assert ((centre_of_mass(plain_tensor(moved)) - plain_tensor(where)[:, 0]) * half).abs().max() < 1.0


def test_fused_moves_equal_the_product_of_their_matrices() -> None:
    x = smooth_images(2, 48, 72)
    fused = Pipeline([Rotate(p=1.0, draw=[15.0, -8.0]), Zoom(p=1.0, draw=1.2, draw_x=0.2, draw_y=0.6), Flip(p=1.0)])
    assert len(fused.fs) == 1
    assert isinstance(fused[0], FusedGeometry)
    angle = torch.deg2rad(torch.tensor([15.0, -8.0], dtype=torch.float64))
    expected = torch.empty(2, 3, 3, dtype=torch.float64)
    for i, a in enumerate(angle.tolist()):  # turned in pixels, not in shares of the unequal sides
        turn = torch.tensor(
            [[math.cos(a), math.sin(a) * 48 / 72, 0], [-math.sin(a) * 72 / 48, math.cos(a), 0], [0, 0, 1]]
        )
        share = 1 / 1.2
        zoom = torch.tensor([[share, 0, (1 - share) * -0.6], [0, share, (1 - share) * 0.2], [0, 0, 1]])
        expected[i] = (turn @ zoom @ torch.diag(torch.tensor([-1.0, 1, 1]))).double()
    grid = F.affine_grid(expected[:, :2].float(), [2, 3, 48, 72], align_corners=True)
    by_hand = F.grid_sample(x, grid, padding_mode="reflection", align_corners=True)
    assert torch.allclose(plain_tensor(fused(TensorImage(x))), by_hand, atol=1e-4)


def test_one_interpolation_is_sharper_than_several_but_the_same_picture() -> None:
    x = smooth_images(2, 64, 64)
    moves = [
        lambda: Warp(p=1.0, draw_x=0.1, draw_y=0.1),
        lambda: Rotate(p=1.0, draw=10.0),
        lambda: Zoom(p=1.0, draw=1.2, draw_x=0.5, draw_y=0.5),
    ]
    together = Pipeline([make() for make in moves])(TensorImage(x))
    one_by_one = TensorImage(x)
    for make in moves:
        one_by_one = make()(one_by_one, split_idx=0)
    difference = (plain_tensor(together) - plain_tensor(one_by_one)).abs()
    assert difference[..., 8:-8, 8:-8].max() < 0.03


def test_fusing_a_crop_keeps_where_points_go() -> None:
    points = torch.tensor([[-0.1, 0.1], [0.15, -0.1]])
    images = TensorImage(blobs(points, 80, 96))
    pipeline = Pipeline(
        [Rotate(10, p=1.0, pad_mode="zeros"), Warp(0.1, p=1.0, pad_mode="zeros"), RandomResizedCropGPU(40, 0.8)]
    )
    assert len(pipeline.fs) == 1
    moved, where = pipeline((images, TensorPoint(points[:, None])))
    assert moved.shape == (2, 3, 40, 40)
    assert ((centre_of_mass(plain_tensor(moved)) - plain_tensor(where)[:, 0]) * 20).abs().max() < 1.0


def test_mirrors_and_quarter_turns_are_exact() -> None:
    x = torch.rand(3, 3, 17, 17)
    expected = [
        x,
        x.flip(-1),
        x.flip(-2),
        x.rot90(1, (-2, -1)),
        x.rot90(2, (-2, -1)),
        x.rot90(-1, (-2, -1)),
        x.transpose(-1, -2),
        x.transpose(-1, -2).flip(-1, -2),
    ]
    for code, pixels in enumerate(expected):
        assert torch.equal(plain_tensor(Dihedral(p=1.0, draw=code)(TensorImage(x))), pixels), code
    wide = torch.rand(2, 1, 5, 9)
    assert torch.equal(plain_tensor(Flip(p=1.0)(TensorImage(wide))), wide.flip(-1))
    assert torch.equal(plain_tensor(Rotate(p=1.0, draw=180.0)(TensorImage(wide))), wide.flip(-1).flip(-2))


def test_the_exact_copy_and_the_interpolation_agree() -> None:
    x = torch.rand(8, 3, 12, 12)
    by_code = Dihedral(p=1.0, draw=range(8))
    matrices = by_code.matrices(x, Draws(fresh_keys(8)), (12, 12))
    grid = sampling_grid(matrices.float(), (12, 12), True)
    assert torch.allclose(plain_tensor(by_code(TensorImage(x))), F.grid_sample(x, grid, align_corners=True), atol=1e-5)


def test_rows_that_nothing_happens_to_are_copied() -> None:
    x = torch.rand(4, 3, 20, 20)
    out = Rotate(p=1.0, draw=[0.0, 10.0, 0.0, 10.0])(TensorImage(x))
    assert torch.equal(plain_tensor(out)[[0, 2]], x[[0, 2]])
    assert not torch.allclose(plain_tensor(out)[[1, 3]], x[[1, 3]], atol=1e-2)


def test_the_input_is_never_changed() -> None:
    x = torch.rand(4, 3, 20, 20)
    before = x.clone()
    for transform in (Flip(p=1.0), Rotate(p=1.0), Zoom(p=1.0), Warp(p=1.0), RandomResizedCropGPU(16)):
        transform(TensorImage(x), split_idx=0)
        assert torch.equal(x, before)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_memory_layout_type_and_values_stay(layout: torch.memory_format) -> None:
    x = smooth_images(5).contiguous(memory_format=layout)
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        out = Rotate(p=1.0, draw=[5.0, 10.0, 15.0, 0.0, 180.0])(TensorImage(x.to(dtype)))
        assert isinstance(out, TensorImage)
        assert out.dtype == dtype
        assert out.is_contiguous(memory_format=layout)
        reference = Rotate(p=1.0, draw=[5.0, 10.0, 15.0, 0.0, 180.0])(TensorImage(x.contiguous()))
        assert torch.allclose(plain_tensor(out).float(), plain_tensor(reference), atol=0.02)


def test_bytes_stay_bytes() -> None:
    x = smooth_images()
    as_bytes = TensorImage((x * 255).round().byte())
    out = Rotate(p=1.0, draw=12.0)(as_bytes)
    reference = Rotate(p=1.0, draw=12.0)(TensorImage(x))
    assert out.dtype == torch.uint8
    assert (plain_tensor(out).float() / 255 - plain_tensor(reference)).abs().max() < 2 / 255


@given(
    degrees=st.floats(-180, 180),
    zoom=st.floats(0.5, 3.0),
    warp=st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)),
    code=st.integers(0, 7),
)
def test_points_return_when_the_move_is_undone(
    degrees: float, zoom: float, warp: tuple[float, float], code: int
) -> None:
    points = TensorPoint(torch.rand(1, 6, 2, dtype=torch.float64) * 1.2 - 0.6)
    image = TensorImage(torch.zeros(1, 1, 30, 50))
    move = FusedGeometry(
        [
            Dihedral(p=1.0, draw=code),
            Warp(p=1.0, draw_x=warp[0], draw_y=warp[1]),
            Rotate(p=1.0, draw=degrees),
            Zoom(p=1.0, draw=zoom, draw_x=0.4, draw_y=0.7),
        ]
    )
    drawn = move.draw((image,), Draws(fresh_keys(1)), 0)
    if drawn is None:
        return
    moved = move.apply(points, drawn)
    forward = torch.cat([moved, torch.ones(1, 6, 1, dtype=torch.float64)], -1) @ drawn.matrices.transpose(1, 2)
    assert torch.allclose(forward[..., :2] / forward[..., 2:], plain_tensor(points), atol=1e-6)


def test_masks_follow_with_their_own_values() -> None:
    mask = torch.zeros(2, 40, 40, dtype=torch.int64)
    mask[:, 10:25, 8:30] = 7
    image = (mask == 7).float()[:, None].repeat(1, 3, 1, 1)
    moved, followed = Rotate(p=1.0, draw=[25.0, -40.0], size=32, pad_mode="zeros")(
        (TensorImage(image), TensorMask(mask))
    )
    assert isinstance(followed, TensorMask)
    assert followed.dtype == torch.int64
    assert followed.shape == (2, 32, 32)
    assert set(followed.unique().tolist()) == {0, 7}
    agree = (plain_tensor(moved)[:, 0] > 0.5) == (plain_tensor(followed) == 7)
    assert agree.float().mean() > 0.98


def test_mask_codes_stay() -> None:
    mask = TensorMask(torch.zeros(1, 8, 8, dtype=torch.int64), codes=["road", "sky"])
    assert Rotate(p=1.0, draw=10.0)(mask).codes == ["road", "sky"]


def test_boxes_are_upright_round_the_moved_corners_and_inside() -> None:
    boxes = TensorBBox(torch.tensor([[[-0.9, -0.9, 0.3, 0.4], [0.0, 0.0, 0.0, 0.0]]]))
    image = TensorImage(torch.zeros(1, 3, 20, 20))
    _, flipped = Flip(p=1.0)((image, boxes), split_idx=0)
    assert isinstance(flipped, TensorBBox)
    assert torch.allclose(plain_tensor(flipped)[0, 0], torch.tensor([-0.3, -0.9, 0.9, 0.4]))
    assert plain_tensor(flipped)[0, 1].tolist() == [0, 0, 0, 0]
    _, turned = Rotate(p=1.0, draw=20.0)((image, boxes), split_idx=0)
    a = math.radians(20)
    corners = torch.tensor([[x, y] for x in (-0.9, 0.3) for y in (-0.9, 0.4)])
    moved = corners @ torch.tensor([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]]).T.inverse()
    expected = torch.cat([moved.amin(0), moved.amax(0)]).clamp(-1, 1)
    assert torch.allclose(plain_tensor(turned)[0, 0], expected, atol=1e-5)


def test_size_applies_to_the_validation_set_without_randomness() -> None:
    x = TensorImage(smooth_images(3, 40, 60, cell=20))
    for transform in (
        Rotate(45, p=1.0, size=20),
        Pipeline([Flip(1.0), Zoom(p=1.0), AffineCoordTfm(size=20, align_corners=True)])[0],
    ):
        a, b = transform(x, split_idx=1), transform(x, split_idx=1)
        assert a.shape == (3, 3, 20, 20)
        assert torch.equal(a, b)
        small = F.interpolate(plain_tensor(x), size=(20, 20), mode="bilinear", antialias=True)
        assert (plain_tensor(a) - small).abs().mean() < 0.02
    assert Rotate(45, p=1.0)(x, split_idx=1) is x


def test_crop_on_the_validation_set_is_the_middle() -> None:
    ramp = torch.linspace(0, 1, 60).expand(1, 3, 40, 60)
    out = RandomResizedCropGPU(20, min_scale=0.5, ratio=(1, 1))(TensorImage(ramp), split_idx=1)
    row = plain_tensor(out)[0, 0, 10]
    assert 0.14 < row[0] < 0.2
    assert 0.8 < row[-1] < 0.86
    half = RandomResizedCropGPU(20, valid_scale=0.5, ratio=(1, 1))(TensorImage(ramp), split_idx=1)
    assert float(plain_tensor(half)[0, 0, 10].diff().sum()) == pytest.approx(40 / 60 * 0.5, abs=0.03)


def test_random_crops_keep_their_share_of_the_area_and_differ() -> None:
    n = 64
    ramps = torch.stack([torch.linspace(0, 1, 50).expand(40, 50), torch.linspace(0, 1, 40)[:, None].expand(40, 50)])
    out = plain_tensor(RandomResizedCropGPU(24, min_scale=0.5)(TensorImage(ramps.expand(n, 2, 40, 50).clone())))
    across, down = out[:, 0, 12, -1] - out[:, 0, 12, 0], out[:, 1, -1, 12] - out[:, 1, 0, 12]
    assert (across * down).min() > 0.45
    assert (across * down).max() <= 1.0 + 1e-3
    assert (across * down).std() > 0.05
    aspect = across * 50 / (down * 40)
    assert aspect.min() > 0.7
    assert aspect.max() < 1.4


def test_shrinking_skips_no_pixel() -> None:
    stripes = (torch.arange(96) % 2).float().expand(1, 3, 96, 96)  # sampled without averaging: all black or all white
    for transform in (AffineCoordTfm(size=32), Rotate(p=1.0, draw=7.0, size=32), AffineCoordTfm(size=48)):
        out = plain_tensor(transform(TensorImage(stripes), split_idx=0))
        assert (out - 0.5).abs().mean() < 0.17


@pytest.mark.parametrize("align_corners", [False, True])
def test_shrinking_leaves_everything_in_its_place(align_corners: bool) -> None:
    x = smooth_images(2, 96, 120, cell=48)
    matrices = torch.eye(3).repeat(2, 1, 1)
    out = resample(x, matrices, (20, 30), align_corners=align_corners)
    reference = F.interpolate(x, size=(20, 30), mode="bilinear", align_corners=align_corners)
    assert (out - reference).abs().mean() < 0.02
    assert downscale(torch.arange(10.0).view(1, 1, 1, 10), 1, 3).flatten().tolist() == [1, 4, 7]


def test_warp_takes_the_corners_where_it_says() -> None:
    x, y = torch.tensor([0.2]), torch.tensor([0.1])
    corners = torch.tensor([[[-1.0, -1], [-1, 1], [1, -1], [1, 1]]])
    _, moved = Warp(p=1.0, draw_x=x, draw_y=y)(
        (TensorImage(torch.zeros(1, 3, 9, 9)), TensorPoint(corners)), split_idx=0
    )
    expected = torch.tensor([[[-1.1, -1.2], [-0.9, 1.2], [1.1, -0.8], [0.9, 0.8]]])
    assert torch.allclose(plain_tensor(moved), expected, atol=1e-5)
    assert torch.allclose(warp_matrices(torch.zeros(1), torch.zeros(1)), torch.eye(3, dtype=torch.float64)[None])


def test_perspective_coefficients_take_one_quadrilateral_to_the_other() -> None:
    from_points, to_points = torch.rand(3, 4, 2) + corners_of_square(), torch.rand(3, 4, 2) + corners_of_square()
    coefficients = find_coeffs(to_points, from_points)
    assert coefficients.shape == (3, 8, 1)
    assert torch.allclose(apply_perspective(from_points, coefficients), to_points, atol=1e-4)


def corners_of_square() -> Tensor:
    return torch.tensor([[[-3.0, -3], [-3, 3], [3, -3], [3, 3]]])


def test_a_strong_warp_stays_finite() -> None:
    out = Warp(p=1.0, draw_x=0.9, draw_y=0.9)(TensorImage(torch.rand(2, 3, 32, 32)))
    assert bool(torch.isfinite(plain_tensor(out)).all())


def test_draws_can_be_numbers_lists_tensors_or_functions() -> None:
    x = torch.rand(2, 3, 8, 8)
    for draw in ([0, 1], torch.tensor([0.0, 1.0]), lambda images: torch.arange(len(images))):
        out = plain_tensor(Flip(p=1.0, draw=draw)(TensorImage(x)))
        assert torch.equal(out[0], x[0])
        assert torch.equal(out[1], x[1].flip(-1))
    assert torch.equal(plain_tensor(Flip(p=1.0, draw=1)(TensorImage(x))), x.flip(-1))
    with pytest.raises(ShapeError, match="one for each of the 2 images, but gave 3"):
        Flip(p=1.0, draw=[0, 1, 0])(TensorImage(x))


def test_deterministic_ones_take_turns() -> None:
    x = torch.arange(4.0).reshape(1, 1, 2, 2)
    flip = DeterministicFlip()
    assert [flip(TensorImage(x)).flatten().tolist() for _ in range(3)] == [[0, 1, 2, 3], [1, 0, 3, 2], [0, 1, 2, 3]]
    dihedral = DeterministicDihedral()
    seen = [tuple(dihedral(TensorImage(x)).flatten().tolist()) for _ in range(9)]
    assert len(set(seen)) == 8
    assert seen[8] == seen[0]


def test_images_draw_for_themselves_unless_batch_says_otherwise() -> None:
    x = smooth_images(1).repeat(16, 1, 1, 1)
    each = plain_tensor(Rotate(30, p=1.0)(TensorImage(x)))
    together = plain_tensor(Rotate(30, p=1.0, batch=True)(TensorImage(x)))
    assert not torch.allclose(each[0], each[1], atol=1e-2)
    assert torch.allclose(together, together[:1].expand_as(together))
    crops = plain_tensor(RandomResizedCropGPU(16, 0.3, batch=True)(TensorImage(x)))
    assert torch.allclose(crops, crops[:1].expand_as(crops), atol=1e-6)


def test_probability_is_that_of_each_image() -> None:
    x = TensorImage(torch.rand(1, 1, 1, 2).repeat(2000, 1, 1, 1))
    flipped = (plain_tensor(Flip(p=0.3)(x)) != plain_tensor(x)).any(-1).float().mean()
    assert 0.25 < flipped < 0.35


def test_the_same_keys_draw_the_same_in_any_company() -> None:
    x = smooth_images(4)
    keys = fresh_keys(4)
    transform = FusedGeometry([Flip(), Rotate(p=1.0), Zoom(p=1.0), RandomResizedCropGPU(24, 0.4)])
    with use_keys(keys):
        whole = plain_tensor(transform(TensorImage(x), split_idx=0))
    with use_keys(keys[2:]):
        rest = plain_tensor(transform(TensorImage(x[2:]), split_idx=0))
    assert torch.allclose(whole[2:], rest, atol=1e-6)


def test_the_seed_governs_calls_outside_of_a_loader() -> None:
    x = TensorImage(smooth_images(4))
    torch.manual_seed(3)
    first = Rotate(30, p=1.0)(x)
    torch.manual_seed(3)
    assert torch.equal(first, Rotate(30, p=1.0)(x))
    assert not torch.equal(first, Rotate(30, p=1.0)(x))


def test_own_matrices_and_coordinate_functions() -> None:
    x = smooth_images()
    mirror = AffineCoordTfm(aff_fs=lambda images: torch.diag(torch.tensor([-1.0, 1, 1])).repeat(len(images), 1, 1))
    assert torch.equal(plain_tensor(mirror(TensorImage(x), split_idx=0)), x.flip(-1))

    def shift(coords: Tensor, invert: bool = False) -> Tensor:
        return coords + torch.tensor([-0.5 if invert else 0.5, 0.0])

    points = TensorPoint(torch.tensor([[[0.2, 0.1]], [[0.0, 0.0]]]))
    moved, where = AffineCoordTfm(coord_fs=shift, pad_mode="border")((TensorImage(x), points), split_idx=0)
    assert torch.allclose(plain_tensor(where), plain_tensor(points) - torch.tensor([0.5, 0.0]))
    assert torch.allclose(plain_tensor(moved)[..., 0], x[..., 12], atol=0.05)


def test_two_sources_of_matrices_act_one_after_the_other() -> None:
    x = smooth_images()
    both = AffineCoordTfm(
        aff_fs=[
            lambda i: rotate_mat(i, p=1.0, draw=20.0),
            lambda i: zoom_mat(i, p=1.0, draw=1.3, draw_x=0.5, draw_y=0.5),
        ],
        align_corners=True,
    )
    named = Pipeline([Rotate(p=1.0, draw=20.0), Zoom(p=1.0, draw=1.3, draw_x=0.5, draw_y=0.5)])
    assert torch.allclose(plain_tensor(both(TensorImage(x))), plain_tensor(named(TensorImage(x))), atol=1e-5)


def test_unlike_neighbours_are_not_fused() -> None:
    assert len(Pipeline([Rotate(), Zoom(pad_mode="zeros")])) == 2
    assert len(Pipeline([Rotate(mode="bilinear"), Zoom(mode="bicubic")])) == 2
    assert len(Pipeline([Rotate(), AffineCoordTfm(coord_fs=lambda c: c)])) == 2
    assert len(Pipeline([Rotate(pad_mode="zeros"), RandomResizedCropGPU(8)])) == 1


def test_settings_of_a_fused_transform_make_it_again() -> None:
    fused = FusedGeometry([Dihedral(), Rotate(5, p=0.4), RandomResizedCropGPU((10, 20), 0.5), Zoom(0.9, 1.2)])
    again = FusedGeometry(**fused.config())
    assert again.config() == fused.config()
    assert repr(again) == repr(fused)
    assert again.size == (10, 20)


def test_helpers_for_matrices_and_masks() -> None:
    entries = [torch.tensor([float(i)]) for i in range(6)]
    assert affine_mat(*entries).tolist() == [[[0, 1, 2], [3, 4, 5], [0, 0, 1]]]
    with pytest.raises(ShapeError, match="six entries"):
        affine_mat(*entries[:5])
    x = torch.arange(1000.0) + 5
    kept = mask_tensor(x, p=0.3, neutral=-1.0)
    assert 0.2 < (kept == x).float().mean() < 0.4
    assert set((kept[kept != x]).tolist()) == {-1.0}
    assert mask_tensor(x, p=1.0) is x
    assert len(mask_tensor(x, p=0.5, neutral=-1.0, batch=True).sub(x).unique()) in (1, 1000)
    assert symmetry_codes(torch.eye(3)[None], (4, 4), (4, 5)).tolist() == [-1]


def test_wrong_settings_say_what_is_wrong() -> None:
    with pytest.raises(ArgumentError, match="pad_mode='reflect' is none of .* Did you mean 'reflection'"):
        Rotate(pad_mode="reflect")
    with pytest.raises(ArgumentError, match="mode='linear'"):
        Rotate(mode="linear")
    with pytest.raises(ArgumentError, match="positive int or"):
        Rotate(size=(1, 2, 3))  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="min_zoom <= max_zoom"):
        Zoom(2.0, 1.0)
    with pytest.raises(ArgumentError, match="min_scale <= max_scale"):
        RandomResizedCropGPU(10, min_scale=0.0)
    with pytest.raises(ShapeError, match=r"\(n, channels, height, width\), got \(3, 8, 8\)"):
        Rotate(p=1.0)(TensorImage(torch.rand(3, 8, 8)))


def test_points_alone_can_move() -> None:
    points = TensorPoint(torch.tensor([[[0.5, 0.2]]]))
    assert torch.allclose(plain_tensor(Flip(p=1.0)(points)), torch.tensor([[[-0.5, 0.2]]]))
