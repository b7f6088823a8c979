//! Against servers on loopback that do what servers should not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{net::SocketAddr, time::Duration};

use http::{Request, StatusCode};
use platform_http_client::{Error, HttpClient, MAX_BODY_BYTES};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A server that reads a request from each connection and then does `act`.
async fn server<F: Future<Output = ()> + Send + 'static>(
    act: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4_096];
            let _ = stream.read(&mut request).await.unwrap();
            tokio::spawn(act(stream));
        }
    });
    address
}

async fn answering(answer: Vec<u8>) -> SocketAddr {
    server(move |mut stream| {
        let answer = answer.clone();
        async move { stream.write_all(&answer).await.unwrap() }
    })
    .await
}

fn request(address: SocketAddr) -> Request<Vec<u8>> {
    Request::post(format!("http://{address}/send?access_token=hunter2")).body(b"{}".to_vec()).unwrap()
}

fn client() -> HttpClient {
    HttpClient::new(Duration::from_millis(400)).unwrap()
}

#[tokio::test]
async fn an_answer_is_read_whatever_its_status() {
    let answer =
        b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\nbusy".to_vec();
    let response = client().send(request(answering(answer).await)).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "7");
    assert_eq!(response.body().as_ref(), b"busy");
}

#[tokio::test]
async fn a_refused_connection_is_a_request_that_was_not_sent() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = client().send(request(address)).await.unwrap_err();
    assert!(matches!(error, Error::NotSent(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_was_not_sent_the_request() {
    let address = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()).await;
    let request = Request::get(format!("https://{address}/")).body(vec![]).unwrap();
    let error = client().send(request).await.unwrap_err();
    assert!(matches!(error, Error::NotSent(_)), "{error:?}");
}

#[tokio::test]
async fn an_address_that_is_none_was_not_sent_to() {
    let relative = Request::get("/send").body(vec![]).unwrap();
    let error = client().send(relative).await.unwrap_err();
    assert!(matches!(error, Error::NotSent(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_hangs_may_have_the_request() {
    let address = server(|stream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let error = client().send(request(address)).await.unwrap_err();
    assert!(matches!(error, Error::Unanswered(_)), "{error:?}");
}

#[tokio::test]
async fn a_call_may_have_less_time_than_the_others() {
    let address = server(|stream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let patient = HttpClient::new(Duration::from_hours(1)).unwrap();
    let error = patient.send_within(request(address), Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(error, Error::Unanswered(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_hangs_up_may_have_the_request() {
    let error = client().send(request(server(|stream| async { drop(stream) }).await)).await.unwrap_err();
    assert!(matches!(error, Error::Unanswered(_)), "{error:?}");
}

#[tokio::test]
async fn half_an_answer_is_none() {
    for half in ["HTTP/1.1 200 O", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"errcode\":0"] {
        let error = client().send(request(answering(half.into()).await)).await.unwrap_err();
        assert!(matches!(error, Error::Unanswered(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let answer =
        b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let response = client().send(request(answering(answer.to_vec()).await)).await.unwrap();
    assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
}

#[tokio::test]
async fn an_answer_of_the_largest_size_is_read_and_a_larger_one_is_not() {
    let of = |bytes: usize| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n");
        [head.into_bytes(), vec![b'x'; bytes]].concat()
    };
    let response = client().send(request(answering(of(MAX_BODY_BYTES)).await)).await.unwrap();
    assert_eq!(response.body().len(), MAX_BODY_BYTES);
    let error = client().send(request(answering(of(MAX_BODY_BYTES + 1)).await)).await.unwrap_err();
    assert!(matches!(error, Error::Unanswered(_)), "{error:?}");
}

#[tokio::test]
async fn no_error_shows_the_address() {
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let silent = server(|stream| async { drop(stream) }).await;
    for address in [refused, silent] {
        let error = client().send(request(address)).await.unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
