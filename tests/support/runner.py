"""Lets `manage.py test` run the tests as pytest does."""

from typing import Any

import pytest


class PytestRunner:
    def __init__(
        self, verbosity: int = 1, failfast: bool = False, keepdb: bool = False, **options: Any
    ) -> None:
        self.arguments = [
            *(["-x"] if failfast else []),
            *(["--reuse-db"] if keepdb else []),
            *(["-v"] if verbosity > 1 else []),
        ]

    @classmethod
    def add_arguments(cls, parser: Any) -> None:
        parser.add_argument("--keepdb", action="store_true")

    def run_tests(self, labels: list[str], **kwargs: Any) -> int:
        return int(pytest.main(["-p", "tests.support.env", *self.arguments, *labels]))
