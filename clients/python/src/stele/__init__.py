"""Client of Stele, an immutable version registry for machine-learning models.

`Client` does the calls. The messages are the generated ones: those that it takes and answers are here too, the requests
of its `stub` are in `stele.v1.model_registry_service_pb2`.
"""

from stele._channel import Token
from stele._client import Client
from stele._digest import digest
from stele._errors import (
    FieldViolation,
    InvalidArgumentError,
    NotFoundError,
    RegistryError,
    VersionAlreadyExistsError,
)
from stele.v1.model_registry_service_pb2 import Increment, Level, Model, Order, Prereleases, View
from stele.v1.model_version_pb2 import (
    Artifact,
    DatasetReference,
    ExternalReference,
    ModelMetadata,
    ModelVersion,
    SourceReference,
    VersionReference,
)

__all__ = [
    "Artifact",
    "Client",
    "DatasetReference",
    "ExternalReference",
    "FieldViolation",
    "Increment",
    "InvalidArgumentError",
    "Level",
    "Model",
    "ModelMetadata",
    "ModelVersion",
    "NotFoundError",
    "Order",
    "Prereleases",
    "RegistryError",
    "SourceReference",
    "Token",
    "VersionAlreadyExistsError",
    "VersionReference",
    "View",
    "digest",
]
