//! Timelines end to end: they are well-formed, bounded in size and reproducible, and show what happened.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

use std::path::Path;
use std::time::Duration;

use roxmltree::Document;
use uphold::decide::Revision;
use uphold::recording::{Input, RecordedLine, RecordedStep};
use uphold::sim::{
    Behaviour, Recording, Run, Simulation, World, crash, drain, exit, fail, lost, roll_out, scale, terminate,
};
use uphold::{Cause, Event, Exit, Policy, ReplicaSet, RetryPolicy, Timestamp};
use uphold_lab::files::read_scenario;
use uphold_lab::picture::{PictureError, Timeline};

fn every_30s(replicas: u32) -> Policy {
    Policy::builder().replicas(replicas).retry(RetryPolicy::every(Duration::from_secs(30))).build().unwrap()
}

/// Returns all tooltips and all texts of a picture.
fn tooltips_and_texts(svg: &str) -> (Vec<String>, Vec<String>) {
    let document = Document::parse(svg).unwrap();
    let of = |tag: &str| {
        let named = document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", tag)));
        named.filter_map(|node| node.text()).map(str::to_owned).collect()
    };
    (of("title"), of("text"))
}

fn three_replicas() -> Run {
    Simulation::new(every_30s(3)).at("60s", crash(1)).run_until("5m").unwrap()
}

#[test]
fn a_picture_shows_phases_statuses_and_verdicts() {
    let svg = Timeline::of(&three_replicas()).title("one <of> three & more").svg().unwrap();
    let (tooltips, texts) = tooltips_and_texts(&svg);
    let has = |tooltip: &str| assert!(tooltips.iter().any(|one| one == tooltip), "'{tooltip}' not in {tooltips:#?}");
    has("status: degraded from 1m to 1m 30s (30s)");
    has("replica 1: waiting from 1m to 1m 30s (30s)");
    has("replica 2: ready from 0s to 5m (5m)");
    has("1m: ended with exit code 1; restart in 30s (attempt 1)");
    for text in ["one <of> three & more", "0", "1", "2", "90 %", "5m", "waiting", "restart", "degraded"] {
        assert!(texts.iter().any(|one| one == text), "'{text}' not in {texts:?}");
    }
    assert!(
        texts.iter().any(|one| one == "3 replicas · 0s to 5m · healthy 90 % · degraded 10 % · 1 restart"),
        "{texts:?}"
    );
}

#[test]
fn only_the_window_is_shown_and_counted() {
    let (from, until) = (Timestamp::from_secs(80), Timestamp::from_secs(100));
    let svg = Timeline::of(&three_replicas()).from(from).until(until).svg().unwrap();
    let (tooltips, texts) = tooltips_and_texts(&svg);
    assert!(texts.iter().any(|one| one.contains("1m 20s to 1m 40s · healthy 50 % · degraded 50 %")), "{texts:?}");
    assert!(tooltips.iter().any(|one| one == "replica 1: waiting from 1m to 1m 30s (30s)"), "{tooltips:?}");
    assert!(!tooltips.iter().any(|one| one.contains("exit code")), "the verdict was before: {tooltips:?}");
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let picture = || Timeline::of(&three_replicas()).title("again").svg().unwrap();
    assert_eq!(picture(), picture());
}

#[test]
fn errors_say_what_could_be_drawn() {
    let run = three_replicas();
    let of = || Timeline::of(&run);
    assert_eq!(of().width(100).svg(), Err(PictureError::Width(100)));
    let error = of().from(Timestamp::from_secs(120)).until(Timestamp::from_secs(60)).svg().unwrap_err();
    assert_eq!(error.to_string(), "nothing to show from 2m until 1m; 'from' must be before 'until'");
    let error = of().until(Timestamp::from_secs(3600)).svg().unwrap_err();
    assert_eq!(error.to_string(), "1h is after the end of the run, 5m; choose an earlier end");
    assert!(of().width(480).svg().is_ok() && of().width(10_000).svg().is_ok());
}

#[test]
fn sets_of_every_size_and_runs_of_every_length_have_a_picture() {
    for replicas in [0, 1, 3, 30, 300, 1_000] {
        for until in [Duration::ZERO, Duration::from_nanos(7), Duration::from_millis(40), Duration::from_secs(86_400)] {
            let mut simulation = Simulation::new(every_30s(replicas)).world(World::new().start(until / 9));
            if replicas > 0 {
                simulation = simulation.at(until / 3, crash(replicas - 1));
            }
            let run = simulation.at(until / 2, scale(replicas / 2)).run_until(until).unwrap();
            let svg = Timeline::of(&run).svg().unwrap();
            let (_, texts) = tooltips_and_texts(&svg);
            assert!(texts.iter().any(|text| text.starts_with(&format!("{replicas} replica"))), "{replicas} {until:?}");
        }
    }
}

