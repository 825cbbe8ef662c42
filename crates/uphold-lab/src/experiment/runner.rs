//! Running an experiment: seeds are taken by threads as they come, and what comes of them is added up.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use uphold::sim::Simulation;

use super::definition::{Experiment, failed};
use super::error::ExperimentError;
use super::observer::{Observations, Observer};
use super::reference;
use super::report::ExperimentReport;
use super::tally::{RunMetrics, Tally};

/// More threads than this are no help on any machine.
const MAX_THREADS: usize = 256;

/// A say in how an experiment is run.
#[derive(Clone, Copy, Default)]
#[must_use]
pub struct RunOptions<'a> {
    threads: Option<NonZero<usize>>,
    progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    stop: Option<&'a AtomicBool>,
}

/// How far an experiment is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// Seeds that every policy went through.
    pub done: u64,
    /// Of so many.
    pub of: u64,
}

impl<'a> RunOptions<'a> {
    /// All cores, no word in between, to the end.
    pub fn new() -> Self {
        Self::default()
    }

    /// On so many threads. Default: as many as the machine has cores. The report does not depend on it.
    pub fn threads(mut self, threads: NonZero<usize>) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Told after every seed, from whichever thread did it: keep it short.
    pub fn progress(mut self, progress: &'a (dyn Fn(Progress) + Sync)) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Once this is true the experiment stops, within moments, and reports what is done so far.
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

pub(super) fn run(experiment: &Experiment, options: &RunOptions<'_>) -> Result<ExperimentReport, ExperimentError> {
    if experiment.policies.is_empty() {
        return Err(ExperimentError::NoPolicy);
    }
    if experiment.until().is_zero() {
        return Err(ExperimentError::NoTime);
    }
    let never = AtomicBool::new(false);
    let runner = Runner {
        experiment,
        stop: options.stop.unwrap_or(&never),
        failed: AtomicBool::new(false),
        next: AtomicU64::new(0),
        done: AtomicU64::new(0),
        progress: options.progress,
        first_error: Mutex::new(None),
    };
    let cores = options.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let threads = cores.min(MAX_THREADS).min(usize::try_from(experiment.seeds).unwrap_or(usize::MAX));
    let mut tallies: Vec<Tally> = experiment.policies.iter().map(|_| Tally::new()).collect();
    thread::scope(|scope| {
        // Where the machine has no more threads, those there are do the work.
        let spawn = |_| thread::Builder::new().spawn_scoped(scope, || runner.work()).ok();
        let workers: Vec<_> = (1..threads).map_while(spawn).collect();
        let mut parts = vec![runner.work()];
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
    let Runner { done, first_error, .. } = runner;
    if let Some((_, error)) = first_error.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
        return Err(error);
    }
    match done.into_inner() {
        0 => Err(ExperimentError::NothingDone),
        done => Ok(ExperimentReport::new(experiment, &tallies, done)),
    }
}

struct Runner<'a> {
    experiment: &'a Experiment,
    stop: &'a AtomicBool,
    failed: AtomicBool,
    next: AtomicU64,
    done: AtomicU64,
    progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    /// Of several the one of the lowest seed.
    first_error: Mutex<Option<(u64, ExperimentError)>>,
}

impl Runner<'_> {
    /// Takes seeds until there are none, and adds up what comes of them.
    fn work(&self) -> Vec<Tally> {
        let mut tallies: Vec<Tally> = self.experiment.policies.iter().map(|_| Tally::new()).collect();
        while !self.stop.load(Ordering::Relaxed) && !self.failed.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.experiment.seeds {
                break;
            }
            match self.run_seed(number) {
                Ok(None) => break,
                Ok(Some(runs)) => {
                    let Some((first, _)) = runs.first() else { break };
                    for (tally, (numbers, observations)) in tallies.iter_mut().zip(&runs) {
                        tally.add(number, numbers, first, observations);
                    }
                    let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
                    if let Some(progress) = self.progress {
                        progress(Progress { done, of: self.experiment.seeds });
                    }
                }
                Err(error) => {
                    self.failed.store(true, Ordering::Relaxed);
                    let mut first = self.first_error.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    if first.as_ref().is_none_or(|(earlier, _)| number < *earlier) {
                        *first = Some((number, error));
                    }
                    break;
                }
            }
        }
        tallies
    }

    /// Every policy goes through one history; `None` if it was stopped on the way.
    fn run_seed(&self, number: u64) -> Result<Option<Vec<(RunMetrics, Observations)>>, ExperimentError> {
        let experiment = self.experiment;
        let seed = experiment.seed.wrapping_add(number);
        let mut runs = Vec::with_capacity(experiment.policies.len());
        for (name, policy) in &experiment.policies {
            let replicas = policy.replicas();
            let environment = experiment.faults.environment(seed, replicas);
            let mut observer = Observer::new(environment, replicas, policy.min_ready(), self.stop);
            let simulation = Simulation::new(policy.clone()).seed(seed).figures_only();
            let run = simulation.run_in(&mut observer, experiment.until).map_err(failed(name, seed))?;
            let Some(observations) = observer.finish() else { return Ok(None) };
            runs.push((run, observations));
        }
        let Some(too_early) = self.too_early(seed, &runs)? else { return Ok(None) };
        let numbers = runs.into_iter().zip(too_early);
        Ok(Some(
            numbers
                .map(|((run, observations), too_early)| (RunMetrics::of(&run, &observations, too_early), observations))
                .collect(),
        ))
    }

    /// Which of the runs gave up too early: one reference for each number of replicas.
    fn too_early(
        &self,
        seed: u64,
        runs: &[(uphold::sim::Run, Observations)],
    ) -> Result<Option<Vec<bool>>, ExperimentError> {
        let mut too_early = vec![false; runs.len()];
        let replicas_of = |place: usize| self.experiment.policies[place].1.replicas();
        let mut judged = vec![false; runs.len()];
        for first in 0..runs.len() {
            if judged[first] || runs[first].1.gave_up.is_none() {
                continue;
            }
            let alike: Vec<usize> = (first..runs.len())
                .filter(|&place| runs[place].1.gave_up.is_some() && replicas_of(place) == replicas_of(first))
                .collect();
            let gave_up: Vec<_> = alike.iter().filter_map(|&place| runs[place].1.gave_up).collect();
            let answer = reference::gave_up_too_early(self.experiment, seed, replicas_of(first), &gave_up, self.stop);
            let Some(answers) = answer.map_err(failed("the reference that never gives up", seed))? else {
                return Ok(None);
            };
            for (place, answer) in alike.into_iter().zip(answers) {
                judged[place] = true;
                too_early[place] = answer;
            }
        }
        Ok(Some(too_early))
    }
}
