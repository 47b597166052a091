"""Hooks under the name that scripts know."""

from __future__ import annotations

from vivace.nn.hooks import (
    Hook,
    Hooks,
    dummy_eval,
    evaluating,
    hook_output,
    hook_outputs,
    model_sizes,
    num_features_model,
)
from vivace.nn.summary import (
    LayerInfo,
    layer_info,
    module_summary,
)
from vivace.training.callbacks.hook import (
    ActivationStats,
    HookCallback,
)

__all__ = [
    "ActivationStats",
    "Hook",
    "HookCallback",
    "Hooks",
    "LayerInfo",
    "dummy_eval",
    "evaluating",
    "hook_output",
    "hook_outputs",
    "layer_info",
    "model_sizes",
    "module_summary",
    "num_features_model",
]
