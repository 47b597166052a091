"""What stands on an encoder: the decoder of a language model, the head of a classifier, and both models whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from vivace.core.errors import ArgumentError, suggest
from vivace.nn.activations import SigmoidRange, inplace_relu
from vivace.nn.layers import LinBnDrop

from .awdlstm import (
    AWD_LSTM,
    awd_lstm_clas_config,
    awd_lstm_clas_split,
    awd_lstm_lm_config,
    awd_lstm_lm_split,
)
from .dropout import RNNDropout
from .padding import text_span

__all__ = [
    "Architecture",
    "LinearDecoder",
    "PoolingLinearClassifier",
    "SentenceEncoder",
    "SequentialRNN",
    "find_architecture",
    "get_language_model",
    "get_text_classifier",
    "masked_concat_pool",
]

_INIT_RANGE = 0.1
_HEAD_FEATURES, _HEAD_DROPOUT = 50, 0.1

Groups = list[list[nn.Parameter]]


class Architecture(NamedTuple):
    """An encoder with the settings and parameter groups of its two uses, and where trained weights are published."""

    cls: Callable[..., nn.Module]
    lm_config: Mapping[str, Any]
    clas_config: Mapping[str, Any]
    lm_split: Callable[[nn.Module], Groups]
    clas_split: Callable[[nn.Module], Groups]


ARCHITECTURES = {
    "AWD_LSTM": Architecture(
        AWD_LSTM, awd_lstm_lm_config, awd_lstm_clas_config, awd_lstm_lm_split, awd_lstm_clas_split
    ),
}


def find_architecture(arch: Any) -> Architecture | None:
    """Return what is known of an encoder, given as its class or name; None for a class of your own.

    Raises:
        ArgumentError: it is a name that is not known.
    """
    if not isinstance(arch, str):
        return next((known for known in ARCHITECTURES.values() if known.cls is arch), None)
    if arch not in ARCHITECTURES:
        raise ArgumentError(
            f"There is no encoder {arch!r}; known: {', '.join(ARCHITECTURES)}.{suggest(arch, ARCHITECTURES)}"
        )
    return ARCHITECTURES[arch]


@runtime_checkable
class _Forgetful(Protocol):
    """What can forget its state."""

    def reset(self) -> None: ...


@runtime_checkable
class _Reader(Protocol):
    """An encoder that is given its state, and gives it back."""

    def read(self, inp: Tensor, states: Any = None) -> tuple[Tensor, Any]: ...


class SequentialRNN(nn.Sequential):
    """A sequence of modules that can be told to forget their state."""

    def reset(self) -> None:
        """Forget the state of all parts that have one."""
        for part in self.children():
            if isinstance(part, _Forgetful):
                part.reset()


class LinearDecoder(nn.Module):
    """Scores of the next word, from the features of an encoder.

    Args:
        n_out: how many words there are.
        n_hid: features that come in.
        output_p: dropout on them.
        tie_encoder: an embedding whose weight is also used here (arXiv:1611.01462).
        bias: whether each word has one.
    """

    def __init__(
        self,
        n_out: int,
        n_hid: int,
        output_p: float = 0.1,
        tie_encoder: nn.Module | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.decoder = nn.Linear(n_hid, n_out, bias=bias)
        self.decoder.weight.data.uniform_(-_INIT_RANGE, _INIT_RANGE)
        if bias:
            self.decoder.bias.data.zero_()
        self.output_dp = RNNDropout(output_p)
        if tie_encoder is not None:
            self.decoder.weight = tie_encoder.weight  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """Return scores `(batch, steps, n_out)`; in training with them the features before and after dropout."""
        dropped = self.output_dp(x)
        scores: Tensor = self.decoder(dropped)
        return (scores, x, dropped) if self.training else scores


class SentenceEncoder(nn.Module):
    """An encoder that reads whole texts, piece by piece, each text as if it were alone.

    Gradients end at the border of a piece, and only the last `max_len` words have any: so texts of any length fit into
    memory (back-propagation through time for classification, arXiv:1801.06146). Padding on either side of a text has no
    effect on the result, as long as the encoder reads forwards only.

    Args:
        bptt: words in a piece, at most.
        module: the encoder: `(batch, steps)` to `(batch, steps, features)`. One without the method `read` that
            `AWD_LSTM` has is called as it is, after its `reset()` if it has one: it sees padding before a text, too.
        pad_idx: the number of the padding.
        max_len: how many words at the end of a text the head sees; None: all.
    """

    def __init__(self, bptt: int, module: nn.Module, pad_idx: int = 1, max_len: int | None = None) -> None:
        super().__init__()
        if bptt < 1:
            raise ArgumentError(f"SentenceEncoder reads pieces of bptt words, 1 or more, got {bptt}.")
        self.bptt, self.module, self.pad_idx, self.max_len = bptt, module, pad_idx, max_len

    def reset(self) -> None:
        """Forget the encoder's state."""
        if isinstance(self.module, _Forgetful):
            self.module.reset()

    def forward(self, inp: Tensor) -> tuple[Tensor, Tensor]:
        """Return features `(batch, columns, features)` and a mask `(batch, columns)`, True where they do not count.

        Texts are moved to begin where a piece begins, and to end in the last piece. So the columns are not those of
        `inp`: at most `max_len` words and two pieces of them are left.
        """
        n_columns = inp.shape[1]
        n_pieces = max(1, math.ceil(n_columns / self.bptt))
        size = math.ceil(n_columns / n_pieces)
        first, length = text_span(inp, self.pad_idx)
        pieces_before = n_pieces - (length + size - 1) // size  # of padding alone
        position = torch.arange(n_pieces * size, device=inp.device) - (pieces_before * size)[:, None]
        outside = (position < 0) | (position >= length[:, None])
        source = (position + first[:, None]).clamp(0, n_columns - 1)
        ids = inp.gather(1, source).masked_fill(outside, self.pad_idx)
        window = n_pieces * size if self.max_len is None else self.max_len
        unseen = outside | (position < (length - window)[:, None])
        first_kept = max(0, n_pieces - 1 - math.ceil(window / size))

        self.reset()
        states: Any = None
        features: list[Tensor] = []
        for piece in range(n_pieces):
            is_kept, part = piece >= first_kept, ids[:, piece * size : (piece + 1) * size]
            with torch.set_grad_enabled(torch.is_grad_enabled() and is_kept):
                if isinstance(self.module, _Reader):
                    has_begun = (pieces_before < piece)[:, None]
                    states = None if states is None else [(h * has_begun, c * has_begun) for h, c in states]
                    out, states = self.module.read(part, states)
                else:
                    out = self.module(part)
            if is_kept:
                features.append(out)
        return torch.cat(features, 1), unseen[:, first_kept * size :]


