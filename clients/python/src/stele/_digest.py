"""The digest of a record, by docs/digest.md."""

import hashlib
import json

import rfc8785
from google.protobuf import json_format

from stele.v1.model_version_pb2 import ModelVersion

_RULE = b"stele-record-v1\n"


def digest(record: ModelVersion) -> str:
    """Compute the digest of a record: `sha256:` and 64 hexadecimal digits over its model, version and metadata.

    The record may be one that the service answered, to verify it, or one that is about to be registered::

        assert stele.digest(record) == record.digest

    Raises:
        ValueError: The metadata hold what no record can: a number that is not finite, or a value of no kind.

    """
    content = ModelVersion(model=record.model, version=record.version)
    if record.HasField("metadata"):
        content.metadata.CopyFrom(record.metadata)
    return f"sha256:{hashlib.sha256(_RULE + canonical_json(content)).hexdigest()}"


def canonical_json(content: ModelVersion) -> bytes:
    """Print a message as ProtoJSON in the canonical form of RFC 8785."""
    # Every number is a double; as a Python integer a large one would be refused.
    plain = json.loads(json_format.MessageToJson(content), parse_int=float)
    return rfc8785.dumps(plain)
