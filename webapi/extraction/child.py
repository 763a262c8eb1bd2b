"""`python -m webapi.extraction.child KIND BYTES`: a file on stdin, its text as JSON on stdout.

Runs with limits that it sets itself, before anything of the file is looked at.
"""

import json
import resource
import sys

CPU_SECONDS = 6
MEMORY_BYTES = 512 << 20
_OPEN_FILES = 64


def main() -> None:
    """Answer `{"text": …}`, or `{"fault": …}` for a file that cannot be read."""
    _limit()
    kind, most_bytes = sys.argv[1], int(sys.argv[2])
    try:
        answer = {"text": _read(kind, sys.stdin.buffer.read(), most_bytes)}
    except MemoryError:
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - whatever a parser raises is a file that it cannot read
        answer = {"fault": _told(kind, error)}
    json.dump(answer, sys.stdout)


def _limit() -> None:
    for what, most in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        resource.setrlimit(what, (most, most))


def _read(kind: str, content: bytes, most_bytes: int) -> str:
    # imported below the limits, and only what the file needs
    if kind == "PDF":
        from webapi.extraction.pdf import read_pdf  # noqa: PLC0415 - see above

        return read_pdf(content, most_bytes)
    from webapi.extraction.docx import read_docx  # noqa: PLC0415 - see above

    return read_docx(content, most_bytes)


def _told(kind: str, error: Exception) -> str:
    from webapi.extraction.kinds import ExtractionError  # noqa: PLC0415 - below the limits

    if isinstance(error, ExtractionError):
        return str(error)
    return f"it cannot be read as {kind}: it is broken ({type(error).__name__})"


if __name__ == "__main__":
    main()
