"""Lesson 3: a classifier by hand. Weights, a loss, mini-batches and an optimizer of five lines.

python examples/03_mnist_by_hand.py
"""

from __future__ import annotations

from collections.abc import Iterable

from threes_and_sevens import batch_accuracy, mnist_loss, threes_and_sevens
from vivace.vision.all import *

set_seed(42)
train_x, train_y, valid_x, valid_y = threes_and_sevens()
dl = DataLoader(list(zip(train_x, train_y)), batch_size=64, shuffle=True)
valid_dl = DataLoader(list(zip(valid_x, valid_y)), batch_size=64)

xb, yb = first(dl)
print("a batch:", tuple(xb.shape), tuple(yb.shape))

# One weight per pixel, and a bias.
weights = torch.randn(8 * 8, 1).requires_grad_()
bias = torch.randn(1).requires_grad_()


def linear1(xb: torch.Tensor) -> torch.Tensor:
    """The model: a weighted sum of the pixels."""
    return xb @ weights + bias


class BasicOptim:
    """Stochastic gradient descent, nothing else."""

    def __init__(self, params: Iterable[torch.Tensor], lr: float) -> None:
        self.params, self.lr = list(params), lr

    def step(self) -> None:
        """Move each parameter against its gradient."""
        for parameter in self.params:
            parameter.data -= parameter.grad.data * self.lr

    def zero_grad(self) -> None:
        """Forget the gradients of the last batch."""
        for parameter in self.params:
            parameter.grad = None


def train_epoch(opt: BasicOptim) -> None:
    """See every picture once."""
    for xb, yb in dl:
        loss = mnist_loss(linear1(xb), yb)
        loss.backward()
        opt.step()
        opt.zero_grad()


def validate_epoch() -> float:
    """Accuracy on the pictures that were put aside."""
    with torch.no_grad():
        return torch.stack([batch_accuracy(linear1(xb), yb) for xb, yb in valid_dl]).mean().item()


print(f"before training: {validate_epoch():.4f}")
opt = BasicOptim([weights, bias], lr=1.0)
for epoch in range(20):
    train_epoch(opt)
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1:2d}: {validate_epoch():.4f}")
print(f"accuracy {validate_epoch():.4f}")
