"""Lesson 12: two inputs, a type of your own that shows itself, a model of your own. Do two digits say the same?

python examples/12_two_inputs.py
"""

from __future__ import annotations

from typing import Any

from sklearn.datasets import load_digits

from vivace.vision.all import *

digits = load_digits()
rng = np.random.default_rng(0)


class DigitPair(fastuple):
    """Two pictures that are one input. Transforms act on both, and `show` draws them side by side."""

    @classmethod
    def create(cls, numbers: Any) -> DigitPair:
        """Take two pictures by their numbers."""
        return cls(PILImageBW.create(np.uint8(digits.images[number] * 15.9)) for number in numbers)

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Draw both with a gap between them."""
        left, right = (plain_tensor(member) for member in self)
        gap = left.new_ones(1, left.shape[1], 2)
        return show_image(torch.cat([left, gap, right], dim=2), ctx=ctx, **kwargs)


def pairs_of(known: np.ndarray, n: int) -> list[tuple[int, int, str]]:
    """As many pairs that say the same as pairs that do not."""
    pairs = []
    for i in range(n):
        first = rng.choice(known)
        is_same = digits.target[known] == digits.target[first]
        second = rng.choice(known[is_same if i % 2 else ~is_same])
        pairs.append((int(first), int(second), "same" if i % 2 else "different"))
    return pairs


train, valid = pairs_of(np.arange(1200), 3000), pairs_of(np.arange(1200, 1797), 600)

set_seed(42)
block = DataBlock(
    blocks=(TransformBlock(type_tfms=DigitPair.create, batch_tfms=IntToFloatTensor), CategoryBlock),
    get_x=lambda pair: pair[:2],
    get_y=lambda pair: pair[2],
    splitter=IndexSplitter(range(len(train), len(train) + len(valid))),
)
dls = block.dataloaders(train + valid, bs=64)
dls.show_batch(max_n=6)
plt.savefig("pairs_batch.png")


class SameOrNot(Module):
    """One network looks at both; what decides is how far apart its answers are."""

    def __init__(self) -> None:
        self.look = sequential(
            ConvLayer(1, 32), ConvLayer(32, 64, stride=2), ConvLayer(64, 64), nn.AdaptiveMaxPool2d(2), Flatten()
        )
        self.compare = sequential(LinBnDrop(256, 64, act=nn.ReLU()), LinBnDrop(64, 2, bn=False))

    def forward(self, pair: Any) -> Tensor:
        """Return a score for each of the two answers."""
        left, right = (self.look(digit) for digit in pair)
        return self.compare((left - right).abs())


learn = Learner(dls, SameOrNot(), metrics=accuracy, splitter=lambda m: [params(m.look), params(m.compare)])
learn.fit_one_cycle(6, 1e-2)

learn.show_results(max_n=6, figsize=(9, 4.5))
plt.savefig("pairs_results.png")
ClassificationInterpretation.from_learner(learn).plot_top_losses(6)
plt.savefig("pairs_top_losses.png")

# Your type is code of yours: say that you trust it. The model was recorded, so it needs no class.
learn.export("pairs.pkl")
loaded = load_learner(learn.path / "pairs.pkl", trust=["__main__"])
answer, _, probabilities = loaded.predict(valid[0][:2])
print(f"{digits.target[valid[0][0]]} and {digits.target[valid[0][1]]}: {answer} ({probabilities.max():.1%})")
print(f"accuracy {learn.recorder.values[-1][2]:.4f}")
