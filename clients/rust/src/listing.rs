//! Listings that go on after a break.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
    vec,
};

use futures_util::stream::{Stream, StreamExt, unfold};
use tonic::{Status, Streaming};

use crate::{Client, Error, Stub, retry::Attempts, v1};

/// The items of a listing, as they arrive: a [`Stream`], and [`try_next`](Listing::try_next) for loops.
/// Dropping it ends the listing.
///
/// When the connection breaks, it goes on after the last message received, and gives each item once. It ends
/// after its first error.
///
/// ```no_run
/// # async fn run(client: stele_client::Client) -> Result<(), stele_client::Error> {
/// use stele_client::v1::ListVersionsRequest;
///
/// let request = ListVersionsRequest { model: "image_classifier".into(), ..Default::default() };
/// let mut versions = client.list_versions(request);
/// while let Some(record) = versions.try_next().await? {
///     println!("{}", record.version);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Listing<T>(Pin<Box<dyn Stream<Item = Result<T, Error>> + Send>>);

impl<T: Send + 'static> Listing<T> {
    pub(crate) fn new<R: List<Item = T>>(client: Client, request: R) -> Self {
        let attempts = Attempts::of_listing(client.timeout);
        let items = Vec::new().into_iter();
        let pages = Pages { client, request, attempts, stream: None, items, complete: false };
        let items = unfold(Some(pages), |pages| async {
            let mut pages = pages?;
            match pages.next().await {
                Ok(item) => Some((Ok(item?), Some(pages))),
                Err(status) => Some((Err(pages.client.failure(status)), None)),
            }
        });
        Self(Box::pin(items.fuse()))
    }

    /// The next item, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Any [`Error`] but a break that another attempt mends within the client's timeout.
    pub async fn try_next(&mut self) -> Result<Option<T>, Error> {
        poll_fn(|context| self.0.as_mut().poll_next(context)).await.transpose()
    }
}

impl<T> Stream for Listing<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl<T> fmt::Debug for Listing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing").finish_non_exhaustive()
    }
}

/// A request that is answered by a stream of pages.
pub(crate) trait List: Clone + Send + Sync + 'static {
    type Item: Send;
    type Page: Send;

    fn open(self, stub: Stub) -> impl Future<Output = Result<Streaming<Self::Page>, Status>> + Send;
    fn resume_after(&mut self, token: String);
    /// The items of a page and the token to resume after it.
    fn split(page: Self::Page) -> (Vec<Self::Item>, String);
}

struct Pages<R: List> {
    client: Client,
    request: R,
    attempts: Attempts,
    stream: Option<Streaming<R::Page>>,
    items: vec::IntoIter<R::Item>,
    complete: bool,
}

impl<R: List> Pages<R> {
    async fn next(&mut self) -> Result<Option<R::Item>, Status> {
        loop {
            if let Some(item) = self.items.next() {
                return Ok(Some(item));
            }
            if self.complete {
                return Ok(None);
            }
            if let Err(status) = self.next_page().await {
                self.attempts.wait_after(status).await?;
            }
        }
    }

    async fn next_page(&mut self) -> Result<(), Status> {
        let (mut stream, is_new) = match self.stream.take() {
            Some(stream) => (stream, false),
            None => (self.attempts.run(open(self.client.clone(), self.request.clone())).await?, true),
        };
        match self.attempts.run(stream.message()).await? {
            Some(page) => {
                let (items, token) = R::split(page);
                self.items = items.into_iter();
                self.complete = token.is_empty();
                self.request.resume_after(token);
                self.stream = Some(stream);
                self.attempts.progress();
            }
            None if is_new => self.complete = true, // An empty stream is a listing of nothing.
            None => return Err(Status::unavailable("the listing ended before it was complete")),
        }
        Ok(())
    }
}

async fn open<R: List>(client: Client, request: R) -> Result<Streaming<R::Page>, Status> {
    request.open(client.authorized().await?).await
}

impl List for v1::ListVersionsRequest {
    type Item = v1::ModelVersion;
    type Page = v1::ListVersionsResponse;

    async fn open(self, mut stub: Stub) -> Result<Streaming<Self::Page>, Status> {
        Ok(stub.list_versions(self).await?.into_inner())
    }

    fn resume_after(&mut self, token: String) {
        self.page_token = token;
    }

    fn split(page: Self::Page) -> (Vec<Self::Item>, String) {
        let records = page.versions.into_iter().filter_map(|listed| listed.model_version);
        (records.collect(), page.next_page_token)
    }
}

impl List for v1::ListModelsRequest {
    type Item = v1::Model;
    type Page = v1::ListModelsResponse;

    async fn open(self, mut stub: Stub) -> Result<Streaming<Self::Page>, Status> {
        Ok(stub.list_models(self).await?.into_inner())
    }

    fn resume_after(&mut self, token: String) {
        self.page_token = token;
    }

    fn split(page: Self::Page) -> (Vec<Self::Item>, String) {
        (page.models, page.next_page_token)
    }
}