#[test]
fn a_set_of_no_replicas_says_so() {
    let run = Simulation::new(every_30s(0)).run_until("1h").unwrap();
    let (_, texts) = tooltips_and_texts(&Timeline::of(&run).svg().unwrap());
    assert!(texts.contains(&"no replicas desired".to_owned()), "{texts:?}");
}

#[test]
fn the_size_of_the_file_is_bounded() {
    let run = Simulation::new(every_30s(100))
        .world(World::new().start(Duration::from_secs(7)).ready(Duration::from_secs(11)))
        .behaviour(Behaviour::runs(Duration::from_secs(300), Exit::Code(1)))
        .run_until("2d")
        .unwrap();
    assert!(run.phase_changes().len() > 150_000);
    let all = Timeline::of(&run).svg().unwrap();
    assert!(all.len() < 1_000_000, "{}", all.len());
    // Here most columns differ from their neighbours, so they cannot be merged to spans.
    let part = Timeline::of(&run).until(Timestamp::from_secs(6 * 3600)).width(10_000).svg().unwrap();
    assert!(part.len() < 4_000_000, "{}", part.len());
    tooltips_and_texts(&all);
    tooltips_and_texts(&part);
}

#[test]
fn incidents_and_operator_requests_are_marked() {
    let policy: Policy = serde_json::from_str(
        r#"{"replicas": 4, "retry": {"interval": "10s"}, "failure": {"correlated": {"share": "50%", "within": "30s"}}}"#,
    )
    .unwrap();
    let run = Simulation::new(policy)
        .world(World::new().ready(Duration::from_secs(5)))
        .at("60s", crash(0))
        .at("60s", crash(1))
        .at("3m", scale(6))
        .at("4m", terminate())
        .run_until("5m")
        .unwrap();
    let (tooltips, texts) = tooltips_and_texts(&Timeline::of(&run).svg().unwrap());
    assert!(tooltips.iter().any(|one| one.starts_with("incident: 2 failed together, from 1m to ")), "{tooltips:?}");
    assert!(tooltips.iter().any(|one| one.ends_with(": canary up, the others restart")), "{tooltips:?}");
    for text in ["2 failed together", "scale 6", "terminate", "canary up", "terminated"] {
        assert!(texts.iter().any(|one| one == text), "'{text}' not in {texts:?}");
    }
}

#[test]
fn every_verdict_has_its_own_marker() {
    let policy: Policy = serde_json::from_str(
        r#"{"replicas": 5, "success": "complete", "retry": {"interval": "10s", "max_attempts": 1},
            "failure": {"rules": [{"when": {"cause": "quota"}, "then": "hold"},
                                  {"when": {"exit_code": 9}, "then": "terminate"}]}}"#,
    )
    .unwrap();
    let run = Simulation::new(policy)
        .at("10s", crash(0))
        .at("30s", crash(0))
        .at("1m", fail(1, Cause::named("quota").unwrap()))
        .at("70s", lost(2))
        .at("80s", exit(3, 0))
        .at("4m", exit(4, 9))
        .run_until("5m")
        .unwrap();
    let (_, texts) = tooltips_and_texts(&Timeline::of(&run).svg().unwrap());
    for word in ["restart", "hold", "degrade", "terminate", "complete", "unknown", "quarantined", "completed"] {
        assert!(texts.iter().any(|one| one == word), "'{word}' not in {texts:?}");
    }
}

#[test]
fn a_thousand_replicas_share_lanes() {
    let run = Simulation::new(every_30s(1_000)).at("60s", crash(999)).run_until("5m").unwrap();
    let (tooltips, texts) = tooltips_and_texts(&Timeline::of(&run).svg().unwrap());
    assert!(
        texts.iter().any(|one| one
            == "each lane is 5 replicas: the upper half shows their most common phase, the lower half the worst")
    );
    for expected in
        ["replicas 995 to 999, some: waiting from 1m to 1m 30s", "replicas 0 to 4, the worst: ready from 0s to 5m"]
    {
        assert!(tooltips.iter().any(|one| one == expected), "'{expected}' not in {tooltips:?}");
    }
}

