//! The listener's loop: connections that say nothing are closed, and stopping has an end.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Extension};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Layer;

/// How long a connection may take to send the whole head of its first or next request. Longer than the 60
/// seconds for which proxies keep idle connections: they close first, so no request meets a closed connection.
const HEAD_WITHIN: Duration = Duration::from_secs(75);
/// How long requests under way may take to end when we stop. Docker kills after ten seconds.
const END_WITHIN: Duration = Duration::from_secs(8);
/// Pause after a failed accept, such as when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves until `stop`, then lets the requests under way end for [`END_WITHIN`] and cuts off the rest. Every
/// request carries its peer as [`ConnectInfo`].
pub(super) async fn serve(listener: TcpListener, routes: Router, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => {
                    connections.spawn(connection(socket, peer, routes.clone(), stop.child_token()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(END_WITHIN, all_ended).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut off");
        connections.shutdown().await;
    }
}

/// `stop` is this connection's own: it is looked at each time the connection is, and behind a shared one's lock
/// they would queue.
async fn connection(socket: TcpStream, peer: SocketAddr, routes: Router, stop: CancellationToken) {
    // Answers are small and somebody waits for them.
    let _ = socket.set_nodelay(true);
    let service = TowerToHyperService::new(Extension(ConnectInfo(peer)).layer(routes));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(socket), service);
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A server and the socket of a client that began a request.
    async fn begun(words: &str) -> (TcpStream, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let routes = Router::new().route("/", get(|| async { "here" }));
        let serving = tokio::spawn(serve(listener, routes, stop.clone()));
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(words.as_bytes()).await.unwrap();
        (client, stop, serving)
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_never_ends_closes_its_connection() {
        for words in ["", "GET / HTTP/1.1\r\nhost: x\r\nx-slow: "] {
            let (mut client, stop, serving) = begun(words).await;
            let mut answer = Vec::new();
            let _ = client.read_to_end(&mut answer).await;
            assert!(!answer.starts_with(b"HTTP/1.1 200"), "closed without an answer");
            stop.cancel();
            serving.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_request_is_answered_and_an_idle_connection_does_not_delay_stopping() {
        let (mut client, stop, serving) = begun("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut answer = Vec::new();
        while !answer.ends_with(b"here") {
            assert!(client.read_buf(&mut answer).await.unwrap() > 0, "an answer");
        }
        stop.cancel();
        serving.await.unwrap();
        assert_eq!(client.read_buf(&mut answer).await.unwrap(), 0, "closed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_in_the_middle_of_a_head_is_cut_off_when_we_stop() {
        let (client, stop, serving) = begun("GET / HT").await;
        stop.cancel();
        let started = tokio::time::Instant::now();
        serving.await.unwrap();
        assert!(started.elapsed() <= END_WITHIN + Duration::from_secs(1));
        drop(client);
    }
}
