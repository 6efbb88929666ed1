//! The table at the end: what went wrong, how long it took to go on, what was executed again, what was lost.

use std::path::Path;
use std::time::Duration;

use crate::executions::Tally;

/// A scenario that passed.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its name.
    pub scenario: String,
    /// What went wrong.
    pub fault: &'static str,
    /// From the last fault to the first task that begins after it, or to what the scenario takes for recovery.
    pub recovered: Option<Duration>,
    /// What was executed.
    pub tally: Tally,
}

/// The table, in Markdown.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| scenario | fault | recovered in | tasks executed | re-executed | lost |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        let recovered = row.recovered.map_or("-".to_owned(), |took| {
            format!("{:.1} s", took.as_secs_f64())
        });
        let Tally {
            started,
            repeated,
            lost,
            ..
        } = row.tally;
        text += &format!(
            "| {} | {} | {recovered} | {started} | {repeated} | {lost} |\n",
            row.scenario, row.fault
        );
    }
    text
}

/// Writes the table to a file.
///
/// # Errors
/// The file cannot be written.
pub fn write(rows: &[Row], path: &Path) -> std::io::Result<()> {
    std::fs::write(path, table(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_well() {
        let row = Row {
            scenario: "a".into(),
            fault: "SIGKILL",
            recovered: Some(Duration::from_millis(3240)),
            tally: Tally {
                started: 26,
                repeated: 1,
                ..Tally::default()
            },
        };
        assert!(table(&[row]).ends_with("| a | SIGKILL | 3.2 s | 26 | 1 | 0 |\n"));
    }
}
