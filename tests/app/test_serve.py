"""`vivace serve`: right answers, also to many at once; reasons for what cannot be answered; no file is written."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

pytest.importorskip("fastapi")
pytest.importorskip("python_multipart")
httpx = pytest.importorskip("httpx")

from vivace.app.listening import listen
from vivace.app.serving.api import ServeLimits, create_app
from vivace.app.serving.batching import MicroBatcher, QueueFullError
from vivace.app.serving.service import PictureModel
from vivace.core.errors import ArgumentError, DataError
from vivace.data.block import DataBlock
from vivace.data.blocks import CategoryBlock, MultiCategoryBlock, RegressionBlock
from vivace.data.labels import parent_label
from vivace.inference.bundle import load_learner
from vivace.training.learner import Learner
from vivace.vision.blocks import ImageBlock, MaskBlock
from vivace.vision.item_transforms import Resize


def exported(folder: Path, block=CategoryBlock, get_y=parent_label, n_out=3) -> Path:
    dls = DataBlock(
        (ImageBlock, block), get_items=lambda f: sorted(f.glob("*/*.jpg")), get_y=get_y, item_tfms=Resize(16)
    ).dataloaders(folder, bs=8, num_workers=0, device="cpu")
    torch.manual_seed(0)
    model = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, n_out))
    return Learner(dls, model, path=folder.parent).export("model.viv")


class Served:
    """An application in a server of its own thread."""

    def __init__(self, app) -> None:
        import uvicorn

        self.socket = listen("127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]})
        self.thread.start()

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join()
        self.socket.close()


@pytest.fixture
def start() -> Iterator:
    running: list[Served] = []

    def started(model, limits=ServeLimits(), hosts=("127.0.0.1", "localhost")) -> str:  # noqa: B008
        running.append(Served(create_app(model, limits, hosts)))
        return running[-1].address

    yield started
    for one in running:
        one.close()


@pytest.fixture
def bundle(photo_folder) -> Path:
    return exported(photo_folder)


@pytest.fixture
def address(bundle, start) -> str:
    return start(PictureModel.load(bundle, max_pixels=1_000_000))


@pytest.fixture
def photos(photo_folder) -> list[Path]:
    return sorted(photo_folder.glob("*/*.jpg"))


def send(address, *files, **options):
    return httpx.post(f"{address}/predict", files=[("files", f) for f in files], timeout=30, **options)


def test_it_predicts_what_the_learner_predicts(address, bundle, photos):
    learn = load_learner(bundle)
    answer = send(address, *((f.name, f.read_bytes()) for f in photos[::7]))
    assert answer.status_code == 200
    found = answer.json()["predictions"]
    assert [p["name"] for p in found] == [f.name for f in photos[::7]]
    for prediction, file in zip(found, photos[::7], strict=True):
        label, _, probabilities = learn.predict(file)
        assert prediction["labels"] == [label] and prediction["values"] == []
        expected = dict(zip(learn.dls.vocab, probabilities.tolist(), strict=True))
        assert prediction["probabilities"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("limits", [ServeLimits(), ServeLimits(max_batch=1), ServeLimits(max_wait_ms=50)])
def test_many_at_once_get_their_own_answers(bundle, start, photos, limits):
    address, learn = start(PictureModel.load(bundle), limits), load_learner(bundle)
    expected = [learn.predict(file)[2].tolist() for file in photos]
    with httpx.Client(timeout=30) as client, ThreadPoolExecutor(8) as pool:

        def ask(file):
            answer = client.post(f"{address}/predict", files={"files": (file.name, file.read_bytes())})
            return list(answer.json()["predictions"][0]["probabilities"].values())

        for found, wanted in zip(pool.map(ask, photos * 3), expected * 3, strict=True):
            assert found == pytest.approx(wanted, abs=1e-5)


def test_several_labels_and_numbers(photo_folder, start, photos):
    several = exported(photo_folder, MultiCategoryBlock, lambda f: [parent_label(f), "photo"], 4)
    found = send(start(PictureModel.load(several)), ("a.jpg", photos[0].read_bytes())).json()["predictions"][0]
    assert found["labels"] == [name for name, p in found["probabilities"].items() if p > 0.5]
    number = exported(photo_folder, RegressionBlock, lambda f: float(f.stem[-2:]), 1)
    found = send(start(PictureModel.load(number)), ("a.jpg", photos[0].read_bytes())).json()["predictions"][0]
    assert found["values"] == pytest.approx(load_learner(number).predict(photos[0])[2].tolist(), abs=1e-4)
    assert found["labels"] == [] and found["probabilities"] == {}


def test_a_model_of_masks_is_not_served(photo_folder):
    dls = DataBlock(
        (ImageBlock, MaskBlock(["a", "b"])),
        get_items=lambda f: sorted(f.glob("*/*.jpg")),
        get_y=lambda f: np.zeros((40, 48), dtype=np.uint8),
        item_tfms=Resize(16),
    ).dataloaders(photo_folder, bs=4, num_workers=0, device="cpu")
    bundle = Learner(dls, nn.Conv2d(3, 2, 1), path=photo_folder.parent).export("mask.viv")
    with pytest.raises(DataError, match="classes and numbers"):
        PictureModel.load(bundle)


# ---------------------------------------------------------------------- what cannot be answered
def png_bomb() -> bytes:
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def picture(width, height, kind="png") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(out, kind)
    return out.getvalue()


def jpeg() -> bytes:
    rng, out = np.random.default_rng(0), io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (80, 80, 3), dtype=np.uint8)).save(out, "jpeg")
    return out.getvalue()


BAD = {
    "empty": (b"", 422),
    "text": (b"hello", 415),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", 415),
    "zip": (b"PK\x03\x04" + bytes(40), 415),
    "pickle": (b"\x80\x04cos\nsystem\n", 415),
    "truncated": (jpeg()[:900], 422),
    "header only": (picture(50, 50)[:40], 415),
    "bomb": (png_bomb(), 413),
    "too many pixels": (picture(1200, 1000), 413),
}


@pytest.mark.parametrize(("content", "status"), BAD.values(), ids=BAD)
def test_a_bad_upload_is_named_with_a_reason(address, photos, content, status):
    answer = send(address, ("good.jpg", photos[0].read_bytes()), ("bad.jpg", content))
    assert answer.status_code == status
    assert answer.json()["detail"].startswith("bad.jpg: ") and "Traceback" not in answer.text
    assert send(address, ("good.jpg", photos[0].read_bytes())).status_code == 200, "it goes on"


def test_a_request_that_is_too_large_is_refused_however_it_comes(bundle, start):
    address = start(PictureModel.load(bundle), ServeLimits(max_bytes=50_000))
    assert send(address, ("a.png", os.urandom(80_000))).status_code == 413

    def pieces():
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        for _ in range(100):
            yield bytes(2_000)

    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = httpx.post(f"{address}/predict", content=pieces(), headers=headers, timeout=30)
    assert answer.status_code == 413 and "0.05 MB" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"data": {"files": "text"}}, 400),
        ({"files": {"other": ("a.jpg", b"x")}}, 422),
        ({"content": b"nonsense", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 400),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400),
        ({"json": {}}, 400),
        ({}, 400),
        ({"files": [("files", (f"{i}.png", b"x")) for i in range(40)]}, 400),
    ],
)
def test_a_malformed_request_is_refused_with_a_reason(address, request_, status):
    answer = httpx.post(f"{address}/predict", **request_)
    assert answer.status_code == status and len(answer.json()["detail"]) > 10


def test_another_host_name_is_not_answered(address):
    answer = httpx.get(f"{address}/health", headers={"host": "evil.example"})
    assert answer.status_code == 403
    page = httpx.get(f"{address}/")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff" and "access-control-allow-origin" not in page.headers


@pytest.mark.parametrize("path", ["/files/..%2Fapi.py", "/files/index.html", "/nothing"])
def test_other_files_are_not_there(address, path):
    assert httpx.get(address + path).status_code == 404


def test_no_upload_touches_the_disk(bundle, start, tmp_path, monkeypatch):
    import tempfile

    def forbidden(*args, **kwargs):
        raise AssertionError("a temporary file was made")

    address = start(PictureModel.load(bundle))
    monkeypatch.setattr(tempfile, "_mkstemp_inner", forbidden)
    monkeypatch.setattr(tempfile, "TemporaryFile", forbidden)
    rng, out = np.random.default_rng(0), io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (1000, 1000, 3), dtype=np.uint8)).save(out, "png")
    assert len(out.getvalue()) > 2_000_000
    assert send(address, ("large.png", out.getvalue())).status_code == 200


# ---------------------------------------------------------------------- when much is asked
class Slow:
    """Stands in for the model; answers when it is let."""

    kind, labels, manifest = "category", ["a"], {}

    def __init__(self):
        self.go, self.batches = threading.Event(), []

    def open(self, data):
        return data

    def predict(self, pictures):
        from vivace.app.serving.service import Prediction

        self.batches.append(len(pictures))
        self.go.wait(20)
        return [Prediction(["a"], {"a": 1.0}, []) for _ in pictures]


def test_a_full_queue_is_answered_with_503_and_the_others_are_served(start):
    model = Slow()
    address = start(model, ServeLimits(max_batch=1, max_queue=2, max_wait_ms=0))
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(send, address, ("a", b"x")) for _ in range(12)]
        for _ in range(400):
            refused = [f for f in asked if f.done()]
            if len(refused) >= 9:
                break
            threading.Event().wait(0.01)
        model.go.set()
        answers = [future.result() for future in asked]
    counts = [answer.status_code for answer in answers]
    assert counts.count(503) >= 9 and counts.count(200) >= 1 and set(counts) == {200, 503}
    turned_away = next(a for a in answers if a.status_code == 503)
    assert turned_away.headers["retry-after"] == "1" and "waiting" in turned_away.json()["detail"]


def test_what_takes_too_long_is_answered_with_504(start):
    model = Slow()
    address = start(model, ServeLimits(timeout_seconds=0.3))
    assert send(address, ("a", b"x")).status_code == 504
    model.go.set()
    assert send(address, ("a", b"x")).status_code == 200


def test_waiting_pictures_go_together():
    model = Slow()
    batcher = MicroBatcher(model.predict, max_batch=5, max_wait_seconds=0, max_queue=20)
    first = batcher.submit("first")
    while not model.batches:
        threading.Event().wait(0.005)
    rest = [batcher.submit(i) for i in range(7)]
    with pytest.raises(QueueFullError):
        [batcher.submit(i) for i in range(30)]
    model.go.set()
    assert all(f.result(10) for f in [first, *rest])
    batcher.close()
    assert model.batches[:2] == [1, 5] and max(model.batches) == 5
    with pytest.raises(QueueFullError, match="shutting down"):
        batcher.submit("late")


def test_an_error_of_the_model_reaches_those_who_asked_and_the_thread_lives():
    def run(items):
        if "bad" in items:
            raise ValueError("broken")
        return items

    batcher = MicroBatcher(run, max_batch=1)
    with pytest.raises(ValueError, match="broken"):
        batcher.submit("bad").result(10)
    assert batcher.submit("good").result(10) == "good"
    batcher.close()


# ---------------------------------------------------------------------- the interface and the page
def test_health_and_model_describe_themselves(address):
    assert httpx.get(f"{address}/health").json() == {"status": "ok", "waiting": 0}
    model = httpx.get(f"{address}/model").json()
    assert model["task"] == "category" and model["labels"] == ["blue", "green", "red"]
    assert "vivace" in model["versions"]


def test_the_interface_does_what_its_description_says(bundle):
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, given, settings
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(PictureModel.load(bundle)))
    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    tried = []

    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(case=operation.as_strategy())
        def one(case):
            tried.append(case.operation.label)
            case.call_and_validate(checks=checks)

        one()
    assert set(tried) == {"POST /predict", "GET /health", "GET /model"}


@pytest.mark.browser
def test_a_person_tries_it_in_a_browser(page, address, photos, tmp_path):
    page.goto(address)
    page.get_by_text("3 classes: blue, green, red").wait_for()
    page.locator("#file").set_input_files([photos[0], photos[-1]])
    page.locator(".bars").nth(1).wait_for()
    percents = page.locator("article").first.locator(".percent").all_text_contents()
    assert sum(float(p[:-1]) for p in percents) == pytest.approx(100, abs=0.3)
    assert page.locator("article h2").all_text_contents() == [photos[-1].name, photos[0].name]
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    page.locator("#file").set_input_files(bad)
    page.get_by_text("bad.jpg: The file is no picture that can be read").wait_for()
    for event in ("paste", "drop"):
        n = page.locator(".bars").count()
        page.evaluate(
            """([bytes, event]) => {
              const files = new DataTransfer();
              files.items.add(new File([new Uint8Array(bytes)], `${event}.jpg`, {type: "image/jpeg"}));
              const options = {bubbles: true, cancelable: true};
              document.body.dispatchEvent(event === "paste"
                ? new ClipboardEvent("paste", {...options, clipboardData: files})
                : new DragEvent("drop", {...options, dataTransfer: files}));
            }""",
            [list(photos[3].read_bytes()), event],
        )
        page.locator(".bars").nth(n).wait_for()
    page.goto(f"{address}/docs")
    page.get_by_text("POST /predict").wait_for()
    page.get_by_text("Too many pictures are waiting").wait_for()


@pytest.mark.slow
def test_the_command_serves_until_it_is_interrupted(bundle, photos):
    command = [sys.executable, "-m", "vivace", "serve", str(bundle), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as run:
        try:
            line = run.stdout.readline()
            found = re.match(r"(http://127\.0\.0\.1:\d+)/", line)
            assert found is not None, line
            assert send(found[1], ("a.jpg", photos[0].read_bytes())).status_code == 200
        finally:
            run.send_signal(2)
        assert "Traceback" not in run.communicate(timeout=30)[1]
    assert run.returncode in (0, -2, 130)


def test_mistakes_are_explained(bundle, tmp_path):
    with pytest.raises(DataError, match="no file"):
        PictureModel.load(tmp_path / "none.viv")
    with pytest.raises(ArgumentError, match="no host"):
        listen("no.such.host.invalid", 0)
