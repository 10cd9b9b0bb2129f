"""Registers, gets and lists with the generated client: client.py ADDRESS MODEL prints one line of JSON."""

import json
import sys

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status
from stele.v1.model_registry_service_pb2 import GetVersionRequest, ListVersionsRequest, RegisterVersionRequest
from stele.v1.model_registry_service_pb2_grpc import ModelRegistryServiceStub
from stele.v1.model_version_pb2 import DatasetReference, ModelMetadata

address, model = sys.argv[1:]
registry = ModelRegistryServiceStub(grpc.insecure_channel(address))
metadata = ModelMetadata(
    architecture="CNN", training_data=[DatasetReference(name="dataset_v3")], metrics={"accuracy": 0.95}
)
request = RegisterVersionRequest(model=model, version="1.0.1", metadata=metadata)

registered = registry.RegisterVersion(request, timeout=10).model_version
got = registry.GetVersion(GetVersionRequest(model=model, version="1.0.1"), timeout=10).model_version
pages = registry.ListVersions(ListVersionsRequest(model=model, page_size=1), timeout=10)
listed = [each.model_version.version for page in pages for each in page.versions]
try:
    registry.RegisterVersion(request, timeout=10)
    sys.exit("the second registration was not refused")
except grpc.RpcError as error:
    code = error.code().name
    info = ErrorInfo()
    any(detail.Unpack(info) for detail in rpc_status.from_call(error).details)

print(
    json.dumps(
        {
            "registered": registered.version,
            "digest": got.digest,
            "listed": listed,
            "code": code,
            "reason": info.reason,
            "domain": info.domain,
            "identical": info.metadata["identical"],
            "existing_digest": info.metadata["existing_digest"],
        }
    )
)
