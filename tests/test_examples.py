"""The scripts in examples/, run as they are against a local server and stand-ins for models."""

import errno
import importlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import fresh
import numpy as np
import pytest
import sam3_responses as made
import supervision as sv
from data import DATA
from PIL import Image
from sam3_server import CUT, DRIP, ENDLESS, SLOW, Server

import compactmask as cm
from compactmask.formats import sam3
from compactmask.formats.hdf5.writer import Writer

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
KEY = "a key+/"
COUNT = 14
LABELLING = "sam3_labelling"


@pytest.fixture
def example(monkeypatch):
    """Import a script by its name."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module


@pytest.fixture
def photos(tmp_path):
    """A folder of images, told apart by the red of their first pixel, and a file that is none."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for i in range(COUNT):
        image = Image.new("RGB", made.WH, (i, 0, 0))
        where = folder / "more" if i % 3 == 0 else folder
        image.save(where / f"{i:02}.png")
    (folder / "notes.txt").write_text("no image")
    return folder


def name_of(number):
    return f"more/{number:02}.png" if number % 3 == 0 else f"{number:02}.png"


def response(number):
    """Polygons for every fifth image, though RLEs are asked for, and nothing for every seventh."""
    if number % 7 == 0:
        return {"prompt_results": [{"prompt_index": 0, "predictions": []}], "time": 0.1}
    if number % 5 == 0:
        return made.concept(made.polygon_predictions())
    return made.concept(made.rle_predictions())


def command(folder, path, url, *more):
    prompts = [word for text in made.TEXTS for word in ("--prompt", text)]
    script = EXAMPLES / f"{LABELLING}.py"
    return [sys.executable, script, folder, path, *prompts, "--url", url, "--wait", "0.01", *more]


def environment(**more):
    paths = os.pathsep.join(str(path) for path in fresh.PATHS)
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return kept | {"PYTHONPATH": paths, "ROBOFLOW_API_KEY": KEY} | more


def run(*arguments, **more):
    return subprocess.run(
        command(*arguments), env=environment(**more), capture_output=True, text=True, timeout=120
    )


def assert_complete(path, left_out=()):
    """Every image is there once, with what the server said of it."""
    numbers = [i for i in range(COUNT) if i not in left_out]
    with cm.open(path) as ds:
        assert ds.classes == made.TEXTS
        assert sorted(ds.images["file_name"]) == sorted(map(name_of, numbers))
        assert set(ds.images["height"]) == {made.SHAPE[0]}
        assert set(ds.images["width"]) == {made.SHAPE[1]}
        for i in numbers:
            found = ds[ds.images["file_name"].tolist().index(name_of(i))]
            assert found == sam3.parse(response(i), made.WH)
            assert len(found) == (0 if i % 7 == 0 else 4)


def test_a_folder_is_labelled_though_the_server_fails_now_and_then(photos, tmp_path):
    failures = {1: [500], 2: [429, 503], 3: [CUT], 5: [CUT, 500, 429], 9: (400,), 11: (502,)}
    with Server(response, failures) as server:
        done = run(photos, tmp_path / "labels.h5", server.url, "--tries", "4", "--threshold", "0.4")
        assert done.returncode == 1
        assert done.stderr.count("left out: ") == 2
        assert f"left out: {name_of(9)}: RuntimeError: status 400: " in done.stderr
        assert f"left out: {name_of(11)}: RuntimeError: 4 tries failed, the last" in done.stderr
        assert KEY not in done.stdout + done.stderr
        sent = Counter(number for number, *_ in server.requests)
        assert sent == dict.fromkeys(range(COUNT), 1) | {1: 2, 2: 3, 3: 2, 5: 4, 9: 1, 11: 4}
        for number, path, query, body, data in server.requests:
            assert (path, query) == ("/sam3/concept_segment", {"api_key": [KEY]})
            assert data == (photos / name_of(number)).read_bytes()
            assert body.pop("image")["type"] == "base64"
            assert body == {
                "model_id": "sam3/sam3_final",
                "prompts": [{"type": "text", "text": text} for text in made.TEXTS],
                "output_prob_thresh": 0.4,
                "format": "rle",
            }
    assert_complete(tmp_path / "labels.h5", left_out=(9, 11))


