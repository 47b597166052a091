"""Blocks of pictures, masks, points and boxes; `ImageDataLoaders` from folders, names, tables and lists."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from vivace.core.errors import ArgumentTypeError, DataError, ItemError
from vivace.core.image import PILImage, PILImageBW
from vivace.core.types import TensorBBox, TensorImageBW, TensorMask, TensorMultiCategory, TensorPoint
from vivace.data.block import CategoryBlock, DataBlock, RegressionBlock
from vivace.data.items import get_image_files
from vivace.data.labels import parent_label
from vivace.data.splits import EndSplitter, GrandparentSplitter
from vivace.vision.data import (
    BBoxBlock,
    BBoxLblBlock,
    ImageBlock,
    ImageDataLoaders,
    MaskBlock,
    PointBlock,
    SegmentationDataLoaders,
)
from vivace.vision.item_transforms import Resize
from vivace.vision.points import PointScaler, TensorPointCreate, bb_pad, clip_remove_empty

SMALL = {"item_tfms": Resize(16), "bs": 4, "num_workers": 0}


@pytest.fixture
def files(photo_folder: Path):
    return get_image_files(photo_folder)


@pytest.fixture
def table(files, photo_folder: Path) -> pd.DataFrame:
    return pd.DataFrame(
        {"file": [str(f.relative_to(photo_folder)) for f in files], "label": [f.parent.name for f in files]}
    )


# ---------------------------------------------------------------------- ImageDataLoaders
def test_from_folder_splits_at_random(photo_folder: Path) -> None:
    dls = ImageDataLoaders.from_folder(str(photo_folder), valid_pct=0.25, seed=3, **SMALL)
    again = ImageDataLoaders.from_folder(photo_folder, valid_pct=0.25, seed=3, **SMALL)
    assert list(dls.vocab) == ["blue", "green", "red"] and len(dls.valid_ds) == 9 and dls.path == photo_folder
    assert dls.valid_ds.items == again.valid_ds.items and type(dls) is ImageDataLoaders
    assert dls.one_batch()[0].shape == (4, 3, 16, 16)


def test_from_folder_uses_train_and_valid(digits_folder: Path) -> None:
    (digits_folder / "test").mkdir()
    (digits_folder / "test" / "x.png").write_bytes(b"not looked at")
    dls = ImageDataLoaders.from_folder(digits_folder, img_cls=PILImageBW, bs=32, val_bs=50, num_workers=0)
    assert (len(dls.train_ds), len(dls.valid_ds)) == (450, 150) and dls.valid.bs == 50
    x, y = dls.valid.one_batch()
    assert isinstance(x, TensorImageBW) and x.shape == (50, 1, 8, 8)
    assert [dls.vocab[i] for i in y] == [f.parent.name for f in dls.valid_ds.items[:50]]


def test_from_folder_says_which_folder_is_missing(photo_folder: Path) -> None:
    with pytest.raises(DataError, match=r"no folder 'train'; it has blue, green, red\..*valid_pct=0\.2"):
        ImageDataLoaders.from_folder(photo_folder)
    with pytest.raises(DataError, match="does not exist"):
        ImageDataLoaders.from_folder(photo_folder / "nothing")


def test_from_name_func_gets_a_text(files, photo_folder: Path) -> None:
    seen = []

    def is_red(name: str) -> bool:
        seen.append(type(name))
        return name.startswith("red")

    dls = ImageDataLoaders.from_name_func(photo_folder, files, is_red, valid_pct=0.5, seed=1, **SMALL)
    assert dls.vocab == [False, True] and set(seen) == {str} and len(dls.valid_ds) == 18
    texts = ImageDataLoaders.from_name_func(
        photo_folder, [str(f) for f in files], is_red, valid_pct=0.5, seed=1, **SMALL
    )
    assert texts.vocab == [False, True]


def test_from_path_func_gets_the_path(files, photo_folder: Path) -> None:
    dls = ImageDataLoaders.from_path_func(photo_folder, files, lambda p: p.parent.name, **SMALL)
    assert list(dls.vocab) == ["blue", "green", "red"] and len(dls.valid_ds) == 7


def test_from_re_labels_by_a_group(files, photo_folder: Path) -> None:
    by_name = ImageDataLoaders.from_name_re(photo_folder, files, r"^(\w+)_\d+.jpg$", **SMALL)
    by_path = ImageDataLoaders.from_path_re(photo_folder, files, r"/(\w+)_\d+.jpg$", **SMALL)
    assert list(by_name.vocab) == list(by_path.vocab) == ["blue", "green", "red"]
    with pytest.raises(ItemError, match=r"blue_00\.jpg\).*The pattern '\^x\(\.\)' is not in"):
        ImageDataLoaders.from_name_re(photo_folder, files[:1] * 5, r"^x(.)", **SMALL)


def test_from_df_joins_folder_and_suffix(table: pd.DataFrame, photo_folder: Path) -> None:
    table["file"] = table.file.str.removesuffix(".jpg")
    dls = ImageDataLoaders.from_df(
        table, photo_folder.parent, folder=photo_folder.name, suff=".jpg", valid_pct=0.25, seed=1, **SMALL
    )
    assert dls.one_batch()[0].shape == (4, 3, 16, 16) and len(dls.valid_ds) == 9 and dls.path == photo_folder.parent


def test_from_df_reads_the_split_and_several_labels(table: pd.DataFrame, photo_folder: Path) -> None:
    table["is_valid"] = [i % 4 == 0 for i in range(len(table))]
    table["tags"] = table.label + " photo"
    dls = ImageDataLoaders.from_df(
        table, photo_folder, label_col="tags", label_delim=" ", valid_col="is_valid", **SMALL
    )
    assert list(dls.vocab) == ["blue", "green", "photo", "red"] and len(dls.valid_ds) == 9
    assert dls.one_batch()[1].sum(1).tolist() == [2.0] * 4 and dls.kind == "multi_category"


def test_from_df_takes_columns_of_floats_as_numbers(table: pd.DataFrame, photo_folder: Path) -> None:
    numbers = table.assign(a=0.5, b=np.arange(len(table)) / 10)
    dls = ImageDataLoaders.from_df(numbers, photo_folder, label_col=["a", "b"], **SMALL)
    assert dls.kind == "regression" and dls.one_batch()[1].shape == (4, 2) and dls.c == 2
    one = ImageDataLoaders.from_df(numbers, photo_folder, label_col="b", y_block=RegressionBlock, **SMALL)
    assert one.one_batch()[1].shape == (4,)
    with pytest.raises(DataError, match=r"no column 'c' \(label_col\).*It has file"):
        ImageDataLoaders.from_df(numbers, photo_folder, label_col=["a", "c"], **SMALL)


def test_points_that_are_all_missing_are_refused() -> None:
    with pytest.raises(DataError, match="All coordinates of this target are missing"):
        TensorPointCreate()([(float("nan"), float("nan"))])
    assert TensorPointCreate()([(float("nan"), 2.0)]).isnan().tolist() == [[True, False]]


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_from_df_takes_tables_of_other_kinds(table: pd.DataFrame, photo_folder: Path, kind: str) -> None:
    library = pytest.importorskip(kind)
    other = library.from_pandas(table) if kind == "polars" else library.Table.from_pandas(table)
    batches = [ImageDataLoaders.from_df(df, photo_folder, seed=1, **SMALL).valid.one_batch() for df in (table, other)]
    assert all(torch.equal(a, b) for a, b in zip(*batches, strict=True))


def test_from_csv_reads_a_table_in_the_folder(table: pd.DataFrame, photo_folder: Path) -> None:
    table.to_csv(photo_folder / "labels.csv", index=False)
    assert list(ImageDataLoaders.from_csv(photo_folder, **SMALL).vocab) == ["blue", "green", "red"]
    table.to_csv(photo_folder / "plain.csv", index=False, header=False, sep=";")
    dls = ImageDataLoaders.from_csv(photo_folder, "plain.csv", header=None, delimiter=";", **SMALL)
    assert len(dls.train_ds) + len(dls.valid_ds) == 36
    with pytest.raises(
        DataError, match=r"label\.csv does not exist\. Did you mean 'labels\.csv'\? There are labels\.csv, plain"
    ):
        ImageDataLoaders.from_csv(photo_folder, "label.csv")


def test_from_lists_chooses_the_block_by_the_labels(files, photo_folder: Path) -> None:
    def kind(labels: list[object]) -> str:
        return ImageDataLoaders.from_lists(photo_folder, files, labels, seed=1, **SMALL).kind

    assert kind([f.parent.name for f in files]) == "category"
    assert kind([[f.parent.name, "photo"] for f in files]) == "multi_category"
    assert kind([float(i) for i in range(36)]) == "regression"
    with pytest.raises(DataError, match="36 pictures and 2 labels: one for each is needed"):
        kind(["a", "b"])


def test_a_wrong_keyword_names_the_maker_and_the_nearest_one(photo_folder: Path) -> None:
    with pytest.raises(
        ArgumentTypeError, match=r"ImageDataLoaders\.from_folder has no argument 'valid_pc'\. Did you mean 'valid_pct'"
    ):
        ImageDataLoaders.from_folder(photo_folder, valid_pc=0.2)  # type: ignore[call-arg]
    with pytest.raises(
        ArgumentTypeError, match=r"from_lists has no argument 'num_worker'\. Did you mean 'num_workers'"
    ):
        ImageDataLoaders.from_lists(photo_folder, [], [], num_worker=1)  # type: ignore[call-arg]


def test_all_settings_of_loaders_are_taken(photo_folder: Path) -> None:
    dls = ImageDataLoaders.from_folder(
        photo_folder, valid_pct=0.25, item_tfms=Resize(8), batch_size=5, drop_last=False, num_workers=0, seed=1
    )
    assert [len(x) for x, _ in dls.train] == [5, 5, 5, 5, 5, 2]
    assert len(dls.valid.new(n=3)) == 1


def test_broken_pictures_can_be_left_out(photo_folder: Path) -> None:
    (photo_folder / "blue" / "blue_03.jpg").write_bytes(b"no picture")
    dls = ImageDataLoaders.from_folder(photo_folder, valid_pct=0.2, seed=1, on_error="skip", **SMALL)
    with pytest.warns(UserWarning, match=r"blue_03\.jpg"):
        assert sum(len(x) for dl in (dls.train.new(drop_last=False), dls.valid) for x, _ in dl) == 35


# ---------------------------------------------------------------------- masks
@pytest.fixture
def masks(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for i in range(6):
        mask = rng.integers(0, 3, (12, 16), dtype=np.uint8)
        Image.fromarray(mask).save(tmp_path / "labels" / f"{i}_P.png")
        Image.fromarray(np.stack([mask * 100] * 3, -1)).save(tmp_path / "images" / f"{i}.png")
    return tmp_path


def test_masks_keep_their_values_and_know_their_codes(masks: Path) -> None:
    dls = SegmentationDataLoaders.from_label_func(
        masks,
        get_image_files(masks / "images"),
        lambda o: masks / "labels" / f"{o.stem}_P.png",
        valid_pct=0.34,
        seed=2,
        codes=np.array(["sky", "car", "road"]),
        bs=2,
        num_workers=0,
    )
    x, y = dls.valid.one_batch()
    assert isinstance(y, TensorMask) and y.dtype == torch.int64 and y.shape == (2, 12, 16)
    for target, file in zip(y, dls.valid_ds.items, strict=True):
        assert np.array_equal(np.asarray(target), np.asarray(Image.open(masks / "labels" / f"{file.stem}_P.png")))
    assert list(dls.vocab) == ["sky", "car", "road"] and dls.c == 3 and dls.kind == "mask"
    assert dls.valid.decode_batch((x, y))[0][1].codes == ["sky", "car", "road"]


def test_codes_that_repeat_still_count(masks: Path) -> None:
    block = DataBlock((ImageBlock, MaskBlock(["void", "car", "void"])), splitter=EndSplitter(), get_y=lambda o: o)
    assert block.datasets(get_image_files(masks / "labels")).c == 3


# ---------------------------------------------------------------------- points
@pytest.fixture
def dots(tmp_path: Path) -> Path:
    for i in range(6):
        Image.new("RGB", (40, 20)).save(tmp_path / f"{i}.png")
    return tmp_path


def point_dls(dots: Path, get_y: object, **changes: object):
    block = DataBlock(
        (ImageBlock, PointBlock), get_items=get_image_files, get_y=get_y, splitter=EndSplitter(0.34), **changes
    )  # type: ignore[arg-type]
    return block.dataloaders(dots, bs=2, num_workers=0)


@pytest.mark.parametrize(
    "make", [tuple, list, np.array, torch.tensor, lambda o: [o]], ids=["tuple", "list", "array", "tensor", "rows"]
)
def test_points_are_scaled_by_their_picture_and_back(dots: Path, make: object) -> None:
    dls = point_dls(dots, lambda f: make((10.0, 15.0)))  # type: ignore[operator]
    x, y = dls.valid.one_batch()
    assert isinstance(y, TensorPoint) and y.shape == (2, 1, 2) and y[0].tolist() == [[-0.5, 0.5]]
    assert dls.valid.decode_batch((x, y))[0][1].tolist() == [[10.0, 15.0]]
    assert dls.c == 2 and dls.kind == "points"


def test_points_follow_a_resize(dots: Path) -> None:
    dls = point_dls(dots, lambda f: (10.0, 15.0), item_tfms=Resize((10, 20), method="squish"))
    assert torch.allclose(torch.as_tensor(dls.valid.one_batch()[1][0]), torch.tensor([[-0.5, 0.5]]))


def test_points_come_with_a_loss(dots: Path) -> None:
    loss = point_dls(dots, lambda f: (1.0, 2.0)).train_ds.loss_func
    assert float(loss(torch.zeros(2, 2), torch.ones(2, 1, 2))) == 1.0


def test_points_may_come_y_first_or_scaled() -> None:
    sample = (PILImage.create(np.zeros((20, 40, 3), dtype=np.uint8)), TensorPoint([[15.0, 10.0]]))
    assert PointScaler(y_first=True)(sample)[1].tolist() == [[-0.5, 0.5]]
    assert PointScaler(do_scale=False)(sample)[1].tolist() == [[15.0, 10.0]]


def test_wrong_points_are_named(dots: Path) -> None:
    with pytest.raises(
        ItemError, match=r"0\.png\) failed in TensorPointCreate: .*'left' does not hold points \(x, y\)"
    ):
        point_dls(dots, lambda f: "left")
    with pytest.raises(ItemError, match="This target has 2 points, 1 expected"):
        list(point_dls(dots, lambda f: [(1, 2)] * (1 + int(f.stem) % 2)).train)
    with pytest.raises(DataError, match="scaled by the size of their picture, and this sample has none"):
        PointScaler()((TensorPoint([[1.0, 2.0]]), 3))


# ---------------------------------------------------------------------- boxes
BOXES = {0: [[0, 0, 20, 10]], 1: [[10, 5, 30, 15], [0, 0, 4, 4]], 2: [[0, 0, 40, 20]]}


def box_dls(dots: Path, labels: object = None, **kwargs: object):
    get_labels = labels or (lambda f: ["cup", "ball"][: len(BOXES[int(f.stem) % 3])])
    block = DataBlock(
        (ImageBlock, BBoxBlock, BBoxLblBlock),
        n_inp=1,
        get_items=get_image_files,
        splitter=EndSplitter(0.5),
        get_y=[lambda f: BOXES[int(f.stem) % 3], get_labels],
    )
    return block.dataloaders(dots, bs=3, shuffle=False, num_workers=0, **kwargs)


def test_boxes_are_scaled_and_padded_with_their_labels(dots: Path) -> None:
    dls = box_dls(dots)
    _, boxes, labels = dls.one_batch()
    assert isinstance(boxes, TensorBBox) and boxes.shape == (3, 2, 4) and labels.tolist() == [[2, 0], [2, 1], [2, 0]]
    assert boxes[0].tolist() == [[-1, -1, 0, 0], [0, 0, 0, 0]] and boxes[1][0].tolist() == [-0.5, -0.5, 0.5, 0.5]
    assert list(dls.vocab) == ["#na#", "ball", "cup"] and dls.c == 3


def test_padding_is_not_shown(dots: Path) -> None:
    dls = box_dls(dots)
    decoded = dls.train.decode_batch(dls.one_batch())
    assert [len(boxes) for _, boxes, _ in decoded] == [1, 2, 1]
    assert [list(labels) for *_, labels in decoded] == [["cup"], ["cup", "ball"], ["cup"]]
    dls.show_batch(max_n=3)
    assert [len(ax.patches) for ax in plt.gcf().axes if ax.images] == [1, 2, 1]


def test_more_padding_of_ones_own_comes_after(dots: Path) -> None:
    seen = []
    box_dls(dots, before_batch=lambda samples: seen.append([len(s[1]) for s in samples]) or samples).one_batch()
    assert seen == [[2, 2, 2]]


def test_a_label_for_each_box_is_needed(dots: Path) -> None:
    with pytest.raises(DataError, match="A sample has 2 boxes and 1 labels"):
        box_dls(dots, labels=lambda f: ["cup"]).one_batch()


def test_boxes_outside_the_picture_are_cut_or_dropped() -> None:
    boxes = TensorBBox([[-2.0, -0.5, 0.5, 0.5], [1.5, 0.0, 2.0, 1.0]])
    kept, labels = clip_remove_empty(boxes, TensorMultiCategory([3, 4]))
    assert kept.tolist() == [[-1, -0.5, 0.5, 0.5]] and labels.tolist() == [3]
    assert isinstance(kept, TensorBBox) and isinstance(labels, TensorMultiCategory)
    padded = bb_pad([(0, boxes, TensorMultiCategory([3, 4])), (1, boxes[:0], TensorMultiCategory([]))])
    assert [s[1].shape for s in padded] == [(1, 4), (1, 4)] and padded[1][2].tolist() == [0]


# ---------------------------------------------------------------------- the block itself
def test_grey_pictures_have_one_channel(digits_folder: Path) -> None:
    block = DataBlock(
        (ImageBlock(PILImageBW), CategoryBlock),
        get_items=get_image_files,
        get_y=parent_label,
        splitter=GrandparentSplitter(),
    )
    x, _ = block.dataloaders(digits_folder, bs=4, num_workers=0).one_batch()
    assert x.shape == (4, 1, 8, 8) and float(x.min()) >= 0 and float(x.max()) <= 1
