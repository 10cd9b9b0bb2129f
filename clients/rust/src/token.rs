//! The token of a call.

use std::{future::Future, pin::Pin, sync::Arc};

use tonic::{Status, codegen::http::HeaderValue};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
type TokenFuture = Pin<Box<dyn Future<Output = Result<String, BoxError>> + Send>>;

/// Where the token comes from.
#[derive(Clone)]
pub(crate) enum Token {
    None,
    Text(String),
    Source(Arc<dyn Fn() -> TokenFuture + Send + Sync>),
}

impl Token {
    pub(crate) async fn header(&self) -> Result<Option<HeaderValue>, Status> {
        match self {
            Self::None => Ok(None),
            Self::Text(text) => bearer(text).map(Some),
            Self::Source(source) => bearer(&source().await.map_err(unauthenticated)?).map(Some),
        }
    }
}

pub(crate) fn bearer(token: &str) -> Result<HeaderValue, Status> {
    let unfit =
        || Status::unauthenticated("a token is visible ASCII characters, at least one; mind the end of the line");
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unfit());
    }
    let mut header = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| unfit())?;
    header.set_sensitive(true);
    Ok(header)
}

fn unauthenticated(error: BoxError) -> Status {
    match error.downcast::<Status>() {
        Ok(status) => *status,
        Err(error) => Status::unauthenticated(format!("there is no token: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::Client;

    async fn failure_of(token: fn() -> Result<String, BoxError>) -> (Code, String) {
        let client = Client::builder("localhost:1").plaintext().connect().unwrap();
        let token = Token::Source(Arc::new(move || Box::pin(async move { token() })));
        let error = Client { token, ..client }.get("m", "1.0.0").await.unwrap_err();
        assert_eq!(error.reason(), "");
        (error.code(), error.message().to_owned())
    }

    #[tokio::test]
    async fn a_token_that_cannot_be_had_fails_the_call() {
        let away = failure_of(|| Err("the issuer is away".into())).await;
        assert_eq!(away, (Code::Unauthenticated, "there is no token: the issuer is away".to_owned()));
        let denied = failure_of(|| Err(Status::permission_denied("not you").into())).await;
        assert_eq!(denied, (Code::PermissionDenied, "not you".to_owned()));
        let unfit = failure_of(|| Ok("two\nlines".to_owned())).await;
        assert_eq!(
            unfit,
            (
                Code::Unauthenticated,
                "a token is visible ASCII characters, at least one; mind the end of the line".to_owned()
            )
        );
    }

    #[tokio::test]
    async fn a_function_is_asked_for_each_token() {
        let number = std::sync::atomic::AtomicU32::new(1);
        let next = move || number.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string();
        let token = Client::builder("localhost:1").token_from(move || std::future::ready(Ok(next()))).token;
        for expected in ["Bearer 1", "Bearer 2"] {
            assert_eq!(token.header().await.unwrap().unwrap(), expected);
        }
    }
}
