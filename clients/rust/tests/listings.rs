//! Listings: pages, breaks, ends.

mod fake;

use std::{sync::Arc, time::Duration};

use fake::{Answer, Call, End, Fake, told};
use futures_util::StreamExt;
use h2::Reason;
use stele_client::v1::{
    ListModelsRequest, ListModelsResponse, ListVersionsRequest, ListVersionsResponse, ListedVersion, Model,
    ModelVersion,
};
use tokio::sync::Notify;
use tonic::{Code, Status};

const NONE: [ListVersionsResponse; 0] = [];

fn page(versions: &[&str], token: &str) -> ListVersionsResponse {
    let records = versions.iter().map(|version| ModelVersion { version: version.to_string(), ..Default::default() });
    let versions = records.map(|record| ListedVersion { model_version: Some(record) }).collect();
    ListVersionsResponse { versions, next_page_token: token.into() }
}

fn request() -> ListVersionsRequest {
    ListVersionsRequest { model: "m".into(), limit: 9, page_token: "first".into(), ..Default::default() }
}

fn tokens(calls: &[Call]) -> Vec<String> {
    let requests: Vec<ListVersionsRequest> = calls.iter().map(Call::decode).collect();
    for sent in &requests {
        assert_eq!(ListVersionsRequest { page_token: "first".into(), ..sent.clone() }, request());
    }
    requests.into_iter().map(|sent| sent.page_token).collect()
}

#[tokio::test]
async fn a_listing_goes_on_after_the_last_message_when_it_breaks() {
    let fake = Fake::start(vec![
        Answer::ending(&[page(&["1.0.0", "1.1.0"], "a"), page(&[], "b")], End::Reset(Reason::CANCEL)),
        Answer::ending(&[page(&["1.2.0"], "c")], End::HalfMessage),
        Answer::ending(&NONE, End::CloseAtOnce),
        Answer::ending(&[page(&["1.3.0"], "d")], End::Status(Status::ok(""))),
        Answer::ending(&[page(&["1.4.0"], "e")], End::Status(told(Code::Unavailable, "SHUTTING_DOWN", &[]))),
        Answer::ending(&[page(&["1.5.0"], "")], End::Close),
    ])
    .await;
    let mut listing = fake.client().list_versions(request());
    let mut versions = Vec::new();
    while let Some(record) = listing.try_next().await.unwrap() {
        versions.push(record.version);
    }
    assert_eq!(versions, ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0"]);
    assert_eq!(listing.try_next().await.unwrap(), None);
    assert_eq!(tokens(&fake.calls()), ["first", "b", "c", "c", "d", "e"]);
}

#[tokio::test]
async fn a_page_is_delivered_before_the_next_is_awaited_and_an_error_ends_the_listing() {
    let end = End::Status(told(Code::Internal, "INTERNAL", &[("id", "7")]));
    let fake = Fake::start(vec![Answer::ending(&[page(&["1.0.0"], "a")], end)]).await;
    let mut listing = fake.client().list_versions(request());
    assert_eq!(listing.next().await.unwrap().unwrap().version, "1.0.0");
    assert_eq!(listing.next().await.unwrap().unwrap_err().reason(), "INTERNAL");
    assert!(listing.next().await.is_none());
    assert!(listing.next().await.is_none());
}

#[tokio::test]
async fn the_timeout_bounds_how_long_a_listing_goes_without_a_message_after_a_failure() {
    let gone = || Answer::failure(told(Code::Unavailable, "DATABASE_UNAVAILABLE", &[]));
    let broken = Answer::ending(&[page(&["1.0.0"], "a")], End::Close);
    let fake = Fake::start(vec![gone(), broken, gone(), gone()]).await;
    let mut listing = fake.client().with_timeout(Duration::from_millis(500)).list_versions(request());
    assert_eq!(listing.try_next().await.unwrap().unwrap().version, "1.0.0");
    assert_eq!(listing.try_next().await.unwrap_err().reason(), "DATABASE_UNAVAILABLE");
    assert_eq!(tokens(&fake.calls()), ["first", "first", "a", "a"]);
}

#[tokio::test]
async fn a_listing_that_is_dropped_half_way_leaves_its_stream() {
    let left = Arc::new(Notify::new());
    let fake = Fake::start(vec![Answer::ending(&[page(&["1.0.0"], "a")], End::Open(Arc::clone(&left)))]).await;
    let mut listing = fake.client().list_versions(request());
    listing.try_next().await.unwrap();
    drop(listing);
    left.notified().await;
}

#[tokio::test]
async fn an_empty_stream_is_a_listing_of_nothing() {
    let fake = Fake::start(vec![Answer::whole(&NONE)]).await;
    assert_eq!(fake.client().list_versions(request()).try_next().await.unwrap(), None);
}

#[tokio::test]
async fn models_are_listed_likewise() {
    let page = |name: &str, token: &str| ListModelsResponse {
        models: vec![Model { name: name.into(), ..Default::default() }],
        next_page_token: token.into(),
    };
    let fake = Fake::start(vec![
        Answer::ending(&[page("a", "1")], End::Silent),
        Answer::ending(&[page("b", "")], End::Silent),
    ])
    .await;
    let listing = fake.client().list_models(ListModelsRequest { page_size: 1, ..Default::default() });
    let names: Vec<_> = listing.map(|model| model.unwrap().name).collect().await;
    assert_eq!(names, ["a", "b"]);
    let sent: Vec<ListModelsRequest> = fake.calls().iter().map(Call::decode).collect();
    assert_eq!(sent[1], ListModelsRequest { page_token: "1".into(), page_size: 1, ..Default::default() });
}
