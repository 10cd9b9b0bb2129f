//! ProtoJSON.

use std::{error::Error, sync::LazyLock};

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::{Value, json};
use stele_client::v1::FILE_DESCRIPTOR_SET;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let mut pool = DescriptorPool::global();
    pool.decode_file_descriptor_set(FILE_DESCRIPTOR_SET).expect("the descriptors are whole");
    pool
});

pub fn read<M: prost::Name + Default>(json: Value) -> Result<M, Box<dyn Error>> {
    Ok(DynamicMessage::deserialize(descriptor::<M>(), json)?.transcode_to()?)
}

pub fn write<M: prost::Name>(message: &M) -> Value {
    let mut dynamic = DynamicMessage::new(descriptor::<M>());
    dynamic.transcode_from(message).expect("the code and the descriptors are of one proto");
    serde_json::to_value(dynamic).expect("what the service answers has a ProtoJSON")
}

pub fn answer<M: prost::Name>(message: &M) -> Result<Value, Box<dyn Error>> {
    Ok(json!({ "answer": write(message) }))
}

fn descriptor<M: prost::Name>() -> MessageDescriptor {
    POOL.get_message_by_name(&M::full_name()).expect("the message is of the proto")
}
