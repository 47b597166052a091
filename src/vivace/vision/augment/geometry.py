"""The mathematics of moving pictures: maps as 3x3 matrices, and what they do to points and boxes.

Positions run from -1 to 1 across a picture, x to the right and y down. A map takes a position of the picture that comes
*out* to the position of the picture that went *in*, because that is what sampling needs; matrices multiply from left to
right in the order in which the steps are applied. Everything here is small and stays on the CPU, in float64.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vivace.core.errors import ShapeError

__all__ = [
    "affine_mat",
    "apply_perspective",
    "correct_aspect",
    "crop_matrices",
    "dihedral_matrices",
    "dihedral_pixels",
    "find_coeffs",
    "flip_matrices",
    "identity_matrices",
    "move_boxes",
    "move_points",
    "rotation_matrices",
    "symmetry_codes",
    "warp_matrices",
    "zoom_matrices",
]

Size = tuple[int, int]

# The symmetries of a square, numbered as `Dihedral(draw=...)` numbers them: nothing, left-right, up-down, quarter turn,
# half turn, the other quarter turn, transposed, transposed along the other diagonal.
_SYMMETRIES = torch.tensor(
    [
        [[1, 0], [0, 1]],
        [[-1, 0], [0, 1]],
        [[1, 0], [0, -1]],
        [[0, -1], [1, 0]],
        [[-1, 0], [0, -1]],
        [[0, 1], [-1, 0]],
        [[0, 1], [1, 0]],
        [[0, -1], [-1, 0]],
    ],
    dtype=torch.float64,
)
_TRANSPOSING = (3, 5, 6, 7)


def affine_mat(*ms: Tensor) -> Tensor:
    """Return `(n, 3, 3)` matrices whose first two rows are the six given `(n,)` vectors, and the last 0, 0, 1.

    Raises:
        ShapeError: there are not six vectors.
    """
    if len(ms) != 6:
        raise ShapeError(f"affine_mat takes the six entries of the first two rows, got {len(ms)}.")
    zero = torch.zeros_like(ms[0])
    return torch.stack([*ms, zero, zero, torch.ones_like(zero)], dim=1).view(-1, 3, 3)


def identity_matrices(n: int) -> Tensor:
    """Return `n` maps that change nothing, `(n, 3, 3)`."""
    return torch.eye(3, dtype=torch.float64).repeat(n, 1, 1)


def flip_matrices(is_flipped: Tensor) -> Tensor:
    """Return the left-right mirror for the items where `is_flipped` `(n,)` is not 0."""
    return dihedral_matrices((is_flipped != 0).long())


def dihedral_matrices(codes: Tensor) -> Tensor:
    """Return the symmetries of the square with the numbers `codes` `(n,)`, each in 0..7 (others wrap around)."""
    out = identity_matrices(len(codes))
    out[:, :2, :2] = _SYMMETRIES[codes.long() % 8]
    return out


def rotation_matrices(degrees: Tensor) -> Tensor:
    """Return turns by `degrees` `(n,)`, against the clock when positive, for square pictures."""
    angle = torch.deg2rad(degrees.double())
    zero = torch.zeros_like(angle)
    return affine_mat(angle.cos(), angle.sin(), zero, -angle.sin(), angle.cos(), zero)


def zoom_matrices(zoom: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return enlargements by the factor `zoom`, towards the point at the share `x`, `y` (0..1) of the picture."""
    share = 1 / zoom.double()
    return crop_matrices(share, share, (1 - share) * (2 * x.double() - 1), (1 - share) * (2 * y.double() - 1))


def crop_matrices(width_share: Tensor, height_share: Tensor, centre_x: Tensor, centre_y: Tensor) -> Tensor:
    """Return cut-outs of a share of width and height round a centre in -1..1; each argument is `(n,)`."""
    zero = torch.zeros_like(width_share)
    return affine_mat(width_share, zero, centre_x, zero, height_share, centre_y)


def warp_matrices(x: Tensor, y: Tensor) -> Tensor:
    """Return changes of perspective: the picture as seen from the side (`x`) and from above or below (`y`).

    The corners of the old picture go to (-1-y, -1-x), (-1+y, 1+x), (1+y, -1+x) and (1-y, 1-x).
    """
    x, y = x.double(), y.double()
    corners = torch.tensor([[-1.0, -1], [-1, 1], [1, -1], [1, 1]], dtype=torch.float64).repeat(len(x), 1, 1)
    moves_x = torch.stack([-y, y, y, -y], dim=1)
    moves_y = torch.stack([-x, x, x, -x], dim=1)
    coefficients = find_coeffs(corners, corners + torch.stack([moves_x, moves_y], dim=2))
    return torch.cat([coefficients[:, :, 0], torch.ones_like(x)[:, None]], dim=1).view(-1, 3, 3)


