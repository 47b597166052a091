"""`export` and `load_learner`: a trained model and its input pipeline in one file that is data, not code.

A bundle is a zip archive without compression that holds `manifest.json` (how to build the model, the pipeline, the
vocabulary, versions, a self-check), `weights.safetensors` and, for a model of a person's own class, `program.json` (see
`program`). Reading it unpickles nothing and runs nothing from it.
"""

from __future__ import annotations

import inspect
import json
import os
import platform
import warnings
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vivace import __version__
from vivace.core.basics import noop
from vivace.core.device import to_device
from vivace.core.errors import BundleError, DataError, UnsafeFileError
from vivace.core.files import atomic_write
from vivace.core.types import plain_tensor
from vivace.data.datasets import Datasets
from vivace.data.getters import Entry, Getter
from vivace.data.loader import DataLoader, TfmdDL
from vivace.data.loaders import DataLoaders
from vivace.data.portable import PortableInputs
from vivace.data.transform import Pipeline
from vivace.training.learner import Learner
from vivace.training.losses import BaseLoss

from .limits import check_pixels, refuse_large_results, weights_bound
from .program import CONSTANT_PREFIX, Input, read_program, write_program
from .spec import call_checked, find_class, from_json, make_module, make_transform, module_spec, to_json, transform_spec

__all__ = ["export", "load_learner", "read_manifest"]

FORMAT, FORMAT_VERSION = "vivace-bundle", 1
MANIFEST, WEIGHTS, PROGRAM = "manifest.json", "weights.safetensors", "program.json"
_CHECK = "__check__."
MAX_MANIFEST_BYTES = 64 << 20
_BUILDERS = {
    "vivace.collab.model.EmbeddingNN",
    "vivace.collab.model.create_dot_model",
    "vivace.tabular.model.create_tabular_model",
    "vivace.text.models.core.get_language_model",
    "vivace.text.models.core.get_text_classifier",
    "vivace.text.models.huggingface.create_hf_model",
    "vivace.vision.models.create_vision_model",
    "vivace.vision.unet.create_unet_model",
}


# ---------------------------------------------------------------------- writing
def export(learn: Learner, fname: str | os.PathLike[str] = "export.pkl") -> Path:
    """Write the model of `learn`, and what it needs to predict, to one file. See `Learner.export`.

    Labelling functions are not needed to predict and stay behind; so lambdas there do no harm. A model of a class of
    your own is recorded, so that it loads without that class.

    Warns:
        UserWarning: such a model cannot be recorded; `load_learner` will need an instance of it.

    Raises:
        BundleError: a transform has settings that a bundle cannot hold.
    """
    path = learn.path / fname
    was_training = learn.model.training
    learn.model.eval()
    try:
        weights = {
            k: v.detach().cpu().as_subclass(Tensor).contiguous().clone() for k, v in learn.model.state_dict().items()
        }
        manifest = _manifest_of(learn)
        check = _self_check(learn, manifest)
        program = _record(learn, manifest, check, weights) if "class" in manifest["model"] else None
        weights |= check
    finally:
        learn.model.train(was_training)
    from safetensors.torch import save

    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as out, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
        archive.writestr(WEIGHTS, save(weights))
        if program is not None:
            archive.writestr(PROGRAM, json.dumps(program))
    return path


def _record(
    learn: Learner, manifest: dict[str, Any], check: dict[str, Tensor], weights: dict[str, Tensor]
) -> dict[str, Any] | None:
    """The steps of a model of the user's own class; its constants are added to the weights."""
    name = type(learn.model).__name__
    device = next((p.device for p in learn.model.parameters()), torch.device("cpu"))
    inputs = to_device(_inputs_of(check), device)
    try:
        if not inputs:
            raise BundleError("there is no validation sample that goes in, or what comes out is not one tensor.")
        program, constants = write_program(learn.model, inputs)
    except BundleError as error:
        manifest["model"]["not_recorded"] = str(error)
        warnings.warn(
            f"The model could not be recorded in the file: {error} It can be loaded with an instance: "
            f"load_learner(path, model={name}(...)).",
            stacklevel=3,
        )
        return None
    weights |= constants
    return program


