"""Models of Hugging Face as plain modules: word numbers in, scores out. Weights are read from safetensors only.

No code comes along with a model: only architectures that the package transformers itself has are built.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from vivace.core.errors import ArgumentError, ArgumentTypeError, BundleError, DownloadError
from vivace.core.vision_shim import import_transformers, make_torchvision_importable
from vivace.data.web import has_address
from vivace.nn.activations import sigmoid_range

from .core import ARCHITECTURES
from .padding import is_padding

__all__ = [
    "HFClassifier",
    "HFLanguageModel",
    "HFModel",
    "create_hf_model",
    "hf_builder",
    "hf_split",
    "is_hugging_face",
    "make_hf_model",
]

# People who work with these models import transformers themselves; this costs milliseconds and imports nothing.
make_torchvision_importable()

Task = Literal["classification", "language_model"]

_HUB = "huggingface.co"
# Settings that make transformers fetch code or kernels, or speak of where the config came from.
_NOT_CARRIED = {
    "attn_implementation", "auto_map", "experts_implementation", "kernel_config", "quantization_config",
    "trust_remote_code", "use_kernels",
}  # fmt: skip


class HFModel(nn.Module):
    """A model of transformers that takes word numbers, with padding on either side, and returns its scores.

    Args:
        model: the model.
        pad_idx: the number of the padding.
    """

    def __init__(self, model: nn.Module, pad_idx: int) -> None:
        super().__init__()
        self.model, self.pad_idx, self.max_len = model, pad_idx, _longest_text(model)

    @property
    def encoder(self) -> nn.Module:
        """The part that reads: all but the head."""
        return self.model.base_model  # type: ignore[return-value]

    def scores(self, ids: Tensor) -> Tensor:
        """Return what the model puts out; texts longer than it can read lose their end."""
        ids = ids if self.max_len is None else ids[:, : self.max_len]
        mask = ~is_padding(ids, self.pad_idx)
        return self.model(input_ids=ids, attention_mask=mask.long(), use_cache=False).logits  # type: ignore[no-any-return]


class HFClassifier(HFModel):
    """A classifier.

    Args:
        model: a model for sequence classification.
        pad_idx: the number of the padding.
        y_range: lowest and highest output, for numbers as targets.
    """

    def __init__(self, model: nn.Module, pad_idx: int, y_range: Sequence[float] | None = None) -> None:
        super().__init__(model, pad_idx)
        self.y_range = None if y_range is None else (float(y_range[0]), float(y_range[1]))

    def forward(self, ids: Tensor) -> Tensor:
        """Return outputs `(batch, n_out)` of word numbers `(batch, words)`."""
        out = self.scores(ids)
        return out if self.y_range is None else sigmoid_range(out, *self.y_range)


class HFLanguageModel(HFModel):
    """A causal language model. It keeps no state from batch to batch."""

    def forward(self, ids: Tensor) -> Tensor:
        """Return scores of the next word, `(batch, words, vocab)`, of word numbers `(batch, words)`."""
        return self.scores(ids)


def _longest_text(model: nn.Module) -> int | None:
    """How many words the model can read: as many as it has positions for."""
    longest = getattr(model.config, "max_position_embeddings", None)
    for name, part in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(part, nn.Embedding) and part.padding_idx is not None:
            return (
                part.num_embeddings - part.padding_idx - 1
            )  # RoBERTa counts positions from behind its padding's number
    return longest


# ---------------------------------------------------------------------- making
def is_hugging_face(arch: Any) -> bool:
    """Return whether `arch` means a model of Hugging Face: a name that is not ours, a folder, a config or a model."""
    if isinstance(arch, (str, os.PathLike)):
        return arch not in ARCHITECTURES
    return any(cls.__module__.partition(".")[0] == "transformers" for cls in type(arch).__mro__)


def make_hf_model(
    arch: Any,
    task: Task,
    n_out: int | None = None,
    *,
    pad_idx: int | None = None,
    pretrained: bool = True,
    y_range: Sequence[float] | None = None,
) -> HFModel:
    """Return a classifier with `n_out` outputs, or a language model.

    Args:
        arch: a name on the hub, a folder that `save_pretrained` wrote, a config or a model of transformers.
        task: what it shall do.
        n_out: outputs of a classifier.
        pad_idx: the number of the padding (None: the model's).
        pretrained: with its weights; a config has none.
        y_range: see `HFClassifier`.

    Raises:
        DownloadError: there is no such model here, and none can be fetched.
        ArgumentError: a model that is given has another number of outputs.
        MissingPackageError: transformers is not installed.
    """
    transformers: Any = import_transformers()
    auto = _auto_class(task)
    if isinstance(arch, transformers.PreTrainedModel):
        model = arch
        if task == "classification" and model.config.num_labels != n_out:
            raise ArgumentError(
                f"The model has {model.config.num_labels} outputs and the data needs {n_out}: make it with "
                f"num_labels={n_out}."
            )
    elif isinstance(arch, transformers.PretrainedConfig):
        model = auto.from_config(_adapted(arch, task, n_out, pad_idx), trust_remote_code=False)
    elif isinstance(arch, (str, os.PathLike)):
        model = _from_name(os.fspath(arch), auto, task, n_out, pad_idx, pretrained)
    else:
        raise ArgumentTypeError(f"Expected a name, a folder, a config or a model of transformers, got {arch!r:.80}.")
    return _wrapped(model, task, pad_idx, y_range)


def _auto_class(task: Task) -> Any:
    transformers: Any = import_transformers()
    if task == "classification":
        return transformers.AutoModelForSequenceClassification
    return transformers.AutoModelForCausalLM


def _adapted(config: Any, task: Task, n_out: int | None, pad_idx: int | None) -> Any:
    """A copy of a config, for this number of outputs and this padding."""
    config = type(config).from_dict(config.to_dict())
    if task == "classification":
        config.num_labels = n_out
    if pad_idx is not None:
        config.pad_token_id = pad_idx
    return config


def _from_name(name: str, auto: Any, task: Task, n_out: int | None, pad_idx: int | None, pretrained: bool) -> Any:
    """The model in a folder or, by name, on the hub: from the cache if it is there, then from the network."""
    options: dict[str, Any] = {"trust_remote_code": False}
    if not Path(name).is_dir() and not has_address(_HUB):
        options["local_files_only"] = True  # else the hub's own retries take most of a minute
    transformers: Any = import_transformers()
    try:
        config = _adapted(transformers.AutoConfig.from_pretrained(name, **options), task, n_out, pad_idx)
        if not pretrained:
            return auto.from_config(config, trust_remote_code=False)
        return auto.from_pretrained(name, config=config, use_safetensors=True, ignore_mismatched_sizes=True, **options)
    except OSError as error:
        where = "in that folder" if Path(name).is_dir() else f"in the cache, nor at {_HUB}"
        raise DownloadError(
            f"No model {name!r}: there is none {where}, or its weights are no safetensors file. {_first_line(error)}\n"
            "Give the path of a folder with config.json and model.safetensors (what `save_pretrained` writes), "
            "or a model or config of transformers."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _wrapped(model: Any, task: Task, pad_idx: int | None, y_range: Sequence[float] | None) -> HFModel:
    pad = model.config.pad_token_id if pad_idx is None else pad_idx
    if pad is None:
        raise ArgumentError(f"{type(model).__name__} has no number for padding: pass pad_idx.")
    model.config.pad_token_id = pad
    return HFClassifier(model, pad, y_range) if task == "classification" else HFLanguageModel(model, pad)


# ---------------------------------------------------------------------- in a bundle
_BUILDER = f"{__name__}.create_hf_model"


def hf_builder(model: HFModel) -> dict[str, Any]:
    """Return how an exported model is built again, as JSON: its config, without what would fetch anything."""
    config: Any = model.model.config
    args = {"config": _carried(json.loads(config.to_json_string(use_diff=False))), "pad_idx": model.pad_idx}
    if isinstance(model, HFClassifier):
        y_range = None if model.y_range is None else list(model.y_range)
        return {"builder": _BUILDER, "args": {"task": "classification", **args, "y_range": y_range}}
    return {"builder": _BUILDER, "args": {"task": "language_model", **args}}


def create_hf_model(
    task: Task, config: dict[str, Any], pad_idx: int, y_range: Sequence[float] | None = None
) -> HFModel:
    """Return a model without trained weights, from its config as JSON. Nothing is fetched.

    Raises:
        BundleError: the config is of no architecture that transformers has for this task.
    """
    transformers: Any = import_transformers()
    if task not in ("classification", "language_model"):
        raise BundleError(f"There is no task {task!r}.")
    settings = _carried(config)
    kind = settings.get("model_type") if isinstance(settings, dict) else None
    try:
        known = transformers.CONFIG_MAPPING[kind]
        model = _auto_class(task).from_config(known.from_dict(settings), trust_remote_code=False)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"transformers {transformers.__version__} cannot build a {kind!r} for {task}: {error}"
        ) from error
    return _wrapped(model, task, pad_idx, y_range)


def _carried(settings: Any) -> Any:
    """A config without settings that would make transformers fetch code, at any depth."""
    if isinstance(settings, dict):
        return {k: _carried(v) for k, v in settings.items() if not k.startswith(("_", "$")) and k not in _NOT_CARRIED}
    return [_carried(v) for v in settings] if isinstance(settings, list) else settings


# ---------------------------------------------------------------------- groups
def hf_split(model: nn.Module) -> list[list[nn.Parameter]]:
    """Return the parameters in groups: embeddings, each layer, the head with what comes after the layers.

    Raises:
        ArgumentTypeError: it is no model of `make_hf_model`.
    """
    if not isinstance(model, HFModel):
        raise ArgumentTypeError(f"hf_split divides an HFModel, got {type(model).__name__}.")
    stacks = [m for m in model.encoder.modules() if isinstance(m, nn.ModuleList)]
    layers = max((list(stack) for stack in stacks), key=len, default=[])
    group_of = {id(p): i for i, layer in enumerate(layers, 1) for p in layer.parameters()}
    read_before = {id(p) for p in _before_layers(model.encoder, group_of)}
    groups: list[list[nn.Parameter]] = [[] for _ in range(len(layers) + 2)]
    for parameter in model.parameters():  # each once, also those that are tied
        groups[0 if id(parameter) in read_before else group_of.get(id(parameter), -1)].append(parameter)
    return [group for group in groups if group]


def _before_layers(encoder: nn.Module, in_layers: dict[int, int]) -> list[nn.Parameter]:
    """The parameters that stand before the first layer."""
    before: list[nn.Parameter] = []
    for parameter in encoder.parameters():
        if id(parameter) in in_layers:
            break
        before.append(parameter)
    return before
