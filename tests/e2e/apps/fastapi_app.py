"""The FastAPI app of the end-to-end tests."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

app = FastAPI()


@app.api_route("/", methods=["GET", "POST", "PUT", "DELETE"])
async def show(request: Request) -> dict[str, Any]:
    body = await request.body()
    return {"method": request.method, "fields": list(request.headers.items()), "body": body.decode()}


@app.api_route("/upload", methods=["POST", "PUT"])
async def upload(request: Request) -> dict[str, Any]:
    digest, count = hashlib.sha256(), 0
    async for piece in request.stream():
        digest.update(piece)
        count += len(piece)
    return {"bytes": count, "sha256": digest.hexdigest()}


@app.get("/stream")
async def stream() -> StreamingResponse:
    async def pieces() -> AsyncIterator[str]:
        for number in range(100):
            yield f"piece {number}\n"

    return StreamingResponse(pieces(), media_type="text/plain")


@app.get("/cookies")
async def cookies() -> Response:
    response = Response("set")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", httponly=True)
    return response


@app.get("/events")
async def events() -> StreamingResponse:
    async def pieces() -> AsyncIterator[str]:
        for number in range(3):
            yield f"data: {number}\n\n"
        await asyncio.Event().wait()

    return StreamingResponse(pieces(), media_type="text/event-stream")


@app.websocket("/ws")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    with suppress(WebSocketDisconnect):
        while True:
            await socket.send_text(await socket.receive_text())
