"""Images, titles, grids and tables: what ends up in the figure."""

from __future__ import annotations

import builtins
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from vivace.core.errors import ShapeError
from vivace.core.show import get_grid, show_image, show_images, show_table, show_title, show_titled_image, subplots
from vivace.core.types import TensorImage


@pytest.mark.parametrize(
    "image, shape",
    [
        (torch.rand(3, 6, 8), (6, 8, 3)),
        (TensorImage(torch.rand(3, 6, 8)), (6, 8, 3)),
        (torch.rand(6, 8, 3), (6, 8, 3)),
        (torch.rand(1, 6, 8), (6, 8)),
        (torch.rand(6, 8), (6, 8)),
        (torch.rand(3, 6, 4), (6, 4, 3)),
        (torch.rand(7, 6, 8).permute(1, 2, 0), (8, 7, 3)),
        (torch.rand(3, 6, 8).bfloat16(), (6, 8, 3)),
        (np.zeros((6, 8, 4), np.uint8), (6, 8, 4)),
        (np.zeros((3, 6, 3), np.float16), (3, 6, 3)),
        (np.zeros((6, 8, 3), np.uint16), (6, 8, 3)),
        (Image.new("RGB", (8, 6)), (6, 8, 3)),
        (Image.new("L", (8, 6)), (6, 8)),
    ],
)
def test_any_kind_of_image_is_drawn(image: Any, shape: tuple[int, ...]) -> None:
    ax = show_image(image)
    assert ax.images[0].get_array().shape == shape
    assert not ax.axison


def test_one_channel_is_grey_unless_told() -> None:
    assert show_image(torch.rand(1, 6, 8)).images[0].get_cmap().name == "gray"
    assert show_image(torch.rand(6, 8), cmap="tab20").images[0].get_cmap().name == "tab20"


def test_colours_outside_the_range_are_clipped() -> None:
    drawn = show_image(torch.full((3, 4, 4), 1.5)).images[0].get_array()
    assert drawn.max() == 1


def test_it_draws_on_given_axes_with_a_title() -> None:
    _, ax = plt.subplots()
    assert show_image(torch.rand(3, 4, 4), ax=ax, title="bear") is ax
    assert show_image(torch.rand(3, 4, 4), ctx=ax) is ax
    assert (len(ax.images), ax.get_title()) == (2, "bear")
    assert show_titled_image((torch.rand(3, 4, 4), 7)).get_title() == "7"


def test_the_figure_has_the_proportions_of_the_image() -> None:
    width, height = show_image(torch.rand(3, 640, 320)).figure.get_size_inches()
    assert (width, height) == (2.5, 5)
    assert tuple(show_image(torch.rand(3, 8, 8), figsize=(4, 3)).figure.get_size_inches()) == (4, 3)


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (8,), (1, 2, 8, 9)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"shape|dimensions"):
        show_image(torch.rand(shape) if len(shape) != 3 else np.zeros((8, 9, 2)))


def test_images_side_by_side() -> None:
    show_images([torch.rand(3, 8, 8)] * 5, nrows=2, titles="abcde", suptitle="all")
    figure = plt.gcf()
    assert [ax.get_title() for ax in figure.axes] == ["a", "b", "c", "d", "e", ""]
    assert not any(ax.axison for ax in figure.axes)
    assert figure.get_suptitle() == "all"


@pytest.mark.parametrize(
    "options, grid",
    [
        ({"n": 1}, (1, 1)),
        ({"n": 4}, (2, 2)),
        ({"n": 5}, (2, 3)),
        ({"n": 9}, (3, 3)),
        ({"n": 7, "nrows": 2}, (2, 4)),
        ({"n": 7, "ncols": 2}, (4, 2)),
        ({"n": 4, "double": True}, (2, 4)),
    ],
)
def test_a_grid_is_about_square_and_its_rest_is_empty(options: dict[str, Any], grid: tuple[int, int]) -> None:
    axes = get_grid(**options)
    figure = plt.gcf()
    n = options["n"] * (2 if options.get("double") else 1)
    assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == grid
    assert [ax.axison for ax in figure.axes] == [True] * n + [False] * (grid[0] * grid[1] - n)
    assert axes == figure.axes[:n]
    assert tuple(figure.get_size_inches()) == (3 * grid[1], 3 * grid[0])


def test_a_grid_can_have_a_title_and_come_with_its_figure() -> None:
    figure, axes = get_grid(3, title="Prediction", return_fig=True, figsize=(5, 4))
    assert figure.get_suptitle() == "Prediction"
    assert len(axes) == 3
    assert tuple(figure.get_size_inches()) == (5, 4)


def test_subplots_give_an_array() -> None:
    assert subplots()[1].shape == (1,)
    figure, axes = subplots(2, 3, imsize=2, suptitle="s")
    assert axes.shape == (2, 3)
    assert tuple(figure.get_size_inches()) == (6, 4.6)


def test_a_second_title_goes_on_a_new_line(capsys: pytest.CaptureFixture[str]) -> None:
    _, ax = plt.subplots()
    show_title("cat", ctx=ax)
    assert show_title("dog", ax=ax, color="red") is ax
    assert ax.get_title() == "cat\ndog"
    assert ax.title.get_color() == "red"
    show_title(3)
    assert capsys.readouterr().out == "3\n"


def test_a_title_is_a_cell_of_a_row() -> None:
    row = show_title("cat", ctx=pd.Series({"text": "a"}), label="text")
    assert dict(row) == {"text": "a", "text_": "cat"}


def test_a_table_is_text_without_a_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    show_table([("cat", 1), ("dog", 22)], ["animal", "count"])
    assert capsys.readouterr().out.split() == ["animal", "count", "cat", "1", "dog", "22"]


def test_a_table_is_html_where_things_can_be_displayed(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(builtins, "display", shown.append, raising=False)
    long = "word " * 100
    show_table([{"text": long, "label": "<b>"}], ["text", "label"])
    assert long.strip() in shown[0].data
    assert "&lt;b&gt;" in shown[0].data
