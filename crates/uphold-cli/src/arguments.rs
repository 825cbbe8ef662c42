//! The arguments of the command, and its help.

use std::num::NonZero;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use uphold::Timestamp;
use uphold::sim::SimTime;

/// Tests restart policies before production does, compares them by numbers, and draws incidents.
#[derive(Parser, Debug)]
#[command(
    name = "uphold",
    version,
    about,
    long_about = "Tests restart policies before production does, compares them by numbers, and draws incidents.\n\n\
                  A policy decides what to do with a replicated service when replicas fail: restart the failed ones, keep \
                  serving degraded, or terminate the set. A scenario is a policy, a world and a timeline of failures in \
                  one YAML file; a recording holds the inputs of a supervisor in production; an experiment compares \
                  several policies under the same random failures.",
    after_long_help = "Where to begin:\n  \
                       uphold lint policy.yaml                        warns about probable mistakes\n  \
                       uphold simulate scenario.yaml                  shows what the policy does in this incident\n  \
                       uphold timeline scenario.yaml -o incident.svg  draws the same as a picture\n  \
                       uphold experiment question.yaml                compares policies under random failures\n\n\
                       Exit code: 0 success, 1 a difference or a lint, 2 bad input."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Runs scenarios and checks their expectations
    #[command(
        long_about = "Runs each scenario under a virtual clock and checks its expectations. With a single file without \
                      expectations, or with --trace, prints the trace, one JSON object per line.",
        after_long_help = "A scenario:\n\n  \
                           name: one of three crashes\n  \
                           policy: {replicas: 3, retry: {interval: 30s, max_duration: 1h}}\n  \
                           timeline:\n    \
                           - {at: 60s, replica: 1, exit: 137}\n  \
                           until: 1h\n  \
                           expect:\n    \
                           - {at: 60s, status: degraded}\n    \
                           - {at: 90s, start: 1}\n\n\
                           Examples:\n  \
                           uphold simulate one-of-three-crashes.yaml\n  \
                           uphold simulate --trace incident.yaml | grep verdict\n  \
                           uphold simulate tests/scenarios/*.yaml\n\n\
                           Exit code: 0 all as expected, 1 a difference, shown next to what happened, 2 bad input."
    )]
    Simulate {
        /// Scenarios, YAML, JSON or TOML: policy, world, behaviour, timeline, until, expect
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Prints the trace, one JSON object per line
        #[arg(long)]
        trace: bool,
        /// Does not warn about policies and behaviours that are probably mistakes
        #[arg(long)]
        no_lint: bool,
    },
    /// Replays a recording, under its own policy or another one
    #[command(
        long_about = "Replays the recording of a supervisor. Without --policy, prints the trace. With it, simulates the \
                      recorded events under that policy, compares the two runs, and shows from which time on the behaviour \
                      of a replica is assumed because it was not recorded.",
        after_long_help = "Examples:\n  \
                           uphold replay web.ndjson | tail\n  \
                           uphold replay web.ndjson --policy patient.yaml\n\n\
                           Exit code: 0 success, 2 bad input."
    )]
    Replay {
        /// A recording: one JSON object per line
        recording: PathBuf,
        /// The other policy, YAML or JSON
        #[arg(long, value_name = "POLICY")]
        policy: Option<PathBuf>,
    },
    /// Reports errors in policies, and settings that are probably mistakes
    #[command(
        long_about = "Reads policies, alone or in scenarios, experiments and service files, and prints every mistake and \
                      every lint, one per line. A lint warns about a setting that is valid but probably a mistake: its \
                      effect, what to write instead, and the name of the lint. A comment in the file silences lints: \
                      # uphold: allow(endless-retry)",
        after_long_help = "Examples:\n  \
                           uphold lint policy.yaml\n  \
                           uphold lint deploy/*.yaml && echo fine\n  \
                           uphold lint --allow endless-retry,fatal-blip policy.toml\n  \
                           uphold lint --format json - < policy.yaml | jq .path\n\n\
                           Exit code: 0 no lints, 1 lints, 2 bad input."
    )]
    Lint {
        /// Policies, scenarios, experiments or service files: JSON and TOML by file name extension, otherwise YAML; - is
        /// standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Lines of text, or one JSON object per line
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// Lints that are not reported
        #[arg(long, value_name = "LINT", value_delimiter = ',')]
        allow: Vec<String>,
    },
    /// Prints the JSON Schema of policy documents
    #[command(after_long_help = "Examples:\n  \
                                 uphold schema > policy.schema.json\n\n\
                                 With the YAML language server, begin a policy with\n  \
                                 # yaml-language-server: $schema=policy.schema.json")]
    Schema,
    Experiment(Experiment),
    Timeline(Timeline),
    /// Prints the completion script of a shell
    #[command(after_long_help = "Examples:\n  \
                                 uphold completions bash > ~/.local/share/bash-completion/completions/uphold\n  \
                                 uphold completions zsh > ~/.zfunc/_uphold\n  \
                                 uphold completions fish > ~/.config/fish/completions/uphold.fish")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// How findings are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Format {
    /// Lines of text.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

