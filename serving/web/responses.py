"""Reading what a request says, within limits, and answers that are no page."""

import re

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from serving.predictions import to_table
from serving.web.figure import standalone
from serving.web.results import Result

_MAX_QUERY_CHARACTERS = 200


def short(text: str) -> str:
    """Text of an address, no longer than anybody needs."""
    return text[:_MAX_QUERY_CHARACTERS]


def field(form: FormData, name: str, limit: int = _MAX_QUERY_CHARACTERS) -> str:
    """A field of a form; empty if it is not there or a file."""
    value = form.get(name)
    return value[:limit] if isinstance(value, str) else ""


def whole(text: str | None, default: int, highest: int) -> int:
    """A number from 1 to the highest, the nearest where it is out of range."""
    if text is None or not re.fullmatch(r"[0-9]{1,9}", text):
        return default
    return min(max(int(text), 1), highest)


def csv_of(result: Result, file_name: str = "") -> Response:
    """All predictions as CSV, as the client writes them.

    Args:
        result: The predictions.
        file_name: What it is saved as; by default the name of its first gene.
    """
    table = to_table(result.prediction, result.genes.marks)
    if "gene_id" in table:
        table["gene_id"] = table["gene_id"].map(_no_formula)
    content = str(table.to_csv(index=False, float_format="%.6g"))
    return _download(
        content, "text/csv; charset=utf-8", file_name or f"{_file_name(result, 1)}.csv"
    )


def _no_formula(text: str) -> str:
    """A name that a spreadsheet, where the file will be opened, does not compute."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def svg_of(result: Result, number: int) -> Response:
    """The drawing of a gene, counted from 1."""
    gene = number - 1
    picture = result.picture(gene)
    about = f"{result.model.text}, version {result.description.version}; {result.source}"
    heading = f"{picture.name}: {result.answer(gene).line}"
    content = standalone(picture, heading, about)
    return _download(content, "image/svg+xml", f"{_file_name(result, number)}.svg")


def _file_name(result: Result, number: int) -> str:
    name = result.picture(number - 1).name
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:60].strip("_") or f"gene{number}"


def _download(content: str, media_type: str, file_name: str) -> Response:
    # A drawing has its style inside; nothing else may run or load where it is opened.
    policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    headers = {
        "Content-Disposition": f'attachment; filename="{file_name}"',
        "Content-Security-Policy": policy,
    }
    return Response(content, media_type=media_type, headers=headers)


async def healthz(_: Request) -> Response:
    """That the page answers; it says nothing of the server behind it."""
    return JSONResponse({"status": "ok"})
