"""Lesson 4: the same classifier with the library, then a small network, then all ten digits from the files.

python examples/04_mnist_with_learner.py
"""

from __future__ import annotations

from threes_and_sevens import batch_accuracy, mnist_loss, threes_and_sevens
from vivace.app.demo import export_digits
from vivace.vision.all import *

set_seed(42)
train_x, train_y, valid_x, valid_y = threes_and_sevens()
dl = DataLoader(list(zip(train_x, train_y)), batch_size=64, shuffle=True)
valid_dl = DataLoader(list(zip(valid_x, valid_y)), batch_size=64)
dls = DataLoaders(dl, valid_dl)

# The model of lesson 3: same loss, same metric, and the loop is the library's.
learn = Learner(dls, nn.Linear(8 * 8, 1), opt_func=SGD, loss_func=mnist_loss, metrics=batch_accuracy)
learn.fit(10, lr=1.0)
print(f"one layer: accuracy {learn.recorder.values[-1][2]:.4f}")

# Two layers with a nonlinearity between them.
simple_net = nn.Sequential(nn.Linear(8 * 8, 30), nn.ReLU(), nn.Linear(30, 1))
learn = Learner(dls, simple_net, opt_func=SGD, loss_func=mnist_loss, metrics=batch_accuracy)
learn.fit(20, lr=0.5)
print(f"two layers: accuracy {learn.recorder.values[-1][2]:.4f}")

# All ten digits, straight from the picture files, with a network made for images.
digits = DataBlock(
    blocks=(ImageBlock(cls=PILImageBW), CategoryBlock),
    get_items=get_image_files,
    splitter=RandomSplitter(valid_pct=0.2, seed=42),
    get_y=parent_label,
)
simple_cnn = nn.Sequential(
    *(nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()),
    *(nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.BatchNorm2d(64), nn.ReLU()),
    *(nn.Conv2d(64, 64, 3, stride=2, padding=1), nn.BatchNorm2d(64), nn.ReLU()),
    *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
)
learn = Learner(digits.dataloaders(export_digits(), bs=64), simple_cnn, metrics=accuracy)
learn.fit_one_cycle(4, 1e-2)
print(f"ten digits: accuracy {learn.recorder.values[-1][2]:.4f}")
