//! Calls of one answer: retries, deadlines, tokens.

mod fake;

use std::time::{Duration, Instant};

use fake::{Answer, End, Fake, details, told};
use h2::Reason;
use stele_client::{
    Client,
    v1::{GetVersionResponse, ModelVersion, RegisterVersionRequest, RegisterVersionResponse},
};
use tokio::task::JoinSet;
use tonic::{Code, Status};
use tonic_types::StatusExt;

const NONE: [GetVersionResponse; 0] = [];

fn record() -> ModelVersion {
    ModelVersion { model: "m".into(), version: "1.0.0".into(), ..Default::default() }
}

fn found() -> [GetVersionResponse; 1] {
    [GetVersionResponse { model_version: Some(record()) }]
}

#[tokio::test]
async fn a_call_is_repeated_after_a_break_whatever_tonic_calls_it() {
    let mut breaks = vec![
        Answer::ending(&NONE, End::CloseAtOnce),
        Answer::ending(&NONE, End::Close),
        Answer::ending(&NONE, End::Silent),
        Answer::ending(&NONE, End::HalfMessage),
        Answer::ending(&found(), End::Silent),
        Answer::ending(&found(), End::Close),
        Answer::ending(&NONE, End::Http(502)),
        Answer::ending(&NONE, End::Http(503)),
        Answer::failure(Status::unavailable("a proxy")),
        Answer::failure(Status::aborted("a proxy")),
    ];
    for reason in [Reason::NO_ERROR, Reason::INTERNAL_ERROR, Reason::CANCEL, Reason::REFUSED_STREAM] {
        breaks.push(Answer::ending(&NONE, End::ResetAtOnce(reason)));
        breaks.push(Answer::ending(&NONE, End::Reset(reason)));
        breaks.push(Answer::ending(&found(), End::Reset(reason)));
    }
    let mut cases = JoinSet::new();
    for answer in breaks {
        cases.spawn(async {
            let case = format!("{:?} after {} messages", answer.end, answer.messages.len());
            let fake = Fake::start(vec![answer, Answer::whole(&found())]).await;
            assert_eq!(fake.client().get("m", "1.0.0").await.ok(), Some(record()), "{case}");
            assert_eq!(fake.calls().len(), 2, "{case}");
        });
    }
    cases.join_all().await;
}

