//! The operations of the registry.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use tonic::{Request, Response, Status, transport::Channel};
use uuid::Uuid;

use crate::{
    Builder, Error, Listing,
    retry::Attempts,
    token::Token,
    transport::Transport,
    v1::{
        GetVersionRequest, ListModelsRequest, ListVersionsRequest, Model, ModelVersion, Prereleases,
        RegisterVersionRequest, get_version_request::Selector,
        model_registry_service_client::ModelRegistryServiceClient,
    },
};

/// A client of one registry. Clones are cheap and share its connection; calls may be made from many tasks at
/// once. Dropping the future of a call cancels it.
///
/// A call takes at most the timeout, 30 s unless [`Builder::timeout`] says otherwise, all attempts together.
/// It is repeated while its failure says that another attempt can succeed.
#[derive(Clone)]
pub struct Client {
    pub(crate) channel: Channel,
    pub(crate) address: Arc<str>,
    pub(crate) token: Token,
    pub(crate) timeout: Duration,
}

/// The generated stub over a client's connection, with a client's token.
pub type Stub = ModelRegistryServiceClient<Transport>;

impl Client {
    /// Begins a client of the service at an address, `host:port`.
    pub fn builder(address: impl Into<String>) -> Builder {
        Builder::new(address.into())
    }

    /// The same client over the same connection, with another timeout.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// Registers a version and gives the record as it is stored. A request without a `request_id` gets a
    /// random one, so that its retries are safe.
    ///
    /// # Errors
    ///
    /// [`Error::VersionAlreadyExists`], [`Error::InvalidArgument`], or any other.
    pub async fn register(&self, mut request: RegisterVersionRequest) -> Result<ModelVersion, Error> {
        if request.request_id.is_empty() {
            request.request_id = Uuid::new_v4().to_string();
        }
        let answer = self.call(request, async |mut stub, request| stub.register_version(request).await).await?;
        stored(answer.model_version)
    }

    /// Gets one version of a model.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::InvalidArgument`], or any other.
    pub async fn get(&self, model: impl Into<String>, version: impl Into<String>) -> Result<ModelVersion, Error> {
        let selector = Some(Selector::Version(version.into()));
        self.get_version(GetVersionRequest { model: model.into(), selector, ..Default::default() }).await
    }

    /// Gets the highest version of a model in a range of npm's grammar, such as `^1.2`; `*` is the highest
    /// of all. [`Prereleases::Unspecified`] is npm's rule.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] with what came nearest, [`Error::InvalidArgument`], or any other.
    pub async fn resolve(
        &self,
        model: impl Into<String>,
        range: impl Into<String>,
        prereleases: Prereleases,
    ) -> Result<ModelVersion, Error> {
        let selector = Some(Selector::Range(range.into()));
        self.get_version(GetVersionRequest { model: model.into(), selector, prereleases: prereleases.into() }).await
    }

    /// Lists the versions of a model by precedence. A listing has no deadline; the timeout bounds how long it
    /// goes without a message after a failure.
    pub fn list_versions(&self, request: ListVersionsRequest) -> Listing<ModelVersion> {
        Listing::new(self.clone(), request)
    }

    /// Lists the models by name, as [`Client::list_versions`] lists versions.
    pub fn list_models(&self, request: ListModelsRequest) -> Listing<Model> {
        Listing::new(self.clone(), request)
    }

    /// The generated stub, for everything else: one attempt for each call, without a deadline. It carries the
    /// token of this moment.
    ///
    /// # Errors
    ///
    /// When there is no token to be had.
    pub async fn stub(&self) -> Result<Stub, Error> {
        Ok(self.authorized().await?)
    }

    pub(crate) async fn authorized(&self) -> Result<Stub, Status> {
        let token = self.token.header().await?;
        Ok(ModelRegistryServiceClient::new(Transport { channel: self.channel.clone(), token }))
    }

    pub(crate) fn failure(&self, status: Status) -> Error {
        Error::from(status).on_the_way_to(&self.address)
    }

    async fn get_version(&self, request: GetVersionRequest) -> Result<ModelVersion, Error> {
        let answer = self.call(request, async |mut stub, request| stub.get_version(request).await).await?;
        stored(answer.model_version)
    }

    async fn call<Q: Clone, A, F>(&self, message: Q, send: impl Fn(Stub, Request<Q>) -> F) -> Result<A, Error>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let mut attempts = Attempts::of_call(self.timeout);
        loop {
            let attempt = async {
                let stub = self.authorized().await?;
                let mut request = Request::new(message.clone());
                request.set_timeout(attempts.remaining());
                send(stub, request).await
            };
            match attempts.run(attempt).await {
                Ok(response) => return Ok(response.into_inner()),
                Err(status) => attempts.wait_after(status).await.map_err(|status| self.failure(status))?,
            }
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

fn stored(record: Option<ModelVersion>) -> Result<ModelVersion, Error> {
    record.ok_or_else(|| Status::internal("the answer has no record").into())
}
