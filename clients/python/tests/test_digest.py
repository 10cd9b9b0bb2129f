import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

import stele
from stele._digest import canonical_json

VECTORS = json.loads((Path(__file__).parents[3] / "docs" / "digest-vectors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_computes_the_digest_of(vector: Any) -> None:
    record = ParseDict(vector["record"], stele.ModelVersion())
    assert canonical_json(record).decode() == vector["canonical"]
    record.digest = "what the service says"
    record.registered_by = "somebody"
    record.registered_at.GetCurrentTime()
    assert stele.digest(record) == vector["digest"]