def _manifest_of(learn: Learner) -> dict[str, Any]:
    dl = learn.dls.loaders[-1] if hasattr(learn.dls, "loaders") else learn.dls.valid
    dataset = getattr(dl, "dataset", None)
    tls = list(getattr(dataset, "tls", []))
    n_inp = getattr(dl, "n_inp", 1)
    recorder = getattr(learn, "recorder", None)
    record = (
        dict(zip(list(recorder.metric_names)[1:], recorder.values[-1], strict=False))
        if recorder and recorder.values
        else {}
    )
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "versions": _versions(),
        "model": _model_spec(learn),
        "learner": _class_name(type(learn)) if type(learn).__module__.startswith("vivace.") else None,
        "inputs": _inputs_spec(dataset),
        "loss": _loss_spec(learn.loss_func),
        "n_inp": n_inp,
        "parts": [_part_specs(tl.tfms, is_input=i < n_inp) for i, tl in enumerate(tls)],
        "inputs_of_tuple": n_inp > 1 and any(transform_spec(t) is None for tl in tls[:n_inp] for t in tl.tfms),
        "after_item": _specs(getattr(dl, "after_item", [])),
        "before_batch": _specs(getattr(dl, "before_batch", [])),
        "after_batch": _specs(getattr(dl, "after_batch", [])),
        "bs": getattr(dl, "bs", None),
        "dl_type": _loader_spec(dl),
        "metrics": {k: float(v) for k, v in record.items() if isinstance(v, (int, float))},
    }


def _versions() -> dict[str, str]:
    """What the model was made with: the libraries that build it and prepare its input."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"vivace": __version__, "torch": torch.__version__, "python": platform.python_version()}
    for name in ("torchvision", "timm", "numpy", "pillow", "safetensors"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _class_name(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _loader_spec(dl: Any) -> dict[str, Any] | None:
    """The class of loader that new items need, with its own settings; None for the usual one."""
    cls = type(dl)
    if not isinstance(dl, DataLoader) or cls in (DataLoader, TfmdDL) or not cls.__module__.startswith("vivace."):
        return None
    settings = {name: getattr(dl, name) for name in cls.own_settings}
    plain = {name: value for name, value in settings.items() if not callable(value)}  # of functions the default
    return {"type": _class_name(cls), "args": {k: to_json(v) for k, v in plain.items()}}


def _inputs_spec(dataset: Any) -> dict[str, Any] | None:
    """How to make the data set again when no `DataBlock` did: None for all others."""
    if not isinstance(dataset, PortableInputs):
        return None
    return {"type": _class_name(type(dataset)), "args": to_json(dataset.config())}


def _model_spec(learn: Learner) -> dict[str, Any]:
    if learn.builder is not None:
        return {"builder": learn.builder["builder"], "args": {k: to_json(v) for k, v in learn.builder["args"].items()}}
    spec = module_spec(learn.model)
    if spec is not None:
        return {"modules": spec}
    cls = type(learn.model)
    return {"class": f"{cls.__module__}:{cls.__qualname__}"}


def _loss_spec(loss: Any) -> dict[str, Any] | None:
    is_ours = isinstance(loss, BaseLoss) and loss.func is None and type(loss).__module__.startswith("vivace.")
    if not is_ours:
        name = getattr(loss, "__name__", type(loss).__name__)
        return {"unknown": str(name)}
    try:
        args = {k: to_json(v) for k, v in loss.config().items()}
    except BundleError:
        args = {}
    return {"type": f"{type(loss).__module__}:{type(loss).__qualname__}", "args": args}


def _specs(transforms: Any) -> list[dict[str, Any]]:
    """Those that act on a validation set."""
    specs = []
    for transform in transforms:
        if transform.split_idx == 0:
            continue
        spec = transform_spec(transform)
        if spec is None:
            raise BundleError(
                f"The transform {transform.name} is a plain function, which a bundle cannot hold: write it as a "
                "Transform class in a module that can be imported where the model is loaded."
            )
        specs.append(spec)
    return specs


def _part_specs(transforms: Any, *, is_input: bool) -> list[dict[str, Any]]:
    """The transforms that make an input, or decode a target; getters and lambdas stay behind."""
    specs = [(t, transform_spec(t)) for t in transforms]
    if is_input:
        return [s for _, s in specs if s is not None]
    return [s for t, s in specs if s is not None and t.kind is not None]


def _self_check(learn: Learner, manifest: dict[str, Any]) -> dict[str, Tensor]:
    """One sample as it goes into the model and what comes out, so that loading can check itself."""
    inputs = _sample(learn, manifest["n_inp"])
    if len(inputs) != manifest["n_inp"]:
        return {}
    out = _answer(learn.model, inputs)
    if not isinstance(out, Tensor):
        return {}
    named = {f"{_CHECK}output": plain_tensor(out).cpu().contiguous()}
    for i, part in enumerate(inputs):
        members = [("", part)] if isinstance(part, Tensor) else [(f".{j}", member) for j, member in enumerate(part)]
        named |= {f"{_CHECK}input.{i}{ending}": member.clone() for ending, member in members}
    return named


def _answer(model: nn.Module, inputs: Sequence[Input]) -> Any:
    """What the model makes of these inputs alone: one that keeps a state from batch to batch begins and ends anew."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    reset = getattr(model, "reset", noop)
    reset()
    with torch.no_grad():
        out = model(*to_device(inputs, device))
    reset()
    return out


