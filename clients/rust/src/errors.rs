//! What a call can fail with.

use std::{collections::HashMap, error::Error as StdError, fmt};

use prost_types::Timestamp;
use tonic::{Code, Status};
use tonic_types::{ErrorInfo, FieldViolation, StatusExt};

/// The failure of a call. All of them know the gRPC code, the reason, the message and the metadata.
///
/// Branch on the variant or on [`reason`](Error::reason), never on the text.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The version is taken.
    VersionAlreadyExists(Box<VersionAlreadyExists>),
    /// The model or the version is not registered, or the caller may not read it.
    NotFound(Box<NotFound>),
    /// The request breaks a rule; repeating it does not help.
    InvalidArgument(Box<InvalidArgument>),
    /// Everything else.
    Registry(RegistryError),
}

/// What every failure of a call knows.
pub struct RegistryError {
    status: Status,
    code: Code,
    reason: String,
    message: String,
    metadata: HashMap<String, String>,
}

/// A version that is taken, also when only its build metadata differs. What is `None` after the version is
/// so because the caller may not read the model.
#[derive(Debug)]
#[non_exhaustive]
pub struct VersionAlreadyExists {
    /// The model.
    pub model: String,
    /// The version that the request asked for.
    pub version: String,
    /// The version as it is stored, with its own build metadata.
    pub existing_version: Option<String>,
    /// The digest of the stored record.
    pub existing_digest: Option<String>,
    /// When the stored record was registered.
    pub registered_at: Option<Timestamp>,
    /// Whether what is stored is what the request holds.
    pub identical: Option<bool>,
    error: RegistryError,
}

/// A model or a version that is not registered, or that the caller may not read.
#[derive(Debug)]
#[non_exhaustive]
pub struct NotFound {
    /// The model.
    pub model: String,
    /// The version that was asked for, where it was one.
    pub version: Option<String>,
    /// The range that was asked for, where it was one.
    pub range: Option<String>,
    /// The highest version below the range.
    pub nearest_below: Option<String>,
    /// The lowest version above the range.
    pub nearest_above: Option<String>,
    /// The prerelease that `Prereleases::Include` would have found.
    pub nearest_prerelease: Option<String>,
    error: RegistryError,
}

/// A request that breaks a rule.
#[derive(Debug)]
#[non_exhaustive]
pub struct InvalidArgument {
    /// The violated fields, each with its path in the request and a description.
    pub violations: Vec<FieldViolation>,
    /// How many more violations there are than the answer had room for.
    pub violations_omitted: u32,
    error: RegistryError,
}

impl Error {
    /// The gRPC code; UNAVAILABLE for a connection that broke.
    pub fn code(&self) -> Code {
        self.common().code()
    }

    /// The reason, by docs/errors.md; empty when the failure does not come from the service.
    pub fn reason(&self) -> &str {
        self.common().reason()
    }

    /// The text for people; of a connection that broke, with its cause.
    pub fn message(&self) -> &str {
        self.common().message()
    }

    /// What is dynamic in the message; empty when the failure does not come from the service.
    pub fn metadata(&self) -> &HashMap<String, String> {
        self.common().metadata()
    }

    /// Names the address in the text of a failure that does not come from there.
    pub(crate) fn on_the_way_to(mut self, address: &str) -> Self {
        if let Self::Registry(error) = &mut self
            && error.reason.is_empty()
            && matches!(error.code, Code::Unavailable | Code::DeadlineExceeded)
        {
            error.message = format!("{address}: {}", error.message);
        }
        self
    }

    /// What every failure knows.
    pub fn common(&self) -> &RegistryError {
        match self {
            Self::VersionAlreadyExists(taken) => &taken.error,
            Self::NotFound(missing) => &missing.error,
            Self::InvalidArgument(invalid) => &invalid.error,
            Self::Registry(error) => error,
        }
    }
}

impl RegistryError {
    /// The gRPC code; UNAVAILABLE for a connection that broke.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The reason, by docs/errors.md; empty when the failure does not come from the service.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The text for people; of a connection that broke, with its cause.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What is dynamic in the message; empty when the failure does not come from the service.
    pub fn metadata(&self) -> &HashMap<String, String> {
        &self.metadata
    }

