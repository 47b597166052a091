"""Makes torchvision, and with it timm and transformers, importable beside a torch without CUDA.

The wheel of torchvision on PyPI is built for CUDA. Beside a CPU-only torch its compiled operators cannot be loaded, and
`import torchvision` fails with "operator torchvision::nms does not exist", because it registers shape functions for two
of them whether they were loaded or not. All else in torchvision (transforms, models, datasets) is Python and works.

So, when the compiled library does not load, and only then, the schemas of these two operators are declared, without any
implementation: `torchvision.ops.nms` still says, clearly, that it was not compiled.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import sys
import threading
import warnings
from pathlib import Path
from types import ModuleType

import torch

from .lazy import require

__all__ = ["import_timm", "import_torchvision", "import_transformers", "make_torchvision_importable"]

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_lock = threading.RLock()
# Declarations live as long as the object that made them.
_declarations: list[torch.library.Library] = []


def make_torchvision_importable() -> bool:
    """Declare the operators without which `import torchvision` fails, if they are missing.

    Costs milliseconds: torchvision itself is not imported. Facades call it, so that users' own `import timm` works.

    Returns:
        Whether something had to be declared now.
    """
    with _lock:
        if _declarations or "torchvision" in sys.modules or not _missing_operators():
            return False
        folder = _torchvision_folder()
        if folder is None or _loads_compiled_operators(folder):
            return False
        # A fragment can be added to a namespace that somebody else defines; "DEF" could not.
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in _missing_operators():
            library.define(_SCHEMAS[name])
        _declarations.append(library)
        return True


def import_torchvision() -> ModuleType:
    """Import and return torchvision, beside a torch of any kind.

    Raises:
        MissingPackageError: torchvision is not installed.
    """
    return _quiet_import("torchvision")


def import_timm() -> ModuleType:
    """Import and return timm (which imports torchvision), beside a torch of any kind.

    Raises:
        MissingPackageError: timm is not installed.
    """
    return _quiet_import("timm")


def import_transformers() -> ModuleType:
    """Import and return transformers (whose models import torchvision), beside a torch of any kind.

    Raises:
        MissingPackageError: transformers is not installed.
    """
    if importlib.util.find_spec("torchvision") is not None:
        import_torchvision()
    return require("transformers", extra="text", purpose="models of Hugging Face")


def _quiet_import(name: str) -> ModuleType:
    with _lock:
        make_torchvision_importable()
        if name in sys.modules:
            return sys.modules[name]
        with warnings.catch_warnings():
            # Without its compiled part torchvision cannot decode images itself. We decode with Pillow.
            warnings.filterwarnings("ignore", message="Failed to load image Python extension")
            return require(name, purpose="vision models")


def _missing_operators() -> list[str]:
    return [name for name in _SCHEMAS if not torch._C._jit_get_schemas_for_operator(f"torchvision::{name}")]


def _torchvision_folder() -> Path | None:
    spec = importlib.util.find_spec("torchvision")
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _loads_compiled_operators(folder: Path) -> bool:
    """Load torchvision's own operators as it will do itself (a second load of the same file does nothing)."""
    loader = (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES)
    spec = importlib.machinery.FileFinder(str(folder), loader).find_spec("_C")
    if spec is None or spec.origin is None:
        return False
    if sys.platform == "win32":
        os.add_dll_directory(str(folder))
    try:
        torch.ops.load_library(spec.origin)
    except (ImportError, OSError):
        return False
    return not _missing_operators()
