//! A service that answers as it is told, frame by frame.

#![allow(dead_code, reason = "each file of tests uses a part")]

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{Arc, Mutex},
    time::Duration,
};

use h2::{Reason, RecvStream, server::SendResponse};
use prost::{Message, bytes::Bytes};
use stele_client::Client;
use tokio::{net::TcpListener, sync::Notify, time::sleep};
use tonic::{
    Code, Status,
    codegen::http::{HeaderMap, Request, Response},
};
use tonic_types::{ErrorDetails, StatusExt};

/// What the service answers to one call.
pub struct Answer {
    pub messages: Vec<Vec<u8>>,
    pub end: End,
}

/// How an answer ends.
#[derive(Clone, Debug)]
pub enum End {
    Status(Status),
    /// A page of HTTP instead of an answer of gRPC.
    Http(u16),
    /// The stream is reset before the headers.
    ResetAtOnce(Reason),
    /// The stream is reset after the messages.
    Reset(Reason),
    /// The stream ends without a status.
    Silent,
    /// The stream ends within a message.
    HalfMessage,
    /// The stream stays open until the client resets it, which is then told.
    Open(Arc<Notify>),
    /// The connection closes, before the headers.
    CloseAtOnce,
    /// The connection closes after the messages.
    Close,
}

/// A failure as the service tells it.
pub fn told(code: Code, reason: &str, metadata: &[(&str, &str)]) -> Status {
    Status::with_error_details(code, "as the service says it", details(reason, metadata))
}

/// The details of a failure as the service tells it.
pub fn details(reason: &str, metadata: &[(&str, &str)]) -> ErrorDetails {
    let metadata: HashMap<_, _> = metadata.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    ErrorDetails::with_error_info(reason, "stele", metadata)
}

/// A call that the service got.
pub struct Call {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn whole(messages: &[impl Message]) -> Self {
        Self::ending(messages, End::Status(Status::ok("")))
    }

    pub fn failure(status: Status) -> Self {
        Self { messages: Vec::new(), end: End::Status(status) }
    }

    pub fn ending(messages: &[impl Message], end: End) -> Self {
        Self { messages: messages.iter().map(Message::encode_to_vec).collect(), end }
    }
}

impl Call {
    pub fn decode<M: Message + Default>(&self) -> M {
        M::decode(&self.body[5..]).unwrap()
    }
}

pub struct Fake {
    pub address: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Fake {
    /// Starts a service that gives these answers, one to each call, in order.
    pub async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let calls = Arc::default();
        let answers = Arc::new(Mutex::new(answers.into_iter()));
        tokio::spawn(serve(listener, answers, Arc::clone(&calls)));
        Self { address, calls }
    }

    pub fn client(&self) -> Client {
        Client::builder(&self.address).plaintext().connect().unwrap()
    }

    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

async fn serve(listener: TcpListener, answers: Arc<Mutex<std::vec::IntoIter<Answer>>>, calls: Arc<Mutex<Vec<Call>>>) {
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let (answers, calls) = (Arc::clone(&answers), Arc::clone(&calls));
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(socket).await.unwrap();
            let close = Arc::new(Notify::new());
            loop {
                let accepted = tokio::select! {
                    accepted = connection.accept() => accepted,
                    () = close.notified() => None,
                };
                let Some(Ok((request, respond))) = accepted else { return };
                let answer = answers.lock().unwrap().next().expect("no more calls than answers");
                tokio::spawn(handle(request, respond, answer, Arc::clone(&calls), Arc::clone(&close)));
            }
        });
    }
}

async fn handle(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    answer: Answer,
    calls: Arc<Mutex<Vec<Call>>>,
    close: Arc<Notify>,
) {
    let (head, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(Ok(data)) = stream.data().await {
        body.extend_from_slice(&data);
    }
    calls.lock().unwrap().push(Call { headers: head.headers, body });
    match &answer.end {
        End::Http(code) => {
            let response = Response::builder().status(*code).body(()).unwrap();
            let mut stream = respond.send_response(response, false).unwrap();
            stream.send_data("<html>not now</html>".into(), true).unwrap();
        }
        End::ResetAtOnce(reason) => respond.send_reset(*reason),
        End::CloseAtOnce => close.notify_one(),
        _ => stream_answer(respond, answer, &close).await,
    }
}

async fn stream_answer(mut respond: SendResponse<Bytes>, answer: Answer, close: &Notify) {
    let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let mut stream = respond.send_response(head, false).unwrap();
    for message in answer.messages {
        stream.send_data(frame(&message), false).unwrap();
    }
    sleep(Duration::from_millis(5)).await; // A reset overtakes what is not yet sent.
    match answer.end {
        End::Status(status) => {
            let mut trailers = HeaderMap::new();
            status.add_header(&mut trailers).unwrap();
            stream.send_trailers(trailers).unwrap();
        }
        End::Reset(reason) => stream.send_reset(reason),
        End::HalfMessage => stream.send_data(frame(b"half a message").slice(..9), true).unwrap(),
        End::Close => close.notify_one(),
        End::Open(left) => {
            let _ = poll_fn(|context| stream.poll_reset(context)).await;
            left.notify_one();
        }
        _ => stream.send_data(Bytes::new(), true).unwrap(),
    }
}

fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], length.as_slice(), message].concat().into()
}
