//! The digest of a record, computed by docs/digest.md.

use std::{fmt, sync::LazyLock};

use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use sha2::{Digest, Sha256};

use crate::v1::{FILE_DESCRIPTOR_SET, ModelVersion};

static MODEL_VERSION: LazyLock<MessageDescriptor> = LazyLock::new(|| {
    let mut pool = DescriptorPool::global();
    pool.decode_file_descriptor_set(FILE_DESCRIPTOR_SET).expect("the generated descriptors are whole");
    pool.get_message_by_name(&ModelVersion::full_name()).expect("the proto has the record")
});

/// Computes the digest of a record: `sha256:` and 64 lower-case hexadecimal digits over its model, version
/// and metadata. For a record that the service answered it equals [`ModelVersion::digest`].
///
/// # Errors
///
/// [`DigestError`] when the record has no canonical JSON: an attribute without a kind, or one that is no
/// finite number. The service stores no such record.
///
/// ```
/// use stele_client::{digest, v1::ModelVersion};
///
/// let record = ModelVersion { model: "vision/resnet-50".into(), version: "1.0.0".into(), ..Default::default() };
/// assert_eq!(digest(&record)?, "sha256:21ef46ed6903dcaf3869f16937c3c29471d467cf4127de40f5c88fc14e19e104");
/// # Ok::<(), stele_client::DigestError>(())
/// ```
pub fn digest(record: &ModelVersion) -> Result<String, DigestError> {
    let mut hash = Sha256::new_with_prefix("stele-record-v1\n");
    hash.update(canonical_json(record)?);
    let digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256:{digits}"))
}

pub(crate) fn canonical_json(record: &ModelVersion) -> Result<Vec<u8>, DigestError> {
    let content = ModelVersion {
        model: record.model.clone(),
        version: record.version.clone(),
        metadata: record.metadata.clone(),
        ..Default::default()
    };
    let content = DynamicMessage::decode(MODEL_VERSION.clone(), content.encode_to_vec().as_slice())
        .expect("the generated code and the descriptors are of one proto");
    serde_json_canonicalizer::to_vec(&content).map_err(|error| DigestError(error.to_string()))
}

/// A record that has no digest, because it has no canonical JSON.
#[derive(Clone, Debug)]
pub struct DigestError(String);

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the record has no canonical JSON: {}", self.0)
    }
}

impl std::error::Error for DigestError {}
