from typing_extensions import Buffer

KINDS: dict[str, int]
MOST_BRACKETS: int

def value_at(text: Buffer, start: int) -> tuple[int, int, bool]: ...
