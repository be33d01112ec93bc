"""The Flask app of the end-to-end tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from flask import Flask, Response, jsonify, make_response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

app = Flask(__name__)


@app.route("/", methods=["GET", "POST", "PUT", "DELETE"])
def show() -> Response:
    return jsonify(method=request.method, fields=list(request.headers.items()), body=request.get_data(as_text=True))


@app.route("/upload", methods=["POST", "PUT"])
def upload() -> Response:
    digest, count = hashlib.sha256(), 0
    while piece := request.stream.read(1 << 20):
        digest.update(piece)
        count += len(piece)
    return jsonify(bytes=count, sha256=digest.hexdigest())


@app.route("/stream")
def stream() -> Response:
    def pieces() -> Iterator[str]:
        for number in range(100):
            yield f"piece {number}\n"

    return Response(pieces(), mimetype="text/plain")


@app.route("/cookies")
def cookies() -> Response:
    response = make_response("set")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", httponly=True)
    return response


@app.route("/moved")
def moved() -> BaseResponse:
    return redirect("/")
