//! Runs an experiment: worker threads take seeds in turn, and their tallies are merged.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use uphold::sim::Run;

use super::definition::Experiment;
use super::error::ExperimentError;
use super::observations::{Observations, RunObserver};
use super::observed_environment::ObservedEnvironment;
use super::reference::gave_up_too_early;
use super::report::ExperimentReport;
use super::tally::{RunMetrics, Tally};

const MAX_THREADS: usize = 256;

/// How an experiment is run: number of threads, progress, early stop.
///
/// ```
/// use std::num::NonZero;
/// use std::sync::atomic::AtomicBool;
/// use uphold_lab::experiment::RunOptions;
///
/// let stop = AtomicBool::new(false); // set by a signal handler, for example
/// let options = RunOptions::new().threads(NonZero::<usize>::MIN).stop(&stop);
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Default)]
#[must_use]
pub struct RunOptions<'a> {
    threads: Option<NonZero<usize>>,
    progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    stop: Option<&'a AtomicBool>,
}

/// How many seeds of an experiment are complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// Seeds that are complete for every policy.
    pub done: u64,
    /// All seeds.
    pub of: u64,
}

impl<'a> RunOptions<'a> {
    /// Returns the defaults: all cores, no progress, no early stop.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number of threads, at most 256. The report does not depend on it. Default: the number of cores.
    pub fn threads(mut self, threads: NonZero<usize>) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Sets a function that is called after every seed, from the thread that completed it. It delays that thread.
    pub fn progress(mut self, progress: &'a (dyn Fn(Progress) + Sync)) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Sets a flag that stops the experiment early. It then reports the seeds completed so far.
    pub fn stop(mut self, stop: &'a AtomicBool) -> Self {
        self.stop = Some(stop);
        self
    }
}

impl std::fmt::Debug for RunOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunOptions").field("threads", &self.threads).field("stop", &self.stop).finish_non_exhaustive()
    }
}

impl Experiment {
    /// Runs the experiment on all cores.
    ///
    /// # Errors
    /// The experiment has no policy or no length, or a simulation fails.
    pub fn run(&self) -> Result<ExperimentReport, ExperimentError> {
        self.run_with(&RunOptions::new())
    }

    /// Runs the experiment with options: threads, progress, early stop.
    ///
    /// # Errors
    /// As [`run`](Self::run); or it was stopped before one seed was complete.
    pub fn run_with(&self, options: &RunOptions<'_>) -> Result<ExperimentReport, ExperimentError> {
        if self.policies.is_empty() {
            return Err(ExperimentError::NoPolicy);
        }
        if self.until().is_zero() {
            return Err(ExperimentError::NoTime);
        }
        let never = AtomicBool::new(false);
        let runner = Runner {
            experiment: self,
            stop: options.stop.unwrap_or(&never),
            failed: AtomicBool::new(false),
            next: AtomicU64::new(0),
            done: AtomicU64::new(0),
            progress: options.progress,
            first_error: Mutex::new(None),
        };
        let threads = options.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get);
        let threads = threads.min(MAX_THREADS).min(usize::try_from(self.seeds).unwrap_or(usize::MAX));
        let tallies = runner.run_on(threads);
        let Runner { done, first_error, .. } = runner;
        if let Some((_, error)) = first_error.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            return Err(error);
        }
        match done.into_inner() {
            0 => Err(ExperimentError::NothingDone),
            done => Ok(ExperimentReport::new(self, &tallies, done)),
        }
    }

    /// Simulates one policy, by index, under one seed and keeps the whole trace, for a picture. The report names seeds
    /// that are worth looking at. The trace of a history of years is long; use a shorter experiment then.
    ///
    /// # Errors
    /// There is no such policy, or the simulation fails.
    pub fn run_of(&self, policy: usize, seed: u64) -> Result<Run, ExperimentError> {
        let (name, policy) =
            self.policies.get(policy).ok_or(ExperimentError::NoSuchPolicy(policy, self.policies.len()))?;
        let mut environment = self.faults.environment(seed, policy.replicas());
        let run = self.simulation(policy, seed).run_in(&mut environment, self.until);
        run.map_err(ExperimentError::simulation(name, seed))
    }
}

/// What the worker threads share.
struct Runner<'a> {
    experiment: &'a Experiment,
    stop: &'a AtomicBool,
    failed: AtomicBool,
    /// The index of the next seed to take.
    next: AtomicU64,
    done: AtomicU64,
    progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    /// The error of the lowest seed that failed, with the index of that seed.
    first_error: Mutex<Option<(u64, ExperimentError)>>,
}

