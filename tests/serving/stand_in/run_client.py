"""The asynchronous client, for tests that ask all clients alike."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from serving.async_client import AsyncClient
from serving.predictions import Prediction

T = TypeVar("T")


class RunClient:
    """`AsyncClient`, each method run to its end in one event loop."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self.client = AsyncClient(*args, **options)

    def __enter__(self) -> "RunClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.client.close())
        self._runner.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    @property
    def description(self) -> Any:
        return self.run(self.client.describe())

    def predict_stream(self, *args: Any, **options: Any) -> list[Prediction]:
        async def collect() -> list[Prediction]:
            return [each async for each in self.client.predict_stream(*args, **options)]

        return self.run(collect())

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.client, name)
        return lambda *args, **options: self.run(method(*args, **options))
