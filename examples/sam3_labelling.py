"""Label a folder of images with SAM 3 by text prompts, into one HDF5 file.

    export ROBOFLOW_API_KEY=...
    python examples/sam3_labelling.py photos/ labels.h5 --prompt person --prompt "red car"

Run it again to go on after a kill, or to try once more those images that were left out.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import io
import json
import os
import random
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus

import requests
import supervision as sv
from labelling import existing_folder, label_folder, orientation, run, size_of, upright, white_of
from PIL import Image

from compactmask.formats import sam3

URL = "https://serverless.roboflow.com"
MODEL = "sam3/sam3_final"
KEY = "ROBOFLOW_API_KEY"
SENT_AS_THEY_ARE = {"JPEG", "PNG", "WEBP"}
NOT_ALLOWED = {401, 402, 403}
LONGEST_WAIT = 60.0
DAY = 86_400
LARGEST = 256 << 20
"""Bytes of an answer, far more than a response has."""
PIECE = 1 << 16
SHORT_KEY = 8
"""A key of fewer letters and digits may be a part of a word."""


class Answer(NamedTuple):
    """What a server answers."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Endpoint:
    """SAM 3 behind HTTP: give it the path of an image, and it gives the response as bytes.

    Parameters
    ----------
    prompts : sequence of str
        What to look for.
    api_key : str
        The key of the account.
    url : str
        The server, up to the path.
    threshold : float
        Least score of what is given.
    tries : int
        How often one image is sent at most.
    wait : float
        Seconds before the second try; they double from try to try.
    timeout : float
        Seconds to wait for the whole answer to one try.

    Raises
    ------
    ValueError
        Where a number is out of its range, or nothing can be sent to the server's address.
    """

    def __init__(
        self,
        prompts: Sequence[str],
        api_key: str,
        url: str = URL,
        threshold: float = 0.5,
        tries: int = 6,
        wait: float = 1.0,
        timeout: float = 120.0,
    ) -> None:
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold is {threshold}, expected 0 to 1")
        if tries < 1:
            raise ValueError(f"tries is {tries}, expected 1 or more")
        if not 0 <= wait <= LONGEST_WAIT:
            raise ValueError(f"wait is {wait}, expected 0 to {LONGEST_WAIT:g} seconds")
        if not 0 < timeout <= DAY:
            raise ValueError(
                f"timeout is {timeout}, expected more than 0 and at most {DAY} seconds"
            )
        self._request = {
            "model_id": MODEL,
            "prompts": [{"type": "text", "text": text} for text in prompts],
            "output_prob_thresh": threshold,
            "format": "rle",
        }
        self._url = f"{url.rstrip('/')}/sam3/concept_segment"
        self._api_key, self._timeout = api_key, timeout
        self._is_like_a_word = len(api_key) < SHORT_KEY and api_key.isalnum()
        self._tries, self._wait = tries, wait
        self._session = requests.Session()
        try:
            request = self._session.prepare_request(requests.Request("POST", self._url))
            self._session.get_adapter(request.url)
        except ValueError as error:
            raise ValueError(self._secret(f"url: {error}")) from None

    def __call__(self, path: Path) -> bytes:
        """Ask for an image's masks, again where that may help.

        Raises
        ------
        RuntimeError
            Where the server refuses the image, redirects it or answers too much, or every try
            failed.
        SystemExit
            Where the server refuses the key: it would refuse every image.
        """
        image = {"type": "base64", "value": base64.b64encode(encoded(path)).decode()}
        problem = ""
        for attempt in range(self._tries):
            asked_to_wait = 0.0
            try:
                answer = self._post(self._request | {"image": image})
            except ValueError as error:  # what cannot be sent, however often it is tried
                raise RuntimeError(self._secret(f"{type(error).__name__}: {error}")) from None
            except requests.RequestException as error:  # a timeout, or a connection that broke
                problem = self._secret(f"{type(error).__name__}: {error}")
            else:
                if 200 <= answer.status < 300:
                    return self._without_key(answer.body)
                said = answer.headers.get("Location", answer.body.decode(errors="replace"))
                problem = f"status {answer.status}: {self._secret(said)[:200]}"
                if answer.status in NOT_ALLOWED:
                    raise SystemExit(f"{self._secret(self._url)}: {problem}: check {KEY}")
                if answer.status < 400:
                    raise RuntimeError(f"{problem}: a redirection, expected an answer")
                if answer.status != 429 and answer.status < 500:
                    raise RuntimeError(problem)
                asked_to_wait = seconds(answer.headers.get("Retry-After", ""))
            if attempt + 1 < self._tries:
                wait = self._wait * 2**attempt * random.uniform(0.5, 1)
                time.sleep(min(max(wait, asked_to_wait), LONGEST_WAIT))
        raise RuntimeError(f"{self._tries} tries failed, the last one with {problem}")

    def _post(self, request: dict[str, Any]) -> Answer:
        """Send a request and wait for all of the answer.

        The timeout of requests limits each read only, and an answer may come in drops. So a thread
        reads it, whose connection is cut when the time is over.
        """
        answer: Future[Answer] = Future()
        begun: list[requests.Response] = []
        end = time.monotonic() + self._timeout

        def post() -> None:
            try:
                with self._session.post(
                    self._url,
                    params={"api_key": self._api_key},
                    json=request,
                    timeout=self._timeout,
                    allow_redirects=False,  # the key would go along
                    stream=True,
                ) as response:
                    begun.append(response)
                    body = whole_body(response, end)
                    answer.set_result(Answer(response.status_code, response.headers, body))
            except BaseException as error:
                answer.set_exception(error)

        threading.Thread(target=post, daemon=True).start()
        try:
            return answer.result(self._timeout)
        except NotInTime:
            for response in begun:
                with contextlib.suppress(OSError, RuntimeError, ValueError):  # it has just ended
                    response.raw.shutdown()
            raise requests.Timeout(f"no whole answer within {self._timeout:g} seconds") from None

    def _secret(self, text: str) -> str:
        """Take the key out of a message, which is cut only then.

        A server may quote it, and a broken connection is told with its URL.
        """
        key = self._api_key
        for spelling in {key, quote(key), quote_plus(key), json.dumps(key)[1:-1]}:
            pattern = re.escape(spelling)
            if self._is_like_a_word:
                pattern = rf"(?<!\w){pattern}(?!\w)"
            text = re.sub(pattern, "***", text)
        return text

    def _without_key(self, answer: bytes) -> bytes:
        """Take the key out of an answer, of which messages may show a part."""
        if self._is_like_a_word:  # masks may hold such words
            return answer
        return self._secret(answer.decode(errors="surrogateescape")).encode(
            errors="surrogateescape"
        )


