"""`DataBlock`: from a source to batches, unchanged by use, and one clear error for each way to get it wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from vivace.core.errors import ArgumentError, ArgumentTypeError, DataError, ItemError
from vivace.core.image import PILImage
from vivace.data.block import CategoryBlock, DataBlock, MultiCategoryBlock, RegressionBlock, TransformBlock
from vivace.data.items import get_image_files, get_text_files
from vivace.data.labels import ColReader, parent_label
from vivace.data.loader import DataWarning
from vivace.data.splits import EndSplitter, FuncSplitter, IndexSplitter, RandomSplitter
from vivace.data.transform import Transform
from vivace.data.transforms import IntToFloatTensor, Normalize, ToTensor

WORDS = ["ab", "cd", "ef", "gh", "ab", "cd", "ef", "gh", "ab", "cd"]


def picture_block() -> TransformBlock:
    return TransformBlock(type_tfms=PILImage.create, batch_tfms=IntToFloatTensor)


class Square(Transform):
    """To a square of `side` pixels."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def encodes(self, x: PILImage) -> PILImage:
        return PILImage.create(x.resize((self.side, self.side)))


def photos(**changes: object) -> DataBlock:
    settings: dict[str, object] = {
        "blocks": (picture_block, CategoryBlock),
        "get_items": get_image_files,
        "get_y": parent_label,
        "splitter": RandomSplitter(0.25, seed=1),
        "item_tfms": Square(16),
    }
    return DataBlock(**{**settings, **changes})  # type: ignore[arg-type]


# ---------------------------------------------------------------------- what it makes
def test_photos_become_batches_with_their_labels(photo_folder: Path) -> None:
    dls = photos().dataloaders(photo_folder, bs=8, num_workers=0)
    x, y = dls.valid.one_batch()
    assert x.shape == (8, 3, 16, 16) and x.dtype == torch.float32 and x.min() >= 0 and x.max() <= 1
    assert [dls.vocab[i] for i in y] == [f.parent.name for f in dls.valid_ds.items[:8]]
    assert list(dls.vocab) == ["blue", "green", "red"] and dls.c == 3 and len(dls.train_ds) == 27


def test_without_blocks_the_item_comes_twice() -> None:
    dsets = DataBlock().datasets(WORDS)
    assert dsets.train[0][0] == dsets.train[0][1] == dsets.train.items[0] and len(dsets.valid) == 2


def test_getters_apply_to_rows_tuples_and_annotated_types_alike() -> None:
    def first_letter(word: str) -> str:
        return str(word)[0]

    assert DataBlock(get_y=first_letter).datasets([Path(w) for w in WORDS])[0] == (Path("ab"), "a")
    table = pd.DataFrame({"x": range(10), "y": WORDS})
    block = DataBlock((TransformBlock, CategoryBlock), get_x=ColReader("x"), get_y=ColReader("y"))
    assert block.datasets(table)[3][0] == 3
    pairs = DataBlock(get_x=lambda o: o[0], get_y=lambda o: o[1]).datasets(list(enumerate(WORDS)))
    assert pairs[3] == (3, "gh")


def test_several_inputs_and_targets_have_a_function_each() -> None:
    block = DataBlock(
        (TransformBlock, TransformBlock, CategoryBlock, RegressionBlock),
        n_inp=2,
        get_x=[lambda w: w[0], lambda w: w[1]],
        get_y=[lambda w: w, len],
    )
    dsets = block.datasets(WORDS)
    assert dsets[0][:2] == ("a", "b") and dsets.decode(dsets[0])[2:] == ("ab", 2.0)
    assert dsets.n_inp == 2 and dsets.target_kinds == ["category", "regression"]
    same = DataBlock(block.blocks, n_inp=2, getters=[lambda w: w[0], lambda w: w[1], None, len]).datasets(WORDS)
    assert same.decode(same[0]) == dsets.decode(dsets[0])


def test_columns_make_a_source() -> None:
    block = DataBlock.from_columns((TransformBlock, CategoryBlock), splitter=EndSplitter(0.2))
    dsets = block.datasets((range(10), WORDS))
    assert dsets[3][0] == 3 and dsets.decode(dsets[3])[1] == "gh"
    with pytest.raises(DataError, match="The columns hold 10, 3 entries"):
        block.datasets((range(10), range(3)))


def test_methods_of_a_subclass_serve_as_functions() -> None:
    class Words(DataBlock):
        def get_items(self, source):
            return source.split()

        def get_y(self, word):
            return word[0]

    assert Words((TransformBlock, CategoryBlock), splitter=EndSplitter()).datasets("ab cd ae cf cg")[0][1] == 0


def test_a_block_serves_several_sources_without_remembering_them() -> None:
    block = DataBlock((TransformBlock, CategoryBlock), splitter=EndSplitter(0.25))
    first, second = block.datasets(list("abab")), block.datasets(list("xyxy"))
    assert list(first.vocab) == ["a", "b"] and list(second.vocab) == ["x", "y"]