impl Runner<'_> {
    /// Runs the seeds on this many threads. Returns a tally for each policy.
    fn run_on(&self, threads: usize) -> Vec<Tally> {
        let mut tallies = self.empty_tallies();
        thread::scope(|scope| {
            // Where the system refuses more threads, those that exist do the work.
            let spawn = |_| thread::Builder::new().spawn_scoped(scope, || self.work()).ok();
            let workers: Vec<_> = (1..threads).map_while(spawn).collect();
            let mut parts = vec![self.work()];
            for worker in workers {
                match worker.join() {
                    Ok(part) => parts.push(part),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            for part in parts {
                for (tally, part) in tallies.iter_mut().zip(part) {
                    tally.merge(part);
                }
            }
        });
        tallies
    }

    fn empty_tallies(&self) -> Vec<Tally> {
        self.experiment.policies.iter().map(|_| Tally::new()).collect()
    }

    /// Takes seeds until none is left or the experiment is stopped. Returns a tally for each policy.
    fn work(&self) -> Vec<Tally> {
        let mut tallies = self.empty_tallies();
        while !self.stop.load(Ordering::Relaxed) && !self.failed.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= self.experiment.seeds {
                break;
            }
            match self.run_seed(index) {
                Ok(None) => break,
                Ok(Some(runs)) => {
                    let Some((first, _)) = runs.first() else { break };
                    for (tally, (metrics, observations)) in tallies.iter_mut().zip(&runs) {
                        tally.add(index, metrics, first, observations);
                    }
                    let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
                    if let Some(progress) = self.progress {
                        progress(Progress { done, of: self.experiment.seeds });
                    }
                }
                Err(error) => {
                    self.failed.store(true, Ordering::Relaxed);
                    let mut first = self.first_error.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    if first.as_ref().is_none_or(|(earlier, _)| index < *earlier) {
                        *first = Some((index, error));
                    }
                    break;
                }
            }
        }
        tallies
    }

    /// Simulates every policy under one seed, by index; `None` if it was interrupted.
    fn run_seed(&self, index: u64) -> Result<Option<Vec<(RunMetrics, Observations)>>, ExperimentError> {
        let experiment = self.experiment;
        let seed = experiment.first_seed.wrapping_add(index);
        let mut runs = Vec::with_capacity(experiment.policies.len());
        for (name, policy) in &experiment.policies {
            let replicas = policy.replicas();
            let observer = RunObserver::new(replicas, policy.min_ready());
            let mut environment =
                ObservedEnvironment::new(experiment.faults.environment(seed, replicas), observer, self.stop);
            let simulation = experiment.simulation(policy, seed).stats_only();
            let run = simulation
                .run_in(&mut environment, experiment.until)
                .map_err(ExperimentError::simulation(name, seed))?;
            let Some(observer) = environment.into_observer() else { return Ok(None) };
            runs.push((run, observer.finish()));
        }
        let Some(too_early) = self.too_early(seed, &runs)? else { return Ok(None) };
        let runs = runs.into_iter().zip(too_early);
        let metrics = runs
            .map(|((run, observations), too_early)| (RunMetrics::new(&run, &observations, too_early), observations));
        Ok(Some(metrics.collect()))
    }

    /// Returns which of the runs gave up too early; `None` if it was interrupted. Runs with the same number of replicas
    /// share one reference run.
    fn too_early(&self, seed: u64, runs: &[(Run, Observations)]) -> Result<Option<Vec<bool>>, ExperimentError> {
        let mut too_early = vec![false; runs.len()];
        let replicas_of = |policy: usize| self.experiment.policies[policy].1.replicas();
        let mut compared = vec![false; runs.len()];
        for first in 0..runs.len() {
            if compared[first] || runs[first].1.gave_up.is_none() {
                continue;
            }
            let same_size: Vec<usize> = (first..runs.len())
                .filter(|&policy| runs[policy].1.gave_up.is_some() && replicas_of(policy) == replicas_of(first))
                .collect();
            let gave_up: Vec<_> = same_size.iter().filter_map(|&policy| runs[policy].1.gave_up).collect();
            let answers = gave_up_too_early(self.experiment, seed, replicas_of(first), &gave_up, self.stop)
                .map_err(ExperimentError::simulation("the reference that never gives up", seed))?;
            let Some(answers) = answers else { return Ok(None) };
            for (policy, answer) in same_size.into_iter().zip(answers) {
                compared[policy] = true;
                too_early[policy] = answer;
            }
        }
        Ok(Some(too_early))
    }
}
