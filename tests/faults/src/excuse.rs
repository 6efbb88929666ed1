//! Failures that are none of a loaded machine.
//!
//! A scenario that fails may be tried once more: it races with the machine's load. What is executed again, lost, left over or panics is a fault all the
//! same, and a line says so to whoever would try again.

use std::io::Write as _;

/// How such a line begins.
pub const NOT_EXCUSED: &str = "fault suite: not excused:";

/// Fails the scenario; no second try excuses it.
pub fn refuse(scenario: &str, what: &str) -> ! {
    not_excused(scenario, what);
    panic!("{what}")
}

/// Says that the scenario fails for something that no second try excuses.
pub fn not_excused(scenario: &str, what: &str) {
    // In one write, since others print at the same time, and at the beginning of a line.
    let _ = std::io::stderr().write_all(line(scenario, what).as_bytes());
}

fn line(scenario: &str, what: &str) -> String {
    format!("\n{NOT_EXCUSED} {scenario}: {}\n", what.replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_line_of_its_own() {
        let line = line("a", "left over:\nb");
        assert_eq!(line, "\nfault suite: not excused: a: left over: b\n");
    }
}
