//! The vectors of docs/digest-vectors.json.

use prost::Name;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::Value;
use stele_client::{
    digest,
    v1::{FILE_DESCRIPTOR_SET, ModelMetadata, ModelVersion},
};

#[test]
fn every_vector_has_its_digest() {
    let mut pool = DescriptorPool::global();
    pool.decode_file_descriptor_set(FILE_DESCRIPTOR_SET).unwrap();
    let descriptor = pool.get_message_by_name(&ModelVersion::full_name()).unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/digest-vectors.json");
    let vectors: Vec<Value> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert!(!vectors.is_empty());
    for vector in vectors {
        let record = DynamicMessage::deserialize(descriptor.clone(), vector["record"].clone()).unwrap();
        let record: ModelVersion = record.transcode_to().unwrap();
        assert_eq!(digest(&record).unwrap(), vector["digest"], "{}", vector["name"]);
    }
}

#[test]
fn what_the_service_adds_is_no_part_of_the_digest() {
    let content = ModelVersion { model: "vision/resnet-50".into(), version: "1.0.0".into(), ..Default::default() };
    let stored = ModelVersion {
        digest: "sha256:0".into(),
        registered_at: Some(Default::default()),
        registered_by: "token:ci".into(),
        ..content.clone()
    };
    assert_eq!(digest(&stored).unwrap(), digest(&content).unwrap());
}

#[test]
fn an_attribute_that_is_no_finite_number_has_no_digest() {
    let number = prost_types::Value { kind: Some(prost_types::value::Kind::NumberValue(f64::NAN)) };
    let attributes = prost_types::Struct { fields: [("a".to_owned(), number)].into() };
    let metadata = Some(ModelMetadata { attributes: Some(attributes), ..Default::default() });
    assert!(digest(&ModelVersion { metadata, ..Default::default() }).is_err());
}
