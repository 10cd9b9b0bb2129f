//! What passes between the stub and the connection.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tonic::{
    body::Body,
    codegen::{
        Service,
        http::{HeaderValue, Request, Response, StatusCode, header::AUTHORIZATION},
    },
    transport::{Channel, Error},
};

/// The connection of a client, and the token of a call.
#[derive(Clone, Debug)]
pub struct Transport {
    pub(crate) channel: Channel,
    pub(crate) token: Option<HeaderValue>,
}

impl Service<Request<Body>> for Transport {
    type Response = Response<Body>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        let response = self.channel.call(request);
        Box::pin(async { Ok(without_page(response.await?)) })
    }
}

/// Takes the page from the error of a load balancer: tonic would read it as messages before it looks at the status.
fn without_page(response: Response<Body>) -> Response<Body> {
    match response.status() {
        StatusCode::OK => response,
        _ => response.map(|_| Body::empty()),
    }
}
