//! Client of Stele, an immutable version registry for machine-learning models.
//!
//! ```no_run
//! use stele_client::{Client, Error, v1::RegisterVersionRequest, v1::register_version_request::Number};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("registry.example.org:443").token("secret").connect()?;
//! let stored = client
//!     .register(RegisterVersionRequest {
//!         model: "image_classifier".into(),
//!         number: Some(Number::Version("1.0.1".into())),
//!         ..Default::default()
//!     })
//!     .await;
//! match stored {
//!     Ok(record) => println!("{}", record.digest),
//!     Err(Error::VersionAlreadyExists(taken)) => println!("taken by {:?}", taken.existing_digest),
//!     Err(error) => return Err(error.into()),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Calls need a [Tokio](https://tokio.rs) runtime with time and I/O enabled.

mod builder;
mod client;
mod digest;
mod errors;
mod listing;
mod retry;
mod token;
mod transport;

pub use builder::{Builder, ConfigurationError};
pub use client::{Client, Stub};
pub use digest::{DigestError, digest};
pub use errors::{Error, InvalidArgument, NotFound, RegistryError, VersionAlreadyExists};
pub use listing::Listing;
pub use transport::Transport;
pub use {prost_types, tonic, tonic_types::FieldViolation};

/// The messages and the stub that are generated of the proto, by `buf generate`.
#[allow(missing_docs, clippy::all, clippy::pedantic, rustdoc::all)]
pub mod v1 {
    include!("gen/stele.v1.rs");
}
