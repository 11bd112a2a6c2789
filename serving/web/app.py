"""The pages: a form, a drawing of a gene, a table of many, and what can be downloaded of them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from serving.description import ModelDescription
from serving.errors import InputError, ServerError
from serving.web.catalogue import NoGeneError
from serving.web.config import WebConfig
from serving.web.guards import SecurityHeaders, check_same_origin, limited
from serving.web.predictor import Predictor
from serving.web.rendering import environment
from serving.web.responses import csv_of, field, healthz, short, svg_of, whole
from serving.web.results import Result, Results
from serving.web.uploads import columns_of_csv
from serving.web.views import (
    Asked,
    address_of_gene,
    view_of_gene,
    view_of_row,
)

_Answer = TypeVar("_Answer")
_FOLDER = Path(__file__).parent
# A gene takes little time, and a thousand of them some seconds of all cores.
_MAX_REQUESTS_AT_ONCE = 4
_PAGE_GENES = 200
_MAX_SUGGESTIONS = 12
_MAX_MATCHES = 60


def build_app(config: WebConfig) -> ASGIApp:
    """The page as an ASGI application, to be served by uvicorn or another.

    Raises:
        InputError: If `models_config` or an ONNX file cannot be read.
    """
    config.offered_models()
    pages = _Pages(config)
    app = Starlette(
        routes=[
            Route("/", pages.index),
            Route("/predict", pages.predict, methods=["POST"]),
            Route("/genes", pages.genes),
            Route("/gene.csv", pages.gene_csv),
            Route("/gene.svg", pages.gene_svg),
            Route("/results/{name}", pages.result),
            Route("/results/{name}/predictions.csv", pages.result_csv),
            Route("/results/{name}/{number:int}.svg", pages.result_svg),
            Route("/healthz", healthz),
            Mount("/static", StaticFiles(directory=_FOLDER / "static")),
        ],
        middleware=[
            Middleware(
                TrustedHostMiddleware,
                allowed_hosts=list(config.allowed_hosts),
                www_redirect=False,
            )
        ],
        exception_handlers={
            HTTPException: pages.http_error,
            InputError: pages.refusal,
            ServerError: pages.refusal,
            Exception: pages.bug,
        },
    )
    return SecurityHeaders(app)


class _Pages:
    """What answers the requests."""

    def __init__(self, config: WebConfig) -> None:
        self.config = config
        self.results = Results()
        self._predictor = Predictor(config)
        self._at_once = anyio.CapacityLimiter(_MAX_REQUESTS_AT_ONCE)
        self._page = environment.get_template("page.html")

    # === Pages ===

    async def index(self, request: Request) -> Response:
        """The form; with `model` and `gene` in the address, that gene of a dataset."""
        query = request.query_params
        asked = Asked(
            model=short(query.get("model", "")),
            source="gene" if self.config.catalogues else "csv",
            dataset=short(query.get("dataset", "")),
            gene=short(query.get("gene", "")).strip(),
        )
        try:
            model = self._predictor.model(asked.model)
            asked = asked._replace(model=model.key)
            if not asked.gene:
                description = await self._ask(self._predictor.describe, model)
                return self._render(asked, description=description)
            predict = self._predictor.predict_gene
            result = await self._ask(predict, model, asked.dataset, asked.gene)
        except NoGeneError as error:
            return self._render_matches(asked, error)
        except (InputError, ServerError) as error:
            return self._render_error(asked, error)
        assert result.known is not None
        csv, svg = (
            address_of_gene(path, asked, result.source, result.known.key)
            for path in ("/gene.csv", "/gene.svg")
        )
        return self._render_result(result, asked, 1, csv=csv, svg=svg)

    async def predict(self, request: Request) -> Response:
        """Take the form, and lead to what came of it."""
        check_same_origin(request.headers)
        receive = limited(request.receive, request.headers, self.config.max_upload_bytes)
        async with Request(request.scope, receive).form(
            max_files=1, max_fields=16, max_part_size=self.config.max_upload_bytes
        ) as form:
            upload = form.get("file")
            file = b"", ""
            if isinstance(upload, UploadFile) and upload.filename:
                file = await upload.read(), upload.filename
        asked = Asked(
            **{name: field(form, name) for name in ("model", "source", "dataset", "columns")},
            gene=field(form, "gene").strip(),
            text=field(form, "text", limit=self.config.max_upload_bytes),
        )
        try:
            if asked.source != "gene":
                result = await self._predict_text(asked, *file)
                address = f"/results/{self.results.add(result)}"
            elif asked.gene:
                address = address_of_gene("/", asked, asked.dataset, asked.gene)
            else:
                raise InputError("Expected a gene. Received: none. Give its symbol or id")
        except (InputError, ServerError) as error:
            return self._render_error(asked, error)
        return RedirectResponse(address, 303)

    async def result(self, request: Request) -> Response:
        """A page of the table of results, and one of its genes as a drawing."""
        name = request.path_params["name"]
        result = self._result(name)
        num_pages = -(-result.num_genes // _PAGE_GENES)
        page = whole(request.query_params.get("page"), 1, num_pages)
        first = (page - 1) * _PAGE_GENES + 1
        gene = whole(request.query_params.get("gene"), first, result.num_genes)
        asked = Asked(result.model.key, "csv", columns=result.columns)
        address = f"/results/{name}"
        csv, svg = f"{address}/predictions.csv", f"{address}/{gene}.svg"
        return self._render_result(result, asked, gene, csv=csv, svg=svg, page=address)

    async def genes(self, request: Request) -> Response:
        """Genes of a dataset that the text fits, for suggestions, as JSON."""
        catalogue = self._predictor.catalogue(short(request.query_params.get("dataset", "")))
        found, number = catalogue.search(short(request.query_params.get("q", "")), _MAX_SUGGESTIONS)
        genes = [catalogue.genes[i] for i in found]
        return JSONResponse(
            {
                "number": number,
                "genes": [
                    {"key": g.key, "name": g.name, "id": g.gene_id, "place": g.place} for g in genes
                ],
            }
        )

    async def _predict_text(self, asked: Asked, content: bytes, file_name: str) -> Result:
        if content and asked.text.strip():
            raise InputError(
                f"Expected a file or pasted text. Received: both, the file {short(file_name)}. "
                "Take one of them away"
            )
        if not content and not asked.text.strip():
            raise InputError(
                "Expected genes. Received: no text and no file, or an empty one. Paste CSV text, "
                "or choose a file"
            )
        source = short(file_name) if content else "the pasted text"
        return await self._ask(
            self._predictor.predict_text,
            self._predictor.model(asked.model),
            content or asked.text.encode(),
            source,
            asked.columns,
        )

    async def _ask(self, method: Callable[..., _Answer], *arguments: Any) -> _Answer:
        """Ask in a thread, so that nobody else has to wait."""
        return await anyio.to_thread.run_sync(method, *arguments, limiter=self._at_once)

    # === Downloads ===

    async def gene_csv(self, request: Request) -> Response:
        """The prediction of a gene of a dataset as CSV."""
        return csv_of(await self._asked_gene(request))

    async def gene_svg(self, request: Request) -> Response:
        """The drawing of a gene of a dataset."""
        return svg_of(await self._asked_gene(request), 1)

    async def result_csv(self, request: Request) -> Response:
        """All predictions as CSV."""
        return csv_of(self._result(request.path_params["name"]), "predictions.csv")

    async def result_svg(self, request: Request) -> Response:
        """The drawing of one gene."""
        result = self._result(request.path_params["name"])
        number = request.path_params["number"]
        if not 1 <= number <= result.num_genes:
            raise HTTPException(
                404, f"Expected a gene from 1 to {result.num_genes}. Received: {number}"
            )
        return svg_of(result, number)

    async def _asked_gene(self, request: Request) -> Result:
        model, dataset, gene = (
            short(request.query_params.get(name, "")) for name in ("model", "dataset", "gene")
        )
        predict = self._predictor.predict_gene
        return await self._ask(predict, self._predictor.model(model), dataset, gene)

    def _result(self, name: str) -> Result:
        result = self.results.get(name)
        if result is None:
            raise HTTPException(
                404,
                "Expected results that are still kept. Received: an address of none. They are kept "
                "for an hour, and no longer than the page's server runs. Predict once more",
            )
        return result

    # === Rendering ===

    def _render(
        self,
        asked: Asked,
        *,
        description: ModelDescription | None = None,
        status: int = 200,
        error: str = "",
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        try:
            models = self.config.offered_models()
        except InputError:
            # Whoever renders says so.
            models = []
        named_marks = () if description is None else description.marks
        dataset = asked.dataset
        if not dataset and description is not None and self.config.catalogues:
            dataset = self._predictor.catalogue("", description).name
        content = self._page.render(
            {
                "asked": asked._replace(dataset=dataset),
                "models": models,
                "datasets": list(self.config.catalogues),
                "is_local": bool(self.config.onnx),
                "description": description,
                "model_text": next((m.text for m in models if m.key == asked.model), asked.model),
                "columns": columns_of_csv(named_marks),
                "max_upload_mb": f"{self.config.max_upload_mb:g}",
                "max_upload_bytes": self.config.max_upload_bytes,
                "max_genes": self.config.max_genes,
                "error": error,
                "is_unavailable": status == 503,
                "matches": None,
                "are_alike": False,
                "result": None,
                **context,
            }
        )
        return HTMLResponse(content, status, headers)

    def _render_error(self, asked: Asked, error: Exception) -> HTMLResponse:
        """Input that the user can mend, or a server that does not answer."""
        if isinstance(error, ServerError):
            return self._render(asked, status=503, error=str(error), headers={"Retry-After": "10"})
        status = 404 if isinstance(error, NoGeneError) else 400
        return self._render(asked, status=status, error=str(error))

    def _render_matches(self, asked: Asked, error: NoGeneError) -> HTMLResponse:
        catalogue = error.catalogue
        found, number = list(error.found[:_MAX_MATCHES]), len(error.found)
        if not found:
            found, number = catalogue.search(asked.gene, _MAX_MATCHES)
        if not found:
            return self._render_error(asked, error)
        matches = [
            (address_of_gene("/", asked, catalogue.name, gene.key), gene)
            for gene in (catalogue.genes[i] for i in found)
        ]
        return self._render(asked, matches=matches, number=number, are_alike=bool(error.found))

    def _render_result(self, result: Result, asked: Asked, gene: int, **links: str) -> HTMLResponse:
        """A gene, counted from 1, and the page of the table that has it, with addresses of both."""
        page = (gene - 1) // _PAGE_GENES + 1
        first = (page - 1) * _PAGE_GENES
        last = min(first + _PAGE_GENES, result.num_genes)
        rows = [view_of_row(result, i) for i in range(first, last)]
        return self._render(
            asked,
            description=result.description,
            result=result,
            links=links,
            shown=view_of_gene(result, gene - 1),
            rows=rows if result.num_genes > 1 else [],
            first=first + 1,
            last=last,
            page=page,
            num_pages=-(-result.num_genes // _PAGE_GENES),
        )

    # === Errors ===

    async def http_error(self, request: Request, error: Exception) -> Response:
        """What Starlette, or a guard, refuses."""
        assert isinstance(error, HTTPException)
        text = error.detail
        if error.status_code == 404 and text == "Not Found":
            text = f"Expected an address of this page. Received: {short(request.url.path)}"
        return self._render(Asked(), status=error.status_code, error=text, headers=error.headers)

    async def refusal(self, _: Request, error: Exception) -> Response:
        """What the page, or the server behind it, refuses."""
        return self._render_error(Asked(), error)

    async def bug(self, _: Request, __: Exception) -> Response:
        """A fault of the page itself, whose traceback is in its log."""
        text = "Expected to answer. Received: a fault of this page's own. Its log says which"
        return self._render(Asked(), status=500, error=text)
