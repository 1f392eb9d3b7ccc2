//! An HTTP proxy on raw sockets: it makes tunnels, all to one place, or refuses to, and keeps a journal of who asked for what.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What the proxy does when it is asked.
#[derive(Clone, Debug)]
pub enum Tunnelling {
    /// A tunnel, whatever the name, to the place that the proxy was started for.
    Open,
    /// These bytes in place of an answer, then the end.
    Answer(Vec<u8>),
    /// Nothing, for as long as the client waits.
    Silence,
    /// The connection is closed without a word.
    Close,
}

/// A tunnel that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Host and port as the client wrote them; the whole first line where it was no CONNECT.
    pub target: String,
    /// The value of `proxy-authorization`.
    pub authorization: Option<String>,
}

/// A running proxy on a port of its own. Dropping it closes every socket.
pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

struct Shared {
    to: SocketAddr,
    tunnelling: Mutex<Tunnelling>,
    journal: Mutex<Vec<Asked>>,
}

// === impl Proxy ===

impl Proxy {
    /// Starts one whose tunnels all lead to this place.
    pub async fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared { to, tunnelling: Mutex::new(Tunnelling::Open), journal: Mutex::default() });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Self { shared, address, _tasks: tasks }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it does from now on.
    pub fn tell(&self, tunnelling: Tunnelling) {
        *lock(&self.shared.tunnelling) = tunnelling;
    }

    /// Every tunnel that was asked for, in order.
    pub fn journal(&self) -> Vec<Asked> {
        lock(&self.shared.journal).clone()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut tunnels = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { return };
                let shared = Arc::clone(&shared);
                tunnels.spawn(async move { drop(serve(stream, &shared).await) });
            }
            Some(_) = tunnels.join_next() => {}
        }
    }
}

/// The errors are those of peers that have left, which a test sees by other means.
async fn serve(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    lock(&shared.journal).push(asked(&String::from_utf8_lossy(&head)));
    let tunnelling = lock(&shared.tunnelling).clone();
    match tunnelling {
        Tunnelling::Open => {
            let mut onward = TcpStream::connect(shared.to).await?;
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            copy_bidirectional(&mut stream, &mut onward).await?;
        }
        Tunnelling::Answer(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await?;
        }
        Tunnelling::Silence => while stream.read_u8().await.is_ok() {},
        Tunnelling::Close => {}
    }
    Ok(())
}

fn asked(head: &str) -> Asked {
    let line = head.lines().next().unwrap_or_default();
    let target = line.strip_prefix("CONNECT ").and_then(|rest| rest.strip_suffix(" HTTP/1.1")).unwrap_or(line).to_owned();
    let authorization = head.lines().find_map(|line| line.split_once(": ").filter(|(name, _)| *name == "proxy-authorization"));
    Asked { target, authorization: authorization.map(|(_, value)| value.to_owned()) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
