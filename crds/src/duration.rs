//! Durations as people read them.

/// Writes a duration in at most two units: `0.4s`, `12.3s`, `3m41s`, `2h05m`, `3d04h`. Negative ones, which a
/// clock that was set back can make, count as zero.
pub fn human(millis: i64) -> String {
    let millis = millis.max(0);
    let seconds = millis / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    if minutes == 0 {
        format!("{seconds}.{}s", millis % 1000 / 100)
    } else if hours == 0 {
        format!("{minutes}m{:02}s", seconds % 60)
    } else if days == 0 {
        format!("{hours}h{:02}m", minutes % 60)
    } else {
        format!("{days}d{:02}h", hours % 24)
    }
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn units_follow_the_size() {
        for (millis, text) in [
            (-5, "0.0s"),
            (449, "0.4s"),
            (12_345, "12.3s"),
            (59_999, "59.9s"),
            (60_000, "1m00s"),
            (221_000, "3m41s"),
            (7_500_000, "2h05m"),
            (273_600_000, "3d04h"),
        ] {
            assert_eq!(human(millis), text);
        }
    }
}
