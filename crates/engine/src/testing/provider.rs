//! A payment service that answers what a test tells it, over a real socket.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// A running provider; it ends with this value.
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

struct State {
    answer: Mutex<(u16, String)>,
    requests: Mutex<Vec<String>>,
    arrived: Semaphore,
    /// A permit per answer.
    leave: Semaphore,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            answer: Mutex::new((200, r#"{"id":"made-1"}"#.to_owned())),
            requests: Mutex::default(),
            arrived: Semaphore::new(0),
            leave: Semaphore::new(Semaphore::MAX_PERMITS),
        });
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&state);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, state, _tasks: tasks }
    }

    pub(crate) fn answers(&self, status: u16, body: &str) {
        *self.state.answer.lock().unwrap() = (status, body.to_owned());
    }

    /// Requests from now on wait for [`Self::let_go`].
    pub(crate) fn hold(&self) {
        self.state.leave.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn let_go(&self) {
        self.state.leave.add_permits(1);
    }

    /// Returns when one more request has been read.
    pub(crate) async fn arrival(&self) {
        self.state.arrived.acquire().await.unwrap().forget();
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let mut received = Vec::new();
    let mut chunk = [0; 4096];
    while !is_complete(&received) {
        match stream.read(&mut chunk).await {
            Ok(length @ 1..) => received.extend_from_slice(&chunk[..length]),
            Ok(0) | Err(_) => return,
        }
    }
    state.requests.lock().unwrap().push(String::from_utf8(received).unwrap());
    state.arrived.add_permits(1);
    state.leave.acquire().await.unwrap().forget();
    let (status, body) = state.answer.lock().unwrap().clone();
    let head = format!(
        "HTTP/1.1 {status} Answer\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // Whoever asked may have gone; that is part of what is tested.
    drop(stream.write_all(format!("{head}{body}").as_bytes()).await);
    drop(stream.shutdown().await);
}

fn is_complete(received: &[u8]) -> bool {
    let text = String::from_utf8_lossy(received);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    body.len() >= length.map_or(0, |(_, value)| value.trim().parse().unwrap())
}
