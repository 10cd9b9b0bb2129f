"""The runner of the conformance suite, by the protocol of test/conformance/README.md."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

import stele
from stele.v1.model_registry_service_pb2 import ListModelsRequest, ListVersionsRequest, RegisterVersionRequest

Step = Mapping[str, Any]
Answer = dict[str, Any]


class Runner:
    """One client and one iteration at a time."""

    def __init__(self) -> None:
        self._client: stele.Client | None = None
        self._iteration: Iterator[Message] = iter(())

    @property
    def client(self) -> stele.Client:
        """The client of the last connect."""
        if self._client is None:
            raise RuntimeError("the first step connects")
        return self._client

    def run(self, step: Step) -> Answer:
        """Do one step, and tell what came of it."""
        do: Callable[[Step], Answer] = getattr(self, f"do_{step['do']}")
        try:
            return do(step)
        except stele.RegistryError as error:
            return {"error": describe(error)}

    def close(self) -> None:
        """Close the client, where there is one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def do_connect(self, step: Step) -> Answer:
        self.close()
        options = {
            "plaintext": step.get("plaintext", False),
            "ca_file": step.get("caFile"),
            "certificate_file": step.get("certificateFile"),
            "key_file": step.get("keyFile"),
            "token": step.get("token"),
        }
        if "timeoutMs" in step:
            options["timeout"] = step["timeoutMs"] / 1000
        try:
            self._client = stele.Client(step["address"], **options)
        except (ValueError, OSError) as error:
            return {"error": {"type": "Configuration", "message": str(error)}}
        return {}

    def do_register(self, step: Step) -> Answer:
        return answer(self.client.register(**read_fields(step, RegisterVersionRequest())))

    def do_get(self, step: Step) -> Answer:
        return answer(self.client.get(step["model"], step["version"]))

    def do_resolve(self, step: Step) -> Answer:
        prereleases = stele.Prereleases.Value(step.get("prereleases", "PRERELEASES_UNSPECIFIED"))
        return answer(self.client.resolve(step["model"], step["range"], prereleases=prereleases))

    def do_listVersions(self, step: Step) -> Answer:  # noqa: N802 - the name of the step
        self._iteration = self.client.list_versions(**read_fields(step, ListVersionsRequest()))
        return {}

    def do_listModels(self, step: Step) -> Answer:  # noqa: N802 - the name of the step
        self._iteration = self.client.list_models(**read_fields(step, ListModelsRequest()))
        return {}

    def do_take(self, step: Step) -> Answer:
        count = step.get("count")
        taken: list[Answer] = []
        try:
            taken.extend(MessageToDict(message) for message in islice(self._iteration, count))
        except stele.RegistryError as error:
            return {"answer": taken, "done": True, "error": describe(error)}
        return {"answer": taken, "done": count is None or len(taken) < count}

    def do_digest(self, step: Step) -> Answer:
        return {"answer": stele.digest(ParseDict(step["record"], stele.ModelVersion()))}


def read_fields(step: Step, request: Message) -> dict[str, Any]:
    """Read the request of a step as the arguments that the client takes."""
    ParseDict(step["request"], request)
    arguments = {field.name: value for field, value in request.ListFields()}
    # Each call of the client says which model; the message leaves out one that is empty.
    return arguments if isinstance(request, ListModelsRequest) else {"model": "", **arguments}


def answer(message: Message) -> Answer:
    return {"answer": MessageToDict(message)}


def describe(error: stele.RegistryError) -> Answer:
    """Tell an error by its own accessors."""
    kind = type(error)
    description = {
        "type": "RegistryError" if kind is stele.RegistryError else kind.__name__.removesuffix("Error"),
        "code": error.code.name,
        "reason": error.reason,
        "message": error.message,
        "metadata": dict(error.metadata),
        **describe_details(error),
    }
    return {name: value for name, value in description.items() if value is not None}


def describe_details(error: stele.RegistryError) -> Answer:
    match error:
        case stele.VersionAlreadyExistsError():
            return {
                "model": error.model,
                "version": error.version,
                "existingVersion": error.existing_version,
                "existingDigest": error.existing_digest,
                "registeredAt": print_time(error),
                "identical": error.identical,
            }
        case stele.NotFoundError():
            return {
                "model": error.model,
                "version": error.version,
                "range": error.range,
                "nearestBelow": error.nearest_below,
                "nearestAbove": error.nearest_above,
                "nearestPrerelease": error.nearest_prerelease,
            }
        case stele.InvalidArgumentError():
            violations = [violation._asdict() for violation in error.violations]
            return {"violations": violations, "violationsOmitted": error.violations_omitted}
    return {}


def print_time(error: stele.VersionAlreadyExistsError) -> str | None:
    if error.registered_at is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(error.registered_at)
    return timestamp.ToJsonString()


def main() -> None:
    runner = Runner()
    for line in sys.stdin.buffer:
        print(json.dumps(runner.run(json.loads(line))), flush=True)
    runner.close()


if __name__ == "__main__":
    main()
