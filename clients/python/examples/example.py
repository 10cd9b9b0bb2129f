"""Registers a version, reads it back, and shows that it never changes: example.py ADDRESS MODEL."""

import sys

import stele
from stele import DatasetReference, ModelMetadata


def main(address: str, model: str) -> None:
    metadata = ModelMetadata(
        architecture="CNN",
        training_data=[DatasetReference(name="dataset_v3")],
        metrics={"accuracy": 0.95},
    )
    with stele.Client(address, plaintext=True) as client:
        client.register(model, version="1.0.1", metadata=metadata)

        record = client.get(model, "1.0.1")
        print(f"{record.version} has accuracy {record.metadata.metrics['accuracy']}", file=sys.stderr)

        for listed in client.list_versions(model):
            print(listed.version)

        metadata.metrics["accuracy"] = 0.99
        try:
            client.register(model, version="1.0.1", metadata=metadata)
        except stele.VersionAlreadyExistsError as error:
            print(f"it exists already as {error.existing_digest}, identical: {error.identical}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
