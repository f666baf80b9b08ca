"""System calls of a writer, recorded, and the states of a disk that they may leave behind."""

import os
from typing import NamedTuple

from compactmask.formats import disk

SECTOR = 512
CHANGING = ("create", "open_to_write", "write", "truncate", "sync", "sync_folder")
RENAMING = ("replace", "link", "remove")


class Write(NamedTuple):
    file: int
    offset: int
    data: bytes


class Resize(NamedTuple):
    file: int
    size: int


class Sync(NamedTuple):
    """What was done to a file before is on the disk."""

    file: int


class Rename(NamedTuple):
    """Names get other files at once; None takes a name away."""

    files: dict


class SyncNames(NamedTuple):
    """What was done to names before is on the disk."""


class Progress(NamedTuple):
    """How far a writer has come."""

    is_created: bool = False
    acknowledged: int = 0
    begun: int = 0
    folded: int = 0
    """Changes that the last completed checkpoint has put into the file."""


class Disk:
    """Files by number, and their names in one folder."""

    def __init__(self, files=(), names=()):
        self.files = {number: bytearray(data) for number, data in dict(files).items()}
        self.names = dict(names)

    @classmethod
    def of(cls, folder):
        names = sorted(os.listdir(folder))
        files = {i: (folder / name).read_bytes() for i, name in enumerate(names)}
        return cls(files, {name: i for i, name in enumerate(names)})

    def copy(self):
        return Disk(self.files, self.names)

    def apply(self, operation):
        match operation:
            case Write(file, offset, data):
                content = self.files.setdefault(file, bytearray())
                content.extend(bytes(max(0, offset - len(content))))
                content[offset : offset + len(data)] = data
            case Resize(file, size):
                content = self.files.setdefault(file, bytearray())
                del content[size:]
                content.extend(bytes(size - len(content)))
            case Rename(files):
                for name, file in files.items():
                    if file is None:
                        self.names.pop(name, None)
                    else:
                        self.names[name] = file
                        self.files.setdefault(file, bytearray())

    def visible(self):
        """Give what a process sees: the content of each name."""
        return {name: bytes(self.files[file]) for name, file in sorted(self.names.items())}


class Recorder:
    """Notes every change that goes through the package's one place for them, and does it too.

    Nothing waits for the real disk meanwhile.

    Parameters
    ----------
    monkeypatch : pytest.MonkeyPatch
        Puts it in place.
    start : Disk
        What the folder holds at the beginning.
    """

    def __init__(self, monkeypatch, start=None):
        self.start = Disk() if start is None else start
        self.operations = []
        self.progress = Progress()
        self.reached = []
        """The progress before each operation, and at the end."""
        self._now = self.start.copy()
        self._files = {}
        self._real = {name: getattr(disk, name) for name in (*CHANGING, *RENAMING)}
        for name in self._real:
            monkeypatch.setattr(disk, name, getattr(self, f"_{name}"))

    def note(self, **progress):
        """Note how far the writer has come."""
        self.progress = self.progress._replace(**progress)

    def end(self):
        """Note that nothing more comes."""
        self.reached.append(self.progress)

    def _did(self, operation):
        self.reached.append(self.progress)
        self.operations.append(operation)
        self._now.apply(operation)

    def _create(self, path):
        fd = self._real["create"](path)
        self._files[fd] = number = len(self._now.files)
        self._did(Rename({os.path.basename(path): number}))
        return fd

    def _open_to_write(self, path):
        fd = self._real["open_to_write"](path)
        self._files[fd] = self._now.names[os.path.basename(path)]
        return fd

    def _write(self, fd, data, offset):
        self._real["write"](fd, data, offset)
        self._did(Write(self._files[fd], offset, bytes(data)))

    def _truncate(self, fd, size):
        self._real["truncate"](fd, size)
        self._did(Resize(self._files[fd], size))

    def _sync(self, fd):
        self._did(Sync(self._files[fd]))

    def _sync_folder(self, path):
        self._did(SyncNames())

    def _replace(self, source, target):
        self._real["replace"](source, target)
        self._renamed(target, self._now.names[os.path.basename(source)], os.path.basename(source))

    def _link(self, source, target):
        self._real["link"](source, target)
        self._renamed(target, self._now.names[os.path.basename(source)])

    def _remove(self, path):
        self._real["remove"](path)
        name = os.path.basename(path)
        self._did(Rename({name: None}))
        if name.endswith(".journal"):
            self.note(folded=self.progress.begun)

    def _renamed(self, target, file, gone=None):
        names = {os.path.basename(target): file}
        self._did(Rename(names if gone is None else {**names, gone: None}))


def prefixes(recorder):
    """Give what a killed process leaves: the progress and the disk before each operation."""
    now = recorder.start.copy()
    for progress, operation in zip(recorder.reached, [*recorder.operations, None], strict=True):
        yield progress, now
        if operation is not None:
            now.apply(operation)


def torn(recorder):
    """Give what is left of each write that was cut in the middle of it."""
    for (progress, before), operation in zip(prefixes(recorder), recorder.operations, strict=False):
        if isinstance(operation, Write):
            for count in _cuts(operation):
                after = before.copy()
                after.apply(operation._replace(data=operation.data[:count]))
                yield progress, after


def _cuts(write):
    """Give numbers of bytes: odd ones, and some that end with a sector."""
    size = len(write.data)
    sectors = [*range(SECTOR - write.offset % SECTOR, size, SECTOR)]
    return sorted({3, size // 2, size - 1, *sectors[:1], *sectors[-1:]} & {*range(1, size)})


def after_power_loss(recorder, count, rng):
    """Give what may be on the disk when the power fails before an operation.

    What was synced is there. Of what came later, each operation may be there, or not, or some
    sectors of it, in any order; names likewise.

    Parameters
    ----------
    recorder : Recorder
        What was done.
    count : int
        How many of its operations had begun.
    rng : random.Random
        Draws one of the states.
    """
    found = recorder.start.copy()
    waiting = []
    for operation in recorder.operations[:count]:
        match operation:
            case Sync(file):
                ready = [o for o in waiting if not isinstance(o, Rename) and o.file == file]
            case SyncNames():
                ready = [o for o in waiting if isinstance(o, Rename)]
            case _:
                waiting.append(operation)
                continue
        waiting = [o for o in waiting if not any(o is done for done in ready)]
        for done in ready:
            found.apply(done)
    share = rng.choice((0.0, 0.5, 0.9, 1.0))
    kept = [operation for operation in waiting if rng.random() < share]
    if rng.random() < 0.5:
        rng.shuffle(kept)
    is_torn = rng.random() < 0.5
    for operation in kept:
        for part in _sectors(operation, rng) if is_torn else [operation]:
            found.apply(part)
    return found


def _sectors(operation, rng):
    """Give some of the sectors of a write; anything else is done as a whole."""
    if not isinstance(operation, Write):
        return [operation]
    file, offset, data = operation
    ends = [*range(SECTOR - offset % SECTOR, len(data), SECTOR), len(data)]
    pieces = zip([0, *ends[:-1]], ends, strict=True)
    return [Write(file, offset + a, data[a:b]) for a, b in pieces if rng.random() < 0.5]