def _inputs_of(check: dict[str, Tensor]) -> list[Input]:
    """The stored sample as the model takes it: `input.0` is a tensor, `input.0.0` and `input.0.1` make a tuple."""
    parts: dict[int, list[tuple[int, Tensor]]] = {}
    for name, tensor in check.items():
        if name.startswith(f"{_CHECK}input."):
            part, _, member = name.removeprefix(f"{_CHECK}input.").partition(".")
            if not part.isdecimal() or not (member or "0").isdecimal():
                raise BundleError(f"The stored sample has a part of the name {name!r}, which vivace does not write.")
            parts.setdefault(int(part), []).append((int(member or -1), tensor))
    found = [sorted(parts[i], key=lambda pair: pair[0]) for i in sorted(parts)]
    return [p[0][1] if p[0][0] == -1 else tuple(tensor for _, tensor in p) for p in found]


def _first_row(part: Any) -> Any:
    """The first of a batch of tensors or of groups of them; None for anything else."""
    if isinstance(part, Tensor):
        return plain_tensor(part)[:1].cpu().contiguous()
    members = tuple(_first_row(member) for member in part) if isinstance(part, tuple) else ()
    return members if members and all(isinstance(member, Tensor) for member in members) else None


def _sample(learn: Learner, n_inp: int) -> list[Input]:
    try:
        batch = tuple(learn.dls.loaders[-1].one_batch())
    except (DataError, AttributeError, IndexError, StopIteration):
        batch = learn.sample or ()
    return [row for row in map(_first_row, batch[:n_inp]) if row is not None]


# ---------------------------------------------------------------------- reading
def open_bundle(path: Path) -> zipfile.ZipFile:
    if not path.exists():
        near = sorted(p.name for p in path.parent.glob("*.pkl")) if path.parent.exists() else []
        raise DataError(f"There is no file {path}.{' In that folder: ' + ', '.join(near[:5]) + '.' if near else ''}")
    with open(path, "rb") as file:
        head = file.read(4)
    if not head.startswith(b"PK"):
        if head[:1] == b"\x80":
            raise UnsafeFileError(
                f"{path} is a Python pickle. Opening one can run any code, so vivace does not; "
                "export the model again with vivace, or load its weights into a model of your own."
            )
        raise BundleError(f"{path} is no vivace model (it does not begin as one); was the copy or download complete?")
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise BundleError(f"{path} is damaged or incomplete ({error}): copy or download it again.") from error
    _check_members(path, archive)
    return archive


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    names = [info.filename for info in archive.infolist()]
    if MANIFEST not in names:
        archive.close()
        pickled = any(n.endswith("data.pkl") for n in names)
        raise UnsafeFileError(
            f"{path} is {'a torch.save file, so it holds a pickle' if pickled else 'a zip archive, no vivace model'}: "
            "it was not loaded."
        )
    for info in archive.infolist():
        if info.filename not in (MANIFEST, WEIGHTS, PROGRAM) or names.count(info.filename) > 1:
            archive.close()
            raise UnsafeFileError(
                f"{path} holds {info.filename!r}, which does not belong in a vivace model; nothing was loaded."
            )
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size or info.flag_bits & 1:
            archive.close()
            raise UnsafeFileError(
                f"{path} holds {info.filename!r} compressed or encrypted, unlike vivace; nothing was loaded."
            )


