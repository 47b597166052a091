"""Lesson 9: several labels for one picture. Which digits are on it?

Each picture holds two or three handwritten digits, so its label is a list. The last layer answers each digit by itself
(sigmoid instead of softmax), and a threshold decides what counts as found.

python examples/09_several_labels.py [folder for the pictures it makes]
"""

from __future__ import annotations

import sys

from sklearn.datasets import load_digits

from vivace.vision.all import *

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "several_labels")
folder.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(0)
digits = load_digits()


def strip(numbers: np.ndarray) -> Image.Image:
    """Two or three digits side by side on black, in one of three places."""
    canvas = np.zeros((16, 48), dtype=np.uint8)
    for place, number in zip(rng.permutation(3), numbers, strict=False):
        digit = Image.fromarray((digits.images[number] * 15.9).astype(np.uint8)).resize((16, 16), Image.BILINEAR)
        canvas[:, 16 * place : 16 * place + 16] = np.asarray(digit)
    return Image.fromarray(canvas)


# A digit is either on training pictures or on those that validate.
rows = []
for name, is_valid, known in (("train", False, np.arange(1200)), ("valid", True, np.arange(1200, 1797))):
    for i in range(1200 if name == "train" else 300):
        numbers = rng.choice(known, size=rng.integers(2, 4), replace=False)
        strip(numbers).save(folder / f"{name}_{i}.png")
        labels = " ".join(sorted({str(digits.target[n]) for n in numbers}))
        rows.append({"file": f"{name}_{i}.png", "labels": labels, "is_valid": is_valid})
table = pd.DataFrame(rows)
print(table.head(3).to_string(index=False))

set_seed(42)
dls = ImageDataLoaders.from_df(
    table, folder, label_col="labels", label_delim=" ", valid_col="is_valid", img_cls=PILImageBW, bs=64
)
dls.show_batch(max_n=9)
plt.savefig("several_labels_batch.png")
print("labels:", list(dls.vocab))
print("a target:", dls.train_ds[0][1].tolist())

metrics = [partial(accuracy_multi, thresh=0.5), F1ScoreMulti(average="micro")]
learn = vision_learner(dls, "test_resnet", pretrained=False, metrics=metrics)
print("loss:", learn.loss_func)
learn.fit_one_cycle(14, 1e-2)

learn.show_results(max_n=9, figsize=(9, 4.5))
plt.savefig("several_labels_results.png")
interp = ClassificationInterpretation.from_learner(learn)
interp.print_classification_report()
print("missing, given instead, times:", interp.most_confused(min_val=2))
interp.plot_top_losses(4)
plt.savefig("several_labels_top_losses.png")

# A table that is new, without labels; and the model on its own.
learn.export("several_labels.pkl")
loaded = load_learner(learn.path / "several_labels.pkl")
file = folder / "valid_0.png"
labels, _, probabilities = loaded.predict(file)
print(f"{file.name}: {list(labels)}, sure of the least sure: {probabilities[[int(v) for v in labels]].min():.2f}")
print(f"F1 {learn.recorder.values[-1][3]:.4f}")
