"""The pages: a form, a drawing of a gene, a table of many, and what can be downloaded of them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

import anyio
import anyio.to_thread
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from serving.client import Client
from serving.description import ModelDescription
from serving.errors import InputError, ServerError
from serving.genes import Genes
from serving.predictions import Prediction, to_table
from serving.tls import Tls
from serving.web import numbers
from serving.web.catalogue import Catalogue, Gene
from serving.web.figure import draw_bar, draw_gene, draw_probability, figure_css, standalone
from serving.web.guards import SecurityHeaders, check_same_origin, limited
from serving.web.palette import MARK_CLASSES, dark_colours, light_colours, mark_class
from serving.web.results import Result, Results
from serving.web.served_models import ServedModel, find_model, named, read_models_config
from serving.web.uploads import columns_of_csv, read_text

_FOLDER = Path(__file__).parent
_PAGE_GENES = 200
_MAX_SUGGESTIONS = 12
_MAX_MATCHES = 60
_MAX_QUERY_CHARACTERS = 200
# A gene takes little time, and a thousand of them some seconds of all cores.
_MAX_REQUESTS_AT_ONCE = 4
_DESCRIBE_TIMEOUT_S = 5.0

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class WebConfig:
    """What the page asks, and how much it lets others ask.

    Attributes:
        target: `host:port` of the server's gRPC interface.
        models: Names of served models. Empty where `models_config` says them.
        models_config: TensorFlow Serving's `models.config`, read anew for every page, so that
            models and labels may change.
        catalogues: Datasets whose genes can be picked, by name.
        tls: How to reach the server over TLS; without it by default.
        timeout_s: Longest wait for one answer of the server.
        max_upload_mb: Most of CSV text, in MB of 2^20 bytes.
        max_genes: Most genes at once.
        allowed_hosts: Names under which the page may be asked for; all by default.

    Raises:
        InputError: If not exactly one of `models` and `models_config` is given, or a limit is not
            positive.
    """

    target: str = "localhost:8500"
    models: Sequence[str] = ()
    models_config: str | Path | None = None
    catalogues: Mapping[str, Catalogue] = field(default_factory=dict)
    tls: Tls | None = None
    timeout_s: float = 30.0
    max_upload_mb: float = 8.0
    max_genes: int = 2000
    allowed_hosts: Sequence[str] = ("*",)

    def __post_init__(self) -> None:
        if bool(self.models) == (self.models_config is not None):
            raise InputError(
                "Expected the names of models, or a models.config. Received: "
                f"models={', '.join(self.models) or None}, models_config={self.models_config}"
            )
        for name in ("timeout_s", "max_upload_mb", "max_genes"):
            if not getattr(self, name) > 0:
                raise InputError(
                    f"Expected a positive number. Received: {name}={getattr(self, name)}"
                )

    @property
    def max_upload_bytes(self) -> int:
        """Most bytes of a request's body."""
        return int(self.max_upload_mb * 2**20)

    def offered_models(self) -> list[ServedModel]:
        """The models that can be picked.

        Raises:
            InputError: If `models_config` cannot be read.
        """
        if self.models_config is None:
            return named(self.models)
        return read_models_config(self.models_config)


class _Asked(NamedTuple):
    """What somebody filled in, to be shown again."""

    model: str = ""
    source: str = "gene"
    dataset: str = ""
    gene: str = ""
    text: str = ""
    columns: str = ""


