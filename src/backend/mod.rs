//! The [`Backend`] trait, which runs the instances of sets, and the process backend.

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

/// Starts, stops, lists and watches instances: operating system processes, containers, pods.
///
/// A backend executes calls and reports what happens; the set makes all decisions. Calls for different replicas run
/// concurrently. A start that fails, panics, or does not return within the supervisor's `call_timeout` is a failure of its
/// replica; other calls that fail are repeated.
///
/// The trait is object-safe: `Arc<dyn Backend<Workload = W>>` is a backend too. Future methods will have a default
/// implementation, and future parameters will be fields of the requests.
///
/// ```
/// use std::sync::Mutex;
/// use uphold::backend::{
///     Backend, BackendError, Instance, KillRequest, ListRequest, Reporter, StartRequest, StopRequest, WatchRequest,
/// };
/// use uphold::engine::InstanceState;
/// use uphold::Event;
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
///         self.running.lock().unwrap().push(Instance::new(request.key.instance(), InstanceState::Ready));
///         if let Some(reporter) = &*self.reporter.lock().unwrap() {
///             reporter.report(Event::ready(request.key.instance()));
///         }
///         Ok(())
///     }
///
///     async fn stop(&self, request: StopRequest<'_>) -> Result<(), BackendError> {
///         self.running.lock().unwrap().retain(|running| running.instance() != request.key.instance());
///         if let Some(reporter) = &*self.reporter.lock().unwrap() {
///             reporter.report(Event::stopped(request.key.instance()));
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
    /// What a replica runs: a command, a container, a pod template.
    type Workload: Send + Sync + 'static;

    /// Starts an instance. Returns when the start is accepted, which may be long before the instance runs. The watch then
    /// reports `Started`, `Ready` and `Exited`. The instance is not stopped before this call has returned or timed out.
    ///
    /// A replica is available only once it is reported `Ready`. If it is only reported `Started`, the supervisor warns after
    /// a quarter of `start_timeout`. A backend without a notion of readiness reports `Ready` when the instance runs, and
    /// leaves readiness to probes.
    ///
    /// Must be idempotent: it is called again for the same set, replica and incarnation if an answer was lost.
    ///
    /// # Errors
    /// The instance will not start. The replica has failed with the cause of the error.
    async fn start(&self, request: StartRequest<'_, Self::Workload>) -> Result<(), BackendError>;

    /// Asks an instance to stop and returns at once; the watch reports its end. An instance that is gone already is not an
    /// error, and its end is reported again.
    ///
    /// # Errors
    /// The request failed. The set kills the instance when its grace period is over.
    async fn stop(&self, request: StopRequest<'_>) -> Result<(), BackendError>;

    /// Kills an instance and returns at once; the watch reports its end. An instance that is gone already is not an error,
    /// and its end is reported again.
    ///
    /// # Errors
    /// The request failed. The set repeats it with growing pauses.
    async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError>;

    /// Returns every instance of the set, including those that an earlier run of this program started. Called at the start
    /// of the supervisor, with every new watch, and at every `resync`.
    ///
    /// If the backend remembers ended instances, it should list the latest of each replica: incarnations continue from its
    /// number, and its outcome is known even if the watch has missed it.
    ///
    /// # Errors
    /// The instances are unknown. From the first such error on they count as out of contact, until a list succeeds.
    async fn list(&self, request: ListRequest<'_>) -> Result<Vec<Instance>, BackendError>;

    /// Reports what happens to the set's instances for as long as it can. When it returns, the supervisor pauses, watches
    /// again and lists.
    ///
    /// If the platform announces that it will take an instance away, such as a spot instance, this is
    /// [`Event::InterruptionNotice`](crate::Event::InterruptionNotice): the set replaces it before that.
    ///
    /// # Errors
    /// The watch broke.
    async fn watch(&self, request: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError>;

    /// Probes an instance. By default HTTP and TCP checks connect to the instance's address, and `exec` is unanswered.
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
    fn the_trait_is_object_safe() {
        fn is_backend<B: Backend>() {}
        is_backend::<Arc<dyn Backend<Workload = String>>>();
        is_backend::<Box<dyn Backend<Workload = String>>>();
    }
}
