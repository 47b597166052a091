"""Exported models: they come back as they were, and a file from somebody else is refused before anything runs."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import nn

from vivace.core.errors import BundleError, DataError, UnsafeFileError, VivaceError
from vivace.data.loader import DataLoader
from vivace.data.loaders import DataLoaders
from vivace.inference.bundle import load_learner, read_manifest
from vivace.training.learner import Learner
from vivace.training.losses import BaseLoss, CrossEntropyLossFlat


def tensor_learner(path: Path) -> Learner:
    torch.manual_seed(0)
    rows = [(torch.randn(4), torch.tensor(i % 3)) for i in range(12)]
    model = nn.Sequential(
        nn.Linear(4, 5, bias=False), nn.BatchNorm1d(5), nn.ReLU(inplace=True), nn.Sequential(nn.Linear(5, 3))
    )
    dls = DataLoaders(DataLoader(rows, bs=4), DataLoader(rows, bs=4))
    return Learner(dls, model, loss_func=CrossEntropyLossFlat(), path=path)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tensor_learner(tmp_path).export("model.pkl")


def rewrite(
    bundle: Path, target: Path, change=lambda manifest: manifest, extra=(), weights=None, compression=zipfile.ZIP_STORED
) -> Path:
    with zipfile.ZipFile(bundle) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        kept = archive.read("weights.safetensors")
    manifest = change(manifest) or manifest
    with zipfile.ZipFile(target, "w", compression) as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("weights.safetensors", kept if weights is None else weights)
        for name, content in extra:
            archive.writestr(name, content)
    return target


def test_a_model_of_plain_layers_comes_back(bundle, tmp_path):
    learn = tensor_learner(tmp_path)
    loaded = load_learner(bundle)
    assert repr(loaded.model) == repr(learn.model)
    x = torch.randn(7, 4)
    assert torch.equal(loaded.model(x), learn.model.eval()(x))
    assert isinstance(loaded.loss_func, CrossEntropyLossFlat)


def test_the_manifest_is_json_with_versions_and_metrics(tmp_path):
    learn = tensor_learner(tmp_path)
    with learn.no_logging(), learn.no_bar():
        learn.fit(1, 0.01)
    manifest = read_manifest(learn.export())
    assert manifest["versions"]["torch"] == torch.__version__
    assert set(manifest["versions"]) >= {"vivace", "python", "torchvision", "timm", "numpy", "pillow", "safetensors"}
    assert set(manifest["metrics"]) >= {"train_loss", "valid_loss"}


def test_export_leaves_the_learner_as_it_was(tmp_path):
    learn = tensor_learner(tmp_path)
    learn.model.train()
    before = {k: v.clone() for k, v in learn.model.state_dict().items()}
    learn.export()
    assert learn.model.training and all(torch.equal(v, before[k]) for k, v in learn.model.state_dict().items())


class OwnModel(nn.Module):
    def __init__(self, branches=False):
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.branches = branches

    def forward(self, x):
        if self.branches and x.sum() > 0:  # depends on the values: cannot be recorded
            return self.layer(x).sigmoid()
        return self.layer(x).relu()


def test_a_model_of_an_own_class_loads_without_it(tmp_path):
    learn = tensor_learner(tmp_path)
    learn.model = OwnModel()
    path = learn.export("own.pkl")
    loaded, x = load_learner(path), torch.randn(7, 4)
    assert torch.equal(loaded.model(x), learn.model(x))
    instance = load_learner(path, model=OwnModel()).model
    assert torch.equal(instance.layer.weight, learn.model.layer.weight)


def test_a_model_that_cannot_be_recorded_needs_an_instance(tmp_path):
    learn = tensor_learner(tmp_path)
    learn.model = OwnModel(branches=True)
    with pytest.warns(UserWarning, match=r"could not be recorded.*model=OwnModel\(\.\.\.\)"):
        path = learn.export("own.pkl")
    with pytest.raises(BundleError, match=r"class .*OwnModel.*model=OwnModel\(\.\.\.\)"):
        load_learner(path)
    loaded = load_learner(path, model=OwnModel(branches=True))
    assert torch.equal(loaded.model.layer.weight, learn.model.layer.weight)


def test_a_missing_file_names_its_neighbours(bundle):
    with pytest.raises(DataError, match="no file .*modell.pkl.*model.pkl"):
        load_learner(bundle.with_name("modell.pkl"))


def test_changed_weights_fail_the_self_check(bundle, tmp_path):
    from safetensors.torch import load

    with zipfile.ZipFile(bundle) as archive:
        weights = load(archive.read("weights.safetensors"))
    weights["0.weight"] += 1
    changed = rewrite(bundle, tmp_path / "changed.pkl", weights=save(weights))
    with pytest.raises(BundleError, match="does not predict here what it predicted"):
        load_learner(changed)
    load_learner(changed, check=False)


# ---------------------------------------------------------------------- a corpus of bad files
class Evil:
    def __reduce__(self):
        return os.system, ("touch EXECUTED",)


def _pickle(bundle, target):
    target.write_bytes(pickle.dumps(Evil()))


def _old_pickle(bundle, target):
    target.write_bytes(pickle.dumps(Evil(), protocol=0))


def _torch_save(bundle, target):
    torch.save({"model": Evil()}, target)


def _truncated(bundle, target):
    target.write_bytes(bundle.read_bytes()[: bundle.stat().st_size // 2])


def _empty(bundle, target):
    target.write_bytes(b"")


def _text(bundle, target):
    target.write_text("hello")


def _flipped_byte(bundle, target):
    data = bytearray(bundle.read_bytes())
    data[len(data) // 3] ^= 0xFF
    target.write_bytes(bytes(data))


def _outside_path(bundle, target):
    rewrite(bundle, target, extra=[("../evil.py", "import os")])


def _absolute_path(bundle, target):
    rewrite(bundle, target, extra=[("/tmp/evil.py", "import os")])


def _extra_pickle(bundle, target):
    rewrite(bundle, target, extra=[("data.pkl", pickle.dumps(Evil()))])


def _extra_code(bundle, target):
    rewrite(bundle, target, extra=[("sitecustomize.py", "raise SystemExit")])


def _compressed_bomb(bundle, target):
    rewrite(bundle, target, weights=b"\0" * 50_000_000, compression=zipfile.ZIP_DEFLATED)


def _no_manifest(bundle, target):
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("weights.safetensors", b"")


def _no_weights(bundle, target):
    with zipfile.ZipFile(target, "w") as archive, zipfile.ZipFile(bundle) as source:
        archive.writestr("manifest.json", source.read("manifest.json"))


def _changed(**changes):
    return lambda bundle, target: rewrite(bundle, target, lambda manifest: {**manifest, **changes})


def _deep_json(bundle, target):
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("manifest.json", "[" * 200_000)


def _twice(bundle, target):
    with pytest.warns(UserWarning, match="Duplicate"):
        rewrite(bundle, target, extra=[("manifest.json", "{}")])


def _pickle_as_weights(bundle, target):
    rewrite(bundle, target, weights=pickle.dumps(Evil()))


def _part(spec):
    return _changed(parts=[[spec]])


def _builder(**args):
    spec = {"arch": "resnet18", "n_out": 3, "pretrained": False, "init": None}
    return _changed(model={"builder": "vivace.vision.models.create_vision_model", "args": {**spec, **args}})


def _layers(spec):
    return _changed(model={"modules": spec})


def _nested(n):
    return {"layer": "ReLU", "args": {}} if not n else {"sequential": {"0": _nested(n - 1)}}


def _upsampling_to_the_sky(bundle, target):
    parts = {
        "0": {"layer": "Linear", "args": {"in_features": 4, "out_features": 3, "bias": True}},
        "1": {"layer": "Unflatten", "args": {"dim": 1, "unflattened_size": {"$tuple": [1, 3]}}},
        "2": {"layer": "Upsample", "args": {"size": 1 << 40}},
    }
    weights = {"0.weight": torch.ones(3, 4), "0.bias": torch.ones(3)}
    weights |= {"__check__.input.0": torch.ones(1, 4), "__check__.output": torch.ones(1, 3)}
    rewrite(bundle, target, lambda m: {**m, "model": {"modules": {"sequential": parts}}}, weights=save(weights))


_CLASS = {"$class": "vivace.core.image:PILImage"}
BAD_FILES = {
    "weights from the internet": _builder(pretrained=True),
    "weights from another file": _builder(weights="/etc/passwd.pth"),
    "pretrained by default": _changed(
        model={"builder": "vivace.vision.models.create_vision_model", "args": {"arch": "resnet18", "n_out": 3}}
    ),
    "a network of the hub": _builder(arch="hf_hub:somebody/something"),
    "a class as architecture": _builder(arch=_CLASS),
    "a class that cuts the network": _builder(cut=_CLASS),
    "a huge architecture": _builder(arch="vit_giant_patch14_dinov2"),
    "a huge head": _builder(lin_ftrs=[1 << 20, 1 << 20]),
    "a huge input": _builder(n_in=10**7),
    "a builder that is a list": _changed(model={"builder": ["os.system"], "args": {}}),
    "endless recurrent layers": _layers({"layer": "LSTM", "args": {"num_layers": 10**9}}),
    "endless transformer layers": _layers({"layer": "Transformer", "args": {"num_encoder_layers": 10**9}}),
    "a layer called forward": _layers({"sequential": {"forward": {"layer": "ReLU", "args": {}}}}),
    "layers nested to the bottom": _layers(_nested(400)),
    "a result that fits nowhere": _upsampling_to_the_sky,
    "pictures as large as a country": _part({"type": "vivace.vision.item_transforms:Resize", "args": {"size": 10**6}}),
    "a transform that calls a class": _part({"type": "vivace.data.transform:Transform", "args": {"enc": _CLASS}}),
    "a hidden attribute": _part({"type": "vivace.data.items:AttrGetter", "args": {"nm": "__class__"}}),
    "settings that are no settings": _part(
        {"type": "vivace.vision.item_transforms:Resize", "args": {"size": {"$tuple": None}}}
    ),
    "a model that is a number": _changed(model=3),
    "a loss that is a number": _changed(loss=3),
    "a batch size that is a text": _changed(bs="64"),
    "a part that is a number": _changed(parts=[3]),
    "metrics that are a text": _changed(metrics={"accuracy": "high"}),
    "pickle": _pickle,
    "pickle protocol 0": _old_pickle,
    "torch.save": _torch_save,
    "truncated": _truncated,
    "empty": _empty,
    "text": _text,
    "flipped byte": _flipped_byte,
    "path outside": _outside_path,
    "absolute path": _absolute_path,
    "pickle inside": _extra_pickle,
    "code inside": _extra_code,
    "bomb": _compressed_bomb,
    "no manifest": _no_manifest,
    "no weights": _no_weights,
    "manifest twice": _twice,
    "deep JSON": _deep_json,
    "pickle as weights": _pickle_as_weights,
    "os.system as builder": _changed(model={"builder": "os.system", "args": {"command": "touch EXECUTED"}}),
    "subprocess as builder": _changed(model={"builder": "subprocess.call", "args": {"args": ["touch", "EXECUTED"]}}),
    "our own writer as builder": _changed(model={"builder": "vivace.core.files.save_pickle", "args": {}}),
    "os.system as layer": _changed(model={"modules": {"layer": "__import__('os').system", "args": {}}}),
    "function as layer": _changed(model={"modules": {"layer": "functional", "args": {}}}),
    "loss outside": _changed(loss={"type": "os:system", "args": {}}),
    "loss of another family": _changed(loss={"type": "vivace.core.files:atomic_write", "args": {}}),
    "os.system as transform": _part({"type": "os:system", "args": {"command": "touch EXECUTED"}}),
    "foreign transform": _part({"foreign": "evil_package:Transform", "args": {}}),
    "class that is no transform": _part({"type": "vivace.training.learner:Learner", "args": {}}),
    "borrowed name": _part({"type": "vivace.core.files:os", "args": {}}),
    "attribute chain": _part({"type": "vivace.core.files:os.system", "args": {}}),
    "create of os": _part({"create": "os:system"}),
    "unknown argument": _part({"type": "vivace.data.transforms:ToTensor", "args": {"evil": 1}}),
    "unknown kind of value": _part(
        {"type": "vivace.data.transforms:IntToFloatTensor", "args": {"div": {"$eval": "1"}}}
    ),
    "enum of os": _part(
        {"type": "vivace.data.transforms:IntToFloatTensor", "args": {"div": {"$enum": "os:environ", "value": 1}}}
    ),
    "spec that is a list": _part([1, 2]),
    "newer format": _changed(format_version=99),
    "another format": _changed(format="something"),
    "parts missing": _changed(parts=None),
    "huge layer": _changed(
        model={"modules": {"layer": "Linear", "args": {"in_features": 10**9, "out_features": 10**9, "bias": True}}}
    ),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_is_refused_with_a_reason_and_nothing_runs(kind, bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    target = tmp_path / "bad.pkl"
    BAD_FILES[kind](bundle, target)
    before = {p.name for p in tmp_path.rglob("*")}
    with pytest.raises((BundleError, UnsafeFileError)) as caught:
        load_learner(target)
    assert isinstance(caught.value, VivaceError) and len(str(caught.value)) > 20
    assert {p.name for p in tmp_path.rglob("*")} == before and not (tmp_path / "EXECUTED").exists()


def test_a_trusted_transform_is_imported_by_name_and_others_are_not(tmp_path, monkeypatch):
    (tmp_path / "my_transforms.py").write_text(
        "from vivace.data.transform import Transform\n"
        "class Twice(Transform):\n    def encodes(self, x: float):\n        return x * 2\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from my_transforms import Twice

    from vivace.inference.spec import make_transform, transform_spec

    spec = transform_spec(Twice())
    with pytest.raises(UnsafeFileError, match=r"my_transforms:Twice.*trust=\['my_transforms'\]"):
        make_transform(spec)
    assert make_transform(spec, trust=["my_transforms"])(1.5) == 3.0


def test_a_loss_of_ones_own_is_left_out(tmp_path: Path) -> None:
    class Own(CrossEntropyLossFlat):
        pass

    for loss in (Own(), BaseLoss(nn.CrossEntropyLoss)):
        learn = tensor_learner(tmp_path)
        learn.loss_func = loss
        loaded = load_learner(learn.export("own.pkl"))
        assert torch.equal(loaded.model[0].weight, learn.model[0].weight)
        with pytest.raises(BundleError, match="loss function of your own"):
            loaded.loss_func(torch.zeros(1, 3), torch.zeros(1))