    /// The status as tonic has it, with all details.
    pub fn status(&self) -> &Status {
        &self.status
    }

    fn get(&self, key: &str) -> Option<String> {
        self.metadata.get(key).cloned()
    }
}

/// Tells the failure of a call that was made through the generated stub.
impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let code = if connection_broke(&status) { Code::Unavailable } else { status.code() };
        let message = with_cause(status.message(), status.source());
        let (reason, metadata) =
            service_info(&status).map_or_else(Default::default, |info| (info.reason, info.metadata));
        let error = RegistryError { status, code, reason, message, metadata };
        match (error.code, error.reason.as_str()) {
            (Code::InvalidArgument, _) => Self::InvalidArgument(Box::new(InvalidArgument::new(error))),
            (_, "VERSION_ALREADY_EXISTS") => Self::VersionAlreadyExists(Box::new(VersionAlreadyExists::new(error))),
            (_, "MODEL_NOT_FOUND" | "VERSION_NOT_FOUND") => Self::NotFound(Box::new(NotFound::new(error))),
            _ => Self::Registry(error),
        }
    }
}

impl VersionAlreadyExists {
    fn new(error: RegistryError) -> Self {
        Self {
            model: error.get("model").unwrap_or_default(),
            version: error.get("version").unwrap_or_default(),
            existing_version: error.get("existing_version"),
            existing_digest: error.get("existing_digest"),
            registered_at: error.get("registered_at").and_then(|text| text.parse().ok()),
            identical: error.get("identical").map(|text| text == "true"),
            error,
        }
    }
}

impl NotFound {
    fn new(error: RegistryError) -> Self {
        Self {
            model: error.get("model").unwrap_or_default(),
            version: error.get("version"),
            range: error.get("range"),
            nearest_below: error.get("nearest_below"),
            nearest_above: error.get("nearest_above"),
            nearest_prerelease: error.get("nearest_prerelease"),
            error,
        }
    }
}

impl InvalidArgument {
    fn new(error: RegistryError) -> Self {
        let details = error.status.get_details_bad_request();
        Self {
            violations: details.map_or_else(Vec::new, |request| request.field_violations),
            violations_omitted: error.get("violations_omitted").and_then(|text| text.parse().ok()).unwrap_or(0),
            error,
        }
    }
}

/// What tonic says of an answer that was cut off so cleanly that it has no cause to tell.
const CUT_OFF: [&str; 2] = ["protocol error: missing grpc-status trailer", "Unexpected EOF decoding stream"];

/// Whether tonic made the status up itself because the answer did not arrive, or not whole. It has many codes.
pub(crate) fn connection_broke(status: &Status) -> bool {
    let cut_off = || CUT_OFF.iter().any(|text| status.message().starts_with(text));
    status.code() != Code::DeadlineExceeded
        && service_info(status).is_none()
        && (status.source().is_some() || cut_off())
}

/// The ErrorInfo of a status that comes from the service itself.
pub(crate) fn service_info(status: &Status) -> Option<ErrorInfo> {
    status.get_details_error_info().filter(|info| info.domain == "stele")
}

/// A text and the first of its causes, which is the last of the chain.
pub(crate) fn with_cause(text: &str, mut cause: Option<&(dyn StdError + 'static)>) -> String {
    while let Some(deeper) = cause.and_then(StdError::source) {
        cause = Some(deeper);
    }
    match cause.map(ToString::to_string) {
        Some(cause) if !text.contains(&cause) => format!("{text}: {cause}"),
        _ => text.to_owned(),
    }
}

impl fmt::Debug for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryError")
            .field("code", &self.code)
            .field("reason", &self.reason)
            .field("message", &self.message)
            .field("metadata", &self.metadata)
            .finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            "" => write!(f, "{:?}: {}", self.code(), self.message()),
            reason => write!(f, "{reason}: {}", self.message()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.common().status.source()
    }
}