def test_statistics_of_one_source_are_not_used_for_the_next(photo_folder: Path, tmp_path: Path) -> None:
    block = photos(batch_tfms=Normalize())
    dls = block.dataloaders(photo_folder, bs=16, num_workers=0)
    assert abs(float(dls.one_batch()[0].mean())) < 0.3
    for i in range(8):
        for name in "ab":
            (tmp_path / "dark" / name).mkdir(parents=True, exist_ok=True)
            PILImage.create(np.random.randint(0, 40, (16, 16, 3), dtype=np.uint8)).save(
                tmp_path / "dark" / name / f"{i}.png"
            )
    dark = block.dataloaders(tmp_path / "dark", bs=8, num_workers=0)
    assert abs(float(dark.one_batch()[0].mean())) < 0.3


# ---------------------------------------------------------------------- transforms
def test_what_is_given_takes_the_place_of_a_blocks_default() -> None:
    block = photos(batch_tfms=[IntToFloatTensor(div=1.0)])
    assert [type(t) for t in block.batch_tfms] == [IntToFloatTensor] and block.batch_tfms[0].div == 1.0
    assert [type(t) for t in photos().item_tfms] == [Square, ToTensor]


def test_defaults_of_several_blocks_come_once_and_lists_in_lists_are_flat() -> None:
    block = DataBlock((picture_block, picture_block), item_tfms=[[Square(8)], [Square(16)]])
    assert [type(t) for t in block.batch_tfms] == [IntToFloatTensor]
    assert [getattr(t, "side", None) for t in block.item_tfms] == [8, 16, None]


def test_new_replaces_transforms_and_keeps_the_rest(photo_folder: Path) -> None:
    block = photos()
    other = block.new(item_tfms=Square(8))
    a, b = (o.dataloaders(photo_folder, bs=4, num_workers=0) for o in (block, other))
    assert a.one_batch()[0].shape[-1] == 16 and b.one_batch()[0].shape[-1] == 8
    assert a.valid_ds.items == b.valid_ds.items
    assert [type(t) for t in block.new().item_tfms] == [ToTensor]


def test_a_block_does_not_change() -> None:
    with pytest.raises(ArgumentError, match="does not change: set `item_tfms` when you make it"):
        photos().item_tfms = []  # type: ignore[misc]


def test_repr_says_what_it_does() -> None:
    text = repr(photos())
    assert "get_image_files" in text and "parent_label" in text and "RandomSplitter(valid_pct=0.25, seed=1)" in text


def test_verbose_says_what_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    DataBlock((TransformBlock, CategoryBlock), splitter=EndSplitter()).datasets(WORDS, verbose=True)
    out = capsys.readouterr().out
    assert "Found 10 items" in out and "2 datasets of sizes 8,2" in out and "Categorize" in out


# ---------------------------------------------------------------------- one clear error each
def test_a_folder_without_images_says_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "README").write_text("x")
    with pytest.raises(
        DataError, match=r"get_image_files found no items in .*has 2 files: 1 with \.txt, 1 with no ending"
    ):
        photos().datasets(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"get_text_files found no items in .*empty\. The folder has no files at all"):
        photos(get_items=get_text_files).datasets(tmp_path / "empty")


def test_an_empty_list_is_an_error() -> None:
    with pytest.raises(DataError, match="The source has no items"):
        DataBlock().datasets([])


def test_a_path_without_get_items_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a path, and this DataBlock has no function.*get_items=get_image_files"):
        DataBlock((picture_block, CategoryBlock)).datasets(tmp_path)


def test_get_items_must_return_something() -> None:
    with pytest.raises(DataError, match="<lambda> returned None for x: it must return the items"):
        DataBlock(get_items=lambda source: None).datasets("x")


@pytest.mark.parametrize(
    "splitter, side",
    [
        (EndSplitter(0.0), "validation"),
        (FuncSplitter(lambda o: True), "training"),
        (RandomSplitter(0.05), "validation"),
    ],
)
def test_an_empty_side_names_the_splitter_and_the_side(splitter: object, side: str) -> None:
    with pytest.raises(DataError, match=rf"{type(splitter).__name__}\(.*\) leaves none of the 10 items for {side}"):
        DataBlock(splitter=splitter).datasets(WORDS)  # type: ignore[arg-type]


def test_a_splitter_must_return_two_lists() -> None:
    with pytest.raises(
        DataError, match=r"splitter <lambda> must return the indices of training and of validation.*\[0, 1\]"
    ):
        DataBlock(splitter=lambda o: [0, 1]).datasets(WORDS)


