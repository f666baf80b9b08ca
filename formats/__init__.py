"""Formats on disk: HDF5, the format of this package, and COCO JSON."""
