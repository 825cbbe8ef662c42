//! Prometheus text on a port of this machine.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Collects the figures, and serves them to whoever connects, whatever it asks for.
pub(crate) async fn serve(port: u16) -> Result<(), String> {
    let handle = PrometheusBuilder::new().install_recorder().map_err(|error| error.to_string())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| format!("port {port}: {error}"))?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, handle.clone()));
        }
    });
    Ok(())
}

async fn answer(mut stream: tokio::net::TcpStream, handle: PrometheusHandle) {
    let mut request = [0; 4096];
    // Nothing in the request matters, and a client that goes away needs no answer.
    let _ = stream.read(&mut request).await;
    let body = handle.render();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body.as_bytes()).await;
}
