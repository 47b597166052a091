"""`TfmdLists` and `Datasets`: values on demand, set up on training items alone, errors that name item and step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vivace.core.collection import L
from vivace.core.errors import ArgumentError, ArgumentTypeError, DataError, ItemError
from vivace.core.image import PILImage
from vivace.core.types import TensorImage
from vivace.data.category import Categorize, MultiCategorize, OneHotEncode, RegressionSetup
from vivace.data.datasets import Datasets, TfmdLists
from vivace.data.items import ItemGetter
from vivace.data.loader import DataLoader
from vivace.data.transform import Transform
from vivace.data.transforms import IntToFloatTensor

WORDS = ["ab", "c", "def", "g", "hi"]
SPLITS = [[0, 1, 2], [3, 4]]


class CountSetups(Transform):
    """Remembers what it was set up on."""

    def setups(self, items):
        self.seen = list(items)


def words() -> Datasets:
    return Datasets(WORDS, [[len], [str.upper, Categorize()]], splits=[[0, 1, 2, 4], [3, 0]])


# ---------------------------------------------------------------------- TfmdLists
def test_values_are_made_when_they_are_asked_for() -> None:
    calls = []
    lists = TfmdLists(WORDS, [lambda o: calls.append(o) or len(o)])
    assert calls == [] and lists[2] == 3 and calls == ["def"]


def test_subsets_have_their_own_items_and_the_same_transforms() -> None:
    lists = TfmdLists(WORDS, [len, lambda n: n * 10], splits=SPLITS)
    assert list(lists.train) == [20, 10, 30] and lists.valid[1] == 20
    assert lists.train.items == ["ab", "c", "def"] and lists.n_subsets == 2 and len(lists) == 5


def test_indexing_takes_numbers_slices_lists_and_masks() -> None:
    lists = TfmdLists(range(5), lambda x: x * 2)
    assert lists[-1] == 8 and lists[np.int64(1)] == 2 and lists[torch.tensor(1)] == 2
    assert lists[:2] == [0, 2] and lists[[0, 3]] == [0, 6] and lists[[True, False, True, False, False]] == [0, 4]
    assert isinstance(lists[:2], L)
    with pytest.raises(IndexError, match="no item 5: there are 5"):
        lists[5]


def test_transforms_are_set_up_on_training_items_as_earlier_ones_leave_them() -> None:
    counter = CountSetups()
    TfmdLists(WORDS, [str.upper, counter], splits=SPLITS)
    assert counter.seen == ["AB", "C", "DEF"]
    TfmdLists(WORDS, [counter], splits=SPLITS, train_setup=False)
    assert counter.seen == WORDS


def test_set_up_can_be_left_out() -> None:
    assert TfmdLists(WORDS, [Categorize()], do_setup=False).vocab is None


def test_a_transform_for_training_leaves_validation_alone() -> None:
    lists = TfmdLists(range(4), [Transform(lambda x: -x, split_idx=0)], splits=[[0, 1], [2, 3]])
    assert list(lists.train) == [0, -1] and list(lists.valid) == [2, 3]


def test_decode_undoes_and_show_returns_axes() -> None:
    lists = TfmdLists(WORDS, [str.upper, Categorize()])
    assert lists.decode(lists[0]) == "AB"
    import matplotlib.pyplot as plt

    ax = plt.subplots()[1]
    assert lists.show(lists[0], ctx=ax) is ax and ax.get_title() == "AB"


def test_lists_know_what_they_are_as_a_target() -> None:
    lists = TfmdLists(WORDS, [Categorize()])
    assert (lists.kind, lists.c, list(lists.vocab)) == ("category", 5, sorted(WORDS))
    plain = TfmdLists(WORDS, [len])
    assert (plain.kind, plain.c, plain.vocab) == (None, None, None)


def test_new_empty_keeps_the_transforms() -> None:
    empty = TfmdLists(WORDS, [Categorize()]).new_empty()
    assert len(empty) == 0 and list(empty.vocab) == sorted(WORDS)


@pytest.mark.parametrize(
    "items",
    [
        np.arange(6),
        torch.arange(6),
        range(6),
        tuple(range(6)),
        L(range(6)),
        torch.utils.data.TensorDataset(torch.arange(6)),
    ],
    ids=lambda o: type(o).__name__,
)
def test_any_collection_will_do(items: object) -> None:
    lists = TfmdLists(items, lambda o: int(o[0] if isinstance(o, tuple) else o), splits=[[5, 0], [3]])
    assert list(lists.train) == [5, 0] and list(lists.valid) == [3] and len(lists) == 6


def test_data_sets_of_others_are_not_read_ahead() -> None:
    class Slow(torch.utils.data.Dataset):
        def __len__(self):
            return 100

        def __getitem__(self, i):
            read.append(i)
            return i

    read: list[int] = []
    lists = TfmdLists(Slow(), lambda i: i, splits=[range(50), range(50, 100)])
    assert lists.valid[3] == 53 and read == [53]


@pytest.mark.parametrize("items", [None, "folder", Path("folder"), 3])
def test_what_is_no_collection_is_refused(items: object) -> None:
    with pytest.raises(ArgumentTypeError, match="A list, table or data set of items is needed, got"):
        TfmdLists(items, len)


def test_a_generator_is_read_once() -> None:
    assert list(TfmdLists((w for w in WORDS), len)) == [2, 1, 3, 1, 2]


def test_a_split_outside_the_items_says_that_positions_are_meant() -> None:
    with pytest.raises(DataError, match=r"names item 9, but there are 5 items, 0 to 4.*reset_index"):
        TfmdLists(WORDS, len, splits=[[0, 9], [1]])


def test_a_missing_subset_says_how_many_there_are() -> None:
    with pytest.raises(DataError, match="no subset 2: the items are in 2"):
        TfmdLists(WORDS, len, splits=[[0, 1], [2]]).subset(2)


def test_items_that_are_not_split_all_train() -> None:
    tl = TfmdLists(WORDS, len)
    assert list(tl.train) == list(tl) and len(tl.valid) == 0


def test_data_sets_name_their_transforms() -> None:
    dsets = words()
    assert dsets.categorize.vocab == dsets.vocab
    with pytest.raises(AttributeError, match="nor a transform that is called so"):
        _ = dsets.numericalize


# ---------------------------------------------------------------------- Datasets
def test_a_sample_is_a_tuple_of_parts() -> None:
    dsets = words()
    x, y = dsets.train[2]
    assert x == 3 and dsets.vocab[y] == "DEF" and dsets.n_inp == 1 and dsets.c == 4
    assert list(dsets.vocab) == ["AB", "C", "DEF", "HI"]  # G is in the validation set alone
    assert dsets.kind == "category" and dsets.target_kinds == ["category"]


def test_slices_and_lists_give_samples() -> None:
    dsets = words()
    assert [x for x, _ in dsets[:2]] == [2, 1] and [x for x, _ in dsets[[2, 0]]] == [3, 2]
    assert dsets.decode(dsets[0]) == (2, "AB")


def test_overlap_between_splits_is_found() -> None:
    assert words().overlapping_splits()
    assert not Datasets(WORDS, [[len]], splits=SPLITS).overlapping_splits()


def test_without_transforms_the_item_is_the_sample() -> None:
    assert Datasets(WORDS)[1] == ("c",)
    assert Datasets(WORDS, [None, [len]])[2] == ("def", 3)


def test_tuples_are_items_like_any_other() -> None:
    pairs = [("a", 1), ("b", 2), ("a", 3)]
    dsets = Datasets(pairs, [[ItemGetter(1)], [ItemGetter(0), Categorize()]])
    assert [x for x, _ in dsets] == [1, 2, 3] and [int(y) for _, y in dsets] == [0, 1, 0]
    assert Datasets(pairs, [[lambda o: o[0] * o[1]]])[2] == ("aaa",)


def test_a_table_gives_its_rows_whatever_its_index() -> None:
    table = pd.DataFrame({"a": [1, 2, 3], "b": list("xyx")}, index=[7, 3, 5])
    dsets = Datasets(table, [[lambda r: r["a"]], [lambda r: r["b"], Categorize()]], splits=[[2, 1], [0]])
    assert [x for x, _ in dsets.train] == [3, 2] and dsets.valid[0][0] == 1
    assert list(dsets.train.items.index) == [5, 3]


def test_two_targets_have_two_vocabularies() -> None:
    dsets = Datasets(["ab", "cd"], [[len], [lambda o: o[0], Categorize()], [lambda o: o[1], Categorize()]], n_inp=1)
    assert [list(v) for v in dsets.vocab] == [["a", "c"], ["b", "d"]]
    assert dsets.target_kinds == ["category", "category"] and dsets.decode_target(
        (torch.tensor(1), torch.tensor(0))
    ) == ("c", "b")


def test_predictions_are_decoded_by_the_target() -> None:
    dsets = words()
    assert dsets.decode_target(torch.tensor(2)) == "DEF"
    assert dsets.decode_target(torch.tensor([0.1, 0.7, 0.1, 0.1])) == "C"
    several = Datasets([["b"], ["a"]], [[len], [MultiCategorize(), OneHotEncode()]])
    assert several.decode_target(torch.tensor([1.0, 1.0])) == ["a", "b"]
    assert Datasets([1.0], [[abs], [RegressionSetup()]]).decode_target(torch.tensor(2.5)) == 2.5


def test_new_items_are_prepared_as_for_validation_without_targets() -> None:
    dsets = Datasets(WORDS, [[len, Transform(lambda n: -n, split_idx=0)], [Categorize()]], splits=SPLITS)
    new = dsets.new_items(["word"])
    assert new[0] == (4,) and len(new.tls) == 1
    assert dsets.new_items(["c"], with_labels=True)[0][1] == 1
    assert dsets.new_items([5], rm_tfms=1)[0] == (5,)


def test_a_picture_given_for_prediction_skips_the_getter_that_finds_its_file() -> None:
    dsets = Datasets(["a"], [[lambda name: Path("nowhere") / name, PILImage.create]], do_setup=False)
    assert dsets.new_items([np.zeros((4, 6, 3), dtype=np.uint8)])[0][0].shape == (4, 6)


def test_items_are_needed() -> None:
    with pytest.raises(ArgumentError, match="Datasets needs `items`"):
        Datasets()


# ---------------------------------------------------------------------- errors
def fail_on_def(word: str) -> str:
    if word == "def":
        raise ValueError("no def, please")
    return word


def test_a_failing_transform_names_item_index_step_and_cause() -> None:
    dsets = Datasets([Path("im") / w for w in WORDS], [[lambda p: p.name, fail_on_def]], splits=SPLITS)
    with pytest.raises(ItemError, match=r"Item 2 \(im.def\) failed in fail_on_def: ValueError: no def, please") as info:
        dsets.train[2]
    assert isinstance(info.value.__cause__, ValueError)


def test_a_failing_row_is_named_with_its_values() -> None:
    table = pd.DataFrame({"word": WORDS}, index=list("vwxyz"))
    with pytest.raises(ItemError, match=r"Item 2 \(row x: word='def'\) failed in <lambda>: ValueError"):
        Datasets(table, [[lambda r: fail_on_def(r["word"])]])[2]


def test_an_unknown_label_of_validation_names_the_item() -> None:
    with pytest.raises(ItemError, match=r"Item 0 \(g\) failed in Categorize: The label 'G' is none of"):
        words().valid[0]


def test_a_failure_while_setting_up_names_the_item() -> None:
    with pytest.raises(ItemError, match=r"Item 2 \(def\) failed in fail_on_def"):
        TfmdLists(WORDS, [fail_on_def, Categorize()])


def test_set_up_can_leave_out_items_that_fail() -> None:
    lists = TfmdLists(WORDS, [fail_on_def, Categorize()], on_error="skip")
    assert list(lists.vocab) == ["ab", "c", "g", "hi"]


# ---------------------------------------------------------------------- loaders
def pictures() -> Datasets:
    def picture(i: int) -> PILImage:
        return PILImage.create(np.full((4, 6, 3), i, dtype=np.uint8))

    return Datasets(list(range(10)), [[picture], [lambda i: i % 2, Categorize()]], splits=[range(7), range(7, 10)])


def test_loaders_turn_pictures_into_tensors_by_themselves() -> None:
    dls = pictures().dataloaders(bs=2, num_workers=0, after_batch=IntToFloatTensor())
    x, y = dls.one_batch()
    assert isinstance(x, TensorImage) and x.shape == (2, 3, 4, 6) and x.dtype == torch.float32 and y.shape == (2,)
    assert len(dls.train) == 3 and len(dls.valid) == 2  # an incomplete last training batch is dropped


def test_loaders_take_what_fastai_users_say() -> None:
    dls = pictures().dataloaders(bs=2, val_bs=3, shuffle_train=False, drop_last=False, num_workers=0, path="x", n=4)
    assert [int(x[0, 0, 0, 0]) for x, _ in dls.train] == [0, 2] and len(dls.valid) == 1 and dls.path == Path("x")
    assert dls.train.dataset.items == list(range(7))


def test_settings_for_single_loaders() -> None:
    dls = pictures().dataloaders(bs=2, num_workers=0, dl_kwargs=[{"bs": 7}, {"bs": 1}], val_shuffle=True)
    assert dls.train.bs == 7 and dls.valid.bs == 1 and dls.valid.shuffle
    with pytest.raises(ArgumentError, match="dl_kwargs holds 1 dicts for 2 loaders"):
        pictures().dataloaders(dl_kwargs=[{}])


def test_unsplit_items_make_one_loader() -> None:
    dls = TfmdLists(list(range(6)), lambda i: i * 2).dataloaders(bs=3, shuffle=False, num_workers=0)
    assert len(dls) == 1 and [b.tolist() for b in dls.train] == [[0, 2, 4], [6, 8, 10]]


def test_a_loader_class_of_ones_own_keeps_its_own_settings() -> None:
    class Windows(DataLoader):
        def __init__(self, dataset=None, window=1, **kwargs):
            super().__init__(dataset, **kwargs)
            self.window = window

    dsets = Datasets(list(range(6)), [[abs]], splits=[[0, 1, 2, 3], [4, 5]], dl_type=Windows)
    assert dsets.dataloaders(window=5, num_workers=0).valid.window == 5


def test_an_unknown_setting_is_an_error_with_a_hint() -> None:
    with pytest.raises(
        ArgumentTypeError, match=r"Datasets\.dataloaders has no argument 'num_worker'\. Did you mean 'num_workers'"
    ):
        pictures().dataloaders(num_worker=2)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=20), st.data())
def test_a_subset_is_the_whole_at_these_positions(items: list[int], data: st.DataObject) -> None:
    split = data.draw(st.lists(st.integers(0, len(items) - 1), max_size=10))
    lists = TfmdLists(items, lambda i: i * 3, splits=[split, [0]])
    assert list(lists.train) == [lists[i] for i in split]
