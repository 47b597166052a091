"""Lesson 1: a baseline without learning. Is a picture closer to the average three, or to the average seven?

python examples/01_pixel_similarity.py
"""

from __future__ import annotations

from vivace.app.demo import export_digits
from vivace.vision.all import *

path = export_digits()
print("classes:", [folder.name for folder in path.ls().sorted()])

# A picture is a grid of numbers.
three_files, seven_files = (path / "3").ls().sorted(), (path / "7").ls().sorted()
print(tensor(Image.open(three_files[0])))

# All pictures of a digit, one above the other: (pictures, height, width), values in 0..1.
stacked_threes = torch.stack([tensor(Image.open(file)) for file in three_files]).float() / 255
stacked_sevens = torch.stack([tensor(Image.open(file)) for file in seven_files]).float() / 255
print("threes:", tuple(stacked_threes.shape), " sevens:", tuple(stacked_sevens.shape))

# The first 30 of each are put aside, to check with; the rest say what the ideal digit looks like.
n_valid = 30
mean_three, mean_seven = stacked_threes[n_valid:].mean(0), stacked_sevens[n_valid:].mean(0)
valid_threes, valid_sevens = stacked_threes[:n_valid], stacked_sevens[:n_valid]


def mnist_distance(pictures: torch.Tensor, ideal: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of the pixels, one value per picture."""
    return (pictures - ideal).abs().mean((-1, -2))


def is_three(pictures: torch.Tensor) -> torch.Tensor:
    """Whether each picture is closer to the ideal three than to the ideal seven."""
    return mnist_distance(pictures, mean_three) < mnist_distance(pictures, mean_seven)


accuracy_threes = is_three(valid_threes).float().mean()
accuracy_sevens = (~is_three(valid_sevens)).float().mean()
print(f"threes {accuracy_threes:.4f}, sevens {accuracy_sevens:.4f}")
print(f"accuracy {(accuracy_threes + accuracy_sevens) / 2:.4f}")