def test_images_that_were_left_out_are_tried_again_by_the_next_run(photos, tmp_path):
    path = tmp_path / "labels.h5"
    with Server(response, {4: (500,), 8: (400,)}) as server:
        assert run(photos, path, server.url, "--tries", "2").returncode == 1
    assert_complete(path, left_out=(4, 8))
    with Server(response) as server:
        done = run(photos, path, server.url)
        assert (done.returncode, done.stdout) == (0, "")
        assert sorted(server.answered) == [4, 8]
    assert_complete(path)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_run_that_was_killed_goes_on_where_it_was(photos, tmp_path):
    path = tmp_path / "labels.h5"
    with Server(response, {2: [500]}, hold=8) as server:
        process = subprocess.Popen(
            command(photos, path, server.url), env=environment(), stderr=subprocess.DEVNULL
        )
        assert server.held.wait(60)
        process.kill()
        assert process.wait(60) == -signal.SIGKILL
        with cm.open(path) as ds:
            committed = ds.images["file_name"].tolist()
        before = [name_of(number) for number in server.answered]
        assert committed == before
        assert 3 < len(committed) < COUNT
        server.release()
        server.requests.clear()
        done = run(photos, path, server.url)
        assert done.returncode == 0, done.stderr
        again = [name_of(number) for number, *_ in server.requests]
        assert len(again) == len(set(again)) == COUNT - len(committed)
        assert not set(again) & set(committed)
    assert_complete(path)


def test_an_answer_that_comes_too_late_is_asked_for_again(photos, tmp_path):
    with Server(response, {3: [SLOW]}) as server:
        done = run(photos, tmp_path / "labels.h5", server.url, "--timeout", "0.5")
        assert done.returncode == 0, done.stderr
        assert Counter(number for number, *_ in server.requests)[3] == 2
    assert_complete(tmp_path / "labels.h5")


def test_an_answer_that_comes_in_drops_is_not_waited_for(photos, tmp_path):
    with Server(response, {3: [DRIP]}) as server:
        done = run(photos, tmp_path / "labels.h5", server.url, "--timeout", "1")
        assert done.returncode == 0, done.stderr
        assert Counter(number for number, *_ in server.requests)[3] == 2
    assert_complete(tmp_path / "labels.h5")


def test_what_an_answer_lacked_in_its_time_is_told(photos, tmp_path, example):
    with Server(response, {1: (DRIP,)}) as server:
        endpoint = example(LABELLING).Endpoint(
            made.TEXTS, KEY, server.url, tries=2, wait=0.01, timeout=0.5
        )
        with pytest.raises(RuntimeError, match=r"Timeout: no whole answer within 0.5 seconds"):
            endpoint(photos / "01.png")


def posting():
    """Give the threads that wait for an answer."""
    return [thread for thread in threading.enumerate() if thread.name.endswith("(post)")]


@pytest.mark.parametrize("failure", [DRIP, ENDLESS])
def test_nobody_reads_an_answer_when_its_time_is_over(photos, example, failure):
    with Server(response, {1: (failure,)}) as server:
        endpoint = example(LABELLING).Endpoint(
            made.TEXTS, KEY, server.url, tries=2, wait=0.01, timeout=0.3
        )
        with pytest.raises(RuntimeError, match=r"Timeout: no whole answer within 0.3 seconds"):
            endpoint(photos / "01.png")
        for thread in posting():
            thread.join(2)
        assert posting() == []
        assert server.left.wait(2)


def test_an_answer_that_is_too_long_is_refused(photos, example, monkeypatch):
    module = example(LABELLING)
    monkeypatch.setattr(module, "LARGEST", 5_000_000)
    with Server(response, {1: (ENDLESS,)}) as server:
        endpoint = module.Endpoint(made.TEXTS, KEY, server.url, wait=0.01)
        with pytest.raises(RuntimeError, match="answer has more than 5,000,000 bytes, far more"):
            endpoint(photos / "01.png")
        assert len(server.requests) == 1
        assert server.left.wait(2)


def test_a_key_that_is_refused_ends_the_run(photos, tmp_path):
    with Server(response, {1: [401]}) as server:
        done = run(photos, tmp_path / "labels.h5", server.url)
        assert done.returncode == 1
        assert "status 401: " in done.stderr
        assert "check ROBOFLOW_API_KEY" in done.stderr
        assert [number for number, *_ in server.requests][-1] == 1


