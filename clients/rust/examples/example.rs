//! Registers a version, gets it, lists all, and registers it again: `example ADDRESS MODEL`.

use std::{env, error::Error};

use stele_client::{
    Client,
    v1::{
        DatasetReference, ListVersionsRequest, ModelMetadata, RegisterVersionRequest, register_version_request::Number,
    },
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().ok_or("usage: example ADDRESS MODEL")?;
    let model = arguments.next().ok_or("usage: example ADDRESS MODEL")?;
    let client = Client::builder(address).plaintext().connect()?;

    let stored = client.register(request(&model, 0.95)).await?;
    let record = client.get(&model, "1.0.1").await?;
    println!("registered {} {} {}", record.model, record.version, stored.digest);

    let mut versions = client.list_versions(ListVersionsRequest { model: model.clone(), ..Default::default() });
    while let Some(record) = versions.try_next().await? {
        println!("{}", record.version);
    }

    match client.register(request(&model, 0.99)).await {
        Err(stele_client::Error::VersionAlreadyExists(taken)) => {
            let digest = taken.existing_digest.as_deref().unwrap_or("a record that you may not read");
            println!("taken by {digest}, identical: {}", taken.identical == Some(true));
        }
        outcome => println!("registered again: {}", outcome?.digest),
    }
    Ok(())
}

fn request(model: &str, accuracy: f64) -> RegisterVersionRequest {
    let metadata = ModelMetadata {
        architecture: "CNN".into(),
        training_data: vec![DatasetReference { name: "dataset_v3".into(), ..Default::default() }],
        metrics: [("accuracy".to_owned(), accuracy)].into(),
        ..Default::default()
    };
    let number = Some(Number::Version("1.0.1".into()));
    RegisterVersionRequest { model: model.into(), number, metadata: Some(metadata), ..Default::default() }
}
