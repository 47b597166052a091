"""A type and models as a person may write them: two pictures that are one input, and two that are two."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vivace.core.image import PILImage
from vivace.core.show import show_image
from vivace.core.types import fastuple, plain_tensor


class Pair(fastuple):
    """Two pictures side by side."""

    @classmethod
    def create(cls, files: Any) -> Pair:
        return cls(PILImage.create(file) for file in files)

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        return show_image(torch.cat([plain_tensor(part) for part in self], dim=-1), ctx=ctx, **kwargs)


class Compare(nn.Module):
    """Says of a pair which of two classes it is."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveMaxPool2d(1), nn.Flatten())
        self.answer = nn.Linear(4, 2)

    def forward(self, pair: Any) -> Tensor:
        scores: Tensor = self.answer((self.look(pair[0]) - self.look(pair[1])).abs())
        return scores


class Beside(Compare):
    """The same of two pictures that are two inputs."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return super().forward((left, right))
