//! Forwards connections to the ready replicas in turn, so that a client sees one address during a rollout.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use uphold::{Phase, SupervisorHandle};

/// Listens on `port` of 127.0.0.1. Replica n listens on `first_replica_port` + n.
///
/// # Errors
/// The port cannot be bound.
pub(crate) async fn serve(port: u16, first_replica_port: u16, handle: SupervisorHandle) -> Result<(), String> {
    let bound = TcpListener::bind(("127.0.0.1", port)).await;
    let listener = bound.map_err(|error| format!("cannot listen on port {port}: {error}"))?;
    let next = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (handle, turn) = (handle.clone(), next.fetch_add(1, Ordering::Relaxed));
            tokio::spawn(async move { forward(client, first_replica_port, &handle, turn).await });
        }
    });
    Ok(())
}

/// Connects to the first of the ready replicas, beginning with number `turn`, that accepts. Without one the client's
/// connection is closed.
async fn forward(mut client: TcpStream, first_replica_port: u16, handle: &SupervisorHandle, turn: usize) {
    let Ok(replicas) = handle.replicas().await else { return };
    let mut ready: Vec<u32> =
        replicas.iter().filter(|view| view.phase == Phase::Ready).map(|view| view.replica.0).collect();
    if ready.is_empty() {
        return;
    }
    let first = turn % ready.len();
    ready.rotate_left(first);
    for replica in ready {
        let Ok(port) = u16::try_from(u32::from(first_replica_port) + replica) else { continue };
        // Nothing was sent yet, so another replica may be tried.
        if let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await {
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            return;
        }
    }
}
