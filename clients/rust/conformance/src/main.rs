//! The runner of the conformance suite: one JSON object a line in, one out. test/conformance/README.md has
//! the protocol.

mod answer;
mod messages;

use std::{error::Error, fs, io::Write, pin::Pin, time::Duration};

use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use stele_client::{Client, ConfigurationError, digest, v1::Prereleases};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "camelCase")]
enum Step {
    Connect(Options),
    Register { request: Value },
    Get { model: String, version: String },
    Resolve { model: String, range: String, prereleases: Option<String> },
    ListVersions { request: Value },
    ListModels { request: Value },
    Take { count: Option<usize> },
    Digest { record: Value },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    address: String,
    #[serde(default)]
    plaintext: bool,
    ca_file: Option<String>,
    certificate_file: Option<String>,
    key_file: Option<String>,
    token: Option<String>,
    timeout_ms: Option<u64>,
}

type Failure = Box<dyn Error>;
type Items = Pin<Box<dyn Stream<Item = Result<Value, stele_client::Error>>>>;

#[derive(Default)]
struct Runner {
    client: Option<Client>,
    items: Option<Items>,
}

impl Runner {
    async fn run(&mut self, step: Step) -> Result<Value, Failure> {
        match step {
            Step::Connect(options) => {
                *self = Self { client: Some(connect(options)?), items: None };
                Ok(json!({}))
            }
            Step::Register { request } => messages::answer(&self.client()?.register(messages::read(request)?).await?),
            Step::Get { model, version } => messages::answer(&self.client()?.get(model, version).await?),
            Step::Resolve { model, range, prereleases } => {
                let prereleases = prereleases.as_deref().unwrap_or("PRERELEASES_UNSPECIFIED");
                let prereleases = Prereleases::from_str_name(prereleases).ok_or("no such prereleases")?;
                messages::answer(&self.client()?.resolve(model, range, prereleases).await?)
            }
            Step::ListVersions { request } => {
                let listing = self.client()?.list_versions(messages::read(request)?);
                self.begin(listing)
            }
            Step::ListModels { request } => {
                let listing = self.client()?.list_models(messages::read(request)?);
                self.begin(listing)
            }
            Step::Take { count } => self.take(count.unwrap_or(usize::MAX)).await,
            Step::Digest { record } => Ok(json!({ "answer": digest(&messages::read(record)?)? })),
        }
    }

    fn client(&self) -> Result<&Client, Failure> {
        Ok(self.client.as_ref().ok_or("connect comes first")?)
    }

    fn begin<T, L>(&mut self, listing: L) -> Result<Value, Failure>
    where
        T: prost::Name,
        L: Stream<Item = Result<T, stele_client::Error>> + 'static,
    {
        self.items = Some(Box::pin(listing.map(|item| item.map(|message| messages::write(&message)))));
        Ok(json!({}))
    }

    async fn take(&mut self, count: usize) -> Result<Value, Failure> {
        let items = self.items.as_mut().ok_or("a listing comes first")?;
        let mut taken = Vec::new();
        while taken.len() < count {
            match items.next().await {
                Some(Ok(item)) => taken.push(item),
                Some(Err(error)) => return Ok(json!({ "answer": taken, "error": answer::error(&error) })),
                None => return Ok(json!({ "answer": taken, "done": true })),
            }
        }
        Ok(json!({ "answer": taken, "done": false }))
    }
}

fn connect(options: Options) -> Result<Client, Failure> {
    let mut builder = Client::builder(options.address);
    if options.plaintext {
        builder = builder.plaintext();
    }
    if let Some(file) = options.ca_file {
        builder = builder.authorities(fs::read(file)?);
    }
    if let (Some(certificate), Some(key)) = (options.certificate_file, options.key_file) {
        builder = builder.client_certificate(fs::read(certificate)?, fs::read(key)?);
    }
    if let Some(token) = options.token {
        builder = builder.token(token);
    }
    if let Some(timeout) = options.timeout_ms {
        builder = builder.timeout(Duration::from_millis(timeout));
    }
    Ok(builder.connect()?)
}

/// A failure of the client as the protocol has it; any other is a fault of the suite and ends the runner.
fn failure(failure: Failure) -> Result<Value, Failure> {
    if let Some(error) = failure.downcast_ref::<stele_client::Error>() {
        return Ok(json!({ "error": answer::error(error) }));
    }
    match failure.downcast::<ConfigurationError>() {
        Ok(error) => Ok(json!({ "error": { "type": "Configuration", "message": error.to_string() } })),
        Err(failure) => Err(failure),
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut runner = Runner::default();
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = runner.run(serde_json::from_str(&line)?).await.or_else(failure)?;
        let mut output = std::io::stdout().lock();
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}
