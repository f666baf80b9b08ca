"""A loader of YAML for files that anyone may have written."""

from __future__ import annotations

import yaml

LONGEST_INTEGER = 4300
"""Characters; as many digits as Python converts."""
INTEGER = "tag:yaml.org,2002:int"


class Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Loads plain values; an integer of base 60 takes time by the square of its length."""

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> str:
        """Give the text of a value, which is short where it is that of an integer."""
        text: str = super().construct_scalar(node)
        if node.tag == INTEGER and len(text) > LONGEST_INTEGER:
            problem = (
                f"an integer of {len(text):,} characters, {LONGEST_INTEGER:,} at most expected"
            )
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return text
