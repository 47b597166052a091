"""What the tests of the command share: running it in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from vivace.app.cli import main


@pytest.fixture
def vivace(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run `vivace ARGUMENTS…`, which must end well; return what it printed."""

    def run(*arguments: Any) -> str:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert ended.value.code == 0, printed.err
        return printed.out

    return run


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run `vivace ARGUMENTS…`, which must fail with one line; return that line."""

    def run(*arguments: Any) -> str:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        error = capsys.readouterr().err
        assert ended.value.code == 1
        assert error.startswith("vivace: ") and error.count("\n") == 1
        return error

    return run