class _NoGeneError(InputError):
    """No gene of a dataset, or more than one, has exactly that name."""

    def __init__(self, text: str, number: int, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        if number > 1:
            super().__init__(
                f"Expected one gene. Received: gene={text}, the name of {number} genes of "
                f"{catalogue.name}"
            )
        else:
            super().__init__(
                f"Expected the symbol or id of a gene of {catalogue.name}. Received: gene={text}. "
                "Try the start of its name"
            )


def build_app(config: WebConfig) -> ASGIApp:
    """The page as an ASGI application, to be served by uvicorn or another.

    Raises:
        InputError: If `models_config` cannot be read.
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
            Route("/theme.css", _theme),
            Route("/healthz", _healthz),
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
            InputError: pages.input_error,
            ServerError: pages.server_error,
            Exception: pages.bug,
        },
    )
    return SecurityHeaders(app)


class _Pages:
    """What answers the requests."""

    def __init__(self, config: WebConfig) -> None:
        self.config = config
        self.results = Results()
        self._at_once = anyio.CapacityLimiter(_MAX_REQUESTS_AT_ONCE)
        environment = Environment(
            loader=FileSystemLoader(_FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {
            "decimals": numbers.decimals,
            "brief": numbers.brief,
            "thousands": numbers.thousands,
            "sentence": lambda text: text if text.endswith(("?", ".", "!")) else f"{text}.",
            "mark_class": mark_class,
        }
        self._page = environment.get_template("page.html")

    # === Pages ===

    async def index(self, request: Request) -> Response:
        """The form; with `model` and `gene` in the address, that gene of a dataset."""
        query = request.query_params
        asked = _Asked(
            model=_short(query.get("model", "")),
            source="gene" if self.config.catalogues else "csv",
            dataset=_short(query.get("dataset", "")),
            gene=_short(query.get("gene", "")).strip(),
        )
        try:
            model = self._model(asked)
            asked = asked._replace(model=model.key)
            if not asked.gene:
                return self._render(asked, description=await self._describe(model))
            result = await self._predict_gene(model, asked)
        except _NoGeneError as error:
            return self._render_matches(asked, error)
        except InputError as error:
            return self._render(asked, error=str(error), status=400)
        except ServerError as error:
            return self._render_unavailable(asked, error)
        return self._render_result(result, asked, _links_of_gene(asked, result), gene=1, page=1)

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
        asked = _Asked(
            **{name: _field(form, name) for name in ("model", "source", "dataset", "columns")},
            gene=_field(form, "gene").strip(),
            text=_field(form, "text", limit=self.config.max_upload_bytes),
        )
        if asked.source == "gene" and not asked.gene:
            error = "Expected a gene. Received: none. Give its symbol or id"
            return self._render(asked, error=error, status=400)
        if asked.source == "gene":
            found = {name: getattr(asked, name) for name in ("model", "dataset", "gene")}
            address = urlencode({name: text for name, text in found.items() if text})
            return RedirectResponse(f"/?{address}", 303)
        try:
            result = await self._predict_text(self._model(asked), asked, *file)
        except InputError as error:
            return self._render(asked, error=str(error), status=400)
        except ServerError as error:
            return self._render_unavailable(asked, error)
        return RedirectResponse(f"/results/{self.results.add(result)}", 303)

    async def result(self, request: Request) -> Response:
        """A page of the table of results, and one of its genes as a drawing."""
        name = request.path_params["name"]
        result = self._result(name)
        num_pages = -(-result.num_genes // _PAGE_GENES)
        page = _whole(request.query_params.get("page"), 1, num_pages)
        first = (page - 1) * _PAGE_GENES + 1
        gene = _whole(request.query_params.get("gene"), first, result.num_genes)
        # The gene is on the page that is shown.
        page = (gene - 1) // _PAGE_GENES + 1
        asked = _Asked(result.model.key, "csv", columns=result.columns)
        return self._render_result(result, asked, _links_of_result(name, gene), gene, page)

    async def genes(self, request: Request) -> Response:
        """Genes of a dataset that the text fits, for suggestions, as JSON."""
        catalogue = self._catalogue(_short(request.query_params.get("dataset", "")))
        found, number = catalogue.search(
            _short(request.query_params.get("q", "")), _MAX_SUGGESTIONS
        )
        genes = [catalogue.genes[i] for i in found]
        return JSONResponse(
            {
                "number": number,
                "genes": [
                    {"key": g.key, "name": g.name, "id": g.gene_id, "place": g.place} for g in genes
                ],
            }
        )

    # === Downloads ===

    async def gene_csv(self, request: Request) -> Response:
        """The prediction of a gene of a dataset as CSV."""
        result = await self._asked_gene(request)
        return _download(_csv(result), "text/csv; charset=utf-8", f"{_file_name(result, 1)}.csv")

    async def gene_svg(self, request: Request) -> Response:
        """The drawing of a gene of a dataset."""
        return _svg(await self._asked_gene(request), 1)

    async def result_csv(self, request: Request) -> Response:
        """All predictions as CSV, as the client writes them."""
        result = self._result(request.path_params["name"])
        return _download(_csv(result), "text/csv; charset=utf-8", "predictions.csv")

    async def result_svg(self, request: Request) -> Response:
        """The drawing of one gene."""
        result = self._result(request.path_params["name"])
        number = request.path_params["number"]
        if not 1 <= number <= result.num_genes:
            raise HTTPException(
                404, f"Expected a gene from 1 to {result.num_genes}. Received: {number}"
            )
        return _svg(result, number)

    async def _asked_gene(self, request: Request) -> Result:
        query = request.query_params
        asked = _Asked(**{n: _short(query.get(n, "")) for n in ("model", "dataset", "gene")})
        return await self._predict_gene(self._model(asked), asked)

    # === Asking the server ===

    async def _in_thread(self, ask: Callable[[], _Answer]) -> _Answer:
        return await anyio.to_thread.run_sync(ask, limiter=self._at_once)

    def _ask_description(self, model: ServedModel) -> ModelDescription:
        # A server that is away is asked again until the time is up, and somebody is waiting.
        timeout_s = min(_DESCRIBE_TIMEOUT_S, self.config.timeout_s)
        with Client(
            self.config.target,
            model.name,
            label=model.label,
            tls=self.config.tls,
            timeout_s=timeout_s,
        ) as client:
            return client.description

    def _ask(self, genes: Genes, description: ModelDescription) -> Prediction:
        """Ask the version that described itself."""
        with Client(
            self.config.target,
            description.name,
            description.version,
            tls=self.config.tls,
            timeout_s=self.config.timeout_s,
        ) as client:
            return client.predict(genes)

    async def _describe(self, model: ServedModel) -> ModelDescription:
        return await self._in_thread(lambda: self._ask_description(model))

    async def _predict_gene(self, model: ServedModel, asked: _Asked) -> Result:
        def ask() -> Result:
            description = self._ask_description(model)
            catalogue = self._catalogue(asked.dataset, description)
            found = catalogue.find(asked.gene)
            if len(found) != 1:
                raise _NoGeneError(asked.gene, len(found), catalogue)
            catalogue.check(description.details)
            genes = catalogue.take(found[0]).with_marks(description.marks)
            known = catalogue.genes[found[0]]
            prediction = self._ask(genes, description)
            return Result(model, description, genes, prediction, catalogue.name, known)

        return await self._in_thread(ask)

    async def _predict_text(
        self, model: ServedModel, asked: _Asked, content: bytes, file_name: str
    ) -> Result:
        if content and asked.text.strip():
            raise InputError(
                f"Expected a file or pasted text. Received: both, the file {_short(file_name)}. "
                "Take one of them away"
            )
        if not content and not asked.text.strip():
            raise InputError(
                "Expected genes. Received: no text and no file, or an empty one. Paste CSV text, "
                "or choose a file"
            )
        name = _short(file_name) if content else "the pasted text"

        def ask() -> Result:
            description = self._ask_description(model)
            columns = tuple(asked.columns.replace(",", " ").split())
            genes = read_text(
                content or asked.text.encode(),
                name,
                num_bins=description.num_bins,
                marks=columns or columns_of_csv(description.marks),
                max_genes=self.config.max_genes,
            ).with_marks(description.marks)
            prediction = self._ask(genes, description)
            return Result(model, description, genes, prediction, name, None, asked.columns)

        return await self._in_thread(ask)

    # === Finding what was asked for ===

    def _model(self, asked: _Asked) -> ServedModel:
        models = self.config.offered_models()
        return find_model(models, asked.model) if asked.model else models[0]

    def _catalogue(self, name: str, description: ModelDescription | None = None) -> Catalogue:
        """The dataset of that name, or without a name the one that suits the model best."""
        catalogues = self.config.catalogues
        if not catalogues:
            raise InputError(
                "Expected a dataset to pick genes from. Received: none. Start the page with "
                "--dataset-dir, or paste CSV text"
            )
        if name:
            if name not in catalogues:
                raise InputError(
                    f"Expected one of the datasets {', '.join(catalogues)}. Received: "
                    f"dataset={name}"
                )
            return catalogues[name]
        if description is None:
            return next(iter(catalogues.values()))
        details = description.details
        suiting = [c for c in catalogues.values() if c.suits(details)] or [*catalogues.values()]
        return next((c for c in suiting if c.name == details.get("dataset")), suiting[0])

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
        asked: _Asked,
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
        details = {} if description is None else description.details
        named_marks = () if description is None else description.marks
        dataset = asked.dataset
        if not dataset and description is not None and self.config.catalogues:
            dataset = self._catalogue("", description).name
        content = self._page.render(
            {
                "asked": asked._replace(dataset=dataset),
                "models": models,
                "datasets": list(self.config.catalogues),
                "description": description,
                "model_text": next((m.text for m in models if m.key == asked.model), asked.model),
                "about": _about(details),
                "columns": columns_of_csv(named_marks),
                "max_upload_mb": f"{self.config.max_upload_mb:g}",
                "max_upload_bytes": self.config.max_upload_bytes,
                "max_genes": self.config.max_genes,
                "error": error,
                "is_unavailable": status == 503,
                "matches": None,
                "result": None,
                **context,
            }
        )
        return HTMLResponse(content, status, headers)

    def _render_unavailable(self, asked: _Asked, error: ServerError) -> HTMLResponse:
        return self._render(asked, status=503, error=str(error), headers={"Retry-After": "10"})

    def _render_matches(self, asked: _Asked, error: _NoGeneError) -> HTMLResponse:
        catalogue = error.catalogue
        found, number = catalogue.search(asked.gene, _MAX_MATCHES)
        if not found:
            return self._render(asked, error=str(error), status=404)
        matches = [
            (_address("/", asked, catalogue.name, gene.key), gene)
            for gene in (catalogue.genes[i] for i in found)
        ]
        return self._render(asked, matches=matches, number=number)

    def _render_result(
        self, result: Result, asked: _Asked, links: "_Links", gene: int, page: int
    ) -> HTMLResponse:
        first = (page - 1) * _PAGE_GENES
        last = min(first + _PAGE_GENES, result.num_genes)
        return self._render(
            asked,
            description=result.description,
            result=result,
            links=links,
            shown=_shown(result, gene - 1),
            rows=[_row(result, i) for i in range(first, last)] if result.num_genes > 1 else [],
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
            text = f"Expected an address of this page. Received: {_short(request.url.path)}"
        return self._render(_Asked(), status=error.status_code, error=text, headers=error.headers)

    async def input_error(self, _: Request, error: Exception) -> Response:
        """Input that the user can mend."""
        status = 404 if isinstance(error, _NoGeneError) else 400
        return self._render(_Asked(), status=status, error=str(error))

    async def server_error(self, _: Request, error: Exception) -> Response:
        """A server that does not answer."""
        assert isinstance(error, ServerError)
        return self._render_unavailable(_Asked(), error)

    async def bug(self, _: Request, __: Exception) -> Response:
        """A fault of the page itself, whose traceback is in its log."""
        text = "Expected to answer. Received: a fault of this page's own. Its log says which"
        return self._render(_Asked(), status=500, error=text)


# === What the page shows ===


class _Links(NamedTuple):
    """Addresses that belong to a result."""

    csv: str
    svg: str
    page: str = ""


def _links_of_gene(asked: _Asked, result: Result) -> _Links:
    assert result.known is not None
    csv, svg = (
        _address(path, asked, result.source, result.known.key)
        for path in ("/gene.csv", "/gene.svg")
    )
    return _Links(csv, svg)


def _links_of_result(name: str, gene: int) -> _Links:
    address = f"/results/{name}"
    return _Links(f"{address}/predictions.csv", f"{address}/{gene}.svg", address)


def _address(path: str, asked: _Asked, dataset: str, gene: str) -> str:
    query = {"model": asked.model, "dataset": dataset, "gene": gene}
    return f"{path}?{urlencode({name: text for name, text in query.items() if text})}"


def _shown(result: Result, gene: int) -> dict[str, Any]:
    """The gene that is drawn."""
    picture = result.picture(gene)
    prediction = result.prediction
    probability, sd = float(prediction.probability[gene]), result.probability_sd(gene)
    top = _top(result, gene)
    values = []
    for bin_ in range(picture.region.num_bins):
        signal = [numbers.brief(float(v)) for v in picture.signal[bin_]]
        alpha = (
            []
            if picture.alpha is None
            else [numbers.brief(float(v)) for v in picture.alpha[:, bin_]]
        )
        values.append((bin_ + 1, picture.region.place(bin_), signal, alpha))
    return {
        "number": gene + 1,
        "name": picture.name,
        "picture": picture,
        "probability": probability,
        "sd": sd,
        "gauge": draw_probability(probability, sd),
        "wide": draw_gene(picture),
        "narrow": draw_gene(picture, is_narrow=True),
        "top": top,
        "values": values,
        "truth": _truth(result),
    }


class _Top(NamedTuple):
    """Where a model looks most."""

    mark: str
    bin: int
    place: str
    weight: float


def _top(result: Result, gene: int) -> _Top | None:
    alpha, beta = result.prediction.alpha, result.prediction.beta
    if alpha is None:
        return None
    weight = alpha[gene] if beta is None else alpha[gene] * beta[gene][:, np.newaxis]
    mark, bin_ = divmod(int(weight.argmax()), weight.shape[1])
    place = result.picture(gene).region.place(bin_)
    return _Top(result.genes.marks[mark], bin_ + 1, place, float(weight[mark, bin_]))


def _row(result: Result, gene: int) -> dict[str, Any]:
    beta = result.prediction.beta
    probability = float(result.prediction.probability[gene])
    return {
        "number": gene + 1,
        "gene_id": str(result.genes.gene_id[gene]),
        "probability": probability,
        "sd": result.probability_sd(gene),
        "bar": draw_bar(probability),
        "top": _top(result, gene),
        "beta": [] if beta is None else [float(value) for value in beta[gene]],
        "highest": -1 if beta is None else int(beta[gene].argmax()),
    }


class _Truth(NamedTuple):
    """What was measured of a gene of a dataset, by the rule that the model was trained on."""

    gene: Gene
    is_high: bool | None
    is_right: bool | None
    is_published: bool
    was_trained_on: bool


def _truth(result: Result) -> _Truth | None:
    gene, details = result.known, result.description.details
    if gene is None:
        return None
    is_published = details.get("label_rule") == "as published"
    is_high = gene.is_high_published if is_published else gene.is_high
    says_high = bool(result.prediction.probability[0] >= 0.5)
    is_right = None if is_high is None else says_high == is_high
    was_trained_on = gene.split == "train" and details.get("dataset") == result.source
    return _Truth(gene, is_high, is_right, is_published, was_trained_on)


def _about(details: Mapping[str, Any]) -> dict[str, str]:
    """What a model says of itself, for people."""
    if not details:
        return {}
    bin_bp, flank_bp = details.get("bin_bp"), details.get("flank_bp")
    region = f"{details['num_bins']} bins"
    if bin_bp and flank_bp is not None:
        end = (details["num_bins"] * bin_bp - flank_bp) / 1000
        start = numbers.signed(-flank_bp / 1000)
        region += f" of {bin_bp:g} bp, {start} to {numbers.signed(end)} kb around the TSS"
    bins = {
        True: "in the direction of transcription",
        False: "along the genome, whatever the strand",
        None: "",
    }[details.get("oriented")]
    known = {
        "variant": details.get("variant"),
        "members": details.get("members"),
        "trained on": details.get("dataset"),
        "marks, in order": ", ".join(details["marks"]),
        "gene region": region,
        "bins run": bins,
        "genome": details.get("genome"),
        "high expression": details.get("label_rule"),
    }
    return {name: str(value) for name, value in known.items() if value}


# === Requests and responses ===


def _short(text: str) -> str:
    return text[:_MAX_QUERY_CHARACTERS]


def _field(form: FormData, name: str, limit: int = _MAX_QUERY_CHARACTERS) -> str:
    value = form.get(name)
    return value[:limit] if isinstance(value, str) else ""


def _whole(text: str | None, default: int, highest: int) -> int:
    """A number from 1 to the highest, the nearest where it is out of range."""
    if text is None or not re.fullmatch(r"[0-9]{1,9}", text):
        return default
    return min(max(int(text), 1), highest)


def _csv(result: Result) -> str:
    table = to_table(result.prediction, result.genes.marks)
    return str(table.to_csv(index=False, float_format="%.6g"))


def _svg(result: Result, number: int) -> Response:
    gene = number - 1
    picture = result.picture(gene)
    probability = numbers.decimals(float(result.prediction.probability[gene]))
    if (sd := result.probability_sd(gene)) is not None:
        probability += f" ± {numbers.decimals(sd)}"
    about = f"{result.model.text}, version {result.description.version}; {result.source}"
    heading = f"{picture.name}: probability of high expression {probability}"
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


async def _healthz(_: Request) -> Response:
    """That the page answers; it says nothing of the server behind it."""
    return JSONResponse({"status": "ok"})


async def _theme(_: Request) -> Response:
    """The colours, by the reader's system light or dark, and the rules of the drawings."""
    light, dark = (
        "".join(f"--{name}:{colour};" for name, colour in colours.items())
        for colours in (light_colours(), dark_colours())
    )
    of_marks = "".join(
        f".{name}{{--mark:var(--{name});--mark-line:var(--{name}-line)}}" for name in MARK_CLASSES
    )
    content = (
        f":root{{color-scheme:light;{light}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{color-scheme:dark;{dark}}}}}"
        f"{of_marks}{figure_css(lambda name: f'var(--{name})')}"
    )
    return Response(content, media_type="text/css")