def _read(path: Path, archive: zipfile.ZipFile, name: str, limit: int | None = None) -> bytes:
    try:
        info = archive.getinfo(name)
        if limit is not None and info.file_size > limit:
            raise UnsafeFileError(f"{path}: {name} has {info.file_size:,} bytes, more than any model needs.")
        return archive.read(name)
    except KeyError as error:
        raise BundleError(f"{path} holds no {name}: it is incomplete.") from error
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise BundleError(f"{path} is damaged ({error}): copy or download it again.") from error


def read_manifest(fname: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the manifest of an exported model. Only plain JSON is read.

    Raises:
        DataError: there is no such file.
        BundleError: it is damaged, or made by a newer version.
        UnsafeFileError: it is a pickle, or holds what does not belong there.
    """
    path = Path(fname)
    with open_bundle(path) as archive:
        return _manifest(path, archive)


def _json(path: Path, archive: zipfile.ZipFile, name: str) -> Any:
    try:
        return json.loads(_read(path, archive, name, MAX_MANIFEST_BYTES))
    except (ValueError, RecursionError) as error:
        what = "The manifest" if name == MANIFEST else "The recorded model"
        raise BundleError(f"{what} of {path} is no proper JSON: {error}") from error


def _manifest(path: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    manifest = _json(path, archive, MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleError(f"{path} is no vivace model: its manifest does not say so.")
    if not isinstance(manifest.get("format_version"), int) or manifest["format_version"] > FORMAT_VERSION:
        raise BundleError(f"{path} was made by a newer vivace ({manifest.get('versions')}): pip install -U vivace.")
    wrong = next((key for key, is_proper in _PROPER.items() if not is_proper(manifest.get(key))), None)
    if wrong is not None:
        raise BundleError(f"The manifest of {path} has no proper {wrong!r}: the file was changed or is damaged.")
    return manifest


def _is_list_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(isinstance(v, kind) for v in value)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 < value <= 1 << 20


_PROPER: dict[str, Callable[[Any], bool]] = {
    "model": lambda value: isinstance(value, dict),
    "loss": lambda value: value is None or isinstance(value, dict),
    "parts": _is_list_of(list),
    "after_item": _is_list_of(dict),
    "after_batch": _is_list_of(dict),
    "n_inp": _is_count,
    "bs": lambda value: value is None or _is_count(value),
    "metrics": lambda value: isinstance(value, dict) and all(type(v) in (int, float) for v in value.values()),
    "versions": lambda value: isinstance(value, dict) and all(isinstance(v, str) for v in value.values()),
}


def load_learner(
    fname: str | os.PathLike[str],
    cpu: bool = True,
    model: nn.Module | None = None,
    trust: Sequence[str] = (),
    check: bool = True,
) -> Learner:
    """Return a Learner, without data, from a file that `Learner.export` wrote.

    Args:
        fname: the file.
        cpu: keep the model on the CPU; False: the default device.
        model: the model to load the weights into, when it is of a class of your own.
        trust: packages of yours whose transforms may be imported by name.
        check: predict the sample that was stored at export, and compare.

    Raises:
        DataError: there is no such file.
        BundleError: it is damaged, made by a newer version, or does not fit.
        UnsafeFileError: it holds a pickle, or names what is not part of vivace; nothing was executed.
    """
    path = Path(fname)
    with open_bundle(path) as archive:
        manifest = _manifest(path, archive)
        weights = _weights(path, _read(path, archive, WEIGHTS))
        program = _json(path, archive, PROGRAM) if PROGRAM in archive.namelist() else None
    samples = {k: weights.pop(k) for k in list(weights) if k.startswith(_CHECK)}
    constants = {k: weights.pop(k) for k in list(weights) if k.startswith(CONSTANT_PREFIX)}
    if model is not None:
        made = model
    elif program is not None:
        made = read_program(program, weights | constants)
    else:
        with weights_bound(weights):
            made = _make_model(manifest["model"], path)
    try:
        made.load_state_dict(weights, assign=any(p.is_meta for p in made.parameters()))
    except RuntimeError as error:
        raise BundleError(f"The weights in {path} do not fit its model: {error}") from error
    dls = _make_loaders(manifest, trust)
    learner_class = find_class(manifest.get("learner") or _class_name(Learner), (Learner,))
    learn: Learner = learner_class(dls, made, loss_func=_make_loss(manifest.get("loss")), path=path.parent)
    learn.sample = tuple(_inputs_of(samples)) or None
    if "builder" in manifest["model"]:  # so that it can be exported again
        learn.builder = {"builder": manifest["model"]["builder"], "args": from_json(manifest["model"].get("args", {}))}
    learn.to("cpu" if cpu else learn.runtime.device)
    made.eval()
    if check and samples:
        _check(path, learn, samples, is_users=model is not None)
    return learn


def _weights(path: Path, data: bytes) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise BundleError(f"The weights in {path} are damaged ({error}): copy or download it again.") from error


def _why(spec: dict[str, Any]) -> str:
    return f" ({str(spec['not_recorded'])[:300]})" if "not_recorded" in spec else ""


def _make_model(spec: dict[str, Any], path: Path) -> nn.Module:
    if "modules" in spec:
        try:
            return make_module(spec["modules"])
        except RecursionError as error:
            raise BundleError(f"The manifest of {path} nests its layers too deeply.") from error
    if "class" in spec:
        raise BundleError(
            f"The model in {path} is of the class {spec['class']}, which vivace cannot build by itself"
            f"{_why(spec)}: make one and "
            f"give it, load_learner({path.name!r}, model={str(spec['class']).split(':')[-1]}(...))."
        )
    name, args = spec.get("builder"), spec.get("args", {})
    if not isinstance(name, str) or name not in _BUILDERS:
        raise UnsafeFileError(
            f"The manifest of {path} wants to call {name!r}, which builds no model of vivace; it was not called."
        )
    import importlib

    module, _, function = name.rpartition(".")
    build = getattr(importlib.import_module(module), function)
    _check_builder_args(build, args, path)
    return call_checked(build, args, name)  # type: ignore[no-any-return]


def _check_builder_args(build: Any, args: Any, path: Path) -> None:
    """Refuse arguments that would fetch something, open another file, or build what no picture needs."""
    parameters = inspect.signature(build).parameters
    if not isinstance(args, dict) or ("arch" in parameters and not isinstance(args.get("arch"), str)):
        raise BundleError(f"The manifest of {path} does not name the architecture of its model.")
    if ("pretrained" in parameters and args.get("pretrained") is not False) or args.get("weights") is not None:
        raise UnsafeFileError(
            f"The manifest of {path} wants other weights than those in the file (`pretrained` or `weights`): they were "
            "neither downloaded nor opened."
        )
    unsafe = [k for k, v in args.items() if not _is_plain(v)]  # such as a class, which would be called
    if unsafe:
        raise UnsafeFileError(f"The manifest of {path} gives its model {unsafe[0]!r} as {args[unsafe[0]]!r:.60}.")
    check_pixels(args.get("img_size"))


def _is_plain(value: Any) -> bool:
    """Whether it stands for numbers, texts and containers of them."""
    if isinstance(value, dict):
        return all(not k.startswith("$") or k in ("$tuple", "$float") for k in value) and _is_plain([*value.values()])
    return all(_is_plain(v) for v in value) if isinstance(value, list) else True


def _make_loss(spec: Any) -> Any:
    if not isinstance(spec, dict) or "type" not in spec:
        return _NoLoss()
    return call_checked(find_class(spec["type"], (BaseLoss,)), spec.get("args", {}), str(spec["type"]))


class _NoLoss:
    """Stands for a loss that was a function of the user's: predictions stay as they are."""

    def __call__(self, *args: Any) -> Tensor:
        raise BundleError(
            "This model was trained with a loss function of your own, which is not in the file: "
            "set learn.loss_func to train on."
        )


def _make_loaders(manifest: dict[str, Any], trust: Sequence[str]) -> DataLoaders:
    n_inp = manifest["n_inp"]
    parts = [[make_transform(s, trust) for s in part] for part in manifest["parts"]]
    if manifest.get("inputs_of_tuple"):  # in the place of the getters that found them: an item is a tuple of them
        parts[:n_inp] = [[Getter(Entry(i)), *part] for i, part in enumerate(parts[:n_inp])]
    after_item = Pipeline([make_transform(s, trust) for s in manifest["after_item"]], split_idx=1)
    after_batch = Pipeline([make_transform(s, trust) for s in manifest["after_batch"]], split_idx=1)
    before_batch = Pipeline([make_transform(s, trust) for s in manifest.get("before_batch", [])], split_idx=1)
    if manifest.get("inputs") is not None:
        inputs = _make_inputs(manifest["inputs"], trust)
        return inputs.empty_loaders(bs=manifest.get("bs") or 64, after_item=after_item, after_batch=after_batch)
    if not parts:  # the data was the user's own tensors: there is no pipeline to rebuild
        loaders = [TfmdDL([], bs=manifest.get("bs") or 64, split_idx=1) for _ in range(2)]
        for dl in loaders:
            dl.n_inp = n_inp
        return DataLoaders(*loaders)
    dataset = Datasets([], tfms=parts, n_inp=n_inp, do_setup=False)
    spec = manifest.get("dl_type")
    cls = TfmdDL if spec is None else find_class(spec.get("type"), (DataLoader,))
    settings = {} if spec is None else {name: from_json(value) for name, value in spec.get("args", {}).items()}
    if not set(settings) <= set(cls.own_settings):
        raise BundleError(f"The manifest gives {cls.__name__} settings that it does not have: {sorted(settings)}.")
    made = [
        cls(
            dataset,
            bs=manifest.get("bs") or 64,
            after_item=after_item,
            before_batch=before_batch,
            after_batch=after_batch,
            split_idx=1,
            **settings,
        )
        for _ in range(2)
    ]
    return DataLoaders(*made)


def _make_inputs(spec: Any, trust: Sequence[str]) -> PortableInputs:
    """Undo `_inputs_spec`."""
    if not isinstance(spec, dict) or not isinstance(spec.get("args"), dict):
        raise BundleError("The manifest does not say properly what its data set is.")
    cls = find_class(spec.get("type"), (PortableInputs,), trust)
    config = from_json(spec["args"], trust)
    try:
        return cls.from_config(config)  # type: ignore[no-any-return]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise BundleError(f"{spec['type']} cannot be made from the manifest: {error!r}") from error


def _check(path: Path, learn: Learner, samples: dict[str, Tensor], *, is_users: bool) -> None:
    inputs = _inputs_of(samples)
    wanted = samples.get(f"{_CHECK}output")
    if wanted is None or not inputs:
        return
    if not is_users:
        refuse_large_results(learn.model, tuple(inputs))
    try:
        found = _answer(learn.model, inputs)
    except UnsafeFileError:
        raise
    except (RuntimeError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, MemoryError) as error:
        raise BundleError(f"The model in {path} cannot compute its own sample: {error}") from error
    found = plain_tensor(found).cpu() if isinstance(found, Tensor) else found
    if (
        not isinstance(found, Tensor)
        or found.shape != wanted.shape
        or not torch.allclose(found, wanted, rtol=1e-3, atol=1e-3)
    ):
        raise BundleError(
            f"{path} does not predict here what it predicted when it was exported; the file was changed, or a library "
            "computes differently. load_learner(..., check=False) loads it all the same."
        )
