"""The cleaner: worst first, marks that stay, indices that fit the files shown."""

from __future__ import annotations

import pytest
import torch
from torch import nn

pytest.importorskip("ipywidgets")

from vivace.training.learner import Learner
from vivace.vision.cleaner import ImageClassifierCleaner, ImagesCleaner
from vivace.vision.data import ImageDataLoaders
from vivace.vision.item_transforms import Resize


@pytest.fixture
def cleaner(photo_folder):
    dls = ImageDataLoaders.from_folder(
        photo_folder, valid_pct=0.4, seed=1, item_tfms=Resize(16), bs=8, num_workers=0, device="cpu"
    )
    torch.manual_seed(0)
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    return ImageClassifierCleaner(Learner(dls, model), max_n=5)


def menus(cleaner):
    return [box.children[1] for box in cleaner.widget.children[-1].children]


def test_marks_give_indices_of_the_files_shown(cleaner):
    menus(cleaner)[0].value = "<Delete>"
    menus(cleaner)[2].value = "red"
    assert list(cleaner.delete()) == [0] and list(cleaner.change()) == [(2, "red")]
    assert {f.parent.name for f in cleaner.fns} == {"blue"} and len(cleaner.fns) == 5


def test_marks_survive_another_category_and_data_set(cleaner):
    marked = cleaner.fns[1]
    menus(cleaner)[1].value = "<Delete>"
    cleaner.widget.children[0].value = "green"
    assert list(cleaner.delete()) == [] and {f.parent.name for f in cleaner.fns} == {"green"}
    cleaner.widget.children[1].value = "Valid"
    cleaner.widget.children[1].value, cleaner.widget.children[0].value = "Train", "blue"
    assert [cleaner.fns[i] for i in cleaner.delete()] == [marked]
    assert menus(cleaner)[1].value == "<Delete>"


def test_nothing_on_disk_is_touched(cleaner):
    menus(cleaner)[0].value = "<Delete>"
    cleaner.delete(), cleaner.change()
    assert all(f.exists() for f in cleaner.fns)


def test_files_in_any_list_can_be_cleaned(photo_folder):
    files = sorted((photo_folder / "red").iterdir())[:3]
    plain = ImagesCleaner(["a", "b"], max_n=2)
    plain.set_fns(files)
    plain.widget.children[1].children[1].value = "b"
    assert list(plain.values()) == ["<Keep>", "b"] and list(plain.change()) == [(1, "b")]


def test_pages_hold_max_n_and_marks_stay_on_their_page(cleaner):
    first = list(cleaner.fns)
    n = len(cleaner.session.chosen)
    cleaner.mark(first[2], "<Delete>")
    cleaner.session.select(page=1)
    assert len(cleaner.fns) == min(5, n - 5) and not set(cleaner.fns) & set(first)
    assert list(cleaner.delete()) == []
    cleaner.session.select(page=0)
    assert list(cleaner.delete()) == [2]


def test_the_last_page_is_shown_when_there_are_fewer(cleaner):
    cleaner.session.select(page=99)
    assert cleaner.session.state()["page"] == cleaner.session.state()["n_pages"] - 1 and len(cleaner.fns) > 0


def test_undo_goes_back_to_where_the_mark_was(cleaner):
    marked = cleaner.fns[1]
    cleaner.mark(marked, "red")
    cleaner.session.select(category="green", group="Valid")
    assert cleaner.undo() == (marked, "<Keep>")
    assert marked in cleaner.fns and cleaner.marked() == []
    assert menus(cleaner)[1].value == "<Keep>"


def test_all_marks_are_listed_written_and_read(cleaner, tmp_path):
    one = cleaner.fns[0]
    cleaner.mark(one, "<Delete>")
    cleaner.session.select(category="green")
    two = cleaner.fns[3]
    cleaner.mark(two, "red")
    cleaner.save_marks(tmp_path / "marks.csv")
    cleaner.undo(), cleaner.undo()
    assert cleaner.marked() == []
    assert cleaner.load_marks(tmp_path / "marks.csv") == []
    assert set(cleaner.marked()) == {(one, "<Delete>"), (two, "red")}


def test_apply_moves_what_is_marked_anywhere_and_forgets_it(cleaner, photo_folder):
    cleaner.mark(cleaner.fns[0], "<Delete>")
    gone = cleaner.fns[0]
    cleaner.session.select(category="green")
    moved = cleaner.fns[1]
    cleaner.mark(moved, "red")
    assert len(cleaner.apply(photo_folder)) == 2
    assert not gone.exists() and (photo_folder / "red" / moved.name).exists()
    assert cleaner.marked() == [] and moved not in cleaner.fns


def test_files_that_are_gone_are_not_shown_after_the_next_choice(cleaner):
    gone = cleaner.fns[0]
    gone.unlink()
    cleaner.widget.children[1].value = "Valid"
    cleaner.widget.children[1].value = "Train"
    assert gone not in cleaner.fns and len(cleaner.fns) == 5


def test_deleting_one_by_one_deletes_what_was_marked_and_nothing_else(cleaner):
    menus(cleaner)[0].value, menus(cleaner)[1].value, menus(cleaner)[3].value = "<Delete>", "<Delete>", "green"
    before, victims = list(cleaner.fns), [cleaner.fns[i] for i in cleaner.delete()]
    for i in cleaner.delete():
        cleaner.fns[i].unlink()
    assert victims == before[:2] and [f for f in before if not f.exists()] == victims
    assert list(cleaner.delete()) == []  # the cell run once more does nothing
    assert [(cleaner.fns[i], label) for i, label in cleaner.change()] == [(before[3], "green")]


def test_the_view_follows_marks_and_obeys_the_browser(cleaner):
    pytest.importorskip("anywidget")
    view = cleaner.view
    key = view.state["items"][1]["key"]
    assert list(view.thumbnails) == [item["key"] for item in view.state["items"]]
    assert view.thumbnails[key].startswith("data:image/jpeg;base64,")
    view._receive(view, {"do": "mark", "key": key, "choice": "<Delete>"}, [])
    assert list(cleaner.delete()) == [1] and view.state["items"][1]["mark"] == "<Delete>"
    cleaner.undo()
    assert view.state["items"][1]["mark"] == "<Keep>" and view.state["message"]


@pytest.mark.parametrize(
    "command",
    [
        {},
        {"do": "mark", "key": "0"},
        {"do": "mark", "key": "99999", "choice": "<Keep>"},
        {"do": "mark", "key": "../0", "choice": "<Keep>"},
        {"do": "mark", "key": "0", "choice": "purple"},
        {"do": "select", "page": "x"},
        {"do": "select", "category": "purple"},
        {"do": "select", "rows": 3},
        {"do": "__init__"},
    ],
)
def test_a_wrong_command_changes_nothing_and_is_explained(cleaner, command):
    pytest.importorskip("anywidget")
    before = cleaner.session.state()
    cleaner.view._receive(cleaner.view, command, [])
    assert cleaner.view.state["message"]
    assert cleaner.session.state() | {"message": ""} == before


def test_an_unreadable_picture_is_shown_as_such(photo_folder):
    (photo_folder / "bad.jpg").write_bytes(b"no picture")
    plain = ImagesCleaner(["a"])
    plain.set_fns([photo_folder / "bad.jpg"])
    assert list(plain.view.thumbnails.values()) == [""]
    assert len(plain.widget.children) == 1