def test_a_single_class_is_a_warning_that_names_the_label_function() -> None:
    block = DataBlock((TransformBlock, CategoryBlock), get_y=parent_label, splitter=EndSplitter())
    with pytest.warns(UserWarning, match="All training items have one label, 'photos'.*Is parent_label the right"):
        block.datasets([f"photos/{w}" for w in WORDS])


def test_a_target_of_another_length_names_the_item() -> None:
    block = DataBlock((TransformBlock, RegressionBlock(n_out=2)), get_y=list, splitter=EndSplitter())
    dsets = block.datasets([(1, 2), (3, 4), (5, 6, 7), (1, 1), (0, 0)])
    with pytest.raises(
        ItemError, match=r"Item 2 \(\(5, 6, 7\)\) failed in RegressionSetup: This target has 3 numbers, 2 exp"
    ):
        dsets[2]


def test_a_wrong_keyword_is_named_with_the_nearest_one() -> None:
    with pytest.raises(ArgumentTypeError, match=r"DataBlock has no argument 'spliter'\. Did you mean 'splitter'\?"):
        DataBlock(spliter=RandomSplitter())
    with pytest.raises(
        ArgumentTypeError, match=r"DataBlock\.dataloaders has no argument 'num_worker'\. Did you mean 'num_workers'"
    ):
        DataBlock().dataloaders(WORDS, num_worker=1)
    with pytest.raises(ArgumentTypeError, match=r"no argument 'item_tfms'.*Say it when you make the DataBlock"):
        DataBlock().dataloaders(WORDS, item_tfms=[])


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"getters": [len]}, "`getters` holds 1 functions for 2 blocks"),
        ({"get_x": [len, len]}, r"`get_x` holds 2 functions, and the blocks make 1 inputs \(n_inp=1\)"),
        ({"get_y": [len, len]}, "`get_y` holds 2 functions, and the blocks make 1 targets"),
        ({"n_inp": 3}, "n_inp is 3, and there are 2 blocks"),
        ({"on_error": "ignore"}, 'on_error must be "raise" or "skip"'),
    ],
)
def test_numbers_that_do_not_agree_are_refused_when_the_block_is_made(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        DataBlock((TransformBlock, CategoryBlock), **settings)  # type: ignore[arg-type]


def test_what_is_no_block_is_refused() -> None:
    with pytest.raises(ArgumentTypeError, match="`blocks` holds 'image', which is no block"):
        DataBlock(("image", CategoryBlock))
    with pytest.raises(ArgumentError, match="encoded=True.*needs `vocab`"):
        MultiCategoryBlock(encoded=True)
    with pytest.raises(ArgumentTypeError, match="A getter must be a function of an item, got 'name'"):
        DataBlock(get_y="name")


# ---------------------------------------------------------------------- broken items
def test_a_broken_picture_is_named(photo_folder: Path) -> None:
    (photo_folder / "red" / "red_00.jpg").write_bytes(b"")
    block = photos(splitter=IndexSplitter([0, 1, 2, 3]))
    with pytest.raises(
        ItemError, match=r"red_00\.jpg\) failed in PILImage\.create: .*red_00\.jpg is empty \(0 bytes\)"
    ):
        list(block.dataloaders(photo_folder, bs=8, num_workers=0).train)


@pytest.mark.parametrize("where", ["block", "call"])
def test_broken_pictures_can_be_left_out_and_are_reported(photo_folder: Path, where: str) -> None:
    (photo_folder / "red" / "red_00.jpg").write_bytes(b"nonsense")
    skip = {"on_error": "skip"}
    block = photos(splitter=IndexSplitter([0, 1, 2, 3]), **(skip if where == "block" else {}))
    dls = block.dataloaders(photo_folder, bs=8, num_workers=0, drop_last=False, **({} if where == "block" else skip))
    with pytest.warns(DataWarning, match=r"1 of 32 items were left out: .*red_00\.jpg"):
        n = sum(len(x) for x, _ in dls.train)
    assert n == 31 and block.on_error == ("skip" if where == "block" else "raise")


def test_items_without_a_label_are_left_out_of_the_classes_too() -> None:
    def label(word: str) -> str:
        if word == "ef":
            raise KeyError(word)
        return word

    block = DataBlock(
        (TransformBlock, CategoryBlock), get_y=label, get_x=len, splitter=EndSplitter(0.1), on_error="skip"
    )
    dls = block.dataloaders(WORDS, bs=3, num_workers=0, drop_last=False)
    assert list(dls.vocab) == ["ab", "cd", "gh"]
    with pytest.warns(DataWarning, match="2 of 9 items were left out"):
        assert sum(len(x) for x, _ in dls.train) == 7


def test_plain_types_serve_as_getters_and_classes_are_made_first() -> None:
    class Double:
        def __call__(self, x: int) -> int:
            return 2 * x

    dsets = DataBlock(get_x=float, get_y=Double).datasets([1, 2, 3, 4, 5])
    assert dsets[2] == (3.0, 6) and type(dsets[2][0]) is float
