//! A recorder that panics.

use super::fake_backend::FakeBackend;
use super::{TEST_TIMEOUT, policy, wait_for, wait_until_healthy};
use tokio::time::timeout;
use uphold::recording::{RecordedStep, RecordingHeader};
use uphold::supervisor::{NotificationKind, Recorder};
use uphold::{Event, InstanceId, Supervisor};

/// Panics at its third step.
struct PanickingRecorder(u32);

impl Recorder for PanickingRecorder {
    fn begin(&mut self, _: &RecordingHeader) {}

    fn step(&mut self, _: &RecordedStep) {
        self.0 += 1;
        assert!(self.0 < 3, "on purpose");
    }
}

impl Drop for PanickingRecorder {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.0 < 3, "on purpose, again");
    }
}

#[tokio::test]
async fn a_panic_in_a_recorder_ends_only_the_recording() {
    let backend = FakeBackend::default();
    let supervisor =
        Supervisor::builder(policy(3).build().unwrap(), backend.clone(), ()).recorder(PanickingRecorder(0));
    let (mut handle, mut notifications) = supervisor.spawn_with_notifications().unwrap();
    let ends =
        |what: &NotificationKind| matches!(what, NotificationKind::Warning(text) if text.contains("recording ends"));
    wait_for(&mut notifications, ends).await;
    wait_until_healthy(&mut handle).await;
    backend.report(Event::exited((1, 1), 1));
    backend.with(|state| state.running.remove(&InstanceId::new(1, 1)));
    let again = |what: &NotificationKind| matches!(what, NotificationKind::Event(Event::Ready(ready)) if ready.incarnation.0 == 2);
    wait_for(&mut notifications, again).await;
    timeout(TEST_TIMEOUT, handle.shutdown()).await.expect("it shuts down");
}
