"""Make the picture of docs/tabular.md: what a model of tumours looks at.

python docs/make_tabular_picture.py
"""

from __future__ import annotations

from pathlib import Path

from sklearn.datasets import load_breast_cancer

from vivace.tabular.all import *

set_seed(42)
data = load_breast_cancer(as_frame=True)
df = data.data.assign(diagnosis=data.target.map(dict(enumerate(data.target_names))))
dls = TabularDataLoaders.from_df(df, procs=[Categorify, FillMissing, Normalize], cat_names=[], y_names="diagnosis")
learn = tabular_learner(dls, [64, 32], metrics=accuracy, config=tabular_config(ps=0.2))
learn.fit_one_cycle(15, 1e-2)

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
importance = learn.feature_importance()
importance.plot(max_n=10, ax=left)
learn.partial_dependence(importance.table.feature[0]).plot(ax=right)
figure.savefig(Path(__file__).parent / "images" / "tabular.png", dpi=100)
