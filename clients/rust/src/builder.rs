//! How a client is connected.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity, Uri};

use crate::{
    Client,
    errors::with_cause,
    token::{BoxError, Token, bearer},
};

/// How long each half of a try to connect may take: TCP, and TLS.
const HALF_A_TRY: Duration = Duration::from_secs(5);

/// How to connect, from [`Client::builder`].
///
/// The connection is TLS with the system's authorities unless [`plaintext`](Builder::plaintext) or
/// [`authorities`](Builder::authorities) says otherwise.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// let client = stele_client::Client::builder("registry.example.org:443")
///     .authorities(std::fs::read("ca.pem")?)
///     .client_certificate(std::fs::read("client.pem")?, std::fs::read("client.key")?)
///     .token_from(|| async { Ok(std::fs::read_to_string("/run/secrets/token")?.trim().to_owned()) })
///     .timeout(Duration::from_secs(10))
///     .connect()?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Builder {
    address: String,
    plaintext: bool,
    authorities: Option<Certificate>,
    identity: Option<Identity>,
    pub(crate) token: Token,
    timeout: Duration,
}

impl Builder {
    pub(crate) fn new(address: String) -> Self {
        let timeout = Duration::from_secs(30);
        Self { address, plaintext: false, authorities: None, identity: None, token: Token::None, timeout }
    }

    /// Connects without TLS. It goes neither with a token nor with certificates.
    pub fn plaintext(self) -> Self {
        Self { plaintext: true, ..self }
    }

    /// Trusts these authorities, certificates in PEM, instead of the system's.
    pub fn authorities(self, pem: impl AsRef<[u8]>) -> Self {
        Self { authorities: Some(Certificate::from_pem(pem)), ..self }
    }

    /// Shows the service a certificate, with its key, both in PEM.
    pub fn client_certificate(self, certificate_pem: impl AsRef<[u8]>, key_pem: impl AsRef<[u8]>) -> Self {
        Self { identity: Some(Identity::from_pem(certificate_pem, key_pem)), ..self }
    }

    /// Sends this token with each call.
    pub fn token(self, token: impl Into<String>) -> Self {
        Self { token: Token::Text(token.into()), ..self }
    }

    /// Asks a function for the token before each attempt of a call. When it fails, so does the call, with
    /// the code UNAUTHENTICATED unless the failure is a [`tonic::Status`] with another.
    pub fn token_from<F>(self, source: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, BoxError>> + Send + 'static,
    {
        Self { token: Token::Source(Arc::new(move || Box::pin(source()))), ..self }
    }

    /// The longest that a call takes, all attempts together; 30 s by default.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Makes the client. The connection is opened with the first call, and again
    /// with the next one whenever it breaks.
    ///
    /// # Errors
    ///
    /// When the address is not `host:port`, a token or a certificate is to go over plaintext, a certificate
    /// cannot be read, or the system has no authorities.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub fn connect(self) -> Result<Client, ConfigurationError> {
        if let Token::Text(text) = &self.token {
            bearer(text).map_err(|status| refuse(status.message()))?;
        }
        if self.timeout.is_zero() {
            return Err(refuse("a timeout is more than 0"));
        }
        let channel = self.endpoint()?.connect_lazy();
        Ok(Client { channel, address: self.address.into(), token: self.token, timeout: self.timeout })
    }

    fn endpoint(&self) -> Result<Endpoint, ConfigurationError> {
        let secrets = !matches!(self.token, Token::None);
        let certificates = self.authorities.is_some() || self.identity.is_some();
        if self.plaintext && secrets {
            return Err(refuse("a token is not sent over plaintext"));
        }
        if self.plaintext && certificates {
            return Err(refuse("certificates need TLS"));
        }
        if self.authorities.as_ref().is_some_and(|pem| !holds_certificate(pem.as_ref())) {
            return Err(refuse("the authorities hold no certificate in PEM"));
        }
        let endpoint = Endpoint::from(self.uri()?)
            .user_agent(concat!("stele-client-rust/", env!("CARGO_PKG_VERSION")))
            .map_err(refuse)?
            .connect_timeout(HALF_A_TRY)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(10));
        if self.plaintext { Ok(endpoint) } else { endpoint.tls_config(self.tls()).map_err(refuse) }
    }

    fn uri(&self) -> Result<Uri, ConfigurationError> {
        let scheme = if self.plaintext { "http" } else { "https" };
        let uri = Uri::builder().scheme(scheme).authority(self.address.as_str()).path_and_query("/").build();
        let is_address = |uri: &Uri| {
            let has_host = uri.host().is_some_and(|host| !host.is_empty());
            has_host && uri.port_u16().is_some() && !self.address.contains(['@', '+'])
        };
        uri.ok().filter(is_address).ok_or_else(|| refuse(format!("the address is not host:port: {}", self.address)))
    }

    fn tls(&self) -> ClientTlsConfig {
        let config = match &self.authorities {
            Some(authorities) => ClientTlsConfig::new().ca_certificate(authorities.clone()),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        let config = config.timeout(HALF_A_TRY);
        match &self.identity {
            Some(identity) => config.identity(identity.clone()),
            None => config,
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("address", &self.address).finish_non_exhaustive()
    }
}

fn holds_certificate(pem: &[u8]) -> bool {
    String::from_utf8_lossy(pem).contains("-----BEGIN CERTIFICATE-----")
}

/// Options that [`Builder::connect`] refuses.
#[derive(Debug)]
pub struct ConfigurationError(BoxError);

fn refuse(cause: impl Into<BoxError>) -> ConfigurationError {
    ConfigurationError(cause.into())
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot connect: {}", with_cause(&self.0.to_string(), self.0.source()))
    }
}

impl std::error::Error for ConfigurationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
