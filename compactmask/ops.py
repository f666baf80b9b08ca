"""Functions of two and more sets of masks."""