def masked_concat_pool(output: Tensor, mask: Tensor, bptt: int | None = None) -> Tensor:
    """Return the last, the highest and the mean features of each text, side by side: `(batch, 3 * features)`.

    Args:
        output: `(batch, steps, features)`.
        mask: `(batch, steps)`, True where there is padding; each row has at least one word.
        bptt: not needed: the last word is where the mask says. Taken because scripts pass it.
    """
    is_word = ~mask
    n_steps = output.shape[1]
    last = n_steps - 1 - is_word.flip(1).to(torch.uint8).argmax(1)
    last_features = output.gather(1, last[:, None, None].expand(-1, 1, output.shape[2])).squeeze(1)
    mean = (output * is_word[:, :, None]).sum(1) / is_word.sum(1, keepdim=True)
    highest = output.masked_fill(mask[:, :, None], float("-inf")).amax(1)
    return torch.cat([last_features, highest, mean.to(output.dtype)], 1)


class PoolingLinearClassifier(nn.Module):
    """The head of a classifier: pool the features of a text, then linear layers with batch norm and dropout.

    Args:
        dims: features before each layer, and outputs: the first is three times the encoder's.
        ps: dropout before each layer.
        bptt: see `masked_concat_pool`.
        y_range: lowest and highest output, for numbers as targets.

    Raises:
        ArgumentError: `ps` has not one number for each layer.
    """

    def __init__(
        self, dims: Sequence[int], ps: Sequence[float], bptt: int = 72, y_range: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        if len(ps) != len(dims) - 1:
            raise ArgumentError(
                f"{len(dims)} sizes make {len(dims) - 1} layers, so there must be as many dropouts in `ps`, "
                f"got {len(ps)}: {list(ps)}."
            )
        activations = [inplace_relu() for _ in dims[2:]] + [None]
        layers: list[nn.Module] = [
            LinBnDrop(i, o, p=p, act=act) for i, o, p, act in zip(dims[:-1], dims[1:], ps, activations, strict=True)
        ]
        if y_range is not None:
            layers.append(SigmoidRange(*y_range))
        self.layers, self.bptt = nn.Sequential(*layers), bptt

    def forward(self, encoded: tuple[Tensor, Tensor]) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """Return outputs `(batch, n_out)` of features and their mask; in training with the features, twice."""
        features, mask = encoded
        out: Tensor = self.layers(masked_concat_pool(features, mask, self.bptt))
        return (out, features, features) if self.training else out


def _settings(config: Mapping[str, Any] | None, default: Mapping[str, Any] | None, drop_mult: float) -> dict[str, Any]:
    """A copy of the settings with all dropouts multiplied."""
    if config is None and default is None:
        raise ArgumentError("An encoder of your own needs its settings: pass config={...}, its arguments by name.")
    chosen = dict(config if config is not None else default or {})
    return {k: v * drop_mult if k.endswith("_p") else v for k, v in chosen.items()}


def get_language_model(
    arch: Any, vocab_sz: int, config: Mapping[str, Any] | None = None, drop_mult: float = 1.0
) -> SequentialRNN:
    """Return a language model: an encoder and a decoder over the same words.

    In evaluation it gives scores `(batch, steps, vocab_sz)`, in training a tuple of them and the features before and
    after dropout, which `RNNCallback` takes apart.

    Args:
        arch: `AWD_LSTM`, or a class of yours.
        vocab_sz: how many words there are.
        config: its settings (None: `awd_lstm_lm_config`).
        drop_mult: all dropouts are multiplied by it.
    """
    known = find_architecture(arch)
    settings = _settings(config, known.lm_config if known else None, drop_mult)
    tie_weights, output_p, out_bias = (
        settings.pop(name, default) for name, default in (("tie_weights", True), ("output_p", 0.0), ("out_bias", True))
    )
    encoder = (known.cls if known else arch)(vocab_sz, **settings)
    tied: Any = encoder.encoder if tie_weights else None
    return SequentialRNN(encoder, LinearDecoder(vocab_sz, settings["emb_sz"], output_p, tied, out_bias))


def get_text_classifier(
    arch: Any,
    vocab_sz: int,
    n_class: int,
    seq_len: int = 72,
    config: Mapping[str, Any] | None = None,
    drop_mult: float = 1.0,
    lin_ftrs: Sequence[int] | None = None,
    ps: Sequence[float] | None = None,
    pad_idx: int = 1,
    max_len: int | None = 72 * 20,
    y_range: Sequence[float] | None = None,
) -> SequentialRNN:
    """Return a text classifier: an encoder that reads whole texts, and a pooling head.

    In evaluation it gives outputs `(batch, n_class)`, in training a tuple that `RNNCallback` takes apart.

    Args:
        arch: `AWD_LSTM`, or a class of yours.
        vocab_sz: how many words there are.
        n_class: how many outputs.
        seq_len: words in a piece, see `SentenceEncoder`.
        config: the encoder's settings (None: `awd_lstm_clas_config`).
        drop_mult: all dropouts are multiplied by it, except those in `ps`.
        lin_ftrs: features between the layers of the head.
        ps: dropout before each of its layers but the first, which has the config's `output_p`.
        pad_idx: the number of the padding.
        max_len: how many words at the end of a text count; None: all.
        y_range: lowest and highest output, for numbers as targets.
    """
    known = find_architecture(arch)
    settings = _settings(config, known.clas_config if known else None, drop_mult)
    output_p = settings.pop("output_p", 0.0)
    for name in ("tie_weights", "out_bias"):  # of a language model's config
        settings.pop(name, None)
    inner = [_HEAD_FEATURES] if lin_ftrs is None else list(lin_ftrs)
    dropouts = [output_p, *([_HEAD_DROPOUT] * len(inner) if ps is None else ps)]
    encoder = SentenceEncoder(seq_len, (known.cls if known else arch)(vocab_sz, **settings), pad_idx, max_len)
    head = PoolingLinearClassifier([settings["emb_sz"] * 3, *inner, n_class], dropouts, seq_len, y_range)
    return SequentialRNN(encoder, head)
