//! What a set is told without asking: the watch, begun again when it breaks, and the lists that heal what it missed.

use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::calls::{CallFailure, Calls};
use super::driver_message::DriverMessage;
use crate::backend::{Backend, BackendError, BackendReport, ListRequest, Reporter, WatchRequest};
use crate::policy::Cause;

/// The first pause after a watch that broke, or a list that failed; it doubles up to [`MAX_PAUSE`].
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// A watch that held for this long was no flicker: the pauses begin anew.
const STABLE_AFTER: Duration = Duration::from_secs(60);

/// Watches and lists for as long as somebody listens.
pub(super) async fn watch_and_list<B: Backend>(calls: Calls<B>, resync: Duration) {
    let again = std::sync::Arc::new(Notify::new());
    tokio::join!(watch(&calls, &again), list(&calls, &again, resync));
}

async fn watch<B: Backend>(calls: &Calls<B>, again: &std::sync::Arc<Notify>) {
    let mut pause = FIRST_PAUSE;
    while !calls.messages.is_closed() {
        let began = calls.clock.now();
        let mut watching = {
            let calls = calls.clone();
            let again = again.clone();
            let messages = calls.messages.clone();
            let reporter = Reporter::new(move |report| match report {
                BackendReport::Event(event) => messages.send(DriverMessage::Event(event)).is_ok(),
                BackendReport::State(instance) => messages.send(DriverMessage::StateReport(instance)).is_ok(),
                BackendReport::WatchEstablished => {
                    again.notify_one();
                    !messages.is_closed()
                }
            });
            tokio::spawn(async move { calls.backend.watch(WatchRequest::new(&calls.name), reporter).await })
        };
        // What happens between a list and the watch would be missed until the next list: the watch goes first.
        tokio::task::yield_now().await;
        again.notify_one();
        let broke = tokio::select! {
            ended = &mut watching => match ended {
                Ok(Ok(())) => "the watch ended".to_owned(),
                Ok(Err(error)) => format!("the watch broke: {error}"),
                Err(_) => "the watch panicked".to_owned(),
            },
            () = calls.messages.closed() => {
                watching.abort();
                return;
            }
        };
        calls.send(DriverMessage::BackendError(broke));
        if calls.clock.now().since(began) > STABLE_AFTER {
            pause = FIRST_PAUSE;
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = calls.messages.closed() => return,
        }
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// Lists whenever a watch begins, and every `resync`; after one that failed, with growing pauses.
async fn list<B: Backend>(calls: &Calls<B>, again: &Notify, resync: Duration) {
    let mut pause = FIRST_PAUSE;
    // The first watch comes before the first list.
    again.notified().await;
    loop {
        let listed = list_once(calls).await;
        let next = async {
            if listed {
                let _ = tokio::time::timeout(resync, again.notified()).await;
            } else {
                // Not sooner because the watch begins again: it is the backend that is not well.
                sleep(pause).await;
            }
        };
        tokio::select! {
            () = next => {}
            () = calls.messages.closed() => return,
        }
        pause = if listed { FIRST_PAUSE } else { (pause * 2).min(MAX_PAUSE) };
    }
}

/// Whether the list came.
async fn list_once<B: Backend>(calls: &Calls<B>) -> bool {
    let asked = calls.clock.now();
    calls.send(DriverMessage::ListStarted);
    let asking = calls.clone();
    let answer = calls
        .bounded(calls.call_timeout, async move { asking.backend.list(ListRequest::new(&asking.name)).await })
        .await;
    let error = match answer {
        Ok(Ok(instances)) => {
            calls.send(DriverMessage::ListCompleted(instances));
            return true;
        }
        Ok(Err(error)) => error,
        Err(CallFailure::TimedOut) => BackendError::lost_answer(format!("no answer within {:?}", calls.call_timeout)),
        Err(CallFailure::Panicked) => BackendError::caused_by(Cause::Error, "the backend panicked"),
    };
    calls.send(DriverMessage::ListFailed(asked, error));
    false
}
