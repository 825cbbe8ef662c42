//! `kameo`: a parent restarts an actor that fails, without delay.

use std::sync::Arc;
use std::time::Duration;

use kameo::error::Infallible;
use kameo::prelude::*;
use kameo::supervision::RestartPolicy;

use crate::laps::Laps;

/// The parent.
#[derive(Actor)]
pub struct Parent;

struct Child(Arc<Laps>);

struct Run;

impl Actor for Child {
    type Args = Arc<Laps>;
    type Error = Infallible;

    async fn on_start(laps: Arc<Laps>, this: ActorRef<Self>) -> Result<Self, Infallible> {
        let _ = this.tell(Run).try_send();
        Ok(Self(laps))
    }
}

impl Message<Run> for Child {
    type Reply = Result<(), &'static str>;

    /// An error in answer to a `tell` stops the actor as a panic would, without unwinding.
    async fn handle(&mut self, _: Run, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        self.0.run().await;
        Err("it failed")
    }
}

/// Restarts by `kameo`.
pub async fn supervise(laps: Arc<Laps>) -> (ActorRef<Parent>, impl Sized) {
    let parent = Parent::spawn(Parent);
    let child = Child::supervise(&parent, laps)
        .restart_policy(RestartPolicy::Permanent)
        .restart_limit(u32::MAX, Duration::from_secs(1))
        .spawn()
        .await;
    (parent, child)
}
