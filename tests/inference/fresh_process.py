"""A process that knows bundles alone: it loads every model of a folder and prints what each predicts, as JSON.

python fresh_process.py FOLDER    FOLDER holds items.json, `{name: item}`, and a file `name.pkl` for each name
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from torch import Tensor

from vivace.basics import set_seed
from vivace.learner import load_learner

N_WORDS = 6  # that a language model adds


def answer(learn: Any, item: Any) -> dict[str, Any]:
    """What `predict` says of an item, in JSON: its type, its words, and the numbers of it and behind it."""
    given = tuple(item) if isinstance(item, list) else item
    if type(learn).__name__ == "LMLearner":
        set_seed(5)
        return {"type": "str", "words": learn.predict(given, N_WORDS), "numbers": []}
    said, index, scores = learn.predict(given)
    if isinstance(said, Tensor):
        return {"type": type(said).__name__, "words": "", "numbers": [said.tolist(), scores.tolist()]}
    if hasattr(said, "decode"):  # a row of a table
        said = [said.decode().items.to_csv(), index]
    return {"type": type(said).__name__, "words": str(said), "numbers": [scores.tolist()]}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    items = json.loads((folder / "items.json").read_text())
    found = {name: answer(load_learner(folder / f"{name}.pkl", trust=["own_pair"]), i) for name, i in items.items()}
    print(json.dumps(found))
