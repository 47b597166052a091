"""From a bundle to an ONNX file that was checked: what `vivace export --onnx` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vivace.core.errors import BundleError

__all__ = ["run_export_onnx"]


def run_export_onnx(
    model: Path,
    out: Path | None,
    check: Path | None,
    *,
    tolerance: float = 1e-3,
    limit: int = 200,
    say: Callable[[str], None] = print,
) -> None:
    """Write the ONNX file of a bundle, and compare the two.

    Args:
        model: a bundle, or the folder of a run that holds one.
        out: the file; beside the bundle, with the ending .onnx, if None.
        check: images to compare on; none if None.
        tolerance: the largest difference of a probability that passes.
        limit: compare so many images at most, evenly spread.
        say: called with each line for the person.

    Raises:
        BundleError: the file predicts something else; it is kept, under a name that says so.
        ArgumentError, DataError, MissingPackageError: see `export_onnx` and `check_onnx`.
    """
    from vivace.app.predicting.files import find_images
    from vivace.inference.bundle import load_learner
    from vivace.inference.inspect import find_bundle
    from vivace.inference.onnx import check_onnx, export_onnx

    bundle = find_bundle(model)
    files = [] if check is None else find_images([check])
    learn = load_learner(bundle)
    out = export_onnx(learn, (bundle.with_suffix(".onnx") if out is None else out).resolve())
    say(f"{out} ({out.stat().st_size / 1e6:.1f} MB)")
    if check is None:
        return
    report = check_onnx(learn, out, files[:: max(1, -(-len(files) // limit))], say)
    say(
        f"{report.n} images: largest difference {report.max_difference:.2g}, same class for {report.n_agree}; "
        f"{report.onnx_ms:.1f} ms an image, the learner {report.learner_ms:.1f} ms"
    )
    if not report.max_difference <= tolerance:
        kept = out.replace(out.with_name(f"{out.stem}.differs{out.suffix}"))
        raise BundleError(
            f"The ONNX file differs from the model by {report.max_difference:.2g} on {report.worst}, and {tolerance:g} "
            f"is allowed. It is kept as {kept}."
        )
