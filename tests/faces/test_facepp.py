import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest

from s2tf.errors import UserError
from s2tf.faces import facepp
from s2tf.faces.attributes import FEMALE, MALE, UNKNOWN, Attributes
from s2tf.faces.facepp import FacePlusPlus, keys_from_environment

FACE = {"face_token": "a", "face_rectangle": {"width": 100, "height": 100, "left": 3, "top": 4}}
SMALL = {"face_token": "b", "face_rectangle": {"width": 20, "height": 20, "left": 3, "top": 4}}


def face(place, gender, age):
    return {**place, "attributes": {"gender": {"value": gender}, "age": {"value": age}}}


class Service:
    """A server of the documented form, whose answers are queued: (status, content)."""

    def __init__(self):
        self.answers, self.requests = [], []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.requests.append((self.headers["Content-Type"], body))
                status, content = service.answers.pop(0)
                payload = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/facepp/v3/detect"
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setattr(facepp.time, "sleep", lambda seconds: waits.append(seconds))
    one, waits = Service(), []
    one.waits = waits
    yield one
    one.server.shutdown()
    one.server.server_close()


def picture(value=0):
    return np.full((1, 8, 8, 3), value, np.uint8)


def faces(*found):
    return 200, {"request_id": "1", "image_id": "x", "time_used": 9, "face_num": len(found), "faces": list(found)}


def test_facepp_is_asked_in_its_form_and_the_largest_face_counts(service):
    service.answers = [faces(face(SMALL, "Male", 70), face(FACE, "Female", 23)), faces(), faces(SMALL)]
    reader = FacePlusPlus("key", "secret", service.url)
    assert reader.read(np.concatenate([picture(), picture(1), picture(2)])) == [Attributes(FEMALE, 23.0), None, None]
    kind, body = service.requests[0]
    assert kind.startswith("multipart/form-data")
    for part in (b'name="api_key"\r\n\r\nkey', b'name="return_attributes"\r\n\r\ngender,age', b'name="image_file"'):
        assert part in body
    assert b"\x89PNG" in body


def test_facepp_waits_where_it_is_busy_or_fails_and_then_answers(service):
    busy = (403, {"error_message": "CONCURRENCY_LIMIT_EXCEEDED"})
    service.answers = [busy, (500, b"<html>"), faces(face(FACE, "Male", 61))]
    assert FacePlusPlus("key", "secret", service.url, patience=0.5).read(picture()) == [Attributes(MALE, 61.0)]
    # Besides the waits that keep to the rate: twice as long after each failure.
    assert [wait for wait in service.waits if wait in (0.5, 1.0)] == [0.5, 1.0]


def test_facepp_keeps_to_its_rate(service):
    service.answers = [faces(), faces()]
    FacePlusPlus("key", "secret", service.url, per_second=0.01).read(np.concatenate([picture(), picture(1)]))
    assert service.waits[0] == 0.0
    assert 50 < service.waits[1] <= 100


def test_facepp_gives_up_with_what_the_service_said(service):
    service.answers = [(403, {"error_message": "CONCURRENCY_LIMIT_EXCEEDED"})] * 3
    with pytest.raises(UserError, match=r"no answer after 3 attempts: status 403, CONCURRENCY_LIMIT_EXCEEDED"):
        FacePlusPlus("key", "secret", service.url, attempts=3).read(picture())
    service.answers = [(401, {"error_message": "AUTHENTICATION_ERROR"})]
    with pytest.raises(UserError, match="refused a picture: status 401, AUTHENTICATION_ERROR"):
        FacePlusPlus("key", "secret", service.url).read(picture())
    service.answers = [(400, {"error_message": "INVALID_IMAGE_SIZE: image_file"})]
    with pytest.raises(ValueError, match="refused a picture: status 400, INVALID_IMAGE_SIZE") as of_the_picture:
        FacePlusPlus("key", "secret", service.url).read(picture())
    assert not isinstance(of_the_picture.value, UserError)
    service.server.shutdown()
    service.server.server_close()
    with pytest.raises(UserError, match="no answer after 2 attempts: ConnectionError"):
        FacePlusPlus("key", "secret", service.url, attempts=2).read(picture())


def test_facepp_is_paid_for_a_picture_once(service, tmp_path):
    answers = tmp_path / "facepp.jsonl"
    service.answers = [faces(face(FACE, "Male", 30))]
    FacePlusPlus("key", "secret", service.url, answers).read(np.concatenate([picture(), picture()]))
    # As a run that was killed while it wrote leaves it.
    answers.write_text(answers.read_text() + '\n{"picture": "ab')
    again = FacePlusPlus("key", "secret", service.url, answers)
    assert again.read(picture()) == [Attributes(MALE, 30.0)]
    assert len(service.requests) == 1
    service.answers = [faces()]
    assert again.read(picture(9)) == [None]
    assert FacePlusPlus("key", "secret", service.url, answers).read(picture(9)) == [None]
    assert len(service.requests) == 2


def test_a_gender_that_the_service_has_not_named_before_is_unknown(service):
    service.answers = [faces(face(FACE, "Other", 30))]
    assert FacePlusPlus("key", "secret", service.url).read(picture()) == [Attributes(UNKNOWN, 30.0)]


def test_facepp_needs_its_keys(monkeypatch):
    monkeypatch.setenv("FACEPP_API_KEY", "key")
    monkeypatch.delenv("FACEPP_API_SECRET", raising=False)
    with pytest.raises(UserError, match="FACEPP_API_SECRET is not set"):
        keys_from_environment()
