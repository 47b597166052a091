"""Pretrained weights: where they are found, how files are read, what is said when they cannot be had."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from vivace.core.errors import ArgumentError, DownloadError, ShapeError, UnsafeFileError
from vivace.core.vision_shim import import_timm
from vivace.vision.architectures import build_model
from vivace.vision.models import create_vision_model, resnet18
from vivace.vision.unet import create_unet_model
from vivace.vision.weights import find_weights, fit_weights, load_weights, read_weights, weight_files

TINY = "test_resnet"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "weights").mkdir()
    monkeypatch.setenv("VIVACE_HOME", str(tmp_path))
    return tmp_path / "weights"


@pytest.fixture
def state(home: Path) -> dict[str, torch.Tensor]:
    """Made-up weights of the small network, where they are looked for."""
    made = import_timm().create_model(TINY, pretrained=False).state_dict()
    save_file(made, home / f"{TINY}.safetensors")
    return made


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*address: object) -> None:
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("vivace.vision.architectures._in_hub_cache", lambda config: None)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_local_weights_come_before_any_download(state: dict[str, torch.Tensor], no_network: None) -> None:
    loaded = build_model(TINY, pretrained=True).state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in state.items())
    first = create_vision_model(TINY, 2)[0][0]
    assert torch.equal(next(first.parameters()), next(iter(state.values())))


def test_names_are_looked_up_with_and_without_their_tag(home: Path) -> None:
    assert [path.name for path in weight_files("a.b_c")] == ["a.b_c.safetensors", "a.safetensors"]
    assert find_weights("net") is None
    (home / "net.safetensors").touch()
    assert find_weights("net.tag") == home / "net.safetensors"
    (home / "net.tag.safetensors").touch()
    assert find_weights("net.tag") == find_weights("net", "tag") == home / "net.tag.safetensors"


def test_first_layer_of_trained_weights_fits_other_channels(state: dict[str, torch.Tensor], no_network: None) -> None:
    first = next(iter(state.values()))
    grey = next(create_vision_model(TINY, 2, n_in=1)[0].parameters())
    assert torch.allclose(grey, first.sum(1, keepdim=True))


def test_unet_takes_the_same_weights(state: dict[str, torch.Tensor], no_network: None) -> None:
    model = create_unet_model(TINY, 2, (64, 64))
    assert torch.equal(next(model.parameters()), next(iter(state.values())))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_an_explicit_file_is_used(state: dict[str, torch.Tensor], tmp_path: Path, suffix: str) -> None:
    changed = {key: value + 1 if value.is_floating_point() else value for key, value in state.items()}
    file = tmp_path / f"own{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": {f"module.{key}": value for key, value in changed.items()}}, file)
    else:
        save_file(changed, file)
    model = create_vision_model(TINY, 2, weights=str(file) if suffix == ".pth" else file)
    assert torch.equal(next(model.parameters()), next(iter(changed.values())))


def test_a_classifier_for_other_classes_is_left_out(state: dict[str, torch.Tensor], home: Path) -> None:
    other = {**state, "fc.weight": torch.zeros(7, state["fc.weight"].shape[1]), "fc.bias": torch.zeros(7)}
    save_file(other, home / f"{TINY}.safetensors")
    model = build_model(TINY, pretrained=True)
    assert torch.equal(next(model.parameters()), next(iter(state.values())))


def test_weights_of_another_network_are_named(state: dict[str, torch.Tensor], home: Path) -> None:
    with pytest.raises(ShapeError, match=r"conv1\.weight.*another architecture"):
        create_vision_model(resnet18, 2, weights=home / f"{TINY}.safetensors")


def test_nothing_is_loaded_when_a_tensor_is_missing_left_over_or_misshapen() -> None:
    model = nn.Linear(2, 3)
    before = model.weight.clone()
    good = {"weight": torch.ones(3, 2), "bias": torch.ones(3)}
    for bad, message in (
        ({"weight": good["weight"]}, "missing: bias"),
        ({**good, "extra": torch.ones(1)}, "not in the model: extra"),
        ({**good, "bias": torch.ones(4)}, r"bias \(4,\) instead of \(3,\)"),
    ):
        with pytest.raises(ShapeError, match=message):
            fit_weights(model, bad, "a file")
    assert torch.equal(model.weight, before)
    fit_weights(model, good, "a file")
    assert bool((model.weight == 1).all())


def test_files_of_the_authors_layout_are_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = import_timm().create_model("test_vit", pretrained=False)
    state = {f"prefix.{key}": value for key, value in model.state_dict().items()}
    save_file(state, tmp_path / "w.safetensors")

    def strip(state: dict[str, torch.Tensor], model: nn.Module) -> dict[str, torch.Tensor]:
        return {key.removeprefix("prefix."): value for key, value in state.items()}

    monkeypatch.setattr("timm.models.vision_transformer.checkpoint_filter_fn", strip)
    other = import_timm().create_model("test_vit", pretrained=False)
    load_weights(other, tmp_path / "w.safetensors")
    assert torch.equal(other.cls_token, model.cls_token)


def test_without_network_the_error_shows_the_ways_out(home: Path, no_network: None) -> None:
    with pytest.raises(DownloadError) as caught:
        create_vision_model(TINY, 2)
    message = str(caught.value)
    assert str(home / f"{TINY}.safetensors") in message
    assert "pretrained=False" in message
    assert "weights=" in message
    with pytest.raises(DownloadError, match=r"squeezenet1_1\.safetensors"):
        create_vision_model("squeezenet1_1", 2)


def test_a_failed_download_is_one_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vivace.vision.architectures.require_network", lambda url, name: None)
    timm = import_timm()
    create = timm.create_model

    def fail(name: str, **options: object) -> nn.Module:
        if options.get("pretrained"):
            raise ConnectionResetError("reset by peer")
        return create(name, **options)

    monkeypatch.setattr(timm, "create_model", fail)
    monkeypatch.setattr("vivace.vision.architectures._in_hub_cache", lambda config: None)
    with pytest.raises(DownloadError, match="reset by peer"):
        create_vision_model(TINY, 2)


def test_networks_without_published_weights_say_so(home: Path) -> None:
    with pytest.raises(DownloadError, match="timm knows of none"):
        create_vision_model("efficientnet_b8", 2)
    with pytest.raises(ArgumentError, match=r"its tags for this network: .*tv_in1k"):
        create_vision_model(resnet18, 2, weights="nonsense")


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="no weights file"):
        read_weights(tmp_path / "absent.pth")
    for name in ("broken.safetensors", "broken.pth"):
        (tmp_path / name).write_bytes(b"nonsense")
    with pytest.raises(ArgumentError, match="damaged"):
        read_weights(tmp_path / "broken.safetensors")
    with pytest.raises((ArgumentError, UnsafeFileError)):
        read_weights(tmp_path / "broken.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ArgumentError, match="holds a list"):
        read_weights(tmp_path / "list.pth")


def test_a_pickle_that_could_run_code_is_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(1, 1), tmp_path / "model.pth")
    with pytest.raises(UnsafeFileError, match="not loaded"):
        read_weights(tmp_path / "model.pth")