#[tokio::test]
async fn a_call_is_not_repeated_after_any_other_failure() {
    let failures = [
        told(Code::AlreadyExists, "VERSION_ALREADY_EXISTS", &[]),
        told(Code::Internal, "INTERNAL", &[]),
        told(Code::Unknown, "OUTCOME_UNKNOWN", &[]),
        told(Code::Cancelled, "CANCELLED", &[]),
        told(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", &[]),
        told(Code::ResourceExhausted, "REQUEST_TOO_LARGE", &[]),
        Status::internal("a proxy"),
    ];
    for failure in failures {
        let fake = Fake::start(vec![Answer::failure(failure.clone())]).await;
        let error = fake.client().get("m", "1.0.0").await.unwrap_err();
        assert_eq!((error.code(), error.message()), (failure.code(), failure.message()));
        assert_eq!(fake.calls().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_of_http_has_the_code_that_it_stands_for() {
    for (status, code) in [(401, Code::Unauthenticated), (404, Code::Unimplemented), (500, Code::Unknown)] {
        let fake = Fake::start(vec![Answer::ending(&NONE, End::Http(status))]).await;
        assert_eq!(fake.client().get("m", "1.0.0").await.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn a_call_is_repeated_after_the_delay_that_the_service_asks_for() {
    let mut details = details("TOO_MANY_CALLS", &[("kind", "calls")]);
    details.set_retry_info(Some(Duration::from_millis(300)));
    let failure = Status::with_error_details(Code::ResourceExhausted, "too many calls", details);
    let fake = Fake::start(vec![Answer::failure(failure), Answer::whole(&found())]).await;
    let start = Instant::now();
    assert_eq!(fake.client().get("m", "1.0.0").await.unwrap(), record());
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn the_attempts_of_a_registration_have_one_request_id_and_share_the_deadline() {
    let stored = [RegisterVersionResponse { model_version: Some(record()) }];
    let fake = Fake::start(vec![Answer::ending(&stored, End::Silent), Answer::whole(&stored)]).await;
    let request = RegisterVersionRequest { model: "m".into(), ..Default::default() };
    assert_eq!(fake.client().register(request.clone()).await.unwrap(), record());

    let calls = fake.calls();
    let sent: Vec<RegisterVersionRequest> = calls.iter().map(fake::Call::decode).collect();
    assert_eq!(sent[0], sent[1]);
    assert!(uuid::Uuid::parse_str(&sent[0].request_id).is_ok());
    assert_eq!(RegisterVersionRequest { request_id: String::new(), ..sent[0].clone() }, request);
    let timeouts: Vec<u64> = calls.iter().map(|call| microseconds(&call.headers["grpc-timeout"])).collect();
    assert!(timeouts[0] <= 30_000_000 && timeouts[1] <= timeouts[0] - 80_000, "{timeouts:?}");
}

fn microseconds(header: &tonic::codegen::http::HeaderValue) -> u64 {
    header.to_str().unwrap().strip_suffix('u').expect("tonic tells 30 s in microseconds").parse().unwrap()
}

#[tokio::test]
async fn a_request_id_of_the_caller_is_kept() {
    let stored = RegisterVersionResponse { model_version: Some(record()) };
    let fake = Fake::start(vec![Answer::whole(&[stored])]).await;
    let request = RegisterVersionRequest { request_id: "mine".into(), ..Default::default() };
    fake.client().register(request.clone()).await.unwrap();
    assert_eq!(fake.calls()[0].decode::<RegisterVersionRequest>(), request);
}

#[tokio::test]
async fn the_last_failure_is_told_at_once_where_the_next_wait_would_end_after_the_deadline() {
    let fake = Fake::start(vec![Answer::failure(told(Code::Unavailable, "DATABASE_UNAVAILABLE", &[]))]).await;
    let error = fake.client().with_timeout(Duration::from_millis(79)).get("m", "1.0.0").await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::Unavailable, "DATABASE_UNAVAILABLE"));
}

#[tokio::test]
async fn a_call_without_an_answer_ends_at_its_deadline() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let client = Client::builder(&address).plaintext().timeout(Duration::from_millis(100)).connect().unwrap();
    let error = client.get("m", "1.0.0").await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::DeadlineExceeded, ""));
    assert_eq!(error.message(), format!("{address}: no answer within 100ms"));
}

#[tokio::test]
async fn a_timeout_may_be_without_end() {
    let fake = Fake::start(vec![Answer::whole(&found())]).await;
    assert_eq!(fake.client().with_timeout(Duration::MAX).get("m", "1.0.0").await.unwrap(), record());
}

#[tokio::test]
async fn many_tasks_share_one_client() {
    let fake = Fake::start((0..50).map(|_| Answer::whole(&found())).collect()).await;
    let client = fake.client();
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let client = client.clone();
        tasks.spawn(async move { client.get("m", "1.0.0").await.unwrap() });
    }
    assert_eq!(tasks.join_all().await, vec![record(); 50]);
}

#[tokio::test]
async fn options_that_cannot_be_meant_are_refused() {
    let address = "localhost:1";
    for (builder, problem) in [
        (Client::builder("localhost").plaintext(), "the address is not host:port: localhost"),
        (Client::builder("http://localhost:1").plaintext(), "the address is not host:port: http://localhost:1"),
        (Client::builder(address).plaintext().token("secret"), "a token is not sent over plaintext"),
        (Client::builder(address).plaintext().authorities("x"), "certificates need TLS"),
        (Client::builder(address).authorities("x"), "the authorities hold no certificate in PEM"),
        (Client::builder(address).plaintext().timeout(Duration::ZERO), "a timeout is more than 0"),
    ] {
        let error = builder.connect().err().map(|error| error.to_string());
        assert_eq!(error, Some(format!("cannot connect: {problem}")));
    }
}

#[tokio::test]
async fn what_is_no_address_or_no_token_is_refused() {
    for address in
        ["", "localhost:", ":1", "localhost:99999", "localhost:+1", "::1:1", "a@b:1", "a/b:1", " localhost:1"]
    {
        let error = Client::builder(address).plaintext().connect().err().map(|error| error.to_string());
        assert_eq!(error, Some(format!("cannot connect: the address is not host:port: {address}")));
    }
    for token in ["", "line\n", "two words", "t\u{f6}ken", "tab\t"] {
        let error = Client::builder("[::1]:1").token(token).connect().err().map(|error| error.to_string());
        let problem = "cannot connect: a token is visible ASCII characters, at least one; mind the end of the line";
        assert_eq!(error.as_deref(), Some(problem));
    }
}

#[tokio::test]
async fn a_failure_on_the_way_names_the_address() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let client = Client::builder(&closed).plaintext().timeout(Duration::from_millis(79)).connect().unwrap();
    let error = client.get("m", "1.0.0").await.unwrap_err();
    assert!(error.message().starts_with(&format!("{closed}: tcp connect error: ")), "{error}");
    let fake = Fake::start(vec![Answer::failure(told(Code::NotFound, "MODEL_NOT_FOUND", &[]))]).await;
    assert_eq!(fake.client().get("m", "1.0.0").await.unwrap_err().message(), "as the service says it");
}

#[tokio::test]
async fn a_try_to_connect_that_gets_no_tls_is_followed_by_another() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::builder(silent.local_addr().unwrap().to_string()).connect().unwrap();
    let call = tokio::spawn(async move { client.get("m", "1.0.0").await });
    let (first, _) = silent.accept().await.unwrap();
    first.readable().await.unwrap(); // The client has said hello.
    tokio::time::pause();
    tokio::select! {
        another = silent.accept() => drop(another.unwrap()),
        outcome = call => panic!("{outcome:?} after one try"),
    }
}
