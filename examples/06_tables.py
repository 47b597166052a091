"""Lesson 6: a table. Is a tumour malignant? A network beside gradient boosting, on the same rows.

python examples/06_tables.py
"""

from __future__ import annotations

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold

from vivace.tabular.all import *

set_seed(42)
data = load_breast_cancer(as_frame=True)
df = data.data.assign(diagnosis=data.target.map(dict(enumerate(data.target_names))))
print(f"{len(df)} tumours, {data.data.shape[1]} measurements of each")

# Real tables have texts and gaps, and this one has neither: one column becomes a text, another loses a tenth.
df["size"] = np.select([df["mean radius"] < 12, df["mean radius"] < 16], ["small", "medium"], default="large")
df["mean texture"] = df["mean texture"].where(np.random.default_rng(0).random(len(df)) > 0.1)
cont, cat = cont_cat_split(df, dep_var="diagnosis")
print("categories:", cat, " with gaps:", [name for name in df if df[name].isna().any()])


def network(train_rows: np.ndarray, valid_rows: np.ndarray) -> TabularLearner:
    """A small network, trained on some rows."""
    procs = [Categorify, FillMissing, Normalize]
    splits = (train_rows, valid_rows)
    to = TabularPandas(df, procs, cat_names=cat, cont_names=cont, y_names="diagnosis", splits=splits)
    learn = tabular_learner(to.dataloaders(bs=64), [64, 32], metrics=accuracy, config=tabular_config(ps=0.2))
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(15, 1e-2)
    return learn


def boosting(train_rows: np.ndarray, valid_rows: np.ndarray) -> float:
    """The accuracy of scikit-learn's gradient boosting with its defaults, which needs none of this preparation."""
    inputs = df.drop(columns="diagnosis").astype({"size": "category"})
    model = HistGradientBoostingClassifier(random_state=0, categorical_features="from_dtype")
    model.fit(inputs.iloc[train_rows], df.diagnosis.iloc[train_rows])
    return model.score(inputs.iloc[valid_rows], df.diagnosis.iloc[valid_rows])


# Five times a fifth is held back, the same rows for both. One split of 569 rows would be luck.
of_network, of_boosting = [], []
for rows in StratifiedKFold(5, shuffle=True, random_state=0).split(df, df.diagnosis):
    learn = network(*rows)
    of_network.append(learn.validate()[1])
    of_boosting.append(boosting(*rows))
    print(f"network {of_network[-1]:.4f}   boosting {of_boosting[-1]:.4f}")
error = np.std(np.subtract(of_network, of_boosting), ddof=1) / 5**0.5
print(f"mean accuracy of boosting {np.mean(of_boosting):.4f}")
print(f"mean accuracy of the network {np.mean(of_network):.4f}")
difference = np.mean(of_network) - np.mean(of_boosting)
verdict = "which is no difference" if abs(difference) < 2 * error else "which is a difference"
print(f"network minus boosting {difference:+.4f}, give or take {error:.4f}: {verdict}")

# What does the last network look at? Each column is shuffled in turn.
print(learn.feature_importance().table.head(5).to_string(index=False))

# A file that predicts rows of a new table, as raw as they come.
learn.export("tumours.pkl")
row, diagnosis, probabilities = load_learner("tumours.pkl").predict(df.iloc[0])
print(f"the first tumour: {learn.dls.vocab[int(diagnosis)]}, {probabilities.max():.3f}; it was {df.diagnosis[0]}")