def test_a_server_that_is_not_there_leaves_images_out_without_telling_the_key(photos, tmp_path):
    with Server(response) as server:
        url = server.url
    for image in photos.rglob("*.png"):
        if image.name != "01.png":
            image.unlink()
    done = run(photos, tmp_path / "labels.h5", url, "--tries", "2")
    assert done.returncode == 1
    assert "left out: 01.png: RuntimeError: 2 tries failed, the last one with Connection" in (
        done.stderr
    )
    assert "api_key=***" in done.stderr
    assert "a+key" not in done.stderr


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("s", "status 400: {'message': 'the key *** of keys is no kiss'}"),
        ("longenough", "status 400: {'message': 'the key *** of keys is no ki***ss'}"),
        ("a b+c/", "status 400: {'message': 'the key *** of keys is no kiss'}"),
    ],
)
def test_a_key_is_taken_out_of_messages_and_a_short_one_as_a_word_only(photos, example, key, told):
    inside = key if len(key) > 8 else ""

    def refused(handler):
        data = repr({"message": f"the key {key} of keys is no ki{inside}ss"}).encode()
        handler.send_response(400)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    with Server(response) as server:
        server.answer = refused
        endpoint = example(LABELLING).Endpoint(made.TEXTS, key, server.url)
        with pytest.raises(RuntimeError) as caught:
            endpoint(photos / "01.png")
    assert str(caught.value) == told


LONG_KEY = "rf_0123456789abcdefghij"


def answering(server, status, text, **headers):
    """Let a server answer every request with a text, which may have the path of the request."""

    def answer(handler):
        handler.rfile.read(int(handler.headers["Content-Length"]))
        server.requests.append(handler.path)
        data = text.encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value.format(path=handler.path))
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    server.answer = answer


@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize(
    ("key", "text"),
    [
        (LONG_KEY, json.dumps({"message": f"the key {LONG_KEY} has expired"})),
        (LONG_KEY, f"<a href=?api_key={LONG_KEY}>sign in</a>"),
        (LONG_KEY, json.dumps({LONG_KEY: {"a": LONG_KEY}})),
        (LONG_KEY, "x" * 190 + LONG_KEY),
        (LONG_KEY, "x" * 20 + LONG_KEY + "x" * 40),
        ("ä key/\\", json.dumps({"message": "the key ä key/\\ has expired"})),
        ("ä key/\\", "<a href=?api_key=%C3%A4+key%2F%5C>sign in</a>"),
        ("ä key/\\", "<a href=?api_key=%C3%A4%20key/%5C>sign in</a>"),
    ],
)
def test_no_part_of_a_key_that_is_answered_is_told(photos, tmp_path, example, key, text, status):
    script = example(LABELLING)
    with Server(response) as server:
        answering(server, status, text)
        endpoint = script.Endpoint(made.TEXTS, key, server.url, tries=1)
        failed = script.label(photos, tmp_path / "labels.h5", made.TEXTS, endpoint)
    assert len(failed) == (1 if status == 401 else COUNT)
    assert not re.search(r"rf_|0123|789a|ghij|ä|key/|key%2F|C3|u00e4", str(failed))


def test_an_answer_without_a_key_is_given_as_it_came(photos, example):
    answer = '{"prompt_results": [], "text": "a b ü", "more": null}'
    with Server(response) as server:
        for key in ("a", "null", LONG_KEY):
            endpoint = example(LABELLING).Endpoint(made.TEXTS, key, server.url)
            answering(server, 200, answer)
            assert endpoint(photos / "01.png") == answer.encode()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_not_followed(photos, example, status):
    with Server(response) as server:
        answering(server, status, "moved", Location="/other{path}")
        endpoint = example(LABELLING).Endpoint(made.TEXTS, LONG_KEY, server.url)
        with pytest.raises(RuntimeError) as caught:
            endpoint(photos / "01.png")
        assert len(server.requests) == 1
    assert str(caught.value) == (
        f"status {status}: /other/sam3/concept_segment?api_key=***: "
        "a redirection, expected an answer"
    )


def test_what_was_left_out_before_a_key_is_refused_is_told(photos, tmp_path):
    with Server(response, {1: (400,), 2: [403]}) as server:
        done = run(photos, tmp_path / "labels.h5", server.url)
        assert [number for number, *_ in server.requests] == [1, 2]
    assert done.returncode == 1
    assert "left out: 01.png: RuntimeError: status 400: " in done.stderr
    assert "left out: 02.png: http://127.0.0.1:" in done.stderr
    assert "check ROBOFLOW_API_KEY" in done.stderr


