//! The provider over HTTP/2.

use std::sync::Arc;

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response};
use rustls_pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_rustls::server::TlsStream;

use super::http1::Transport as _;
use super::reply::Reply;
use super::{Received, Shared};

/// Ends when the peer leaves or a reply closes the connection.
pub(super) async fn serve(stream: TlsStream<TcpStream>, connection: usize, shared: &Arc<Shared>) {
    let client = stream.client();
    let Ok(mut http2) = server::handshake(stream).await else { return };
    let mut streams = JoinSet::new();
    let mut hang_ups = shared.hang_ups.subscribe();
    loop {
        tokio::select! {
            _ = hang_ups.changed() => return,
            accepted = http2.accept() => {
                let Some(Ok((request, respond))) = accepted else { return };
                let (shared, peer) = (Arc::clone(shared), Peer { connection, client: client.clone() });
                streams.spawn(async move { play(request, respond, peer, &shared).await });
            }
            Some(ended) = streams.join_next() => {
                if matches!(ended, Ok(Some(Ended::Close))) {
                    return;
                }
            }
        }
    }
}

/// Who has made a connection.
struct Peer {
    connection: usize,
    client: Option<CertificateDer<'static>>,
}

enum Ended {
    Stream,
    Close,
}

/// `None` when the peer left.
async fn play(request: Request<RecvStream>, mut respond: SendResponse<Bytes>, peer: Peer, shared: &Shared) -> Option<Ended> {
    let queued = shared.queued();
    if let Some(Reply::RefuseStream) = queued {
        respond.send_reset(Reason::REFUSED_STREAM);
        return Some(Ended::Stream);
    }
    let received = receive(request, peer).await?;
    let mut reply = queued.unwrap_or_else(|| shared.judge(&received));
    shared.record(received);
    while let Reply::After(wait, then) = reply {
        sleep(wait).await;
        reply = *then;
    }
    match reply {
        Reply::Answer { status, headers, body } => {
            let mut response = Response::builder().status(status);
            for (name, value) in &headers {
                response = response.header(name, value);
            }
            send(&mut respond, response.body(()).ok()?, body.into())?;
        }
        Reply::Huge(length) => send(&mut respond, Response::new(()), vec![b' '; length].into())?,
        Reply::Drip(body, every) => {
            let mut stream = respond.send_response(Response::new(()), false).ok()?;
            for byte in body {
                sleep(every).await;
                stream.send_data(Bytes::copy_from_slice(&[byte]), false).ok()?;
            }
            stream.send_data(Bytes::new(), true).ok()?;
        }
        Reply::CloseUnanswered | Reply::CloseAfter(_) | Reply::ResetUnread | Reply::Raw(..) => return Some(Ended::Close),
        Reply::ResetUnanswered => respond.send_reset(Reason::INTERNAL_ERROR),
        Reply::RefuseStream => respond.send_reset(Reason::REFUSED_STREAM),
        // The handle has to live, or the stream would be reset.
        Reply::Never | Reply::After(..) => drop(std::future::poll_fn(|cx| respond.poll_reset(cx)).await),
    }
    Some(Ended::Stream)
}

fn send(respond: &mut SendResponse<Bytes>, response: Response<()>, body: Bytes) -> Option<()> {
    let end = body.is_empty();
    let mut stream = respond.send_response(response, end).ok()?;
    if end { Some(()) } else { stream.send_data(body, true).ok() }
}

async fn receive(request: Request<RecvStream>, Peer { connection, client }: Peer) -> Option<Received> {
    let (head, mut body) = request.into_parts();
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.ok()?;
        body.flow_control().release_capacity(data.len()).ok()?;
        bytes.extend_from_slice(&data);
    }
    let authority = head.uri.authority().map(|authority| (":authority".to_owned(), authority.to_string()));
    let others = head.headers.iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    Some(Received {
        connection,
        at: Instant::now(),
        client,
        version: "HTTP/2",
        method: head.method.to_string(),
        target: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: authority.into_iter().chain(others).collect(),
        body: bytes,
    })
}
