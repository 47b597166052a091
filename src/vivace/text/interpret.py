"""What a text classifier gets wrong, and which words its predictions rest on."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vivace.core.errors import ArgumentError, suggest
from vivace.core.show import show_html
from vivace.interpret.classification import ClassificationInterpretation
from vivace.training.losses import CrossEntropyLossFlat
from vivace.training.predict import predict_batch

from .attribution import TokenAttributions, find_embedding, integrated_gradients, is_terminal, log_odds
from .learner import LMLearner, TextLearner
from .pretrained import text_vocab

__all__ = ["TextInterpretation", "token_attributions"]


def token_attributions(
    learn: TextLearner, text: Any, target: str | int | None = None, n_steps: int = 32
) -> TokenAttributions:
    """Return what each word of a text says for a class.

    The numbers add up, nearly, to how far the text brings the class from where no words at all would: in log odds for
    one of several classes, in the model's own output for several labels and for numbers.

    Args:
        learn: a classifier of texts, also a loaded one.
        text: a text, or what the items of the data set are.
        target: the class, by name or number; None: the predicted one.
        n_steps: see `integrated_gradients`.

    Raises:
        ArgumentError: there is no such class, or the model has no embedding.
    """
    ids = torch.as_tensor(learn.dls.test_dl([text]).dataset[0][0]).as_subclass(Tensor)
    return _attributions(learn, ids.to(learn.runtime.device), target, n_steps)


def _attributions(learn: TextLearner, ids: Tensor, target: str | int | None, n_steps: int) -> TokenAttributions:
    if not isinstance(learn, TextLearner) or isinstance(learn, LMLearner):
        raise ArgumentError(f"Attributions need a Learner that text_classifier_learner makes, got {learn!r:.80}.")
    embedding = find_embedding(learn.encoder)
    classes = _classes(learn)
    if target is None:
        index = int(predict_batch(learn, (ids[None],))[0].argmax())
    else:
        index = _index_of(target, classes)
    is_one_of_several = isinstance(learn.loss_func, CrossEntropyLossFlat)

    def score(out: Tensor) -> Tensor:
        return log_odds(out, index) if is_one_of_several and out.shape[1] > 1 else out[:, index]

    scores = integrated_gradients(learn.model, embedding, ids, score, n_steps).float().cpu()
    words = text_vocab(learn.dls)
    return TokenAttributions([words[i] for i in ids.tolist()], scores, str(classes[index]) if classes else "output")


def _classes(learn: TextLearner) -> list[Any]:
    """The names of the classes; empty for numbers."""
    vocab = learn.dls.vocab
    return list(vocab[-1]) if len(vocab) and not isinstance(vocab[0], str) else []


def _index_of(target: str | int, classes: Sequence[Any]) -> int:
    if isinstance(target, str):
        if target not in classes:
            names = [str(name) for name in classes]
            raise ArgumentError(f"There is no class {target!r}; there are {', '.join(names)}.{suggest(target, names)}")
        return list(classes).index(target)
    if classes and not 0 <= target < len(classes):
        raise ArgumentError(f"There is no class number {target}: there are {len(classes)}.")
    return target


class TextInterpretation(ClassificationInterpretation):
    """Interpretation of a text classifier: confusion, the worst texts as a table, and the words that decided."""

    def attributions(self, index: int, target: str | int | None = None, n_steps: int = 32) -> TokenAttributions:
        """Return what each word of the text number `index` says for a class (None: the predicted one).

        Args:
            index: which text of the data set that was predicted.
            target: see `token_attributions`, as is `n_steps`.
        """
        ids = torch.as_tensor(self.dl.dataset[index][0]).as_subclass(Tensor)
        return _attributions(self.learn, ids.to(self.learn.runtime.device), target, n_steps)  # type: ignore[arg-type]

    def plot_attributions(
        self, k: int | Sequence[int] = 5, largest: bool = True, target: str | int | None = None, n_steps: int = 32
    ) -> list[TokenAttributions]:
        """Show the texts with the largest losses, each word in the colour of what it says for the prediction.

        A table in a notebook; lines in a terminal.

        Args:
            k: how many, or the indices themselves.
            largest: the worst ones rather than the best.
            target: see `token_attributions`, as is `n_steps`.

        Returns:
            What was shown.

        Raises:
            ArgumentError: there is nothing to show, or see `token_attributions`.
        """
        indices = [int(i) for i in (self.top_losses(k, largest)[1] if isinstance(k, int) else k)]
        if not indices:
            raise ArgumentError("There is nothing to show: k is 0 or the data set is empty.")
        found = [self.attributions(i, target, n_steps) for i in indices]
        facts = [self._describe(i) for i in indices]
        show_html(lambda: _as_html(found, facts, self._title_parts), lambda: _as_text(found, facts, self._title_parts))
        return found


def _as_html(found: Sequence[TokenAttributions], facts: Sequence[Sequence[str]], headings: Sequence[str]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("text", *headings))
    rows = "".join(
        f"<tr><td style='text-align: left'>{one.to_html()}</td>"
        + "".join(f"<td>{html.escape(fact)}</td>" for fact in row)
        + "</tr>"
        for one, row in zip(found, facts, strict=True)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _as_text(found: Sequence[TokenAttributions], facts: Sequence[Sequence[str]], headings: Sequence[str]) -> str:
    is_coloured = is_terminal()
    lines = []
    for one, row in zip(found, facts, strict=True):
        lines.append(", ".join(f"{name} {fact}" for name, fact in zip(headings, row, strict=True)))
        lines.append(f"    {one.to_text(is_coloured)}")
    return "\n".join(lines)
