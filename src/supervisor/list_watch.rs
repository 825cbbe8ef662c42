//! Keeps a watch on the backend, and lists its instances regularly to find what the watch has missed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::bounded_call::{CallFailure, bounded_call};
use super::calls::Calls;
use super::driver_message::DriverMessage;
use super::retry_pause::RetryPause;
use crate::backend::{Backend, BackendError, BackendReport, ListRequest, Reporter, WatchRequest};
use crate::policy::Cause;

/// A watch that held for longer than this resets the pause before the next.
const STABLE_AFTER: Duration = Duration::from_secs(60);

/// Watches and lists until the driver has ended.
pub(super) async fn watch_and_list<B: Backend>(calls: Calls<B>, resync: Duration) {
    let list_now = Arc::new(Notify::new());
    tokio::join!(watch(&calls, &list_now), list(&calls, &list_now, resync));
}

/// Watches, and watches again after a growing pause whenever the watch ends.
async fn watch<B: Backend>(calls: &Calls<B>, list_now: &Arc<Notify>) {
    let mut pause = RetryPause::new();
    while !calls.messages.is_closed() {
        let began = calls.clock.now();
        let reporter = reporter(calls, list_now);
        let watched = calls.clone();
        let mut watch =
            tokio::spawn(async move { watched.backend.watch(WatchRequest::new(&watched.name), reporter).await });
        // The watch starts first, so that nothing is missed between the list and the watch.
        tokio::task::yield_now().await;
        list_now.notify_one();
        let error = tokio::select! {
            ended = &mut watch => match ended {
                Ok(Ok(())) => "the watch ended".to_owned(),
                Ok(Err(error)) => format!("the watch broke: {error}"),
                Err(_) => "the watch panicked".to_owned(),
            },
            () = calls.messages.closed() => {
                watch.abort();
                return;
            }
        };
        calls.send(DriverMessage::BackendError(error));
        if calls.clock.now().since(began) > STABLE_AFTER {
            pause.reset();
        }
        tokio::select! {
            () = pause.sleep() => {}
            () = calls.messages.closed() => return,
        }
    }
}

/// Forwards reports to the driver, and triggers a list when the watch is established.
fn reporter<B: Backend>(calls: &Calls<B>, list_now: &Arc<Notify>) -> Reporter {
    let (messages, list_now) = (calls.messages.clone(), list_now.clone());
    Reporter::new(move |report| match report {
        BackendReport::Event(event) => messages.send(DriverMessage::Event(event)).is_ok(),
        BackendReport::State(instance) => messages.send(DriverMessage::StateReport(instance)).is_ok(),
        BackendReport::WatchEstablished => {
            list_now.notify_one();
            !messages.is_closed()
        }
    })
}

/// Lists with every new watch and every `resync`, and repeats a failed list after a growing pause.
async fn list<B: Backend>(calls: &Calls<B>, list_now: &Notify, resync: Duration) {
    let mut pause = RetryPause::new();
    // The first watch precedes the first list.
    list_now.notified().await;
    loop {
        let listed = list_once(calls).await;
        let next = async {
            if listed {
                pause.reset();
                let _ = timeout(resync, list_now.notified()).await;
            } else {
                // A new watch does not cut the pause short, since the backend is failing.
                pause.sleep().await;
            }
        };
        tokio::select! {
            () = next => {}
            () = calls.messages.closed() => return,
        }
    }
}

/// Lists once and sends the result to the driver. Returns whether it succeeded.
async fn list_once<B: Backend>(calls: &Calls<B>) -> bool {
    let asked_at = calls.clock.now();
    calls.send(DriverMessage::ListStarted);
    let listed = calls.clone();
    let call = async move { listed.backend.list(ListRequest::new(&listed.name)).await };
    let error = match bounded_call(calls.call_timeout, call).await {
        Ok(Ok(instances)) => {
            calls.send(DriverMessage::ListCompleted(instances));
            return true;
        }
        Ok(Err(error)) => error,
        Err(failure @ CallFailure::TimedOut) => BackendError::lost_answer(failure.describe(calls.call_timeout)),
        Err(failure @ CallFailure::Panicked) => {
            BackendError::caused_by(Cause::Error, failure.describe(calls.call_timeout))
        }
    };
    calls.send(DriverMessage::ListFailed(asked_at, error));
    false
}