def test_what_cannot_be_sent_is_not_tried_again(photos, example, monkeypatch):
    endpoint = example(LABELLING).Endpoint(made.TEXTS, LONG_KEY, "http://example.org", wait=60)
    monkeypatch.setenv("http_proxy", "http://")
    with pytest.raises(RuntimeError, match=r"^InvalidProxyURL: Please check proxy URL"):
        endpoint(photos / "01.png")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--url", "localhost/sam", "url: Invalid URL 'localhost/sam/sam3/concept_segment': No sch"),
        ("--url", "localhost:9001", "url: No connection adapters were found for 'localhost:9001/"),
        ("--url", "http://", "url: Invalid URL 'http:"),
        ("--tries", "0", "tries is 0, expected 1 or more"),
        ("--threshold", "nan", "threshold is nan, expected 0 to 1"),
        ("--threshold", "40", "threshold is 40.0, expected 0 to 1"),
        ("--wait", "-1", "wait is -1.0, expected 0 to 60 seconds"),
        ("--timeout", "0", "timeout is 0.0, expected more than 0 and at most 86400 seconds"),
        ("--timeout", "inf", "timeout is inf, expected more than 0 and at most 86400 seconds"),
    ],
)
def test_an_argument_with_which_no_image_can_be_labelled_is_refused(
    photos, tmp_path, example, monkeypatch, capsys, option, value, message
):
    monkeypatch.setenv("ROBOFLOW_API_KEY", KEY)
    with pytest.raises(SystemExit) as caught:
        example(LABELLING).main(
            [str(photos), str(tmp_path / "labels.h5"), "--prompt", "cat", option, value]
        )
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "labels.h5").exists()


@pytest.mark.parametrize("script", ["rfdetr_seg", "yolo_seg"])
@pytest.mark.parametrize("value", ["nan", "-1", "40"])
def test_a_threshold_that_is_no_score_is_refused(photos, tmp_path, example, capsys, script, value):
    with pytest.raises(SystemExit):
        example(script).main([str(photos), str(tmp_path / "labels.h5"), f"--threshold={value}"])
    assert f"--threshold: {value} is no score of 0 to 1" in capsys.readouterr().err


def test_folders_pipes_and_hidden_files_are_no_images(photos, example):
    images = example("labelling").images_in(photos)
    assert len(images) == COUNT
    (photos / "a.png").mkdir()
    (photos / "._01.png").write_bytes(b"\0\5\x16\7")
    (photos / "broken.png").symlink_to("nowhere.png")
    if hasattr(os, "mkfifo"):
        os.mkfifo(photos / "b.png")
    assert example("labelling").images_in(photos) == images


@pytest.mark.parametrize(
    ("key", "folder", "message"),
    [(" ", "photos", "ROBOFLOW_API_KEY is not set"), (KEY, "nothing", "nothing is no folder")],
)
def test_what_is_missing_is_told(photos, tmp_path, key, folder, message):
    done = run(tmp_path / folder, tmp_path / "labels.h5", "http://x", ROBOFLOW_API_KEY=key)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "labels.h5").exists()


def test_a_folder_that_is_not_there_is_told_before_a_file_is_made(tmp_path, example):
    with pytest.raises(NotADirectoryError, match="nothing is no folder"):
        example("labelling").label_folder(
            tmp_path / "nothing", tmp_path / "labels.h5", lambda image: None, made.TEXTS
        )
    assert not (tmp_path / "labels.h5").exists()


@pytest.mark.parametrize("script", ["rfdetr_seg", "yolo_seg"])
def test_a_folder_that_is_not_there_is_told_before_a_model_is_loaded(
    tmp_path, example, script, monkeypatch, capsys
):
    module = example(script)
    monkeypatch.setattr(module, "load", lambda name: pytest.fail("a model is loaded"))
    with pytest.raises(SystemExit) as caught:
        module.main([str(tmp_path / "nothing"), str(tmp_path / "labels.h5")])
    assert caught.value.code == 2
    assert "nothing is no folder" in capsys.readouterr().err
    assert not (tmp_path / "labels.h5").exists()


