//! The arguments of the command, and the help that teaches them.

use std::num::NonZero;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use uphold::Timestamp;
use uphold::sim::SimTime;

/// Tries restart policies before production does, compares them by numbers, and draws what happened.
#[derive(Parser, Debug)]
#[command(
    name = "uphold",
    version,
    about,
    long_about = "Tries restart policies before production does, compares them by numbers, and draws what happened.\n\n\
                  A policy says what becomes of a replicated service when replicas fail: restart what failed, serve on \
                  degraded, or terminate the set. A scenario is a policy, a world and a timeline of failures in one YAML \
                  file; a recording is what a supervisor was told in production; an experiment sets several policies \
                  against the same random failures.",
    after_long_help = "Where to begin:\n  \
                       uphold lint policy.yaml                        is the policy what was meant?\n  \
                       uphold simulate scenario.yaml                  what does it do in this incident?\n  \
                       uphold timeline scenario.yaml -o incident.svg  the same as a picture\n  \
                       uphold experiment question.yaml                which of these policies is better?\n\n\
                       Exit code: 0 all as it should be, 1 something differs, 2 bad input."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Runs scenarios and checks what they expect
    #[command(
        long_about = "Runs each scenario under a virtual clock and checks what it expects. With one file that expects \
                      nothing, or with --trace, the trace is printed, one JSON object a line.",
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
                           Exit code: 0 all as expected, 1 a difference, shown beside what happened, 2 bad input."
    )]
    Simulate {
        /// Scenarios, YAML, JSON or TOML: policy, world, behaviour, timeline, until, expect
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Prints what happened, one JSON object a line
        #[arg(long)]
        trace: bool,
        /// Does not warn of a policy that is legal and surely not meant
        #[arg(long)]
        no_lint: bool,
    },
    /// Replays a recording, as it was or under another policy
    #[command(
        long_about = "Replays what a supervisor recorded. Without --policy: under the policy it ran under, as a trace. \
                      With it: what that policy would have done with what happened, beside what was done, and where the \
                      recording stops telling.",
        after_long_help = "Examples:\n  \
                           uphold replay web.ndjson | tail\n  \
                           uphold replay web.ndjson --policy patient.yaml\n\n\
                           Exit code: 0, or 2 if a file cannot be used."
    )]
    Replay {
        /// A recording: a JSON object a line
        recording: PathBuf,
        /// The other policy, YAML or JSON
        #[arg(long, value_name = "POLICY")]
        policy: Option<PathBuf>,
    },
    /// Warns of policies that are legal and surely not meant
    #[command(
        long_about = "Reads policies, alone or in scenarios, experiments and service files, and prints one a line: every \
                      mistake, and what is legal and surely not meant, with what would happen, what to write instead and \
                      the name of the lint. A comment in the file silences lints: # uphold: allow(endless-retry)",
        after_long_help = "Examples:\n  \
                           uphold lint policy.yaml\n  \
                           uphold lint deploy/*.yaml && echo fine\n  \
                           uphold lint --allow endless-retry,fatal-blip policy.toml\n  \
                           uphold lint --format json - < policy.yaml | jq .path\n\n\
                           Exit code: 0 no lint, 1 some, 2 bad input."
    )]
    Lint {
        /// Policies, scenarios, experiments or service files: JSON and TOML by their endings, else YAML; - is the
        /// standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Lines of text, or a JSON object a line
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// Lints that are not told
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
        /// Which shell
        shell: Shell,
    },
}

/// How findings are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Format {
    /// Lines of text.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

#[derive(Args, Debug)]
#[command(
    about = "Compares policies against the same random failures",
    long_about = "Lets every policy of an experiment live through the same random histories of failures, one for each \
                  seed, and reports availability, outages, times to recover and restarts, with 95 % confidence intervals \
                  and differences history by history. Ctrl-C ends it with the report of what is done so far.",
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
                       Exit code: 0 done, 1 stopped early with a report of what was done, 2 bad input, 130 stopped \
                       before anything was done."
)]
pub(crate) struct Experiment {
    /// The experiment, YAML or JSON
    pub(crate) file: PathBuf,
    /// Prints JSON in place of tables
    #[arg(long)]
    pub(crate) json: bool,
    /// Writes an HTML page with charts and pictures as well
    #[arg(long, value_name = "OUT.html")]
    pub(crate) report: Option<PathBuf>,
    /// How many histories, in place of what the file says
    #[arg(long, value_name = "N")]
    pub(crate) seeds: Option<NonZero<u64>>,
    /// How many threads; left out, as many as there are cores. The figures are the same
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZero<usize>>,
}

#[derive(Args, Debug)]
#[command(
    about = "Draws what happened, as SVG",
    long_about = "Draws a scenario or a recording, whichever the file holds, as a timeline: a lane for each replica, \
                  coloured by phase, the set's status above, verdicts marked. The SVG needs nothing else, is legible in \
                  black and white, and says what is under the pointer.",
    after_long_help = "Examples:\n  \
                       uphold timeline incident.yaml -o incident.svg\n  \
                       uphold timeline web.ndjson --from 2h --until 2h30m -o the-bad-half-hour.svg\n\n\
                       Exit code: 0, or 2 if the file cannot be used or the picture cannot be written."
)]
pub(crate) struct Timeline {
    /// A scenario (YAML or JSON), or a recording (a JSON object a line)
    #[arg(value_name = "SCENARIO|RECORDING")]
    pub(crate) file: PathBuf,
    /// Where the picture goes; left out, to the standard output
    #[arg(short, long, value_name = "FILE.svg")]
    pub(crate) output: Option<PathBuf>,
    /// Shows only what is after this, counted from the start, such as 1h30m
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) from: Option<Timestamp>,
    /// Shows only what is before this, counted from the start
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<Timestamp>,
    /// In pixels, from 480 to 10000
    #[arg(long, value_name = "PIXELS", default_value_t = 960)]
    pub(crate) width: u32,
    /// What stands above it, in place of the name that the file gives
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
    fn every_command_teaches_by_example() {
        for command in Arguments::command().get_subcommands_mut() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Examples:\n  uphold "), "{help}");
        }
    }
}
