"""`AWD_LSTM`: an LSTM with all its dropouts, which remembers its state from batch to batch.

Merity, Keskar and Socher, *Regularizing and Optimizing LSTM Language Models*, 2017 (arXiv:1708.02182); the settings are
those of Howard and Ruder, *Universal Language Model Fine-tuning for Text Classification*, 2018 (arXiv:1801.06146).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vivace.core.errors import ArgumentError, ShapeError
from vivace.nn.groups import params

from .dropout import EmbeddingDropout, RNNDropout, WeightDropout, WordDropout, dropout_mask

__all__ = [
    "AWD_LSTM",
    "EmbeddingDropout",
    "RNNDropout",
    "WeightDropout",
    "awd_lstm_clas_config",
    "awd_lstm_clas_split",
    "awd_lstm_lm_config",
    "awd_lstm_lm_split",
    "dropout_mask",
]

State = tuple[Tensor, Tensor]

_INIT_RANGE = 0.1

awd_lstm_lm_config: dict[str, Any] = {
    "emb_sz": 400,
    "n_hid": 1152,
    "n_layers": 3,
    "pad_token": 1,
    "bidir": False,
    "output_p": 0.1,
    "hidden_p": 0.15,
    "input_p": 0.25,
    "embed_p": 0.02,
    "weight_p": 0.2,
    "tie_weights": True,
    "out_bias": True,
}
"""The settings of a language model: copy it, change the copy, and pass it as `config`."""

awd_lstm_clas_config: dict[str, Any] = {
    "emb_sz": 400,
    "n_hid": 1152,
    "n_layers": 3,
    "pad_token": 1,
    "bidir": False,
    "output_p": 0.4,
    "hidden_p": 0.3,
    "input_p": 0.4,
    "embed_p": 0.05,
    "weight_p": 0.5,
}
"""The settings of a classifier's encoder."""


class AWD_LSTM(nn.Module):
    """An embedding and a stack of LSTMs; the state at the end of a batch is where the next one begins.

    Gradients end where a batch begins. `reset()` forgets the state.

    Args:
        vocab_sz: how many words there are.
        emb_sz: numbers that stand for a word, and features that come out.
        n_hid: features between the layers.
        n_layers: how many LSTMs.
        pad_token: the number of the padding.
        hidden_p: dropout between the layers.
        input_p: dropout on the vectors of the words.
        embed_p: dropout of whole words.
        weight_p: dropout of the weights from step to step.
        bidir: read in both directions.

    Attributes:
        hidden: for each layer the state `(h, c)`, each `(directions, batch, features)`; empty before the first batch.
        bs: the size of the batch that `hidden` belongs to.
    """

    def __init__(
        self,
        vocab_sz: int,
        emb_sz: int,
        n_hid: int,
        n_layers: int,
        pad_token: int = 1,
        hidden_p: float = 0.2,
        input_p: float = 0.6,
        embed_p: float = 0.1,
        weight_p: float = 0.5,
        bidir: bool = False,
    ) -> None:
        super().__init__()
        if n_layers < 1:
            raise ArgumentError(f"AWD_LSTM needs n_layers of 1 or more, got {n_layers}.")
        self.emb_sz, self.n_hid, self.n_layers, self.pad_token = emb_sz, n_hid, n_layers, pad_token
        self.bs, self.n_dir = 1, 2 if bidir else 1
        self.encoder = nn.Embedding(vocab_sz, emb_sz, padding_idx=pad_token)
        self.encoder.weight.data.uniform_(-_INIT_RANGE, _INIT_RANGE)
        self.encoder_dp = WordDropout(vocab_sz, embed_p)
        self.rnns = nn.ModuleList(
            self._layer(
                emb_sz if i == 0 else n_hid, (emb_sz if i == n_layers - 1 else n_hid) // self.n_dir, weight_p, bidir
            )
            for i in range(n_layers)
        )
        self.input_dp = RNNDropout(input_p)
        self.hidden_dps = nn.ModuleList(RNNDropout(hidden_p) for _ in range(n_layers))
        self.hidden: list[State] = []

    def _layer(self, n_in: int, n_out: int, weight_p: float, bidir: bool) -> WeightDropout:
        names = ["weight_hh_l0", "weight_hh_l0_reverse"] if bidir else ["weight_hh_l0"]
        return WeightDropout(nn.LSTM(n_in, n_out, 1, batch_first=True, bidirectional=bidir), weight_p, names)

    def forward(self, inp: Tensor, from_embeds: bool = False) -> Tensor:
        """Return the last layer's features `(batch, steps, emb_sz)`, going on from the kept state.

        Args:
            inp: word numbers `(batch, steps)`.
            from_embeds: `inp` is vectors of words already, `(batch, steps, emb_sz)`.

        Raises:
            ShapeError: `inp` has another number of dimensions.
        """
        features, self.hidden = self.read(inp, self.hidden, from_embeds)
        self.bs = len(inp)
        return features

    def read(
        self, inp: Tensor, states: list[State] | None = None, from_embeds: bool = False
    ) -> tuple[Tensor, list[State]]:
        """Return features and the state after them, from a state given; the kept one plays no part.

        Rows that `states` lacks begin with zeros, rows that it has too many are left out.
        """
        if inp.ndim != (3 if from_embeds else 2):
            raise ShapeError(
                f"AWD_LSTM reads {'vectors (batch, steps, emb_sz)' if from_embeds else 'word numbers (batch, steps)'}, "
                f"got a tensor of shape {tuple(inp.shape)}."
            )
        x = self.input_dp(inp if from_embeds else self.encoder_dp(self.encoder(inp), inp))
        new_states: list[State] = []
        for i, (rnn, dropout) in enumerate(zip(self.rnns, self.hidden_dps, strict=True)):
            x, (h, c) = rnn(x, _fitted(states[i], len(x)) if states else None)
            new_states.append((h.detach(), c.detach()))
            if i < self.n_layers - 1:
                x = dropout(x)
        return x, new_states

    def reset(self) -> None:
        """Forget the state: the next batch begins new texts."""
        self.hidden = []


def _fitted(state: State, n_rows: int) -> State:
    """The state of `n_rows` rows."""
    h, c = state
    missing = n_rows - h.shape[1]
    if missing == 0:
        return state
    if missing < 0:
        return h[:, :n_rows].contiguous(), c[:, :n_rows].contiguous()
    zeros = h.new_zeros(h.shape[0], missing, h.shape[2])
    return torch.cat([h, zeros], 1), torch.cat([c, zeros], 1)


def awd_lstm_lm_split(model: nn.Module) -> list[list[nn.Parameter]]:
    """Return the parameters of a language model in groups: each LSTM, then the embedding with the decoder."""
    encoder, decoder = model[0], model[1]  # type: ignore[index]
    groups = [params(rnn) for rnn in encoder.rnns]
    # the decoder's weight is that of the embedding, if they are tied
    return [*groups, list(dict.fromkeys([*encoder.encoder.parameters(), *decoder.parameters()]))]


def awd_lstm_clas_split(model: nn.Module) -> list[list[nn.Parameter]]:
    """Return the parameters of a classifier in groups: the embedding, each LSTM, the head."""
    encoder, head = model[0].module, model[1]  # type: ignore[index]
    return [params(encoder.encoder), *(params(rnn) for rnn in encoder.rnns), params(head)]
