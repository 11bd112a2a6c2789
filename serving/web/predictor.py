"""Asking a model, served or of a file, about a gene of a dataset, or about CSV text."""

from typing import Any

from serving.any_client import AnyClient
from serving.client import Client
from serving.description import ModelDescription
from serving.errors import InputError
from serving.genes import Genes
from serving.onnx_client import OnnxClient
from serving.predictions import Prediction
from serving.web.catalogue import Catalogue, NoGeneError
from serving.web.config import ServedModel, WebConfig, find_model
from serving.web.results import Result
from serving.web.uploads import columns_of_csv, read_text

_DESCRIBE_TIMEOUT_S = 5.0


class Predictor:
    """Asks the server, and waits for it, or answers from ONNX files.

    Raises:
        InputError: If an ONNX file cannot be read, or two are of one name; and by every method, if
            it is asked for what is not there.
        ServerError: By those that ask the server, if it refuses or cannot be asked.
    """

    def __init__(self, config: WebConfig) -> None:
        self._config = config
        self._of_files = {client.model: client for client in map(OnnxClient, config.onnx)}
        if len(self._of_files) < len(config.onnx):
            raise InputError(
                "Expected ONNX files of models with names of their own, MODELS/NAME/VERSION/"
                f"model.onnx. Received: onnx={', '.join(map(str, config.onnx))}"
            )

    def model(self, key: str) -> ServedModel:
        """The model that an address means; without a key the first."""
        models = self._config.offered_models()
        return find_model(models, key) if key else models[0]

    def catalogue(self, name: str, description: ModelDescription | None = None) -> Catalogue:
        """The dataset of that name, or without a name the one that suits the model best."""
        catalogues = self._config.catalogues
        if not catalogues:
            raise InputError(
                "Expected a dataset to pick genes from. Received: none. Start the page with "
                "--dataset, or paste CSV text"
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

    def describe(self, model: ServedModel) -> ModelDescription:
        """What a model says of itself."""
        # A server that is away is asked again until the time is up, and somebody is waiting.
        timeout_s = min(_DESCRIBE_TIMEOUT_S, self._config.timeout_s)
        with self._client(model.name, timeout_s, label=model.label) as client:
            return client.description

    def predict_gene(self, model: ServedModel, dataset: str, gene: str) -> Result:
        """Predict a gene of a dataset, by default of the one that suits the model best.

        Raises:
            NoGeneError: If `Catalogue` knows no gene by that name, or several.
        """
        description = self.describe(model)
        catalogue = self.catalogue(dataset, description)
        found = catalogue.find(gene)
        if len(found) != 1:
            raise NoGeneError(gene, found, catalogue)
        catalogue.check(description.details)
        genes = catalogue.take(found[0]).with_marks(description.marks)
        return Result(
            model,
            description,
            genes,
            self._ask(genes, description),
            catalogue.name,
            catalogue.genes[found[0]],
            unit=catalogue.unit,
            signal_unit=catalogue.signal_unit,
        )

    def predict_text(self, model: ServedModel, content: bytes, source: str, columns: str) -> Result:
        """Predict genes of CSV text.

        Args:
            model: The model.
            content: The text, UTF-8.
            source: What the text is called.
            columns: The marks of its columns, separated by commas or spaces; empty where nobody
                says.
        """
        description = self.describe(model)
        genes = read_text(
            content,
            source,
            num_bins=description.num_bins,
            marks=tuple(columns.replace(",", " ").split()) or None,
            default_marks=columns_of_csv(description.marks),
            max_genes=self._config.max_genes,
        ).with_marks(description.marks)
        answer = self._ask(genes, description)
        return Result(model, description, genes, answer, source, columns=columns)

    def _ask(self, genes: Genes, description: ModelDescription) -> Prediction:
        """Ask the version that described itself."""
        timeout_s = self._config.timeout_s
        with self._client(description.name, timeout_s, version=description.version) as client:
            return client.predict(genes)

    def _client(self, model: str, timeout_s: float, **which: Any) -> AnyClient:
        if model in self._of_files:
            return self._of_files[model]
        tls = self._config.tls
        return Client(self._config.target, model, tls=tls, timeout_s=timeout_s, **which)