def test_a_file_of_other_prompts_is_not_continued_and_told_in_one_line(photos, tmp_path):
    path = tmp_path / "labels.h5"
    with cm.create(path, classes=["bird"]):
        pass
    with Server(response) as server:
        done = run(photos, path, server.url)
        assert server.requests == []
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "labels.h5: classes ['cat', 'a red dog', 'bird'], expected to begin with" in done.stderr


def test_a_file_of_other_classes_is_told_in_one_line_by_a_script_of_a_model(
    photos, tmp_path, example, monkeypatch, capsys
):
    script = example("yolo_seg")
    monkeypatch.setattr(script, "load", lambda name: SimpleNamespace(names={0: "cat"}))
    path = tmp_path / "labels.h5"
    with cm.create(path, classes=["bird"]):
        pass
    assert script.main([str(photos), str(path)]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "labels.h5: classes ['cat'], expected to begin with" in told


def test_any_callable_may_give_the_responses(photos, tmp_path, example):
    forms = [json.dumps, lambda value: json.dumps(value).encode(), lambda value: value]

    def segment(path):
        number = int(path.stem)
        if number == 6:
            raise ValueError("no")
        return forms[number % 3](response(number))

    failed = example(LABELLING).label(photos, tmp_path / "labels.h5", made.TEXTS, segment)
    assert failed == {name_of(6): "ValueError: no"}
    assert_complete(tmp_path / "labels.h5", left_out=(6,))


def odd_answers():
    """By image, what stands in its answer that cannot be stored, and what is said of it."""
    surrogate = json.loads(json.dumps(made.concept(made.rle_predictions())))
    surrogate["prompt_results"][0]["echo"]["text"] = "\ud800"
    beyond = made.concept(made.rle_predictions())
    beyond["prompt_results"][1]["prompt_index"] = 7
    negative = made.concept(made.rle_predictions())
    negative["prompt_results"][1]["prompt_index"] = -1
    small = {"masks": {"size": [2, 2], "counts": [0, 4]}, "confidence": 0.5}
    return {
        1: (surrogate, "is not valid Unicode"),
        2: (beyond, "FormatError: detection 2 has class id 7, expected 0 or more and less than 3"),
        3: (negative, r"prompt_results[1].prompt_index is -1, expected 0 or more"),
        4: (made.visual([small]), "size is (2, 2), expected (12, 16)"),
        5: ([], "the response is an empty list"),
        6: (None, "the response is None"),
    }


def test_an_answer_that_cannot_be_stored_does_not_end_the_run(photos, tmp_path, example):
    odd = odd_answers()

    def segment(path):
        number = int(path.stem)
        return odd[number][0] if number in odd else response(number)

    path = tmp_path / "labels.h5"
    failed = example(LABELLING).label(photos, path, made.TEXTS, segment)
    assert sorted(failed) == sorted(map(name_of, odd))
    for number, (_, message) in odd.items():
        assert message in failed[name_of(number)]
    assert_complete(path, left_out=odd)


def test_detections_that_cannot_be_stored_do_not_end_the_run(photos, tmp_path, example):
    class_id = np.zeros(1, np.int64)
    large = sv.Detections(np.ones((1, 4)), mask=np.ones((1, 9, 9), bool), class_id=class_id)
    beyond = sv.Detections(np.ones((1, 4)), class_id=class_id + 3)
    named = sv.Detections(np.ones((1, 4)), data={"name": np.array([object()])})
    odd = {2: None, 3: "text", 4: large, 5: beyond, 6: named}
    path = tmp_path / "labels.h5"
    failed = example("labelling").label_folder(
        photos, path, lambda image: odd.get(int(image.stem), sv.Detections.empty()), made.TEXTS
    )
    assert sorted(failed) == sorted(map(name_of, odd))
    assert failed[name_of(2)] == "TypeError: sv.Detections expected, not NoneType"
    assert failed[name_of(3)] == "TypeError: sv.Detections expected, not str"
    assert "ShapeMismatchError: " in failed[name_of(4)]
    assert "detection 0 has class id 3, expected 0 or more and less than 3" in failed[name_of(5)]
    assert "only str can be stored" in failed[name_of(6)]
    with cm.open(path) as ds:
        assert len(ds) == COUNT - len(odd)


def test_a_file_name_that_is_not_unicode_is_left_out(photos, tmp_path, example):
    name = os.fsdecode(b"\xff.png")
    try:
        (photos / "01.png").rename(photos / name)
    except OSError:
        pytest.skip("the file system has names of Unicode only")
    with Server(response) as server:
        done = run(photos, tmp_path / "labels.h5", server.url)
        assert len(server.requests) == COUNT - 1
    assert done.returncode == 1
    assert done.stderr.count("left out: ") == 1
    assert "is not valid Unicode" in done.stderr
    assert_complete(tmp_path / "labels.h5", left_out=(1,))


def test_a_disk_that_fails_ends_the_run(photos, tmp_path, example, monkeypatch):
    labelled = []

    def label(image):
        labelled.append(image)
        return sv.Detections.empty()

    def full(*arguments, **more):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Writer, "append", full)
    labelling = example("labelling")
    with pytest.raises(OSError, match="No space left"):
        labelling.label_folder(photos, tmp_path / "labels.h5", label, made.TEXTS)
    assert len(labelled) == 1


