//! How a worker shares its memory among its roles.
#![allow(clippy::unwrap_used)]

use provost_worker::engine;
use provost_worker::memory::{Class, GIB, Machine, Units, meminfo_total, parse_limit, plan};

fn of(class: Class, gib: u64) -> Machine {
    Machine {
        class,
        limit_bytes: gib * GIB,
        pinned_bytes: 0,
        units: Units::default(),
    }
}

#[test]
fn a_node_of_24_gib_runs_one_proof_and_one_prover() {
    let plan = plan(of(Class::All, 21), None, None).unwrap();
    assert_eq!((plan.execute_weight, plan.prove_weight), (9, 4));
    assert_eq!(plan.prover_permits, 1);
    assert!(plan.executor_memory_bytes <= 7 * GIB);
}

#[test]
fn sp1_is_told_how_much_memory_a_program_may_take() {
    for gib in [21, 60] {
        let plan = plan(of(Class::All, gib), None, None).unwrap();
        let told = engine::core_opts(&plan).memory_limit;
        assert_eq!(told, plan.executor_memory_bytes);
    }
}

#[test]
fn what_tasks_weigh_decides_how_the_roles_share() {
    let machine = Machine {
        units: Units {
            execute: 13,
            prove: 6,
        },
        ..of(Class::All, 33)
    };
    let plan = plan(machine, None, None).unwrap();
    assert_eq!((plan.execute_weight, plan.prove_weight), (13, 12));
    assert_eq!(plan.prover_permits, 2);
}

#[test]
fn roles_never_offer_more_than_the_limit_less_what_they_hold() {
    for gib in 0..200 {
        for class in [Class::Cpu, Class::Gpu, Class::All] {
            let Ok(plan) = plan(of(class, gib), None, None) else {
                continue;
            };
            let rest = if class.proves() { 7 } else { 0 } + u64::from(class.executes());
            assert!(u64::from(plan.execute_weight + plan.prove_weight) + rest <= gib);
        }
    }
}

#[test]
fn the_programs_of_all_proofs_that_are_admitted_fit_side_by_side() {
    for gib in 20..400 {
        for class in [Class::Cpu, Class::All] {
            let plan = plan(of(class, gib), None, None).unwrap();
            let programs = u64::from(plan.execute_weight / Units::default().execute);
            assert!(programs * plan.executor_memory_bytes <= gib * GIB, "{gib}");
        }
    }
}

#[test]
fn a_capacity_that_is_too_small_is_named() {
    let error = plan(of(Class::All, 21), Some(3), None).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("spec.capacity") && text.contains("at least 5"),
        "{text}"
    );
}

#[test]
fn what_feeds_a_gpu_is_no_room_for_tasks() {
    let machine = Machine {
        pinned_bytes: 10 * GIB + 1,
        ..of(Class::Gpu, 64)
    };
    let plan = plan(machine, None, None).unwrap();
    assert_eq!((plan.prove_weight, plan.prover_permits), (64 - 7 - 11, 8));
}

#[test]
fn too_little_memory_names_the_field() {
    let error = plan(of(Class::All, 8), None, None).unwrap_err();
    assert!(
        error.to_string().contains("spec.resources.limits.memory"),
        "{error}"
    );
    assert!(plan(of(Class::All, 3), Some(13), None).is_ok());
}

#[test]
fn limits_of_both_cgroup_versions_parse() {
    assert_eq!(parse_limit("max\n"), None);
    assert_eq!(parse_limit("21474836480\n"), Some(20 * GIB));
    let text = "MemFree: 1 kB\nMemTotal:       24684092 kB\n";
    assert_eq!(meminfo_total(text), Some(24_684_092 * 1024));
}
