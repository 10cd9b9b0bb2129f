"""Listings that go on where they broke."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Protocol, TypeVar

import grpc

from stele._errors import RegistryError
from stele._retry import FAILURES, Attempts
from stele.v1.model_registry_service_pb2 import (
    ListModelsRequest,
    ListModelsResponse,
    ListVersionsRequest,
    ListVersionsResponse,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

_Entry = TypeVar("_Entry")
_Page = TypeVar("_Page", ListVersionsResponse, ListModelsResponse)
_Page_co = TypeVar("_Page_co", ListVersionsResponse, ListModelsResponse, covariant=True)


class _Stream(Protocol[_Page_co]):
    def __next__(self) -> _Page_co: ...
    def cancel(self) -> object: ...


def list_entries(
    method: Callable[..., _Stream[_Page]],
    request: ListVersionsRequest | ListModelsRequest,
    entries_of: Callable[[_Page], Iterable[_Entry]],
    attempts: Attempts,
) -> Generator[_Entry, None, None]:
    """Deliver each entry of a listing once, over as many streams as it takes.

    The request becomes the listing's own: its token tells where to go on.
    """
    while True:
        try:
            with closing(_read_stream(method(request), attempts)) as pages:
                for page in pages:
                    request.page_token = page.next_page_token
                    yield from entries_of(page)
        except FAILURES as failure:
            attempts.wait_after(failure)
        else:
            return


def _read_stream(stream: _Stream[_Page], attempts: Attempts) -> Generator[_Page, None, None]:
    """Deliver the pages of one stream up to the last one of the listing, and cancel what is left of it.

    A stream that ends well without any page is that of a listing without a match.
    """
    try:
        page = _await_first(stream, attempts)
        while page is not None:
            attempts.stop_clock()
            yield page
            if page.next_page_token == "":
                return
            page = next(stream, None)
            if page is None:
                raise RegistryError(grpc.StatusCode.UNAVAILABLE, "the stream ended before the listing was complete")
    finally:
        stream.cancel()


def _await_first(stream: _Stream[_Page], attempts: Attempts) -> _Page | None:
    remaining = attempts.remaining
    if remaining is None:
        return next(stream, None)
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        stream.cancel()

    timer = threading.Timer(remaining, expire)
    timer.daemon = True
    timer.start()
    try:
        return next(stream, None)
    except grpc.RpcError as failure:
        if not expired.is_set():
            raise
        raise RegistryError(grpc.StatusCode.DEADLINE_EXCEEDED, "no answer in time") from failure
    finally:
        timer.cancel()
