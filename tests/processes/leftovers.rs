//! No process survives its replica, its backend or its runtime.

use super::harness::{Harness, retrying, shell};
use super::{TEST_TIMEOUT, millis, wait_until_gone};
use tokio::time::timeout;
use uphold::backend::process::{ProcessBackend, ProcessSpec};
use uphold::backend::{Backend, InstanceKey, ListRequest, StartRequest};
use uphold::engine::InstanceState;
use uphold::policy::OnSuccess;
use uphold::{Exit, Policy, Signal, Status};

#[tokio::test]
async fn grandchildren_of_a_crashed_replica_do_not_live_into_its_next_incarnation() {
    let script = "if [ {incarnation} = 1 ]; then sleep 1000 & echo $! > \"$FOLDER/0.1\"; exit 1; fi; exec sleep 1000";
    let mut harness = Harness::new("grandchildren", retrying(1, millis(100)), shell(script));
    let pids = harness.pids(1, 1).await;
    harness.wait_for("it is started again", |harness, _| harness.starts.len() == 2).await;
    wait_until_gone(pids[&0]).await;
    harness.shutdown().await;
}

/// We close our ends of the pipes, although a process that left the group keeps the other ends open.
#[tokio::test]
async fn a_grandchild_that_left_its_group_does_not_keep_the_pipes_of_its_replica_open() {
    let grandchild =
        "trap '' PIPE; while echo x; do sleep 0.05; done 2> \"$FOLDER/said\"; mv \"$FOLDER/said\" \"$FOLDER/closed\"";
    let script = format!("setsid sh -c '{}' & exec sleep 0.1", grandchild.replace('\'', "'\\''"));
    let policy = Policy::builder().replicas(1).success(OnSuccess::Complete);
    let mut harness = Harness::new("daemon", policy, ProcessSpec::new(script).shell(true));
    harness.wait_for_status(Status::Completed).await;
    let closed = async {
        while !harness.folder.join("closed").exists() {
            tokio::task::yield_now().await;
        }
    };
    timeout(TEST_TIMEOUT, closed).await.expect("its writes fail");
    std::fs::remove_dir_all(&harness.folder).unwrap();
}

#[tokio::test]
async fn children_die_with_their_backend() {
    let spec = shell("sleep 1000 & echo $! > \"$FOLDER/1.1\"; echo $$ > \"$FOLDER/0.1\"; wait");
    let mut harness = Harness::new("dropped", retrying(1, millis(100)), spec.clone());
    let first = harness.pids(2, 1).await;
    harness.shutdown().await;
    for pid in first.into_values() {
        wait_until_gone(pid).await;
    }
    // Without a supervisor: the backend is dropped while its child runs.
    let folder = std::env::temp_dir().join(format!("uphold-{}-dropped-alone", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let spec = spec.env("FOLDER", folder.to_string_lossy());
    let backend = ProcessBackend::new();
    let key = InstanceKey::new("alone", (0, 1));
    backend.start(StartRequest::new(key, &spec)).await.unwrap();
    backend.start(StartRequest::new(key, &spec)).await.unwrap();
    assert_eq!(backend.list(ListRequest::new("alone")).await.unwrap().len(), 1, "a repeated start starts nothing");
    let pid = |replica: u32| {
        let file = folder.join(format!("{replica}.1"));
        async move {
            let written = async {
                loop {
                    let text = std::fs::read_to_string(&file).unwrap_or_default();
                    if let Ok(pid) = text.trim().parse::<i32>() {
                        return pid;
                    }
                    tokio::task::yield_now().await;
                }
            };
            timeout(TEST_TIMEOUT, written).await.expect("it writes its process id")
        }
    };
    let (leader, grandchild) = (pid(0).await, pid(1).await);
    drop(backend);
    wait_until_gone(leader).await;
    wait_until_gone(grandchild).await;
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn children_die_with_their_runtime() {
    let folder = std::env::temp_dir().join(format!("uphold-{}-runtime", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let pids = runtime.block_on(async {
        let script = "sleep 1000 & echo $! > \"$FOLDER/1.1\"; echo $$ > \"$FOLDER/0.1\"; wait";
        Harness::new("runtime", retrying(1, millis(100)), shell(script)).pids(2, 1).await
    });
    runtime.shutdown_timeout(TEST_TIMEOUT);
    let waited = tokio::runtime::Runtime::new().unwrap();
    waited.block_on(async {
        for pid in pids.into_values() {
            wait_until_gone(pid).await;
        }
    });
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn the_end_of_a_child_is_known_after_its_runtime_is_shut_down() {
    let backend = ProcessBackend::new();
    let key = InstanceKey::new("left", (0, 1));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(backend.start(StartRequest::new(key, &shell("exec sleep 1000")))).unwrap();
    runtime.shutdown_timeout(TEST_TIMEOUT);
    let next = tokio::runtime::Runtime::new().unwrap();
    let listed = next.block_on(async {
        let ends = async {
            loop {
                let listed = backend.list(ListRequest::new("left")).await.unwrap().remove(0);
                if let InstanceState::Ended(outcome) = listed.state {
                    return outcome;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(TEST_TIMEOUT, ends).await.expect("it was killed, and that is known")
    });
    assert_eq!(listed.get_exit(), Some(Exit::Signal(Signal::KILL)));
}
