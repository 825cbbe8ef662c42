//! Replays the recordings of a supervisor under the same policy and under another one.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod support;

use std::path::Path;
use std::time::Duration;

use support::at;
use uphold::backend::process::{ProcessBackend, ProcessOutput, ProcessSpec};
use uphold::engine::{InstanceState, Observed};
use uphold::recording::{Input, RecordedLine, RecordedStep, RecordingHeader};
use uphold::sim::{CounterfactualError, Recording};
use uphold::supervisor::{FileRecorder, NotificationKind, Received};
use uphold::{Event, Notice, Policy, RetryPolicy, Status, Supervisor, Timestamp};
use uphold_lab::files::read_recording;

fn policy(attempts: u32) -> Policy {
    let retry = RetryPolicy::every(Duration::from_millis(40)).max_attempts(attempts);
    Policy::builder().replicas(3).retry(retry).build().unwrap()
}

/// Records a set in which replica 1 crashes until it is given up. Returns the verdicts.
async fn record(path: &Path, most: u64) -> Vec<String> {
    let spec = ProcessSpec::new("if [ {replica} = 1 ]; then sleep 0.02; exit 7; fi; exec sleep 1000")
        .shell(true)
        .output(ProcessOutput::Null);
    let supervisor = Supervisor::builder(policy(3), ProcessBackend::new(), spec)
        .seed(5)
        .recorder(FileRecorder::new(path, most).unwrap());
    let (mut handle, mut notifications) = supervisor.spawn_with_notifications().unwrap();
    let mut verdicts = Vec::new();
    while verdicts.len() < 4 {
        let Some(Received::Notification(notification)) = notifications.next().await else {
            panic!("the supervisor ended")
        };
        if let NotificationKind::Notice(Notice::Verdict(judged)) = notification.kind {
            verdicts.push(judged.decision.to_string());
        }
    }
    handle.shutdown().await;
    verdicts
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("uphold-replay-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Removes the folder if possible. The recorder's thread may be creating its next file, which then remains.
fn clear(folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
}

/// Waits until the recorder's thread has written the end of the set.
async fn written(path: &Path) -> Recording {
    loop {
        if let Ok((recording, _)) = read_recording(path)
            && recording.replay().is_ok_and(|run| run.set().status() == Status::Terminated)
        {
            return recording;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_replay_under_the_same_policy_gives_the_same_verdicts() {
    let folder = folder("same");
    let path = folder.join("recording.ndjson");
    let verdicts = record(&path, u64::MAX).await;
    let recording = written(&path).await;
    let run = recording.replay().unwrap();
    let replayed: Vec<_> = run.verdicts_of(1).map(|(_, decision)| decision.to_string()).collect();
    assert_eq!(replayed, verdicts);
    assert!(verdicts[3].contains("given up"), "{verdicts:?}");
    // A replay has the statistics of a simulation.
    let stats = run.stats();
    assert_eq!((stats.starts, run.restarts_of(1)), (6, 3));
    assert!(stats.peak_starts_in_flight >= 1);
    let known: Duration = stats.time_in.values().sum();
    assert_eq!(known, run.until().since(Timestamp::ZERO));
    assert!(stats.time_in.contains_key(&Status::Degraded));
    clear(&folder);
}

#[tokio::test]
async fn another_policy_reuses_the_recorded_plans_and_lists_what_it_assumes() {
    let folder = folder("other");
    let path = folder.join("recording.ndjson");
    record(&path, u64::MAX).await;
    let recording = written(&path).await;
    // With one attempt less, every start is recorded.
    let stricter = recording.replay_under(policy(2)).unwrap();
    assert_eq!(stricter.run.verdicts_of(1).count(), 3);
    assert_eq!(stricter.assumed, []);
    // Unlimited and faster: a start after the last recorded one is assumed.
    let retry = RetryPolicy::every(Duration::from_millis(1));
    let patient = recording.replay_under(Policy::builder().replicas(3).retry(retry).build().unwrap()).unwrap();
    assert_eq!(patient.assumed.iter().filter(|(_, replica)| replica.0 == 1).count(), 1);
    clear(&folder);
}

#[tokio::test]
async fn a_recording_is_bounded_by_size_and_each_file_replays_on_its_own() {
    let folder = folder("rotate");
    let path = folder.join("recording.ndjson");
    record(&path, 700).await;
    let last = written(&path).await;
    assert!(last.header().snapshot.is_some(), "it continues from the file before");
    assert_eq!(last.replay().unwrap().set().status(), Status::Terminated);
    let before = read_recording(&folder.join("recording.ndjson.1")).unwrap().0;
    before.replay().unwrap();
    clear(&folder);
}

#[test]
fn a_truncated_recording_is_read_and_a_damaged_one_is_refused() {
    let folder = folder("damaged");
    let path = folder.join("recording.ndjson");
    let header = RecordingHeader::new("x", policy(1), 0, Timestamp::ZERO, None);
    let begin = serde_json::to_string(&RecordedLine::Begin(header)).unwrap();
    let step = r#"{"step":{"at":5,"told":"timeout"}}"#;

    std::fs::write(&path, format!("{begin}\n{step}\n{{\"step\":{{\"at\"")).unwrap();
    let (recording, cut_off) = read_recording(&path).unwrap();
    assert_eq!((recording.steps().len(), cut_off), (1, true));

    std::fs::write(&path, format!("{begin}\nnonsense\n{step}\n")).unwrap();
    assert!(read_recording(&path).unwrap_err().contains("line 2"));

    std::fs::write(&path, format!("{step}\n")).unwrap();
    assert!(read_recording(&path).unwrap_err().contains("not the header of a recording"));

    std::fs::write(&path, "").unwrap();
    assert!(read_recording(&path).is_err());
    clear(&folder);
}

fn recorded(steps: Vec<(u64, Input)>) -> Recording {
    let header = RecordingHeader::new("x", policy(5), 7, Timestamp::ZERO, None);
    let steps = steps.into_iter().map(|(secs, told)| RecordedLine::Step(RecordedStep::new(at(secs), told)));
    Recording::from_lines(std::iter::once(RecordedLine::Begin(header)).chain(steps)).unwrap()
}

fn listed(incarnation: u64, state: InstanceState) -> Input {
    Input::Observed(
        (0..3)
            .map(|id| Observed { replica: id.into(), incarnation: incarnation.into(), state: state.clone() })
            .collect(),
    )
}

#[test]
fn a_batch_of_events_is_traced_in_the_order_in_which_it_is_handled() {
    let batch = vec![Event::Scale(2), Event::ready((2, 1)), Event::ready((0, 1)), Event::ready((1, 1))];
    let run = recorded(vec![(0, Input::Timeout), (5, Input::Events(batch))]).replay().unwrap();
    let lines = run.trace().lines().iter().filter(|line| line.get("event").is_some());
    let shown: Vec<_> = lines.map(|line| line.get("replica").cloned()).collect();
    assert_eq!(shown, [Some(0u32.into()), Some(1u32.into()), Some(2u32.into()), None]);
}

#[test]
fn a_rejected_request_is_rejected_again() {
    let ready = Input::Events((0..3).map(|replica| Event::ready((replica, 1))).collect());
    let restart = Input::Events(vec![Event::Restart(7.into())]);
    let recording = recorded(vec![(0, Input::Timeout), (0, ready), (10, restart), (60, Input::Timeout)]);
    assert_eq!(recording.replay_under(policy(5)).unwrap().run.set().status(), Status::Healthy);
}

#[test]
fn operator_stops_and_starts_are_repeated_under_another_policy() {
    let ready = |incarnation: u64, replicas: std::ops::Range<u32>| {
        Input::Events(replicas.map(|replica| Event::ready((replica, incarnation))).collect())
    };
    let recording = recorded(vec![
        (0, Input::Timeout),
        (0, ready(1, 0..3)),
        (10, Input::Events(vec![Event::Stop(1.into())])),
        (10, Input::Events(vec![Event::stopped((1, 1))])),
        (60, Input::Events(vec![Event::Start(1.into())])),
        (60, ready(2, 1..2)),
        (90, Input::Timeout),
    ]);
    let run = recording.replay_under(policy(5)).unwrap().run;
    let available = ["9s", "30s", "61s"].map(|at| run.available_at(at).unwrap());
    assert_eq!(available, [3, 2, 3]);
}

#[test]
fn instances_that_only_a_list_reported_are_replayed() {
    let recording = recorded(vec![(0, Input::Timeout), (1, listed(1, InstanceState::Ready)), (1300, Input::Timeout)]);
    let again = recording.replay_under(policy(5)).unwrap().run;
    assert_eq!(again.status_at("1s").unwrap(), recording.replay().unwrap().status_at("1s").unwrap());
    assert_eq!(again.restarts(), 0);
}

#[test]
fn a_recording_that_begins_with_running_instances_cannot_be_replayed_under_another_policy() {
    let recording = recorded(vec![(0, listed(5, InstanceState::Ready)), (0, Input::Timeout), (60, Input::Timeout)]);
    recording.replay().unwrap();
    assert!(matches!(recording.replay_under(policy(5)), Err(CounterfactualError::StartedBefore)));
}

#[test]
fn a_recording_is_private_to_its_user_and_redacted_by_default() {
    use std::os::unix::fs::PermissionsExt;

    let policy = r#"{"health": {"liveness": {"http": {"port": 80, "headers": {"Authorization": "s3cret"}}}}}"#;
    let policy: Policy = serde_json::from_str(policy).unwrap();
    for keep in [false, true] {
        let path = std::env::temp_dir().join(format!("uphold-{}-secrets-{keep}", std::process::id()));
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let mut recorder = FileRecorder::new(&path, 1_000_000).unwrap();
        if keep {
            recorder = recorder.keep_secrets();
        }
        let header = RecordingHeader::new("web", policy.clone(), 7, Timestamp::ZERO, None);
        uphold::supervisor::Recorder::begin(&mut recorder, &header);
        let step = RecordedStep::new(Timestamp::ZERO, Input::Policy(policy.clone()));
        uphold::supervisor::Recorder::step(&mut recorder, &step);
        drop(recorder);
        // Written by the recorder's thread.
        let text = loop {
            let text = std::fs::read_to_string(&path).unwrap();
            if text.lines().count() == 2 && text.ends_with('\n') {
                break text;
            }
            std::thread::yield_now();
        };
        assert_eq!(text.matches("s3cret").count(), if keep { 2 } else { 0 }, "{text}");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_file(path).unwrap();
    }
}
