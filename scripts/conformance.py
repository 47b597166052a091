"""Run the suite of fastai behaviours with vivace, and fail if a test that passed before no longer does.

    python scripts/conformance.py --suite FOLDER             compare with tests/conformance_expected.txt
    python scripts/conformance.py --suite FOLDER --update    rewrite that list
    python scripts/conformance.py --results FOLDER           compare the results (XML files) of an earlier run

The suite is not part of this repository; its `run.sh PACKAGE PYTHON` writes junit XML into `$CONFORM_OUT`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

EXPECTED = Path(__file__).resolve().parents[1] / "tests" / "conformance_expected.txt"


def run_suite(suite: Path, results: Path) -> None:
    """Run the suite with this interpreter; its own exit code says only that something failed."""
    environment = {
        **os.environ,
        "CONFORM_OUT": str(results),
        "CONFORM_TIMEOUT": os.environ.get("CONFORM_TIMEOUT", "600"),
    }
    options = ["-n", os.environ.get("TEST_WORKERS", "2")]
    command = [str(suite / "run.sh"), "vivace", sys.executable, *options]
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)


def read_results(folder: Path) -> dict[str, str]:
    """Return "passed", "failed" or "skipped" by the name of the test."""
    outcomes: dict[str, str] = {}
    for file in sorted(folder.glob("*.xml")):
        for case in ElementTree.parse(file).iter("testcase"):
            name = f"{case.get('classname')}::{case.get('name')}"
            if case.find("skipped") is not None:
                outcomes[name] = "skipped"
            elif case.find("failure") is not None or case.find("error") is not None:
                outcomes[name] = "failed"
            else:
                outcomes[name] = "passed"
    return outcomes


def print_counts(outcomes: dict[str, str]) -> None:
    """Print one line per file of tests."""
    areas: dict[str, list[str]] = defaultdict(list)
    for name, outcome in outcomes.items():
        areas[name.split("::")[0].split(".")[-1]].append(outcome)
    for area, results in sorted(areas.items()):
        print(f"{area:20} {results.count('passed'):4} of {len(results) - results.count('skipped'):4} pass")
    passed = sum(outcome == "passed" for outcome in outcomes.values())
    print(f"{'conformance':20} {passed:4} of {len(outcomes):4} pass")


def main() -> int:
    """Return the exit code: 1 if an expected test does not pass."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--suite", type=Path, help="folder with the suite's run.sh")
    source.add_argument("--results", type=Path, help="folder with the XML files of an earlier run")
    parser.add_argument("--update", action="store_true", help="write the list of expected passes instead of comparing")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as made:
        results = options.results or Path(made)
        if options.suite:
            run_suite(options.suite.resolve(), results)
        outcomes = read_results(results)
    if not outcomes:
        print("conformance: the suite gave no results")
        return 1
    print_counts(outcomes)
    passed = sorted(name for name, outcome in outcomes.items() if outcome == "passed")
    if options.update:
        EXPECTED.write_text("\n".join(passed) + "\n")
        print(f"{len(passed)} expected passes written to {EXPECTED.name}")
        return 0
    expected = EXPECTED.read_text().splitlines() if EXPECTED.exists() else []
    lost = [name for name in expected if outcomes.get(name) not in ("passed", "skipped")]
    for name in lost:
        print(f"no longer passes: {name} ({outcomes.get(name, 'not run')})")
    return 1 if lost else 0


if __name__ == "__main__":
    raise SystemExit(main())
