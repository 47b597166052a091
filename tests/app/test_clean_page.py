"""`vivace clean`: the page of this machine, in a browser and against who should not be there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import torch
from torch import nn

pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")

from vivace.app.cleaning.folder import open_folder
from vivace.app.cleaning.server import create_app
from vivace.app.listening import listen
from vivace.core.errors import ArgumentError, DataError
from vivace.training.learner import Learner
from vivace.vision.data import ImageDataLoaders
from vivace.vision.item_transforms import Resize

TOKEN = "the-token"


@pytest.fixture
def model(photo_folder, tmp_path):
    dls = ImageDataLoaders.from_folder(
        photo_folder, valid_pct=0.4, seed=1, item_tfms=Resize(16), bs=8, num_workers=0, device="cpu"
    )
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    with torch.no_grad():  # blue, green, red: the brightest channel wins
        network[2].weight.copy_(torch.eye(3).flip(0) * 20)
        network[2].bias.zero_()
    (photo_folder / "green" / "green_03.jpg").rename(photo_folder / "red" / "stray.jpg")
    return Learner(dls, network, path=tmp_path).export("model.viv")


@pytest.fixture
def address(model, photo_folder) -> Iterator[str]:
    """The page on the folder with a stray picture, served from a thread."""
    import uvicorn

    listening = listen("127.0.0.1", 0)
    app = create_app(open_folder(model, photo_folder, page_size=6), TOKEN)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture
def client(address) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, cookies={"vivace_clean": TOKEN}) as made:
        yield made


def test_the_wrongest_picture_comes_first(client):
    client.post("/command", json={"do": "select", "category": "red"})
    state = client.get("/state").json()
    assert state["items"][0]["name"] == "stray.jpg" and state["items"][0]["predicted"] == "green"
    assert state["n_chosen"] == 13 and state["n_pages"] == 3


@pytest.mark.browser
def test_a_person_cleans_a_folder(page, address, photo_folder):
    stray, red = photo_folder / "red" / "stray.jpg", photo_folder / "red"
    page.goto(f"{address}/?token={TOKEN}")
    page.get_by_label("Category").select_option("red")
    card = page.locator(".vv-card").first
    page.locator("figcaption", has_text="stray.jpg").wait_for()
    page.wait_for_load_state("networkidle")
    widths = page.locator(".vv-card img").evaluate_all("images => images.map(image => image.naturalWidth)")
    assert len(widths) == 6 and min(widths) > 0
    card.get_by_label("Move stray.jpg to").select_option("green")
    page.get_by_text("0 to delete, 1 to move").wait_for()
    second = page.locator(".vv-card").nth(1).locator("figcaption").text_content()
    page.locator(".vv-card").nth(1).press("d")
    page.get_by_text("1 to delete, 1 to move").wait_for()
    page.get_by_label("Category").select_option("green")
    page.get_by_text("1 to delete, 1 to move, 2 of them not in this list").wait_for()
    page.get_by_label("Category").select_option("red")
    page.locator(".vv-card.vv-change").wait_for()
    assert page.locator(".vv-card.vv-delete figcaption").text_content() == second
    assert stray.exists() and (red / second).exists(), "nothing moves before it is applied"
    page.get_by_role("button", name="Apply…").click()
    page.get_by_role("button", name="Move them").click()
    page.get_by_text("2 pictures moved").wait_for()
    assert not stray.exists() and not (red / second).exists()
    assert (photo_folder / "green" / "stray.jpg").exists()
    page.get_by_role("button", name="Undo apply").click()
    page.get_by_text("2 pictures are back").wait_for()
    assert stray.exists() and (red / second).exists()


@pytest.mark.browser
def test_undo_in_the_browser_and_pages(page, address):
    page.goto(f"{address}/?token={TOKEN}")
    page.locator(".vv-card").first.get_by_role("button", name="Delete").click()
    page.get_by_text("1 to delete").wait_for()
    page.get_by_role("button", name="Next page").click()
    page.get_by_text("page 2 of").wait_for()
    page.get_by_role("button", name="Undo", exact=True).click()
    page.get_by_text("page 1 of").wait_for()
    page.get_by_text("0 to delete").wait_for()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/state", {}, 403),
        ("/state?token=wrong", {}, 403),
        ("/files/cleaner.js", {}, 403),
        ("/state", {"cookie": f"vivace_clean={TOKEN}", "host": "evil.example"}, 403),
        ("/files/..%2Fserver.py", {"cookie": f"vivace_clean={TOKEN}"}, 404),
        ("/picture/..%2F..%2Fsecret", {"cookie": f"vivace_clean={TOKEN}"}, 404),
        ("/picture/-1", {"cookie": f"vivace_clean={TOKEN}"}, 400),
        ("/picture/9999", {"cookie": f"vivace_clean={TOKEN}"}, 400),
    ],
)
def test_who_has_no_token_or_wants_other_files_is_refused(address, path, headers, status):
    assert httpx.get(address + path, headers=headers).status_code == status


def test_a_form_of_another_site_cannot_apply(address, photo_folder):
    answer = httpx.post(f"{address}/apply", cookies={"vivace_clean": TOKEN}, data={"a": "b"})
    assert answer.status_code == 415


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 100_000, b'{"do": "mark", "key": "0", "choice": "purple"}'])
def test_a_bad_command_is_answered_with_a_reason(client, body):
    answer = client.post("/command", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400 and len(answer.json()["detail"]) > 10


def test_marks_are_kept_when_the_server_ends(client, model, photo_folder):
    key = client.get("/state").json()["items"][2]["key"]
    client.post("/command", json={"do": "mark", "key": key, "choice": "<Delete>"})
    again = open_folder(model, photo_folder).state()
    assert again["n_delete"] == 1


def test_pictures_that_were_moved_are_in_their_new_class_until_undone(client):
    client.post("/command", json={"do": "select", "category": "red"})
    key = client.get("/state").json()["items"][0]["key"]
    client.post("/command", json={"do": "mark", "key": key, "choice": "green"})
    client.post("/apply", json={})
    green = client.post("/command", json={"do": "select", "category": "green"}).json()
    assert green["n_chosen"] == 12 and green["n_change"] == 0
    client.post("/undo-apply", json={})
    assert client.get("/state").json()["n_chosen"] == 11


def test_nothing_marked_and_nothing_to_undo_are_said(client):
    assert "Nothing is marked" in client.post("/apply", json={}).json()["detail"]
    assert "nothing to undo" in client.post("/undo-apply", json={}).json()["detail"]


def test_a_broken_picture_is_left_out_and_named(model, photo_folder):
    bad = photo_folder / "red" / "bad.jpg"
    bad.write_bytes(b"no picture")
    assert open_folder(model, photo_folder).unreadable == [bad.resolve()]


def test_wrong_paths_are_explained(model, photo_folder, tmp_path):
    with pytest.raises(DataError, match="no folder"):
        open_folder(model, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images"):
        open_folder(model, tmp_path / "empty")
    with pytest.raises(DataError):
        open_folder(tmp_path / "none.viv", photo_folder)


def test_a_taken_port_is_explained():
    first = listen("127.0.0.1", 0)
    try:
        with pytest.raises(ArgumentError, match="cannot be used"):
            listen("127.0.0.1", first.getsockname()[1])
    finally:
        first.close()


@pytest.mark.slow
def test_the_command_prints_an_address_that_works(model, photo_folder):
    command = [sys.executable, "-m", "vivace", "clean", str(model), str(photo_folder), "--no-browser"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as run:
        try:
            assert run.stdout is not None
            line = next(line for line in run.stdout if "http://" in line)
            found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", line)
            assert found is not None, line
            answer = httpx.get(found[0], follow_redirects=True, timeout=30)
            assert answer.status_code == 200 and "vivace clean" in answer.text
        finally:
            run.terminate()
