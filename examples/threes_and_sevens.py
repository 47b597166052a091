"""The data of lessons 3 and 4: handwritten threes and sevens as rows of pixels (lesson 1 makes them step by step)."""

from __future__ import annotations

from vivace.app.demo import export_digits
from vivace.vision.all import *


def pixel_rows(digit: str) -> tuple[torch.Tensor, torch.Tensor]:
    """All pictures of one digit, `(pictures, 64)`, as values in 0..1: four fifths to train on, one fifth to check."""
    files = (export_digits() / digit).ls().sorted()
    rows = torch.stack([tensor(Image.open(file)) for file in files]).float().view(-1, 8 * 8) / 255
    n_valid = len(rows) // 5
    return rows[n_valid:], rows[:n_valid]


def threes_and_sevens() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """`train_x, train_y, valid_x, valid_y`: rows of 64 pixels, and a column with 1 for a three, 0 for a seven."""
    threes, valid_threes = pixel_rows("3")
    sevens, valid_sevens = pixel_rows("7")
    train_x, valid_x = torch.cat([threes, sevens]), torch.cat([valid_threes, valid_sevens])
    train_y = tensor([1] * len(threes) + [0] * len(sevens)).unsqueeze(1)
    valid_y = tensor([1] * len(valid_threes) + [0] * len(valid_sevens)).unsqueeze(1)
    return train_x, train_y, valid_x, valid_y


def mnist_loss(predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean distance between the predicted share of "three" and the truth."""
    predictions = predictions.sigmoid()
    return torch.where(targets == 1, 1 - predictions, predictions).mean()


def batch_accuracy(predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The share of pictures on the right side of one half."""
    return ((predictions.sigmoid() > 0.5) == targets).float().mean()