def whole_body(response: requests.Response, end: float) -> bytes:
    """Read the body of a response, until some time and as far as it may be one of SAM 3."""
    body = bytearray()
    pieces = response.iter_content(PIECE)
    while time.monotonic() < end:
        piece = next(pieces, None)
        if piece is None:
            return bytes(body)
        body += piece
        if len(body) > LARGEST:
            raise RuntimeError(
                f"the answer has more than {LARGEST:,} bytes, far more than a response has"
            )
    raise NotInTime


def seconds(text: str) -> float:
    """Read a Retry-After header; 0 where it is none, or a date."""
    return float(text) if text.strip().isdecimal() else 0.0


def encoded(path: Path) -> bytes:
    """Give the bytes to send: those of the file, or a PNG where a server may misread them."""
    with Image.open(path) as image:
        is_plain = orientation(image) == 1 and white_of(image) == 255
        if image.format in SENT_AS_THEY_ARE and is_plain:
            return path.read_bytes()
    buffer = io.BytesIO()
    upright(path).save(buffer, "PNG")
    return buffer.getvalue()


def label(
    folder: Path, path: Path, prompts: Sequence[str], segment: Callable[[Path], Any]
) -> dict[str, str]:
    """Label a folder with whatever gives responses of SAM 3.

    Parameters
    ----------
    folder, path : Path
        Images, and the HDF5 file, which may exist.
    prompts : sequence of str
        The class names, in the order of the prompts.
    segment : callable
        Takes the path of an image and gives a response in any form that `sam3.parse` takes:
        an :class:`Endpoint`, a client, a model in this process.

    Returns
    -------
    dict of str
        Why images were left out, by their names.
    """

    def detections(image: Path) -> sv.Detections:
        return sam3.parse(segment(image), size_of(image))

    return label_folder(folder, path, detections, prompts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and label a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=existing_folder, help="the images")
    parser.add_argument("path", type=Path, help="the HDF5 file, created or continued")
    parser.add_argument("--prompt", action="append", required=True, help="what to look for")
    parser.add_argument("--threshold", type=float, default=0.5, help="least score")
    parser.add_argument("--url", default=URL, help="the server")
    parser.add_argument("--tries", type=int, default=6, help="how often one image is sent at most")
    parser.add_argument("--wait", type=float, default=1.0, help="seconds before the second try")
    parser.add_argument(
        "--timeout", type=float, default=120.0, help="seconds to wait for a whole answer"
    )
    given = parser.parse_args(arguments)
    key = os.environ.get(KEY, "").strip()
    if not key:
        parser.error(f"the environment variable {KEY} is not set")
    try:
        endpoint = Endpoint(
            given.prompt, key, given.url, given.threshold, given.tries, given.wait, given.timeout
        )
    except ValueError as error:
        parser.error(str(error))
    return run(lambda: label(given.folder, given.path, given.prompt, endpoint))


if __name__ == "__main__":
    raise SystemExit(main())
