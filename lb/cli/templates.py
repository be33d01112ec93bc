"""Projects to start from: `lb init --template NAME`. Each is a few files; requirements name the major version.

This file is text alone. It must not know where it is written to.
"""

from __future__ import annotations

_FLASK = {
    "requirements.txt": "Flask>=3.1,<4\n",
    "app.py": """\
from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    return "Hello from Flask\\n"
""",
    "wsgi.py": 'from app import app as application\n\n__all__ = ["application"]\n',
}

_FASTAPI = {
    "requirements.txt": "fastapi>=0.115,<1\n",
    "app.py": """\
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def index():
    return {"hello": "from FastAPI"}
""",
    "asgi.py": 'from app import app as application\n\n__all__ = ["application"]\n',
}

_DJANGO = {
    "requirements.txt": "Django>=5.2,<6\n",
    "manage.py": """\
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
execute_from_command_line(sys.argv)
""",
    "mysite/__init__.py": "",
    "mysite/settings.py": """\
import os
from pathlib import Path

BASE_DIR = Path(__file__).parent.parent
DEBUG = os.environ.get("LEANCLOUD_APP_ENV", "development") == "development"
# Set one for each environment: lb env APP set SECRET_KEY=- --secret
SECRET_KEY = os.environ.get("SECRET_KEY") or os.environ.get("LEANCLOUD_APP_MASTER_KEY") or "for development alone"
ALLOWED_HOSTS = ["*"]  # lb lets in the hosts of this app's domains alone
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
ROOT_URLCONF = "mysite.urls"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
# An instance's files are gone with the next deploy: name a database elsewhere before you keep something in it.
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("SQLITE", ":memory:")}}
USE_TZ = True
""",
    "mysite/urls.py": """\
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse("Hello from Django\\n"))]
""",
    "wsgi.py": """\
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
application = get_wsgi_application()
""",
}

TEMPLATES = {"flask": _FLASK, "django": _DJANGO, "fastapi": _FASTAPI}
"""Name → path → text."""
