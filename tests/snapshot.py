"""What every module and class of supervision holds at one moment."""

import sys


def snapshot():
    """Give each attribute of each module of supervision that is loaded, and of its classes."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name == "supervision" or name.startswith("supervision."):
            for attribute, value in list(vars(module).items()):
                found[name, attribute] = value
                if isinstance(value, type) and value.__module__.startswith("supervision"):
                    found.update({(name, attribute, key): x for key, x in vars(value).items()})
    return found


def changed(before, after):
    """Name what is another object, or gone."""
    return sorted(
        ".".join(key) for key in before if key not in after or before[key] is not after[key]
    )
