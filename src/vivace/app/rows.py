"""Predictions for the rows of a table, as columns beside them."""

from __future__ import annotations

from typing import Any

from vivace.core.errors import ArgumentError

__all__ = ["table_of_predictions"]


def table_of_predictions(learn: Any, dl: Any, rows: Any, names: list[str] | None = None) -> Any:
    """Return `rows` with what the model says of each.

    Added are `predicted_TARGET` and, for classes, `probability` (of that class) and `prob_CLASS` for each of them.

    Args:
        learn: the model.
        dl: the rows as it takes them, in their order.
        rows: a pandas frame of them, to read.
        names: what the targets are called; None: as in `dl`.

    Raises:
        ArgumentError: the model predicts neither a class nor numbers.
    """
    import pandas as pd

    with learn.no_bar():
        probabilities, _, decided = learn.get_preds(dl=dl, with_targs=False, with_decoded=True)
    names = list(learn.dls.y_names) if names is None else names
    kind, added = learn.dls.kind, {}
    if kind == "category" and len(names) == 1:
        vocab = list(learn.dls.vocab)
        added[f"predicted_{names[0]}"] = [vocab[int(number)] for number in decided.reshape(-1)]
        added["probability"] = probabilities.max(dim=1).values.tolist()
        added |= {f"prob_{label}": probabilities[:, number].tolist() for number, label in enumerate(vocab)}
    elif kind == "regression":
        numbers = probabilities.reshape(len(probabilities), -1)
        added = {f"predicted_{name}": numbers[:, place].tolist() for place, name in enumerate(names)}
    else:
        raise ArgumentError(f"A model of {kind!r} targets has no columns for a table: use learn.get_preds.")
    return rows.assign(**{name: pd.Series(values, index=rows.index) for name, values in added.items()})
