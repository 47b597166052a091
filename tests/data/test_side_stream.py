"""Work on a GPU's second stream: in the right order, waited for by who needs it (with streams that only take notes)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from vivace.data import side_stream
from vivace.data.loader import DataLoader
from vivace.data.loaders import DataLoaders
from vivace.data.side_stream import beside_training, pinned, tensors_of


class Stream:
    def __init__(self, name, notes):
        self.name, self.notes = name, notes

    def wait_stream(self, other):
        self.notes.append(f"{self.name} waits for {other.name}")

    def __enter__(self):
        self.notes.append("side on")

    def __exit__(self, *error):
        self.notes.append("side off")


@pytest.fixture
def notes(monkeypatch):
    notes: list[str] = []
    main = Stream("main", notes)
    cuda = SimpleNamespace(
        Stream=lambda device: Stream("side", notes), current_stream=lambda device: main, stream=lambda stream: stream
    )
    monkeypatch.setattr(side_stream.torch, "cuda", cuda)
    return notes


def test_the_side_stream_waits_once_and_is_waited_for_each_time(notes):
    finish = beside_training(lambda x: notes.append(f"finish {x}") or (torch.ones(1),), torch.device("cuda:0"))
    finish(1), finish(2)
    batch = ["side on", "finish {}", "side off", "main waits for side"]
    assert notes == ["side waits for main", *(n.format(1) for n in batch), *(n.format(2) for n in batch)]


@pytest.mark.parametrize("device", [None, torch.device("cpu"), torch.device("meta")])
def test_elsewhere_nothing_is_changed(device):
    finish = len
    assert beside_training(finish, device) is finish


def test_all_tensors_of_a_batch_are_found():
    a, b, c, d = (torch.full((1,), float(i)) for i in range(4))
    assert [t.item() for t in tensors_of((a, [b, {"x": c, "y": (d, "no tensor")}], None))] == [0, 1, 2, 3]
    same = (1, [2, {"x": "y"}])
    assert pinned(same) == same


def test_a_loader_finishes_its_batches_there(monkeypatch):
    asked = []

    def noted(finish, device):
        asked.append(device)
        return lambda fetched: (finish(fetched), "beside")

    monkeypatch.setattr("vivace.data.loader.beside_training", noted)
    batches = list(DataLoader(torch.arange(4), bs=2, device="cpu"))
    assert asked == [torch.device("cpu")] and [where for _, where in batches] == ["beside", "beside"]
    assert [batch.tolist() for batch, _ in batches] == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("device", "asked", "pins"), [("cuda", None, True), ("cuda", False, False), ("cpu", None, False)]
)
def test_batches_for_a_gpu_lie_in_page_locked_memory(device, asked, pins):
    data = torch.utils.data.TensorDataset(torch.rand(4, 3), torch.rand(4, 1))
    dls = DataLoaders.from_dsets(data, data, bs=2, device=device, pin_memory=asked)
    assert [dl.pin_memory for dl in dls.loaders] == [pins, pins]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: the order of two streams on a real one")
def test_batches_on_a_gpu_are_what_they_are_on_the_cpu():
    data = [(torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(i)), i) for i in range(64)]
    batches = {}
    for device in ("cpu", "cuda"):
        dl = DataLoader(
            data, bs=8, device=device, pin_memory=True, after_batch=lambda x: x * 2, seed=1, fetch="threads"
        )
        batches[device] = []
        for x, y in dl:
            work = torch.rand(2048, 2048, device=device)
            for _ in range(20):  # the step before is still running
                work = work @ work * 1e-3
            batches[device].append((x.cpu(), y.cpu()))
    for (x, y), (other_x, other_y) in zip(*batches.values(), strict=True):
        assert torch.equal(x, other_x) and torch.equal(y, other_y)
