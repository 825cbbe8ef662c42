//! What a set runs on: the [`Backend`] trait, and the backends that come with the crate.

mod error;
mod network_check;
mod probe_answer;
#[cfg(all(unix, feature = "process"))]
pub mod process;
mod reporter;
mod request;
mod set_name;

use async_trait::async_trait;

pub use error::BackendError;
pub use network_check::{Target, run_network_check};
pub use probe_answer::ProbeAnswer;
pub use reporter::{BackendReport, Reporter};
pub use request::{
    Instance, InstanceKey, KillRequest, ListRequest, ProbeRequest, StartRequest, StopRequest, WatchRequest,
};
pub use set_name::{SetName, SetNameError};

/// Starts, stops and watches the instances of a set: operating system processes, containers, pods.
///
/// Implementations only do what they are asked and report what happens; every decision is the set's. Calls for
/// different replicas run concurrently. A call that errors, panics, or has not returned within the supervisor's
/// `call_timeout` becomes a failure of its replica; nothing waits for it any longer.
///
/// The trait can be made into an object: `Arc<dyn Backend<Workload = W>>` is a backend too. New methods come with a
/// default, new parameters as fields of the requests.
///
/// ```
/// use std::sync::Mutex;
/// use uphold::backend::{
///     Backend, BackendError, Instance, KillRequest, ListRequest, Reporter, StartRequest, StopRequest, WatchRequest,
/// };
/// use uphold::{Event, InstanceState};
///
/// /// Replicas that are ready as soon as they are started.
/// #[derive(Default)]
/// struct InMemory {
///     running: Mutex<Vec<Instance>>,
///     reporter: Mutex<Option<Reporter>>,
/// }
///
/// #[async_trait::async_trait]
/// impl Backend for InMemory {
///     type Workload = ();
///
///     async fn start(&self, request: StartRequest<'_, ()>) -> Result<(), BackendError> {
///         let (replica, incarnation) = (request.key.replica, request.key.incarnation);
///         self.running.lock().unwrap().push(Instance::new(replica, incarnation, InstanceState::Ready));
///         if let Some(reporter) = &*self.reporter.lock().unwrap() {
///             reporter.report(Event::ready(replica, incarnation));
///         }
///         Ok(())
///     }
///
///     async fn stop(&self, request: StopRequest<'_>) -> Result<(), BackendError> {
///         let (replica, incarnation) = (request.key.replica, request.key.incarnation);
///         self.running.lock().unwrap().retain(|instance| instance.replica != replica);
///         if let Some(reporter) = &*self.reporter.lock().unwrap() {
///             reporter.report(Event::stopped(replica, incarnation));
///         }
///         Ok(())
///     }
///
///     async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError> {
///         self.stop(StopRequest::new(request.key, std::time::Duration::ZERO)).await
///     }
///
///     async fn list(&self, _: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
///         Ok(self.running.lock().unwrap().clone())
///     }
///
///     async fn watch(&self, _: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError> {
///         *self.reporter.lock().unwrap() = Some(reporter);
///         std::future::pending().await
///     }
/// }
/// ```
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// What is to be run: a command, a container, a pod template. The same for every replica, or made for each.
    type Workload: Send + Sync + 'static;

    /// Starts an instance. Returning means that the start is accepted, which may be long before it runs; what
    /// becomes of it is reported: `Started`, `Ready`, `Exited`. Nothing stops the instance before this has returned,
    /// or was given up.
    ///
    /// A replica is available only once it was reported `Ready`; one that is reported `Started` and no more is waited for,
    /// and after a quarter of `start_timeout` a notice says so. A backend that leaves readiness to probes, because what it
    /// runs on has no notion of it, reports `Ready` when the instance runs.
    ///
    /// Idempotent: it is called again for the same set, replica and incarnation where an answer was lost.
    ///
    /// # Errors
    /// The start will not come about: the replica has failed with the cause of the error.
    async fn start(&self, request: StartRequest<'_, Self::Workload>) -> Result<(), BackendError>;

    /// Asks an instance to stop and returns at once; its end is reported. One that is gone already is no error, and
    /// its end is reported again.
    ///
    /// # Errors
    /// It could not be asked. The set kills it when its grace is over.
    async fn stop(&self, request: StopRequest<'_>) -> Result<(), BackendError>;

    /// Ends an instance whatever it does and returns at once; its end is reported. One that is gone already is no
    /// error, and its end is reported again.
    ///
    /// # Errors
    /// It could not be done. The set repeats it with growing gaps.
    async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError>;

    /// Every instance of the set, those from before a restart of this program included. Called when the supervisor
    /// begins, with every new watch, and now and then.
    ///
    /// Of ended instances the latest of each replica is worth listing for as long as it is remembered: numbering goes
    /// on from it, and how it ended is found where the watch has missed it.
    ///
    /// # Errors
    /// It could not be found out. From the first such error on the instances count as out of contact.
    async fn list(&self, request: ListRequest<'_>) -> Result<Vec<Instance>, BackendError>;

    /// Reports what happens to the set's instances, until it cannot any more. When it returns, the supervisor
    /// pauses, watches again, lists and compares.
    ///
    /// # Errors
    /// The watch broke.
    async fn watch(&self, request: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError>;

    /// Asks an instance how it is. By default HTTP and TCP checks go over the network to the instance's address, and
    /// `exec` is unanswered.
    async fn probe(&self, request: ProbeRequest<'_>) -> ProbeAnswer {
        let mut target =
            Target::new().value("replica", request.key.replica).value("incarnation", request.key.incarnation);
        if let Some(address) = request.address {
            target = target.host(address);
        }
        let answer = run_network_check(request.check, &target, request.timeout).await;
        answer.unwrap_or_else(|| ProbeAnswer::unanswered("this backend cannot run commands"))
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<B: Backend + ?Sized> Backend for $pointer {
            type Workload = B::Workload;

            async fn start(&self, request: StartRequest<'_, Self::Workload>) -> Result<(), BackendError> {
                (**self).start(request).await
            }

            async fn stop(&self, request: StopRequest<'_>) -> Result<(), BackendError> {
                (**self).stop(request).await
            }

            async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError> {
                (**self).kill(request).await
            }

            async fn list(&self, request: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
                (**self).list(request).await
            }

            async fn watch(&self, request: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError> {
                (**self).watch(request, reporter).await
            }

            async fn probe(&self, request: ProbeRequest<'_>) -> ProbeAnswer {
                (**self).probe(request).await
            }
        }
    )*};
}

forward!(std::sync::Arc<B>, Box<B>);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_backend_can_be_an_object() {
        fn is_backend<B: Backend>() {}
        is_backend::<Arc<dyn Backend<Workload = String>>>();
        is_backend::<Box<dyn Backend<Workload = String>>>();
    }
}
