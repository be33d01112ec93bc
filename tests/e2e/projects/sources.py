"""Projects as people write them, one for each way of being served; the file with VERSION in it tells versions apart.

Each answers `GET /` with a text that begins with its version, and `POST /` likewise. This file is text alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

Files = dict[str, str]
"""Path → text."""

PYTHON = "{}.{}\n".format(*sys.version_info[:2])

FLASK: Files = {
    "requirements.txt": "Flask>=3.1,<4\n",
    "app.py": """\
import os, sys

from flask import Flask, request

VERSION = "one"
app = Flask(__name__)


@app.route("/", methods=["GET", "POST"])
def index():
    return f"{VERSION} {request.headers['X-Forwarded-Proto']} {os.environ['LEANCLOUD_APP_INSTANCE']}"


@app.get("/fail")
def fail():
    print("about to fail", file=sys.stderr)
    raise RuntimeError("on purpose")
""",
    "wsgi.py": "from app import app\napplication = app\n",
}

DJANGO: Files = {
    "requirements.txt": "Django>=5.2,<6\n",
    "leanengine.yaml": """\
build: python manage.py collectstatic --noinput
release: python manage.py migrate
""",
    "manage.py": """\
import os, sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
execute_from_command_line(sys.argv)
""",
    "mysite/__init__.py": "",
    "mysite/settings.py": """\
import os
from pathlib import Path

BASE_DIR = Path(__file__).parent.parent
SECRET_KEY = os.environ.get("SECRET_KEY", "of the build alone")
DEBUG = False
ALLOWED_HOSTS = ["django.example.com"]
SECURE_SSL_REDIRECT = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
ROOT_URLCONF = "mysite.urls"
WSGI_APPLICATION = "mysite.wsgi.application"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.staticfiles", "notes"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SQLITE", ":memory:"),
        "OPTIONS": {"timeout": 30},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
USE_TZ = True
""",
    "mysite/urls.py": """\
from django.conf import settings
from django.http import HttpResponse
from django.templatetags.static import static
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.static import serve

from notes.models import Note

VERSION = "one"


@csrf_exempt
def index(request):
    return HttpResponse(f"{VERSION} {Note.objects.count()} {static('style.css')}")


urlpatterns = [
    path("", index),
    re_path("^static/(?P<path>.*)$", serve, {"document_root": settings.STATIC_ROOT}),
]
""",
    "mysite/wsgi.py": """\
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
application = get_wsgi_application()
""",
    "notes/__init__.py": "",
    "notes/models.py": """\
from django.db import models


class Note(models.Model):
    text = models.CharField(max_length=100)
""",
    "notes/migrations/__init__.py": "",
    "notes/migrations/0001_initial.py": """\
from django.db import migrations, models


def add_one(apps, schema_editor):
    apps.get_model("notes", "Note").objects.create(text="by the migration")


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            "Note",
            [("id", models.BigAutoField(primary_key=True)), ("text", models.CharField(max_length=100))],
        ),
        migrations.RunPython(add_one, migrations.RunPython.noop),
    ]
""",
    "notes/static/style.css": "body { color: black }\n",
}

FASTAPI: Files = {
    "requirements.txt": "fastapi>=0.115,<1\nwebsockets>=15\n",
    "app.py": """\
import os
from contextlib import asynccontextmanager

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import PlainTextResponse

VERSION = "one"
began = []


@asynccontextmanager
async def lifespan(app):
    began.append("began")
    print("lifespan begins", flush=True)
    yield
    print("lifespan ends", flush=True)


app = FastAPI(lifespan=lifespan)


@app.api_route("/", methods=["GET", "POST"], response_class=PlainTextResponse)
async def index():
    return f"{VERSION} {' '.join(began)} {os.environ['LEANCLOUD_APP_INSTANCE']}"


@app.websocket("/echo")
async def echo(socket: WebSocket):
    await socket.accept()
    try:
        while True:
            await socket.send_text(f"{VERSION} {await socket.receive_text()}")
    except WebSocketDisconnect as left:
        print("the socket ends with", left.code, flush=True)
""",
    "asgi.py": "from app import app as application\n",
}

PLAIN: Files = {
    "requirements.txt": "",
    "leanengine.yaml": "run: python app.py\n",
    "app.py": """\
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = "one"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = VERSION.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["LEANCLOUD_APP_PORT"])), Handler).serve_forever()
""",
}

# The app is in a folder of a repository that holds other things too, and more than one list of dependencies.
MONOREPO: Files = {
    "leanengine.yaml": "buildRoot: services/web\n",
    "README": "several services",
    "services/worker/requirements.txt": "a-package-that-does-not-exist\n",
    **{f"services/web/{path}": text for path, text in {**FLASK, ".python-version": PYTHON}.items()},
}

# As the platform's own boilerplates: the module reads its port while it is imported, and serves itself if it is run.
BOILERPLATE: Files = {
    "requirements.txt": "Flask>=1.0.0\n",
    "app.py": FLASK["app.py"],
    "wsgi.py": """\
import os

from app import app

APP_ID = os.environ["LEANCLOUD_APP_ID"]
MASTER_KEY = os.environ["LC_APP_MASTER_KEY"]
PORT = int(os.environ["LEANCLOUD_APP_PORT"])
application = app

if __name__ == "__main__":
    from werkzeug.serving import WSGIRequestHandler, run_simple

    WSGIRequestHandler.protocol_version = "HTTP/1.1"
    local = os.environ["LEANCLOUD_APP_ENV"] == "development"
    run_simple("localhost" if local else "0.0.0.0", PORT, application, threaded=True)
""",
}
BOILERPLATE_RUN: Files = {**BOILERPLATE, "leanengine.yaml": "run: python wsgi.py\n"}


def write(files: Files, folder: Path, version: str = "one", **more: str) -> Path:
    """Puts a version of a project there; `more` replaces files (`a__b_py` is `a/b.py`)."""
    given = {_path(name): text for name, text in more.items()}
    for path, text in {".python-version": PYTHON, **files, **given}.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text.replace('VERSION = "one"', f'VERSION = "{version}"'), encoding="utf-8")
    return folder


def _path(name: str) -> str:
    return name.replace("__", "/").replace("_py", ".py").replace("_yaml", ".yaml").replace("_txt", ".txt")