@pytest.mark.skipif(not (DATA / "sam3-pcs").is_dir(), reason="the real data is not there")
def test_real_responses_go_into_the_file(tmp_path, example):
    folder = tmp_path / "frames"
    folder.mkdir()
    for i in range(2):
        Image.new("RGB", (720, 1280), (i, 0, 0)).save(folder / f"{i}.png")
    forms = [DATA / "sam3-pcs" / f"pcs_f0{name}.json" for name in ("00_polygon", "30_rle")]
    with Server(lambda number: json.loads(forms[number].read_text())) as server:
        more = ("--prompt", "a fourth", "--prompt", "a fifth")
        done = run(folder, tmp_path / "labels.h5", server.url, *more)
        assert done.returncode == 0, done.stderr
    with cm.open(tmp_path / "labels.h5") as ds:
        for i, form in enumerate(forms):
            assert ds[i] == sam3.parse(form.read_bytes(), (720, 1280))


def test_an_image_is_sent_as_it_is_shown(tmp_path, example):
    script = example(LABELLING)
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[:2, :3] = 255
    image = Image.fromarray(pixels)
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(turned, exif=exif, quality=100)
    assert script.size_of(turned) == (4, 6)
    (tmp_path / "sent.png").write_bytes(script.encoded(turned))
    with Image.open(tmp_path / "sent.png") as sent:
        assert sent.size == (4, 6)
        assert np.asarray(sent)[0, -1].min() > 200
        assert np.asarray(sent)[-1].max() < 60
    plain = tmp_path / "plain.bmp"
    image.save(plain)
    assert script.size_of(plain) == (6, 4)
    (tmp_path / "sent.png").write_bytes(script.encoded(plain))
    with Image.open(tmp_path / "sent.png") as sent:
        assert (sent.format, np.array_equal(np.asarray(sent), pixels)) == ("PNG", True)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 10))
def test_an_image_has_the_size_of_its_pixels_as_they_are_shown(
    tmp_path, example, suffix, orientation
):
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[:8, :8] = 255
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if suffix == "webp" else {"quality": 100}
    Image.fromarray(pixels).save(path, exif=exif, **options)
    shown = {
        2: np.fliplr(pixels),
        3: np.rot90(pixels, 2),
        4: np.flipud(pixels),
        5: pixels.transpose(1, 0, 2),
        6: np.rot90(pixels, -1),
        7: np.rot90(pixels, 2).transpose(1, 0, 2),
        8: np.rot90(pixels),
    }.get(orientation, pixels)
    script = example(LABELLING)
    with script.upright(path) as image:
        assert np.array_equal(np.asarray(image) > 128, shown > 128)
    assert script.size_of(path) == shown.shape[1::-1]
    (tmp_path / "sent").write_bytes(script.encoded(path))
    with Image.open(tmp_path / "sent") as sent:
        assert sent.getexif().get(0x0112, 1) in (1, 9)
        assert np.array_equal(np.asarray(sent) > 128, shown > 128)


