//! Scenarios, and their way to the test runner.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libtest_mimic::Trial;

use crate::check::{Allowed, NOTHING, accuse, check};
use crate::report::Row;
use crate::world::{Setup, World};

/// Longest time of a scenario beside the wait for a proof: one that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(300);

type Run = Box<dyn FnOnce(&tokio::runtime::Runtime, &World, Duration) + Send>;

/// A scenario.
pub struct Scenario {
    name: &'static str,
    fault: &'static str,
    setup: Setup,
    allowed: Allowed,
    lingers: bool,
    run: Run,
}

impl Scenario {
    /// A scenario in the usual world, in which nothing may be executed twice.
    pub fn new<F>(name: &'static str, fault: &'static str, run: F) -> Self
    where
        F: AsyncFnOnce(&World) + Send + 'static,
    {
        Self {
            name,
            fault,
            setup: Setup::default(),
            allowed: NOTHING,
            lingers: false,
            run: Box::new(move |runtime, world, limit| {
                let limited = async { tokio::time::timeout(limit, run(world)).await };
                assert!(
                    runtime.block_on(limited).is_ok(),
                    "not over after {limit:?}"
                );
            }),
        }
    }

    /// In another world.
    #[must_use]
    pub fn setup(mut self, change: impl FnOnce(&mut Setup)) -> Self {
        change(&mut self.setup);
        self
    }

    /// What may be executed again.
    #[must_use]
    pub fn allow(mut self, allowed: Allowed) -> Self {
        self.allowed = allowed;
        self
    }

    /// Looks again some seconds after the last end: something that comes late could change how a request ended.
    #[must_use]
    pub fn lingers(mut self) -> Self {
        self.lingers = true;
        self
    }

    /// As a test. Its logs stay in a folder of its name under `folder`; its row is added to `rows`.
    pub fn trial(self, folder: PathBuf, rows: Arc<Mutex<Vec<Row>>>) -> Trial {
        let Self {
            name,
            fault,
            setup,
            allowed,
            lingers,
            run,
        } = self;
        Trial::test(name, move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            let folder = folder.join(name);
            // In one write: others print at the same time.
            let line = format!("{name}: logs in {}\n", folder.display());
            let _ = std::io::stderr().write_all(line.as_bytes());
            let limit = LIMIT + setup.patience;
            let world = runtime.block_on(World::start(name, &folder, setup));
            let over = catch_unwind(AssertUnwindSafe(|| run(&runtime, &world, limit)));
            if let Err(cause) = over {
                accuse(&world, allowed);
                resume_unwind(cause);
            }
            let recovered = *world.recovered.lock().unwrap();
            let tally = runtime.block_on(check(world, allowed, lingers));
            let row = Row {
                scenario: name.to_owned(),
                fault,
                recovered,
                tally,
            };
            rows.lock().unwrap().push(row);
            Ok(())
        })
    }
}
