//! Which roles a simulated worker plays, and what weight they offer.

/// What the tasks of one proof weigh that a worker of class All is to have room for, in GiB: as the real worker has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Units {
    /// Weight of one Controller and one CoreExecute, which run side by side for a proof.
    #[arg(long = "execute-unit", env = "PROVOST_EXECUTE_UNIT", default_value_t = Self::default().execute, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub execute: u32,
    /// Weight of the heaviest proving task.
    #[arg(long = "prove-unit", env = "PROVOST_PROVE_UNIT", default_value_t = Self::default().prove, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub prove: u32,
}

impl Default for Units {
    fn default() -> Self {
        Self {
            execute: 9,
            prove: 4,
        }
    }
}

/// Which roles a worker plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "verbatim")]
pub enum Class {
    /// Executes and wraps.
    #[value(name = "CPU")]
    Cpu,
    /// Proves.
    #[value(name = "GPU")]
    Gpu,
    /// Both.
    All,
}

/// Task weight (GiB) that each role offers; a role that offers 0 does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// Of the execute role.
    pub execute: u32,
    /// Of the prove role.
    pub prove: u32,
}

impl Capacity {
    /// Shares `total` among the roles of `class` as the real worker does: a worker of class All executes one proof at a time and proves with the
    /// rest. `execute` replaces the share of the execute role in a worker of class All, so that wraps fit.
    pub fn share(class: Class, total: u32, execute: Option<u32>, units: Units) -> Self {
        match class {
            Class::Cpu => Self {
                execute: total,
                prove: 0,
            },
            Class::Gpu => Self {
                execute: 0,
                prove: total,
            },
            Class::All => {
                let usual = units.execute.min(total.saturating_sub(units.prove));
                let execute = execute.unwrap_or(usual);
                Self {
                    execute: execute.min(total),
                    prove: total.saturating_sub(execute),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_of_class_all_shares_its_weight() {
        let share = |class, execute| {
            let capacity = Capacity::share(class, 24, execute, Units::default());
            (capacity.execute, capacity.prove)
        };
        assert_eq!(share(Class::All, None), (9, 15));
        assert_eq!(share(Class::All, Some(16)), (16, 8));
        assert_eq!(share(Class::Cpu, None), (24, 0));
        assert_eq!(share(Class::Gpu, None), (0, 24));
    }
}
