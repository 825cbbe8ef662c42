//! The events and spans that the supervisor emits through `tracing`.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use uphold::backend::process::{ProcessBackend, ProcessOutput, ProcessSpec};
use uphold::{Policy, RetryPolicy, Status, Supervisor};

/// Keeps every span and event of ours as one line of its fields.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }
}

impl Kept {
    fn keep(&self, kind: &str, metadata: &Metadata<'_>, record: impl FnOnce(&mut Line)) {
        if metadata.target() == "uphold" {
            let mut line = Line(kind.to_owned());
            record(&mut line);
            self.0.lock().unwrap().push(line.0);
        }
    }

    fn has(&self, kind: &str, fields: &[&str]) -> bool {
        let lines = self.0.lock().unwrap();
        lines.iter().any(|line| line.starts_with(kind) && fields.iter().all(|field| line.contains(field)))
    }
}

impl Subscriber for Kept {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.keep("span", span.metadata(), |line| span.record(line));
        Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        self.keep("event", event.metadata(), |line| event.record(line));
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

#[tokio::test]
async fn calls_are_spans_and_verdicts_events_with_their_instance() {
    let kept = Kept::default();
    let _guard = tracing::subscriber::set_default(kept.clone());
    let retry = RetryPolicy::every(Duration::from_millis(1)).max_attempts(1);
    let policy = Policy::builder().replicas(1).retry(retry).build().unwrap();
    let spec = ProcessSpec::new("false").output(ProcessOutput::Null);
    let mut handle = Supervisor::builder(policy, ProcessBackend::new(), spec).name("web").spawn();
    assert_eq!(handle.wait().await.status, Status::Terminated);
    assert!(kept.has("span", &["set=\"web\"", "call=\"start\"", "replica=0", "incarnation=2"]));
    assert!(kept.has("event", &["set=\"web\"", "verdict=\"restart\"", "replica=0", "incarnation=1"]));
    assert!(kept.has("event", &["set=\"web\"", "verdict=\"degrade\"", "replica=0", "incarnation=2"]));
    assert!(kept.has("event", &["set=\"web\"", "status=\"terminated\""]));
}