/// To regenerate them, run `UPHOLD_WRITE_DOCS=1 cargo test -p uphold-lab --test picture`, or see the documents.
#[test]
fn the_pictures_of_the_documentation_are_current() {
    for name in ["incident", "rollout"] {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let scenario = read_scenario(&docs.join(format!("{name}.yaml"))).unwrap();
        let run = scenario.run().unwrap();
        scenario.check(&run).unwrap();
        let svg = Timeline::of(&run).title(scenario.name().unwrap()).svg().unwrap();
        let path = docs.join(format!("{name}.svg"));
        if std::env::var_os("UPHOLD_WRITE_DOCS").is_some() {
            std::fs::write(&path, &svg).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap();
        assert!(committed == svg, "docs/{name}.svg is out of date; the comment of this test says how to regenerate it");
        assert!(svg.len() < 60_000, "{}", svg.len());
    }
}

#[test]
fn roles_revisions_rollouts_and_drains_are_shown() {
    let policy: Policy = serde_json::from_str(
        r#"{"replicas": 2, "retry": {"interval": "60s"}, "scaling": {"standby": 1},
            "rollout": {"max_surge": 1, "canaries": 1, "bake": "2m", "max_failures": 1}}"#,
    )
    .unwrap();
    let revision = |name| Revision::new(name).unwrap();
    let run = Simulation::new(policy)
        .world(World::new().ready(Duration::from_secs(30)))
        .behaviour(Behaviour::start_fails(Cause::StartError).revision(revision("v3")))
        .at("2m", roll_out(revision("v2")))
        .at("10m", drain(3))
        .at("20m", crash(4))
        .at("31m", roll_out(revision("v3")))
        .run_until("40m")
        .unwrap();
    let (tooltips, texts) = tooltips_and_texts(&Timeline::of(&run).svg().unwrap());
    for text in [
        "standby",
        "surge",
        "surge for 3",
        "stand-in for 4",
        "v2",
        "v3",
        "baking",
        "v2 completed",
        "v3 rolled back",
        "roll out v3",
        "drain 3",
    ] {
        assert!(texts.iter().any(|one| one == text), "'{text}' not in {texts:?}");
    }
    for part in [
        ": surge from 2m to ",
        "replica 3: drain from 10m, replaced at 10m 30s",
        "rollout of v3 failed (",
        "rollout: replacing",
    ] {
        assert!(tooltips.iter().any(|one| one.contains(part)), "'{part}' not in {tooltips:?}");
    }
    assert!(texts.iter().any(|one| one.starts_with("2 replicas, 5 slots")), "{texts:?}");
}

#[test]
fn slots_that_come_and_go_for_a_year_stay_readable() {
    let policy: Policy =
        serde_json::from_str(r#"{"replicas": 20, "retry": {"interval": "10s"}, "rollout": {"max_surge": 5}}"#).unwrap();
    let mut simulation = Simulation::new(policy).world(World::new().ready(Duration::from_secs(600)));
    for day in 1..365 {
        let revision = Revision::new(format!("release {day}")).unwrap();
        simulation = simulation.at(Duration::from_secs(day * 86_400), roll_out(revision));
    }
    let svg = Timeline::of(&simulation.run_until("365d").unwrap()).svg().unwrap();
    assert!(svg.len() < 1_500_000, "{}", svg.len());
    tooltips_and_texts(&svg);
}

#[test]
fn a_continued_recording_starts_with_the_state_of_the_set() {
    let at = Timestamp::from_secs;
    let mut set = ReplicaSet::new(every_30s(3), 7, at(0));
    let drain = |set: &mut ReplicaSet| while set.poll_output().is_some() {};
    set.handle_timeout(at(0));
    drain(&mut set);
    set.handle_all(at(1), (0..3).map(|replica| Event::ready((replica, 1))));
    drain(&mut set);
    set.handle(at(100), Event::exited((2, 1), 1));
    drain(&mut set);
    set.handle_timeout(at(110));
    let steps = [(130, Input::Timeout), (140, Input::Events(vec![Event::ready((2, 2))])), (160, Input::Timeout)];
    let steps = steps.into_iter().map(|(second, told)| RecordedLine::Step(RecordedStep::new(at(second), told)));
    let lines = [RecordedLine::Begin(set.beginning("web"))].into_iter().chain(steps);
    let run = Recording::from_lines(lines).unwrap().replay().unwrap();
    let (tooltips, texts) = tooltips_and_texts(&Timeline::of(&run).initial_set(&set).svg().unwrap());
    for expected in [
        "status: degraded from 0s to 30s (30s)",
        "replica 0: ready from 0s to 50s (50s)",
        "replica 2: waiting from 0s to 20s (20s)",
        "replica 2: ready from 30s to 50s (20s)",
    ] {
        assert!(tooltips.iter().any(|one| one == expected), "'{expected}' not in {tooltips:#?}");
    }
    assert!(
        texts.iter().any(|one| one == "3 replicas · 0s to 50s · healthy 40 % · degraded 60 % · 1 restart"),
        "{texts:?}"
    );
}
