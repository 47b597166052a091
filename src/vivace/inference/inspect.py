"""What is in an exported model, for people: nothing is built or computed to tell it."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vivace.core.errors import BundleError, DataError

from .bundle import PROGRAM, WEIGHTS, open_bundle, read_manifest

__all__ = ["describe_bundle", "find_bundle"]

_MAX_HEADER_BYTES = 100 << 20
_MAX_LABELS = 12
_BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


def find_bundle(path: str | os.PathLike[str]) -> Path:
    """Return the exported model that a person means: the file itself, or the one in the folder of a run.

    Raises:
        DataError: there is none.
    """
    given = Path(path)
    if not given.is_dir():
        return given
    if (given / "export.pkl").is_file():
        return given / "export.pkl"
    raise DataError(f"The folder {given} holds no export.pkl. Give an exported model, or the folder of a run.")


def describe_bundle(path: str | os.PathLike[str]) -> str:
    """Return a summary of an exported model as lines of text.

    Only the manifest and the header of the weights are read. Control characters of names are shown as escapes.

    Raises:
        DataError: there is no such file.
        BundleError: it is damaged, or made by a newer version.
        UnsafeFileError: it is a pickle, or holds what does not belong there.
    """
    file = find_bundle(path)
    manifest, header = read_manifest(file), _weights_header(file)
    weights = {k: v for k, v in header.items() if not k.startswith("__")}
    n_numbers = sum(_count(v.get("shape")) for v in weights.values())
    n_bytes = sum(_count(v.get("shape")) * _BYTES.get(str(v.get("dtype")), 0) for v in weights.values())
    rows = [
        ("file", f"{file} ({file.stat().st_size / 1e6:.1f} MB)"),
        ("model", _model(manifest.get("model"))),
        ("weights", f"{n_numbers:,} numbers in {len(weights)} tensors, {n_bytes / 1e6:.1f} MB"),
        ("input", _inputs(header)),
        ("pipeline", ", ".join(_transforms(manifest)) or "none"),
        ("labels", _labels(manifest)),
        ("loss", str(_short((manifest.get("loss") or {}).get("type", "a function of the user's own")))),
        ("metrics", ", ".join(f"{k} {v:.4g}" for k, v in _items(manifest.get("metrics"))) or "none"),
        ("made with", ", ".join(f"{k} {v}" for k, v in _items(manifest.get("versions")))),
        ("checks itself", "yes" if any(k.startswith("__check__.output") for k in header) else "no sample in the file"),
        ("needs trust", ", ".join(sorted(_foreign(manifest))) or "no: nothing but vivace is imported"),
    ]
    return "\n".join(f"{name:<14} {_safe(text)}" for name, text in rows)


def _weights_header(file: Path) -> dict[str, Any]:
    """Names, types and shapes of the tensors; safetensors begins with them."""
    with open_bundle(file) as archive, archive.open(WEIGHTS) as content:
        try:
            size = int.from_bytes(content.read(8), "little")
            if size > _MAX_HEADER_BYTES:
                raise BundleError(f"The weights in {file} are damaged: their header would have {size:,} bytes.")
            header = json.loads(content.read(size))
        except (ValueError, RecursionError, EOFError, zipfile.BadZipFile) as error:
            raise BundleError(f"The weights in {file} are damaged ({error}): copy or download it again.") from error
        recorded = PROGRAM in archive.namelist()
    if not isinstance(header, dict) or not all(isinstance(v, dict) for v in header.values()):
        raise BundleError(f"The weights in {file} are damaged: their header is no list of tensors.")
    header.pop("__metadata__", None)
    return {**header, "__program__": {"shape": [0]}} if recorded else header


def _count(shape: Any) -> int:
    total = 1
    for side in shape if isinstance(shape, list) else [0]:
        total *= side if isinstance(side, int) else 0
    return total


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _short(name: Any) -> str:
    return str(name).rpartition(":")[2]


def _model(spec: Any) -> str:
    if not isinstance(spec, dict):
        return "not described"
    if "modules" in spec:
        return "layers of torch.nn"
    if "class" in spec:
        state = "cannot be loaded without it" if "not_recorded" in spec else "recorded, loads without it"
        return f"the class {spec['class']} ({state})"
    args = [f"{k}={v!r}" for k, v in _items(spec.get("args")) if isinstance(v, (str, int, float)) and v is not True]
    return f"{str(spec.get('builder')).rpartition('.')[2]}({', '.join(args)})"


def _inputs(header: Mapping[str, Any]) -> str:
    shapes = [v.get("shape") for k, v in sorted(header.items()) if k.startswith("__check__.input.")]
    return ", ".join("×".join(str(n) for n in shape[1:]) for shape in shapes if isinstance(shape, list)) or "not stated"


def _all_specs(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    parts = manifest.get("parts")
    groups = [*(parts if isinstance(parts, list) else []), manifest.get("after_item"), manifest.get("after_batch")]
    groups.append(_specs_within(manifest.get("inputs")))
    return [spec for group in groups if isinstance(group, list) for spec in group if isinstance(spec, dict)]


def _specs_within(value: Any) -> list[Any]:
    """The transforms among the settings of a data set that no `DataBlock` described."""
    if isinstance(value, dict):
        own = [value["$transform"]] if "$transform" in value else []
        return own + [spec for v in value.values() for spec in _specs_within(v)]
    return [spec for v in value for spec in _specs_within(v)] if isinstance(value, list) else []


def _transforms(manifest: Mapping[str, Any]) -> list[str]:
    names = []
    for spec in _all_specs(manifest):
        name = _short(spec.get("type", spec.get("foreign", spec.get("create", "?"))))
        args = dict(_items(spec.get("args")))
        plain = [f"{k}={_plain(v)}" for k, v in args.items() if k in ("size", "method", "mean", "std", "codes")]
        names.append(f"{name}({', '.join(plain)})" if plain else name)
    return names


def _plain(value: Any) -> Any:
    if isinstance(value, dict) and isinstance(value.get("$tuple"), list):
        return tuple(value["$tuple"])
    if isinstance(value, dict) and "$tensor" in value:
        return [round(n, 4) for n in _numbers(value["$tensor"])]
    return value


def _numbers(value: Any) -> list[float]:
    if isinstance(value, list):
        return [n for v in value for n in _numbers(v)]
    return [float(value)] if isinstance(value, (int, float)) else []


def _labels(manifest: Mapping[str, Any]) -> str:
    found = [v for spec in _all_specs(manifest) for k, v in _items(spec.get("args")) if k in ("vocab", "codes")]
    if not found or not isinstance(found[-1], list):
        return "none"
    labels = [str(v) for v in found[-1]]
    more = f", … and {len(labels) - _MAX_LABELS} more" if len(labels) > _MAX_LABELS else ""
    return f"{len(labels)}: {', '.join(labels[:_MAX_LABELS])}{more}"


def _foreign(manifest: Mapping[str, Any]) -> set[str]:
    return {
        str(spec["foreign"]).partition(".")[0].partition(":")[0] for spec in _all_specs(manifest) if "foreign" in spec
    }


def _safe(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
