"""Where a writer leaves its rows: in a log beside the file, or in one that nobody sees yet."""

from __future__ import annotations

from typing import Protocol

from .store import Store


class Target(Protocol):
    """Where a writer leaves its rows."""

    @property
    def path(self) -> str:
        """The file."""

    @property
    def commits(self) -> int:
        """Changes whenever a commit has succeeded."""

    def commit(self, store: Store) -> None:
        """Commit what the store was given."""

    def fold_when_due(self, store: Store) -> None:
        """Move rows from memory into the file where there are enough."""

    def close(self, store: Store) -> None:
        """Complete the file, and let go of it."""

    def abandon(self) -> None:
        """Let go of the file as it is."""