def tiff_of_12_bits(values):
    """Write a row of an even number of values as a TIFF, two of them in three bytes."""
    bits = "".join(f"{value:012b}" for value in values)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big")
    tags = {256: len(values), 257: 1, 258: 12, 259: 1, 262: 1, 273: 110, 277: 1, 279: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_grey_of_16_bits_is_scaled_to_8(tmp_path, example, suffix, order):
    path = tmp_path / f"a.{suffix}"
    grey = np.arange(0, 65536, 257).astype(order).reshape(16, 16)
    Image.fromarray(grey).save(path)
    script = example(LABELLING)
    expected = np.arange(256).reshape(16, 16)
    assert np.array_equal(np.asarray(script.upright(path)), np.dstack([expected] * 3))
    (tmp_path / "sent").write_bytes(script.encoded(path))
    with Image.open(tmp_path / "sent") as sent:
        assert np.array_equal(np.asarray(sent), np.dstack([expected] * 3))


def test_grey_of_12_bits_in_a_tiff_is_scaled_to_8(tmp_path, example):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff_of_12_bits([0, 2048, 4095, 4095]))
    image = example("labelling").upright(path)
    assert np.asarray(image)[0, :, 0].tolist() == [0, 128, 255, 255]


@pytest.mark.parametrize(("dtype", "mode"), [(np.int32, "I"), (np.float32, "F")])
def test_pixels_of_which_none_is_known_to_be_white_are_left_out(tmp_path, example, dtype, mode):
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(np.ones((4, 6), dtype)).save(folder / "a.tif")
    failed = example("rfdetr_seg").label(
        folder, tmp_path / "labels.h5", lambda image: sv.Detections.empty(), ["a"]
    )
    assert failed == {
        "a.tif": f"ValueError: pixels of mode {mode} do not tell which is white, "
        "expected 8 or 16 bits without a sign"
    }


def dense(number):
    """What a model finds: masks that leave their boxes."""
    boxes = sv.mask_to_xyxy(made.FRAMES).astype(np.float32)
    boxes[0] = [2, 2, 4, 4]
    return sv.Detections(
        xyxy=boxes,
        mask=made.FRAMES.copy(),
        confidence=np.float32(made.SCORES),
        class_id=np.array(made.PROMPTS),
    )[: number % 5]


def test_rf_detr_labels_a_folder_and_no_pixel_outside_a_box_is_lost(photos, tmp_path, example):
    def predict(image):
        assert (image.mode, image.size) == ("RGB", made.WH)
        found = dense(image.getpixel((0, 0))[0])
        found.data["source_shape"] = np.array([[12, 16]] * len(found))
        found.metadata["source_image"] = np.asarray(image)
        return found

    script = example("rfdetr_seg")
    path = tmp_path / "labels.h5"
    classes = script.class_names({0: "cat", 2: "bird"})
    assert classes == ["cat", "1", "bird"]
    assert script.class_names(["a", "b"]) == ["a", "b"]
    assert script.class_names({}) == []
    assert script.label(photos, path, predict, classes) == {}
    assert_dense(path)


def assert_dense(path, boxes=True):
    with cm.open(path) as ds:
        assert len(ds) == COUNT
        for i in range(COUNT):
            found = ds[ds.images["file_name"].tolist().index(name_of(i))]
            expected = dense(i)
            assert len(found) == i % 5
            if len(found):
                assert np.array_equal(found.mask.to_dense(), expected.mask)
            assert np.array_equal(found.xyxy, expected.xyxy)
            assert found.class_id.tolist() == expected.class_id.tolist()
            assert set(found.data) <= {"class_name"}


def test_yolo_labels_a_folder(photos, tmp_path, example):
    def predict(image):
        found = dense(image.getpixel((0, 0))[0])
        boxes = SimpleNamespace(
            xyxy=found.xyxy, conf=found.confidence, cls=found.class_id.astype(float), id=None
        )
        masks = SimpleNamespace(data=found.mask.astype(np.float32)) if len(found) else None
        names = dict(enumerate(made.TEXTS))
        return SimpleNamespace(
            boxes=boxes, masks=masks, obb=None, names=names, orig_shape=made.SHAPE
        )

    path = tmp_path / "labels.h5"
    assert example("yolo_seg").label(photos, path, predict, made.TEXTS) == {}
    assert_dense(path)


@pytest.mark.parametrize(
    ("script", "library"), [("rfdetr_seg", "RF-DETR"), ("yolo_seg", "Ultralytics")]
)
def test_a_model_that_is_not_installed_is_named(photos, tmp_path, example, script, library):
    module = {"rfdetr_seg": "rfdetr", "yolo_seg": "ultralytics"}[script]
    if importlib.util.find_spec(module):
        pytest.skip(f"{module} is installed")
    with pytest.raises(SystemExit, match=f"{library} is not installed: pip install {module}"):
        example(script).main([str(photos), str(tmp_path / "labels.h5")])
