"""Self-attention over the positions of a feature map."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .conv import ConvLayer
from .module import Module
from .norm import NormType

__all__ = ["PooledSelfAttention2d", "SelfAttention", "SimpleSelfAttention"]


class SelfAttention(Module):
    """Self-attention of SAGAN (https://arxiv.org/abs/1805.08318); starts as the identity.

    Args:
        n_channels: channels of the map, at least 8.
    """

    def __init__(self, n_channels: int) -> None:
        self.query, self.key, self.value = (
            ConvLayer(n_channels, n_out, ks=1, ndim=1, norm_type=NormType.Spectral, act_cls=None, bias=False)
            for n_out in (n_channels // 8, n_channels // 8, n_channels)
        )
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Return `(batch, channels, *spatial)`: the input plus what each position gathers from all others."""
        flat = x.flatten(2)
        query, key, value = self.query(flat), self.key(flat), self.value(flat)
        shares = F.softmax(query.transpose(1, 2) @ key, dim=1)  # (batch, from, to), sums to 1 over `from`
        attended: Tensor = (self.gamma * (value @ shares) + flat).view_as(x)
        return attended


class PooledSelfAttention2d(Module):
    """Self-attention of BigGAN (https://arxiv.org/abs/1809.11096): keys and values on a map of half the size."""

    def __init__(self, n_channels: int) -> None:
        self.n_channels = n_channels
        sizes = {"query": n_channels // 8, "key": n_channels // 8, "value": n_channels // 2}
        self.query, self.key, self.value = (
            ConvLayer(n_channels, size, ks=1, norm_type=NormType.Spectral, act_cls=None, bias=False)
            for size in sizes.values()
        )
        self.out = ConvLayer(n_channels // 2, n_channels, ks=1, norm_type=NormType.Spectral, act_cls=None, bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Return `(batch, channels, height, width)`."""
        query = self.query(x).flatten(2)
        key = F.max_pool2d(self.key(x), 2).flatten(2)
        value = F.max_pool2d(self.value(x), 2).flatten(2)
        shares = F.softmax(query.transpose(1, 2) @ key, dim=-1)  # (batch, positions, pooled positions)
        gathered = (value @ shares.transpose(1, 2)).view(x.shape[0], self.n_channels // 2, *x.shape[2:])
        attended: Tensor = self.gamma * self.out(gathered) + x
        return attended


class SimpleSelfAttention(Module):
    """Attention without softmax, linear in the number of positions; starts as the identity.

    Args:
        n_in: channels of the map.
        ks: kernel size of its convolution over the flattened positions.
        sym: keep the convolution's matrix symmetric (needs `ks=1`).
    """

    def __init__(self, n_in: int, ks: int = 1, sym: bool = False) -> None:
        self.sym, self.n_in = sym, n_in
        self.conv: Any = nn.utils.parametrizations.spectral_norm(nn.Conv1d(n_in, n_in, ks, padding=ks // 2, bias=False))
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Return `(batch, channels, *spatial)`."""
        flat = x.flatten(2)
        if self.sym:
            matrix = self.conv.weight.squeeze(-1)
            mixed = ((matrix + matrix.t()) / 2) @ flat
        else:
            mixed = self.conv(flat)
        # (x x^T) first: channels times channels is smaller than positions times positions.
        gathered = (flat @ flat.transpose(1, 2)) @ mixed
        attended: Tensor = (self.gamma * gathered + flat).view_as(x)
        return attended
