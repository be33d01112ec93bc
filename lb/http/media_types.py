"""The media type of a file by the end of its name: a table. What is not in it is bytes that no browser may guess at.

The system's own table is not asked: it differs from machine to machine, and a type that changes with the machine is a
fault that nobody finds. Text is UTF-8. `CODINGS` are the ends of names of files that are compressed already.
"""

from __future__ import annotations

UNKNOWN = b"application/octet-stream"

CODINGS = ((b"br", b".br"), (b"zstd", b".zst"), (b"gzip", b".gz"))
"""Content codings of compressed siblings, the one first that is taken where a client likes several equally, and their
suffixes.
"""

_TEXT = {
    "text/html": "html htm shtml",
    "text/css": "css",
    "text/javascript": "js mjs cjs",
    "text/plain": "txt text log conf ini md5 sha256 sha512 asc",
    "text/markdown": "md markdown",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "text/vtt": "vtt",
    "text/calendar": "ics",
    "text/vcard": "vcf",
    "text/xml": "xsl",
    "text/x-component": "htc",
}
_OTHER = {
    "application/json": "json map",
    "application/ld+json": "jsonld",
    "application/geo+json": "geojson",
    "application/manifest+json": "webmanifest",
    "application/xml": "xml xsd",
    "application/xhtml+xml": "xhtml",
    "application/atom+xml": "atom",
    "application/rss+xml": "rss",
    "application/yaml": "yaml yml",
    "application/toml": "toml",
    "application/wasm": "wasm",
    "application/pdf": "pdf",
    "application/rtf": "rtf",
    "application/postscript": "ps eps ai",
    "application/epub+zip": "epub",
    "application/zip": "zip",
    "application/gzip": "gz tgz",
    "application/zstd": "zst",
    "application/x-bzip2": "bz2",
    "application/x-xz": "xz",
    "application/x-7z-compressed": "7z",
    "application/x-tar": "tar",
    "application/vnd.rar": "rar",
    "application/java-archive": "jar war ear",
    "application/vnd.android.package-archive": "apk",
    "application/x-apple-diskimage": "dmg",
    "application/vnd.debian.binary-package": "deb",
    "application/x-rpm": "rpm",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/vnd.ms-fontobject": "eot",
    "application/vnd.apple.mpegurl": "m3u8",
    "application/vnd.google-earth.kml+xml": "kml",
    "application/sql": "sql",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "font/ttf": "ttf",
    "font/otf": "otf",
    "font/collection": "ttc",
    "image/svg+xml": "svg",
    "image/png": "png",
    "image/apng": "apng",
    "image/jpeg": "jpg jpeg jfif",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/heic": "heic",
    "image/jxl": "jxl",
    "image/bmp": "bmp",
    "image/tiff": "tif tiff",
    "image/x-icon": "ico cur",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/aac": "aac",
    "audio/ogg": "ogg oga opus",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/midi": "mid midi",
    "audio/webm": "weba",
    "video/mp4": "mp4 m4v",
    "video/webm": "webm",
    "video/ogg": "ogv",
    "video/quicktime": "mov",
    "video/x-msvideo": "avi",
    "video/x-matroska": "mkv",
    "video/mp2t": "ts",
    "video/mpeg": "mpg mpeg",
    "model/gltf-binary": "glb",
    "model/gltf+json": "gltf",
}

_BY_END = {
    end.encode(): (media_type + suffix).encode()
    for table, suffix in ((_TEXT, "; charset=utf-8"), (_OTHER, ""))
    for media_type, ends in table.items()
    for end in ends.split()
}


def media_type_of(name: bytes) -> bytes:
    """The value of Content-Type for a file of this name."""
    stem, _, end = name.rpartition(b"/")[2].rpartition(b".")
    return _BY_END.get(end.lower(), UNKNOWN) if stem else UNKNOWN
