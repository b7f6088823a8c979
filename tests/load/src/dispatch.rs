//! `load dispatch`: dispatching text messages in this process, through the real table on an embedded DynamoDB and the real
//! client of Aliyun against a stand-in on loopback, beside the same calls of the store and of the provider with nothing
//! around them.

mod raw;
pub mod service;

use std::{sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use domain_notification::{Renderer, accept, check};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use provider_stubs::Stubs;

use self::{raw::Raw, service::Service};
use crate::{
    claim::{
        cost, cpu_us, middle, per_second, ratio,
        rounds::{self, Round, Side},
    },
    report::{Figure, Goal, Report},
};

/// Messages under way at once: a batch.
const CONCURRENCY: usize = 10;

/// What is around the raw calls may take so much.
const LEAST: Goal = Goal::AtLeast(0.70);

/// Messages that a round has at most, those before it counts included.
const MESSAGES: usize = 1_050;

/// Renderings that are timed together.
const RENDERINGS: usize = 2_000;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Seconds that each comparison runs
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Messages in each round whose allocations and processor time are counted
    #[arg(long, default_value_t = 200)]
    counted: usize,
}

/// Measures, all on one core: table and provider share it with what is measured.
pub fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let cores = sched_getaffinity(Pid::from_raw(0))?;
    let mut one = CpuSet::new();
    one.set(0)?;
    sched_setaffinity(Pid::from_raw(0), &one)?;
    let measured = on_one_core(arguments, report);
    sched_setaffinity(Pid::from_raw(0), &cores)?;
    measured
}

fn on_one_core(arguments: &Arguments, report: &mut Report) -> Result<()> {
    // The provider has a thread of its own, so that what this one takes is what a function takes.
    let servers = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let stubs = servers.block_on(Stubs::start());
    let endpoint = stubs.endpoint("aliyun");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let duration = Duration::from_secs(arguments.seconds.into());

    let dispatched = runtime.block_on(rounds::alternate(
        CONCURRENCY,
        duration,
        async || Service::with_messages(&endpoint, MESSAGES).await.map(Service::dispatches),
        async || Raw::with_messages(&endpoint, MESSAGES).await.map(Raw::dispatches),
    ))?;
    report.extend([
        // By the clock, a machine that is busy with other things gives one side more of the core than the other.
        Figure::new("dispatch", per_core_second(&dispatched.ours)?, "/s of a core"),
        Figure::new("the raw calls", per_core_second(&dispatched.theirs)?, "/s of a core"),
        Figure::new("dispatch ÷ raw", 1.0 / ratio(&dispatched, cpu_us)?, "").must_be(LEAST),
        Figure::new("dispatch ÷ raw, by the clock", ratio(&dispatched, per_second)?, "").aims_at(LEAST),
    ]);
    report.detail("dispatchAndRaw", &dispatched)?;

    let accepted = runtime.block_on(rounds::alternate(
        CONCURRENCY,
        duration,
        async || Service::with_messages(&endpoint, 0).await.map(Service::acceptances),
        async || Raw::with_messages(&endpoint, 1).await.map(Raw::puts),
    ))?;
    report.extend([
        Figure::new("accept, checked and rendered", per_core_second(&accepted.ours)?, "/s of a core"),
        Figure::new("the raw put", per_core_second(&accepted.theirs)?, "/s of a core"),
        Figure::new("accept ÷ raw", 1.0 / ratio(&accepted, cpu_us)?, ""),
    ]);
    report.detail("acceptAndRaw", &accepted)?;

    let messages = arguments.counted * cost::ROUNDS;
    let (service, raw) = runtime.block_on(async {
        anyhow::Ok((
            Service::with_messages(&endpoint, messages).await?.dispatches(),
            Raw::with_messages(&endpoint, messages).await?.dispatches(),
        ))
    })?;
    let [ours, theirs] = cost::count(&runtime, arguments.counted, [&service, &raw])?;
    for (what, cost) in [("dispatch", &ours), ("raw calls", &theirs)] {
        report.extend([
            Figure::new(format!("allocations per message, {what}"), cost.allocations, ""),
            Figure::new(format!("allocated per message, {what}"), cost.kilobytes, "KB"),
            Figure::new(format!("CPU per message of its own thread, {what}"), cost.cpu_us, "µs"),
        ]);
    }
    let by_thread = Figure::new("dispatch ÷ raw, its own thread", theirs.cpu_us / ours.cpu_us, "");
    report.extend([by_thread.must_be(LEAST)]);
    report.detail("costOfDispatch", &ours)?;
    report.detail("costOfRaw", &theirs)?;
    render(report)
}

/// Requests answered in a second of processor time, that of the table and of the provider included.
fn per_core_second(rounds: &[Round]) -> Result<f64> {
    Ok(1e6 / middle(rounds, cpu_us)?)
}

/// Filling in the order confirmation, with and without what was compiled before.
fn render(report: &mut Report) -> Result<()> {
    let (version, params) = (service::version()?, service::params()?);
    let remembering = notification_minijinja::Templates::default();
    let forgetful = notification_minijinja::Templates::without_memory();
    let timed = |renderer: &notification_minijinja::Templates| -> Result<f64> {
        let before = crate::clock::of_this_thread()?;
        for _ in 0..RENDERINGS {
            let rendered = renderer.render(std::hint::black_box(&version), None, &params);
            ensure!(rendered.is_ok(), "the template renders");
        }
        let took = crate::clock::of_this_thread()?.saturating_sub(before);
        Ok(took.as_secs_f64() * 1e6 / RENDERINGS as f64)
    };
    timed(&remembering)?;
    let (compiled, uncompiled) = (timed(&remembering)?, timed(&forgetful)?);
    report.extend([
        Figure::new("CPU of rendering the order confirmation", compiled, "µs").aims_at(Goal::AtMost(100.0)),
        Figure::new("CPU of compiling and rendering it", uncompiled, "µs"),
        Figure::new("compiling and rendering ÷ rendering", uncompiled / compiled, "×"),
    ]);
    Ok(())
}

impl Service {
    /// Dispatches of messages that were accepted.
    fn dispatches(self: Arc<Self>) -> Side<String> {
        let ids = self.ids.clone();
        Side::new(
            move |n| ids.get(n).cloned().unwrap_or_default(),
            move |id: String| {
                let service = Arc::clone(&self);
                async move { service.dispatch(id.parse()?).await }
            },
        )
    }

    /// Acceptances of messages to one receiver each.
    fn acceptances(self: Arc<Self>) -> Side<String> {
        Side::new(
            |n| n.to_string(),
            move |key: String| {
                let service = Arc::clone(&self);
                async move {
                    let now = platform_lambda::now();
                    let new = service::new(&key)?;
                    let checked = check(&service.templates, &service.renderer, new, now).await?;
                    let taken = accept(&service.table, &checked, now).await?;
                    ensure!(taken.iter().all(|taken| !taken.is_repeat), "a new message");
                    Ok(())
                }
            },
        )
    }
}

impl Raw {
    fn dispatches(self: Arc<Self>) -> Side<String> {
        let ids = self.ids.clone();
        Side::new(
            move |n| ids.get(n).cloned().unwrap_or_default(),
            move |id: String| {
                let raw = Arc::clone(&self);
                async move { raw.dispatch(&id).await }
            },
        )
    }

    fn puts(self: Arc<Self>) -> Side<String> {
        Side::new(
            |n| format!("{n:026}"),
            move |id: String| {
                let raw = Arc::clone(&self);
                async move { raw.put(&id).await }
            },
        )
    }
}