#[derive(Args, Debug)]
#[command(
    about = "Compares policies against the same random failures",
    long_about = "Simulates every policy of an experiment under the same random histories of failures, one for each seed, \
                  and reports availability, outages, recovery times and restarts, with 95 % confidence intervals and \
                  paired differences. Ctrl-C stops it and reports the seeds completed so far.",
    after_long_help = "An experiment:\n\n  \
                       question: Does it pay to restart at once?\n  \
                       policies:\n    \
                       - {name: at once, policy: {replicas: 3, retry: {interval: 100ms}}}\n    \
                       - {name: after a minute, policy: {replicas: 3, retry: {interval: 60s}}}\n  \
                       faults:\n    \
                       ready_in: 20s\n    \
                       failures: {after: {exponential: {mean: 12h}}}\n  \
                       until: 10d\n  \
                       seeds: 200\n\n\
                       Examples:\n  \
                       uphold experiment question.yaml\n  \
                       uphold experiment question.yaml --seeds 10000 --report report.html\n  \
                       uphold experiment question.yaml --json | jq '.policies[].figures.availability'\n\n\
                       Exit code: 0 done, 1 stopped early with a report, 2 bad input, 130 stopped before any seed was \
                       complete."
)]
pub(crate) struct Experiment {
    /// The experiment, YAML or JSON
    pub(crate) file: PathBuf,
    /// Prints JSON instead of tables
    #[arg(long)]
    pub(crate) json: bool,
    /// Also writes an HTML page with charts and timelines
    #[arg(long, value_name = "OUT.html")]
    pub(crate) report: Option<PathBuf>,
    /// The number of histories; default: as in the file
    #[arg(long, value_name = "N")]
    pub(crate) seeds: Option<NonZero<u64>>,
    /// The number of threads; default: the number of cores. It does not change the figures
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZero<usize>>,
}

#[derive(Args, Debug)]
#[command(
    about = "Draws a scenario or a recording as SVG",
    long_about = "Draws a scenario or a recording as a timeline: a lane for each replica, coloured by phase, with the status \
                  of the set above and verdicts marked. The SVG is self-contained, legible in black and white, and has \
                  tooltips.",
    after_long_help = "Examples:\n  \
                       uphold timeline incident.yaml -o incident.svg\n  \
                       uphold timeline web.ndjson --from 2h --until 2h30m -o the-bad-half-hour.svg\n\n\
                       Exit code: 0, or 2 if the file cannot be used or the picture cannot be written."
)]
pub(crate) struct Timeline {
    /// A scenario (YAML or JSON), or a recording (one JSON object per line)
    #[arg(value_name = "SCENARIO|RECORDING")]
    pub(crate) file: PathBuf,
    /// The file of the picture; default: standard output
    #[arg(short, long, value_name = "FILE.svg")]
    pub(crate) output: Option<PathBuf>,
    /// The left end of the picture, as the time since the start, such as 1h30m
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) from: Option<Timestamp>,
    /// The right end of the picture, as the time since the start
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<Timestamp>,
    /// In pixels, from 480 to 10000
    #[arg(long, value_name = "PIXELS", default_value_t = 960)]
    pub(crate) width: u32,
    /// The title; default: the name in the file
    #[arg(long)]
    pub(crate) title: Option<String>,
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.into_timestamp().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command_has_examples() {
        for command in Arguments::command().get_subcommands_mut() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Examples:\n  uphold "), "{help}");
        }
    }
}
