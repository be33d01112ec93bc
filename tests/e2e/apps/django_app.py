"""The Django app of the end-to-end tests, in one file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.http import condition

settings.configure(
    SECRET_KEY="for tests only",
    ALLOWED_HOSTS=[".example.com"],
    ROOT_URLCONF=__name__,
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
)


def show(request: HttpRequest) -> HttpResponse:
    return JsonResponse(
        {
            "method": request.method,
            "url": request.build_absolute_uri(),
            "fields": list(request.headers.items()),
            "body": request.body.decode(),
        }
    )


def upload(request: HttpRequest) -> HttpResponse:
    digest, count = hashlib.sha256(), 0
    while piece := request.read(1 << 20):
        digest.update(piece)
        count += len(piece)
    return JsonResponse({"bytes": count, "sha256": digest.hexdigest()})


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def pieces() -> Iterator[str]:
        for number in range(100):
            yield f"piece {number}\n"

    return StreamingHttpResponse(pieces(), content_type="text/plain")


def cookies(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("set")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", httponly=True)
    return response


class Document:
    """What all clients edit; its tag is its version."""

    version = 1
    text = "lorem ipsum " * 100


def _tag(request: HttpRequest) -> str:
    return f'"v{Document.version}"'


def document(request: HttpRequest) -> HttpResponse:
    if request.method == "PUT":
        Document.version += 1
        Document.text = request.body.decode()
        return HttpResponse(status=204, headers={"ETag": f'"v{Document.version}"'})
    return HttpResponse(Document.text, content_type="text/plain")


urlpatterns = [
    path("", show),
    path("document", condition(etag_func=_tag)(document)),
    path("upload", upload),
    path("stream", stream),
    path("cookies", cookies),
]
app = get_wsgi_application()
