"""Every public name says what it does, with an example."""

import inspect

import pytest

import compactmask as cm
from compactmask import CompactMask

METHODS = [name for name in dir(CompactMask) if not name.startswith("_")]
FUNCTIONS = [name for name in cm.__all__ if name not in ("__version__", "errors")]


def is_explained(one):
    return one.__module__.startswith("compactmask") and ">>> " in (one.__doc__ or "")


@pytest.mark.parametrize("name", METHODS)
def test_a_public_method_is_this_packages_own_and_has_an_example(name):
    found = inspect.getattr_static(CompactMask, name)
    assert is_explained(found.fget if isinstance(found, property) else getattr(CompactMask, name))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_has_an_example(name):
    assert is_explained(getattr(cm, name))
