import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from conftest import Connect, Service, fail, info

import stele
from stele import ModelVersion
from stele.v1.model_registry_service_pb2 import ListedVersion, ListVersionsRequest, ListVersionsResponse

COUNT = 9


class Listing(Service):
    """Lists versions 0 to 8, one in a page; the token is the number of the next one."""

    def __init__(self, *breaks: int) -> None:
        self.breaks = list(breaks)
        self.requests: list[ListVersionsRequest] = []
        self.ended = threading.Event()

    def ListVersions(self, request: ListVersionsRequest, context: Any) -> Iterator[ListVersionsResponse]:
        self.requests.append(request)
        context.add_callback(self.ended.set)
        for number in range(int(request.page_token or 0), COUNT):
            if self.breaks and self.breaks[0] == number:
                self.breaks.pop(0)
                fail(context, grpc.StatusCode.UNAVAILABLE)
            record = ModelVersion(model=request.model, version=str(number))
            token = str(number + 1) if number + 1 < COUNT else ""
            yield ListVersionsResponse(versions=[ListedVersion(model_version=record)], next_page_token=token)


def test_goes_on_after_the_last_message_and_delivers_each_version_once(connect: Connect) -> None:
    service = Listing(0, 3, 3, 8)
    versions = [record.version for record in connect(service).list_versions("m", range="^1", page_size=1)]
    assert versions == [str(number) for number in range(COUNT)]
    assert [request.page_token for request in service.requests] == ["", "", "3", "3", "8"]
    for request in service.requests:
        request.page_token = ""
        assert request == ListVersionsRequest(model="m", range="^1", page_size=1)


def test_ends_the_stream_when_it_is_left_half_way(connect: Connect) -> None:
    class Endless(Listing):
        def ListVersions(self, request: ListVersionsRequest, context: Any) -> Iterator[ListVersionsResponse]:
            yield from super().ListVersions(request, context)
            while context.is_active():
                yield ListVersionsResponse(next_page_token="9")

    service = Endless()
    versions = connect(service).list_versions("m")
    assert next(versions).version == "0"
    assert not service.ended.is_set()
    versions.close()
    assert service.ended.wait(5)
    assert next(versions, None) is None


def test_an_empty_token_ends_it_although_the_status_is_lost(connect: Connect) -> None:
    class LosesStatus(Listing):
        def ListVersions(self, request: ListVersionsRequest, context: Any) -> Iterator[ListVersionsResponse]:
            yield from super().ListVersions(request, context)
            fail(context, grpc.StatusCode.INTERNAL)

    service = LosesStatus()
    assert len(list(connect(service).list_versions("m"))) == COUNT
    assert len(service.requests) == 1


def test_a_stream_that_ends_before_the_last_page_is_broken(connect: Connect) -> None:
    class EndsEarly(Listing):
        def ListVersions(self, request: ListVersionsRequest, context: Any) -> Iterator[ListVersionsResponse]:
            pages = super().ListVersions(request, context)
            yield next(pages)
            yield next(pages)

    service = EndsEarly()
    versions = connect(service).list_versions("m", limit=7)
    assert [next(versions).version for _ in range(5)] == ["0", "1", "2", "3", "4"]
    assert [request.page_token for request in service.requests] == ["", "2", "4"]


def test_a_stream_without_messages_is_a_listing_without_a_match(connect: Connect) -> None:
    service = Listing()
    assert list(connect(service).list_versions("m", page_token=str(COUNT))) == []
    assert len(service.requests) == 1


def test_tells_a_failure_after_what_came_before_it(connect: Connect) -> None:
    class Refuses(Listing):
        def ListVersions(self, request: ListVersionsRequest, context: Any) -> Iterator[ListVersionsResponse]:
            yield next(super().ListVersions(request, context))
            fail(context, grpc.StatusCode.INTERNAL, info("INTERNAL", id="7"))

    versions = connect(Refuses()).list_versions("m")
    assert next(versions).version == "0"
    with pytest.raises(stele.RegistryError) as raised:
        next(versions)
    assert (raised.value.reason, raised.value.metadata) == ("INTERNAL", {"id": "7"})


def test_does_not_wait_for_ever_after_a_failure(connect: Connect) -> None:
    class Hangs(Listing):
        def ListVersions(self, request: ListVersionsRequest, context: Any) -> Iterator[ListVersionsResponse]:
            pages = super().ListVersions(request, context)
            if request.page_token != "":
                ended = threading.Event()
                context.add_callback(ended.set)
                ended.wait()
            yield from pages

    versions = connect(Hangs(2)).list_versions("m", timeout=0.3)
    assert [next(versions).version for _ in range(2)] == ["0", "1"]
    with pytest.raises(stele.RegistryError) as raised:
        next(versions)
    assert (raised.value.code, raised.value.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "")
    assert "no answer within 0.3 s; the attempt before failed: UNAVAILABLE: unavailable" in raised.value.message
