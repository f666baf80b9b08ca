import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from coco_documents import BAR, DOT, annotation, dataset, image, result, write

import compactmask as cm
from compactmask import cli, demo


def run(capsys, *argv):
    """Run a command in this process; give its exit code, stdout and stderr."""
    code = cli.main([str(argument) for argument in argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_convert_ends_with_a_line_of_counts_and_sizes(capsys, tmp_path):
    source, out = write(tmp_path, [result(1), result(2), result(1)]), tmp_path / "out.h5"
    code, text, errors = run(capsys, "convert", source, out)
    sizes = source.stat().st_size, out.stat().st_size
    assert (code, errors) == (0, "")
    assert re.fullmatch(
        rf"{re.escape(str(out))}: 2 images, 3 instances, {sizes[0]:,} bytes in, "
        rf"{sizes[1]:,} bytes out, ratio {sizes[1] / sizes[0]:.3f}, \d+\.\d s\n",
        text,
    )
    assert len(cm.open(out)) == 2


def test_convert_refuses_an_existing_file_without_overwrite(capsys, tmp_path):
    source, out = write(tmp_path, [result()]), tmp_path / "out.h5"
    out.write_bytes(b"precious")
    code, text, errors = run(capsys, "convert", source, out)
    assert (code, text) == (1, "")
    assert errors == f"compactmask: {out}: it exists, and overwrite is not set\n"
    assert run(capsys, "convert", source, out, "--overwrite")[0] == 0


def test_convert_compresses(capsys, tmp_path):
    pixels = np.random.default_rng(7).random(10_000) < 0.5
    edges = np.flatnonzero(np.diff(pixels, prepend=False, append=not pixels[-1]))
    noise = {"size": [100, 100], "counts": np.diff(edges, prepend=0).tolist()}
    source = write(tmp_path, [result(segmentation=noise)] * 20)
    out = tmp_path / "out.h5"
    run(capsys, "convert", source, out)
    assert "compression none" in run(capsys, "info", out)[1]
    plain = out.stat().st_size
    run(capsys, "convert", source, out, "--overwrite", "--compression", "gzip")
    assert "compression gzip" in run(capsys, "info", out)[1]
    assert out.stat().st_size < plain


@pytest.mark.parametrize(("policy", "listed"), [("skip", 0), ("collect", 1)])
def test_convert_leaves_bad_annotations_out_on_demand(capsys, tmp_path, policy, listed):
    bad = annotation(2, segmentation=DOT | {"size": [5, 4]})
    source = write(tmp_path, dataset(annotation(), bad))
    code, text, errors = run(capsys, "convert", source, tmp_path / "a.h5", "--on-error", policy)
    assert code == 0
    assert ": 1 images, 1 instances (1 skipped), " in text
    name = f"annotation 2 (byte {source.read_bytes().index(json.dumps(bad).encode())})"
    message = f"compactmask: {source}: {name}: RLE size is [5, 4], expected [4, 5]\n"
    assert errors == message * listed


def test_an_error_is_one_line_and_exit_code_1(capsys, tmp_path):
    bad = annotation(2, segmentation=DOT | {"size": [5, 4]})
    source = write(tmp_path, dataset(bad))
    name = f"annotation 2 (byte {source.read_bytes().index(json.dumps(bad).encode())})"
    for command in (("convert", source, tmp_path / "a.h5"), ("info", source)):
        code, text, errors = run(capsys, *command)
        assert (code, text) == (1, "")
        assert errors == (f"compactmask: {source}: {name}: RLE size is [5, 4], expected [4, 5]\n")


def test_a_missing_file_is_named_in_one_line(capsys, tmp_path):
    code, _, errors = run(capsys, "info", tmp_path / "nothing")
    assert (code, errors) == (
        1,
        f"compactmask: {tmp_path / 'nothing'}: No such file or directory\n",
    )


@pytest.mark.parametrize("argv", [[], ["nothing"], ["convert", "a"], ["info"], ["demo", "-x"]])
def test_wrong_usage_is_exit_code_2(capsys, argv):
    with pytest.raises(SystemExit) as caught:
        cli.main(argv)
    assert caught.value.code == 2
    assert "usage: compactmask" in capsys.readouterr().err


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"compactmask {cm.__version__}\n"


def test_an_interrupt_is_exit_code_130_and_leaves_nothing(capsys, tmp_path, monkeypatch):
    source = write(tmp_path, [result()])

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(cm.formats.convert._Copy, "_append", interrupt)
    code, text, errors = run(capsys, "convert", source, tmp_path / "out.h5")
    assert (code, text, errors) == (130, "", "compactmask: interrupted\n")
    assert os.listdir(tmp_path) == ["coco.json"]


def test_progress_is_shown_on_a_terminal_only(capsys, tmp_path, monkeypatch):
    source = write(tmp_path, [result(1), result(2)])
    assert run(capsys, "convert", source, tmp_path / "a.h5")[2] == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert " images " in run(capsys, "convert", source, tmp_path / "b.h5")[2]


INFO = dataset(
    annotation(1),
    annotation(2, 8, segmentation=BAR),
    annotation(3, 9, segmentation=None),
    images=[image(7), image(8), image(9)],
)


@pytest.mark.parametrize("kind", ["coco.json", "coco.h5"])
def test_info_tells_counts_and_sizes_as_json(capsys, tmp_path, kind):
    cm.convert(write(tmp_path, INFO), tmp_path / "coco.h5")
    path = tmp_path / kind
    code, text, _ = run(capsys, "info", path, "--json")
    found = json.loads(text)
    sizes = found.pop("bytes")
    assert code == 0
    assert found == {
        "path": str(path),
        "format": "COCO JSON, dataset" if kind == "coco.json" else "HDF5, compactmask 1.0",
        "encoding": "COCO RLE and polygons" if kind == "coco.json" else "edge-words 1",
        "compression": None,
        "images": 3,
        "instances": 3,
        "masks": 2,
        "classes": ["cat"],
        "largest": {
            "instance": 1,
            "image": 1,
            "file_name": "8.jpg",
            "class_name": "cat",
            "area": 4,
            "crop_shape": [4, 1],
        },
    }
    assert sizes["dense"] == 2 * 4 * 5
    assert sizes["file"] == path.stat().st_size
    # Each mask: runs [0, 1] and [0, 4], an array object, its place in a list, a shape, an offset.
    assert sizes["supervision"] == 2 * (8 + 112 + 8 + 16 + 2 * 112)
    assert 0 < sizes["compactmask"] < sizes["supervision"]


def test_info_tells_the_same_to_people(capsys, tmp_path):
    code, text, _ = run(capsys, "info", write(tmp_path, INFO))
    assert code == 0
    for line in (
        "images     3",
        "instances  3, 2 with a mask",
        "classes    1: cat",
        "largest    instance 1, 'cat', 4 pixels in a crop of 1 x 4, image 1 8.jpg",
    ):
        assert line in text.splitlines()
    assert re.search(r"^dense booleans +40 +20$", text, re.MULTILINE)


def test_info_of_an_empty_dataset_has_no_largest_instance(capsys, tmp_path):
    path = write(tmp_path, {"images": []})
    assert json.loads(run(capsys, "info", path, "--json")[1])["largest"] is None
    assert re.search(r"^dense booleans +0 +-$", run(capsys, "info", path)[1], re.MULTILINE)


@pytest.mark.parametrize(
    ("class_id", "name"), [(1, "cat"), (1.0, "cat"), (-1, None), (2, None), (0.5, None)]
)
def test_info_names_the_class_of_the_largest_instance_where_it_has_one(
    capsys, tmp_path, class_id, name
):
    import supervision as sv

    found = sv.Detections(
        xyxy=np.array([[0.0, 0, 4, 4]]),
        mask=np.ones((1, 4, 4), dtype=bool),
        class_id=np.array([class_id]),
    )
    with cm.create(tmp_path / "a.h5", classes=["dog", "cat"]) as out:
        out.append(found)
    code, text, _ = run(capsys, "info", tmp_path / "a.h5", "--json")
    assert (code, json.loads(text)["largest"]["class_name"]) == (0, name)


def shell(command, *arguments, **options):
    """Run the command line in a shell, where it is $0 -m compactmask, and arguments are $1, $2."""
    return subprocess.run(
        ["sh", "-c", command, sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


needs_shell = pytest.mark.skipif(os.name != "posix", reason="this system has no sh")


@needs_shell
def test_letters_that_a_terminal_lacks_are_escaped(tmp_path):
    path = write(tmp_path, dataset(annotation(), categories=[{"id": 3, "name": "caf\u00e9"}]))
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = shell('"$0" -m compactmask info "$1"', path, env=ascii_only)
    assert (done.returncode, done.stderr) == (0, "")
    assert "classes    1: caf\\xe9" in done.stdout.splitlines()


@needs_shell
def test_a_reader_that_goes_away_is_no_error(tmp_path):
    path = write(tmp_path, [result()])
    read, written = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "compactmask", "info", path],
            stdout=written,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    finally:
        os.close(written)
    assert (done.returncode, done.stderr) == (141, "")


@needs_shell
def test_standard_streams_may_be_closed(tmp_path):
    path = write(tmp_path, [result()])
    convert = '"$0" -m compactmask convert "$1" "$2"'
    done = shell(f"{convert} 2>&-", path, tmp_path / "a.h5")
    assert (done.returncode, done.stdout.count("1 images, 1 instances")) == (0, 1)
    done = shell(f"{convert} >&-", path, tmp_path / "b.h5")
    assert (done.returncode, done.stderr) == (0, "")
    done = shell(f"{convert} 2>&-", path, tmp_path / "b.h5")
    assert (done.returncode, done.stdout) == (1, "")


def test_the_demo_prints_its_lines(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "run", lambda output: iter([f"to {output}", "done"]))
    assert run(capsys, "demo", "-o", tmp_path) == (0, f"to {tmp_path}\ndone\n", "")


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "compactmask", "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == f"compactmask {cm.__version__}\n"


def test_info_loads_no_supervision(tmp_path):
    cm.convert(write(tmp_path, INFO), tmp_path / "coco.h5")
    code = (
        "import sys\n"
        "from compactmask.cli import main\n"
        "main(['info', sys.argv[1]])\n"
        "print('supervision' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "coco.h5"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == "False"
