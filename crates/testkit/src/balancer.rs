//! A load balancer for connections that knows nothing of what they carry.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a backend may take to accept before the next one is tried.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(1);

/// A running balancer. Dropping it closes every connection.
pub struct Balancer {
    /// Where clients connect to.
    pub base: String,
    backends: Arc<Mutex<Vec<SocketAddr>>>,
    /// Holds the accept loop, and with it every connection.
    _tasks: JoinSet<()>,
}

// === impl Balancer ===

impl Balancer {
    /// Starts one over servers, given by their base URLs.
    pub async fn start(bases: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("a bound socket has an address"));
        let backends = Arc::new(Mutex::new(bases.iter().map(|base| address(base)).collect()));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&backends)));
        Self { base, backends, _tasks: tasks }
    }

    /// Puts other servers in place of the present ones. Connections that are open stay.
    pub fn aim(&self, bases: &[&str]) {
        *self.backends.lock().unwrap_or_else(PoisonError::into_inner) = bases.iter().map(|base| address(base)).collect();
    }
}

fn address(base: &str) -> SocketAddr {
    base.trim_start_matches("http://").parse().expect("the base URL of a server on loopback")
}

async fn accept(listener: TcpListener, backends: Arc<Mutex<Vec<SocketAddr>>>) {
    let mut connections = JoinSet::new();
    for turn in 0_usize.. {
        let Ok((client, _)) = listener.accept().await else { return };
        let mut order = backends.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let first = turn % order.len().max(1);
        order.rotate_left(first);
        connections.spawn(carry(client, order));
        while connections.try_join_next().is_some() {}
    }
}

/// Carries a connection to the first backend that takes it. With none the client is hung up on.
async fn carry(mut client: TcpStream, backends: Vec<SocketAddr>) {
    for backend in backends {
        if let Ok(Ok(mut server)) = timeout(CONNECT_TIME_MAX, TcpStream::connect(backend)).await {
            // However it ends, both sides are closed, which is all that a balancer can do.
            drop(copy_bidirectional(&mut client, &mut server).await);
            return;
        }
    }
}
