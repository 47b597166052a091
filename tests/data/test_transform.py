"""Transforms act on the type that they name, keep semantic types, and can be undone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

from vivace.core.errors import ArgumentTypeError
from vivace.core.image import PILImage
from vivace.core.randomness import Draws, set_seed, use_keys
from vivace.core.types import TensorCategory, TensorImage, TensorMask
from vivace.data.transform import ItemTransform, Pipeline, RandTransform, Transform, encodes_for


def test_a_function_acts_on_its_annotated_type_only():
    @Transform
    def add_one(x: int) -> int:
        return x + 1

    assert add_one(2) == 3
    assert add_one(2.0) == 2.0
    assert add_one((1, 2.0, (3,))) == (2, 2.0, (4,))


def test_a_union_names_several_types():
    class Negate(Transform):
        def encodes(self, x: TensorImage | TensorMask):
            return -x

    assert Negate()(TensorImage(torch.ones(1))).item() == -1
    assert Negate()(TensorMask(torch.ones(1))).item() == -1
    assert Negate()(TensorCategory(torch.ones(1))).item() == 1


def test_encodes_for_adds_a_type():
    class Double(Transform):
        def encodes(self, x: int):
            return x * 2

        @encodes_for(str)
        def encodes_text(self, x):
            return x + x

    assert Double()((2, "ab", 1.5)) == (4, "abab", 1.5)


def test_plain_results_get_their_semantic_type_back():
    class Half(Transform):
        def encodes(self, x: TensorImage):
            return x / 2

    assert type(Half()(TensorImage(torch.ones(3, 2, 2)))) is TensorImage


@pytest.mark.parametrize("function", [lambda im: im.rotate(90), np.fliplr, lambda im: Image.fromarray(np.asarray(im))])
def test_functions_on_pictures_give_pictures(function):
    picture = PILImage.create(np.zeros((4, 6, 3), np.uint8))
    assert type(Transform(function)(picture)) is PILImage


def test_a_function_from_picture_to_tensor_gives_an_image_tensor():
    picture = PILImage.create(np.zeros((4, 6, 3), np.uint8))
    out = Transform(lambda im: torch.from_numpy(np.array(im)).permute(2, 0, 1).float() / 255)(picture)
    assert type(out) is TensorImage and out.shape == (3, 4, 6)


def test_a_function_without_a_type_is_for_the_pictures_of_a_sample():
    picture = PILImage.create(np.zeros((4, 6, 3), np.uint8))
    label = TensorCategory(torch.tensor(3))
    brighter = Transform(lambda x: np.asarray(x) + 7)
    out = brighter((picture, label))
    assert np.asarray(out[0]).max() == 7 and out[1] is label
    assert brighter((1, 2)) == (8, 9)


def test_split_idx_limits_a_transform_to_one_data_set():
    only_valid = Transform(lambda x: x + 1, split_idx=1)
    assert (only_valid(1, split_idx=0), only_valid(1, split_idx=1), only_valid(1)) == (1, 2, 2)


def test_setup_encode_decode():
    class Centre(Transform):
        def setups(self, items):
            self.mean = sum(items) / len(items)

        def encodes(self, x):
            return x - self.mean

        def decodes(self, x):
            return x + self.mean

    centre = Centre()
    centre.setup([1, 2, 3])
    assert centre(5) == 3 and centre.decode(3) == 5


def test_an_item_transform_sees_the_whole_tuple():
    class Swap(ItemTransform):
        def encodes(self, sample):
            x, y = sample
            return y, x

    assert Swap()((1, 2)) == (2, 1)


def test_a_pipeline_sorts_by_order_and_decodes_backwards():
    class First(Transform):
        order = 1

        def encodes(self, x: int):
            return x + 1

        def decodes(self, x: int):
            return x - 1

    class Second(First):
        order = 2

        def encodes(self, x: int):
            return x * 10

        def decodes(self, x: int):
            return x // 10

    pipeline = Pipeline([Second, First])
    assert pipeline(1) == 20 and pipeline.decode(20) == 1
    assert [t.name for t in pipeline] == ["First", "Second"]


def test_a_pipeline_names_its_transforms_and_has_what_they_have():
    class AddOne(Transform):
        amount = 1

    class AddMany(Transform):
        amount, only_here = 5, "yes"

    pipeline = Pipeline([AddOne, AddMany, AddMany])
    assert isinstance(pipeline.add_one, AddOne) and pipeline.add_many == pipeline.fs[1:]
    assert pipeline.amount == [1, 5, 5] and Pipeline([AddMany]).only_here == "yes"
    with pytest.raises(AttributeError, match="no transform `nonsense`"):
        _ = pipeline.nonsense


def test_transforms_are_added_in_their_order():
    class Last(Transform):
        order = 9

        def setups(self, items):
            self.n = len(items)

        def encodes(self, x: int):
            return x + self.n

    class First(Transform):
        order = -1

        def encodes(self, x: int):
            return x * 2

    pipeline = Pipeline(lambda x: x + 1)
    pipeline.add([Last, First], items=[1, 2, 3])
    assert pipeline(5) == 5 * 2 + 1 + 3


def test_a_plain_tensor_becomes_what_the_annotation_of_the_result_says():
    class Mask(Transform):
        def encodes(self, x) -> TensorMask:
            return x > 0.5

    assert type(Mask()(torch.rand(2, 2))) is TensorMask and type(Mask()(TensorImage(torch.rand(2, 2)))) is TensorMask


def test_the_repr_shows_what_differs_from_the_defaults():
    @dataclass(repr=False)
    class Blur(Transform):
        radius: int = 2
        p: float = 0.5

    assert repr(Blur(radius=3)) == "Blur(radius=3)"
    assert Blur().config() == {"radius": 2, "p": 0.5}


def test_something_that_cannot_be_called_is_refused():
    with pytest.raises(ArgumentTypeError, match="must be callable, got 3"):
        Pipeline([3])


class AddNoise(RandTransform):
    applies_to = (int, float)

    def draw(self, sample, draws: Draws, split_idx):
        return draws.uniform() if draws.bernoulli(self.p) else None

    def apply(self, x, params):
        return x + params


def test_a_random_transform_draws_once_for_all_parts():
    a, b = AddNoise()((1.0, 2.0), split_idx=0)
    assert b - a == pytest.approx(1.0) and a != 1.0


def test_a_random_transform_leaves_validation_alone():
    assert AddNoise()(1.0, split_idx=1) == 1.0


def test_a_draw_depends_on_the_sample_key_alone():
    noise = AddNoise()
    with use_keys(7):
        first = noise(1.0)
    noise(1.0)
    with use_keys(7):
        assert noise(1.0) == first
    with use_keys(8):
        assert noise(1.0) != first


def test_by_hand_a_draw_follows_the_global_seed():
    def twice():
        set_seed(3)
        return [AddNoise()(1.0), AddNoise()(1.0)]

    assert twice() == twice() and len(set(twice())) == 2


def test_two_random_transforms_of_a_pipeline_draw_differently():
    pipeline = Pipeline([AddNoise(), AddNoise()])
    with use_keys(3):
        once = AddNoise()
        once.stream = 1
        first = once(0.0)
        assert pipeline(0.0) != pytest.approx(2 * first)


def test_older_style_random_transforms_work():
    class Sometimes(RandTransform):
        def before_call(self, b, split_idx):
            super().before_call(b, split_idx)
            self.shift = 5

        def encodes(self, x: int):
            return x + self.shift

    assert Sometimes(p=1.0)(1, split_idx=0) == 6
    assert Sometimes(p=0.0)(1, split_idx=0) == 1
    assert Sometimes(p=1.0)(1, split_idx=1) == 1
    assert Sometimes().uses_global_random and not AddNoise().uses_global_random
