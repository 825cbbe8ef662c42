//! `ractor` with `ractor-supervisor`: unlimited restarts without delay.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use ractor_supervisor::{
    ChildSpec, Restart, SpawnFn, Supervisor, SupervisorArguments, SupervisorMsg, SupervisorOptions, SupervisorStrategy,
    TaskOptions, TaskSupervisor, TaskSupervisorMsg, TaskSupervisorOptions,
};

use crate::laps::Laps;

/// Returns a unique name, because names of actors are global.
fn name(of: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{of} {}", COUNT.fetch_add(1, Ordering::Relaxed))
}

struct Child;

#[ractor::async_trait]
impl Actor for Child {
    type Msg = ();
    type State = Arc<Laps>;
    type Arguments = Arc<Laps>;

    async fn pre_start(&self, this: ActorRef<()>, laps: Arc<Laps>) -> Result<Arc<Laps>, ActorProcessingErr> {
        this.cast(())?;
        Ok(laps)
    }

    async fn handle(&self, _: ActorRef<()>, (): (), laps: &mut Arc<Laps>) -> Result<(), ActorProcessingErr> {
        laps.run().await;
        Err("it failed".into())
    }
}

/// Restarts of an actor by its static supervisor, one for one.
///
/// # Panics
/// When the supervisor does not start.
pub async fn supervise(laps: Arc<Laps>) -> ActorRef<SupervisorMsg> {
    let spawn = SpawnFn::new(move |supervisor, id| {
        let laps = laps.clone();
        async move { Ok(Supervisor::spawn_linked(id, Child, laps, supervisor).await?.0.get_cell()) }
    });
    let child = ChildSpec {
        id: name("child"),
        restart: Restart::Permanent,
        spawn_fn: spawn,
        backoff_fn: None,
        reset_after: None,
    };
    let options = SupervisorOptions {
        strategy: SupervisorStrategy::OneForOne,
        max_restarts: usize::MAX,
        max_window: Duration::from_millis(1),
        reset_after: None,
    };
    let arguments = SupervisorArguments { child_specs: vec![child], options };
    Supervisor::spawn(name("supervisor"), arguments).await.expect("it starts").0
}

/// Restarts of a future by a task supervisor.
///
/// # Panics
/// When the supervisor does not start.
pub async fn supervise_task(laps: Arc<Laps>) -> ActorRef<TaskSupervisorMsg> {
    let options = TaskSupervisorOptions {
        max_children: None,
        max_restarts: usize::MAX,
        max_window: Duration::from_millis(1),
        reset_after: None,
    };
    let (supervisor, _) = TaskSupervisor::spawn(name("supervisor"), options).await.expect("it starts");
    let run = move || {
        let laps = laps.clone();
        async move {
            laps.run().await;
            Err("it failed".into())
        }
    };
    let options = TaskOptions::new().name(name("task")).restart_policy(Restart::Permanent);
    TaskSupervisor::spawn_task(supervisor.clone(), run, options).await.expect("it takes the task");
    supervisor
}
