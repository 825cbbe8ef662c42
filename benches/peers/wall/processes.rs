//! `/bin/true`, from before the spawn until its end is known, on a current-thread runtime.
//!
//! The rows take turns, so that noise affects all of them alike; therefore this is not a criterion bench. Timed: spawning,
//! waiting and reaping, with `/dev/null` as the standard streams. The row of uphold is the backend alone, from `start` until
//! `Exited` is reported: it creates a process group, waits for the exit before it reaps, kills the rest of the group, and
//! checks that the group is empty.

use std::process::Stdio;
use std::time::{Duration, Instant};

use process_wrap::tokio::{CommandWrap, ProcessGroup};
use tokio::process::Command;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use uphold::Event;
use uphold::backend::process::{ProcessBackend, ProcessOutput, ProcessSpec};
use uphold::backend::{Backend, BackendReport, InstanceKey, Reporter, StartRequest, WatchRequest};

const PROGRAM: &str = "/bin/true";
const WARM_UP: usize = 50;
const ROUNDS: usize = 1500;

/// Runs unless the command line has a filter that does not match `processes`.
pub(crate) fn compare_if_asked() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let filter = args.iter().find(|arg| !arg.starts_with("--"));
    if !args.iter().any(|arg| arg == "--test" || arg == "--list") && filter.is_none_or(|it| "processes".contains(&**it))
    {
        compare();
    }
}

fn compare() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut ours = Ours::new(&runtime);
    let mut samples: [(&str, Vec<Duration>); 4] =
        ["tokio", "tokio, own group", "process-wrap", "uphold"].map(|name| (name, Vec::with_capacity(ROUNDS)));
    for round in 0..WARM_UP + ROUNDS {
        for turn in 0..samples.len() {
            let whose = (round + turn) % samples.len();
            let began = Instant::now();
            runtime.block_on(async {
                match whose {
                    0 => run(command()).await,
                    1 => {
                        let mut command = command();
                        command.process_group(0).kill_on_drop(true);
                        run(command).await;
                    }
                    2 => wrapped().await,
                    _ => ours.run().await,
                }
            });
            if round >= WARM_UP {
                samples[whose].1.push(began.elapsed());
            }
        }
    }
    println!("processes: {PROGRAM}, {ROUNDS} rounds, microseconds");
    println!("{:<20} {:>8} {:>8} {:>8} {:>14}", "", "quarter", "median", "3/4", "over bare");
    let bare = quantile(&mut samples[0].1, 2);
    for (name, samples) in &mut samples {
        let [low, median, high] = [1, 2, 3].map(|quarters| quantile(samples, quarters));
        println!("{name:<20} {low:>8.1} {median:>8.1} {high:>8.1} {:>13.1}%", (median / bare - 1.0) * 100.0);
    }
}

fn quantile(samples: &mut [Duration], quarters: usize) -> f64 {
    samples.sort_unstable();
    samples[samples.len() * quarters / 4].as_secs_f64() * 1e6
}

fn command() -> Command {
    let mut command = Command::new(PROGRAM);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

async fn run(mut command: Command) {
    let mut child = command.spawn().expect("it starts");
    child.wait().await.expect("it ends");
}

async fn wrapped() {
    let mut child = CommandWrap::from(command()).wrap(ProcessGroup::leader()).spawn().expect("it starts");
    child.wait().await.expect("it ends");
}

struct Ours {
    backend: std::sync::Arc<ProcessBackend>,
    spec: ProcessSpec,
    ended: UnboundedReceiver<Event>,
    incarnation: u64,
}

impl Ours {
    fn new(runtime: &Runtime) -> Self {
        let (sender, ended) = unbounded_channel();
        let reporter = Reporter::new(move |report| match report {
            BackendReport::Event(event @ Event::Exited(_)) => sender.send(event).is_ok(),
            _ => true,
        });
        let backend = std::sync::Arc::new(ProcessBackend::new());
        let watched = backend.clone();
        runtime.spawn(async move { watched.watch(WatchRequest::new("set"), reporter).await });
        let spec = ProcessSpec::new(PROGRAM).output(ProcessOutput::Null);
        Self { backend, spec, ended, incarnation: 0 }
    }

    async fn run(&mut self) {
        self.incarnation += 1;
        let key = InstanceKey::new("set", (0, self.incarnation));
        self.backend.start(StartRequest::new(key, &self.spec)).await.expect("it starts");
        self.ended.recv().await.expect("its end is reported");
    }
}
