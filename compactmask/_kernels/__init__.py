"""Compiled loops over packed masks; what each file does stands at its top.

Every kernel takes arrays that `compactmask._check` has normalised, or packed bytes and COCO
strings that it validates itself. Loops over masks run without the GIL and report a `Status`;
`status.fail` turns that into an exception once the GIL is held again.
"""
