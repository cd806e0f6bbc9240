"""Gender and age by Face++, the commercial service that the paper uses (its Detect interface, version 3).

A request is a POST of a form with `api_key`, `api_secret`, `return_attributes=gender,age` and the picture as
`image_file`; the answer is JSON with `faces`, each with `face_rectangle` and, of the largest five at least,
`attributes`. An error has an `error_message`; CONCURRENCY_LIMIT_EXCEEDED (status 403) means to ask again later. Every
answer costs money, so answers are kept in a file, and each picture is sent once.
"""

import hashlib
import io
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import requests
from PIL import Image

from s2tf.errors import UserError
from s2tf.faces.attributes import FEMALE, MALE, UNKNOWN, Attributes

URL = "https://api-us.faceplusplus.com/facepp/v3/detect"
KEY, SECRET, URL_VARIABLE = "FACEPP_API_KEY", "FACEPP_API_SECRET", "FACEPP_URL"
BUSY = "CONCURRENCY_LIMIT_EXCEEDED"
OF_THE_PICTURE = ("IMAGE_ERROR_UNSUPPORTED_FORMAT", "INVALID_IMAGE_SIZE")
"""Beginnings of errors of a single picture, such as one smaller than 48 pixels."""
GENDERS = {"Female": FEMALE, "Male": MALE}


def keys_from_environment() -> tuple[str, str, str]:
    """Key, secret and address of the service.

    Raises:
        UserError: The key or the secret is not set.
    """
    missing = [name for name in (KEY, SECRET) if not os.environ.get(name)]
    if missing:
        raise UserError(f"--attributes facepp: the environment variable {' and '.join(missing)} is not set")
    return os.environ[KEY], os.environ[SECRET], os.environ.get(URL_VARIABLE, URL)


class FacePlusPlus:
    """An `AttributeReader` that asks Face++.

    Args:
        key: `api_key` of the account.
        secret: `api_secret`.
        url: Address of the Detect interface; keys of China have another one.
        answers: File of the answers so far, as JSON lines with the pictures' hashes; None keeps them in memory only.
        per_second: Requests per second; a free key allows one.
        attempts: Attempts for each picture before it is an error.
        patience: Seconds to wait after the first failure; they double with each further one.
        timeout: Seconds for one request.
    """

    packages = ()

    def __init__(
        self,
        key: str,
        secret: str,
        url: str = URL,
        answers: Path | None = None,
        per_second: float = 1.0,
        attempts: int = 6,
        patience: float = 1.0,
        timeout: float = 30.0,
    ) -> None:
        self.key, self.secret, self.url = key, secret, url
        self.answers_file, self.answers = answers, _read(answers)
        self.interval, self.attempts, self.patience, self.timeout = 1 / per_second, attempts, patience, timeout
        self._next = 0.0

    @property
    def protocol(self) -> Mapping[str, Any]:
        """The name of the service, which does not name its model."""
        return {"network": "Face++ Detect v3", "several faces": "the largest"}

    def read(self, pictures: np.ndarray) -> list[Attributes | None]:
        """Gender and age of pictures (N, H, W, 3) uint8; None where no face is found.

        Raises:
            UserError: The service refuses, or does not answer after all attempts; earlier answers are kept.
            ValueError: The service cannot read one of the pictures.
        """
        return [self._attributes(picture) for picture in pictures]

    def _attributes(self, picture: np.ndarray) -> Attributes | None:
        content = np.ascontiguousarray(picture)
        digest = hashlib.sha256(str(content.shape).encode() + content.tobytes()).hexdigest()[:32]
        if digest not in self.answers:
            self.answers[digest] = self._ask(content)
            if self.answers_file is not None:
                self.answers_file.parent.mkdir(parents=True, exist_ok=True)
                with open(self.answers_file, "a") as file:
                    # The newline comes first, since the line before may be incomplete.
                    file.write("\n" + json.dumps({"picture": digest, "faces": self.answers[digest]}))
        return _largest(self.answers[digest])

    def _ask(self, picture: np.ndarray) -> list[dict[str, Any]]:
        """The faces of a picture, as the service returns them."""
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, format="PNG")
        form = {"api_key": self.key, "api_secret": self.secret, "return_attributes": "gender,age"}
        problem = ""
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(self.patience * 2 ** (attempt - 1))
            time.sleep(max(0.0, self._next - time.monotonic()))
            self._next = time.monotonic() + self.interval
            try:
                files = {"image_file": ("face.png", buffer.getvalue(), "image/png")}
                answer = requests.post(self.url, data=form, files=files, timeout=self.timeout)
            except requests.RequestException as error:
                problem = f"{type(error).__name__}: {error}"
                continue
            content = _json(answer)
            if answer.ok and isinstance(content.get("faces"), list):
                return content["faces"]
            problem = f"status {answer.status_code}, {content.get('error_message', answer.text[:200])}"
            if answer.status_code < 500 and answer.status_code != 429 and content.get("error_message") != BUSY:
                own = str(content.get("error_message")).startswith(OF_THE_PICTURE)
                raise (ValueError if own else UserError)(f"Face++ ({self.url}) refused a picture: {problem}")
        raise UserError(f"Face++ ({self.url}) gave no answer after {self.attempts} attempts: {problem}")


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _largest(faces: list[dict[str, Any]]) -> Attributes | None:
    known = [face for face in faces if "attributes" in face]
    if not known:
        return None
    face = max(known, key=lambda one: one["face_rectangle"]["width"] * one["face_rectangle"]["height"])
    values = face["attributes"]
    # The service writes both MALE and Male.
    return Attributes(GENDERS.get(str(values["gender"]["value"]).capitalize(), UNKNOWN), float(values["age"]["value"]))


def _read(path: Path | None) -> dict[str, list[dict[str, Any]]]:
    if path is None or not path.is_file():
        return {}
    answers = {}
    for line in path.read_text().splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            # The last line of a process that was killed.
            continue
        answers[record["picture"]] = record["faces"]
    return answers