def find_coeffs(p1: Tensor, p2: Tensor) -> Tensor:
    """Return the coefficients `(n, 8, 1)` of the perspectives that take four points `p2` to `p1`, both `(n, 4, 2)`."""
    x, y = p2[..., 0], p2[..., 1]
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    rows_x = torch.stack([x, y, one, zero, zero, zero, -p1[..., 0] * x, -p1[..., 0] * y], dim=-1)
    rows_y = torch.stack([zero, zero, zero, x, y, one, -p1[..., 1] * x, -p1[..., 1] * y], dim=-1)
    system = torch.stack([rows_x, rows_y], dim=2).flatten(1, 2)
    coefficients: Tensor = torch.linalg.solve(system, p1.flatten(1)[..., None])
    return coefficients


def apply_perspective(coords: Tensor, coeffs: Tensor) -> Tensor:
    """Map positions `(n, ..., 2)` by the perspectives with `coeffs` `(n, 8, 1)` (see `find_coeffs`)."""
    last = torch.ones_like(coeffs[:, :1, 0])
    matrices = torch.cat([coeffs[:, :, 0], last], dim=1).view(-1, 3, 3)
    return _mapped(coords.reshape(len(coords), -1, 2), matrices.to(coords)).view(coords.shape)


def correct_aspect(matrices: Tensor, size: Size) -> Tensor:
    """Return maps made for squares so that they keep shapes in a picture of `size` (height, width)."""
    height, width = size
    if height == width:
        return matrices
    out = matrices.clone()
    out[:, 0, 1] *= height / width
    out[:, 1, 0] *= width / height
    return out


def _mapped(points: Tensor, matrices: Tensor) -> Tensor:
    """Positions `(n, k, 2)` under maps `(n, 3, 3)`."""
    out = points @ matrices[:, :, :2].transpose(1, 2) + matrices[:, None, :, 2]
    return out[..., :2] / out[..., 2:]


def move_points(points: Tensor, matrices: Tensor) -> Tensor:
    """Return where points of the old picture are in the new one.

    Args:
        points: `(n, k, 2)`, x and y in -1..1 across the picture.
        matrices: `(n, 3, 3)`, maps of the new picture's positions to the old one's.

    Returns:
        Points of the same shape and type; they may lie outside of -1..1.
    """
    inverse = torch.linalg.inv(matrices.double()).to(points.device)
    return _mapped(points.double(), inverse).to(points.dtype)


def move_boxes(boxes: Tensor, matrices: Tensor) -> Tensor:
    """Return the upright boxes round the moved corners of `boxes` `(n, k, 4)`, cut off at the picture's edges.

    Boxes without an area (the padding of a batch) stay as they are. See `move_points`.
    """
    left, top, right, bottom = boxes.unbind(-1)
    corners = torch.stack([left, top, right, top, left, bottom, right, bottom], dim=-1).view(len(boxes), -1, 2)
    moved = move_points(corners, matrices).view(*boxes.shape[:2], 4, 2)
    round_them = torch.cat([moved.amin(2), moved.amax(2)], dim=-1).clamp(-1, 1)
    is_empty = (right <= left) | (bottom <= top)
    return torch.where(is_empty[..., None], boxes, round_them)


def symmetry_codes(matrices: Tensor, size_in: Size, size_out: Size) -> Tensor:
    """Return which symmetry of the square (0..7) each map is, or -1 where pixels have to be interpolated."""
    n = len(matrices)
    if size_in != size_out:
        return torch.full((n,), -1)
    full = identity_matrices(8)
    full[:, :2, :2] = _SYMMETRIES
    matches = ((matrices.double()[:, None] - full).abs() < 1e-6).all(-1).all(-1)
    if size_in[0] != size_in[1]:
        matches[:, list(_TRANSPOSING)] = False
    return torch.where(matches.any(1), matches.long().argmax(1), -1)


def dihedral_pixels(images: Tensor, code: int) -> Tensor:
    """Return images `(..., height, width)` under the symmetry with the number `code`, pixel for pixel."""
    if code in _TRANSPOSING:
        images = images.transpose(-1, -2)
    flipped = {0: (), 1: (-1,), 2: (-2,), 3: (-2,), 4: (-1, -2), 5: (-1,), 6: (), 7: (-1, -2)}[code]
    return images.flip(flipped) if flipped else images
