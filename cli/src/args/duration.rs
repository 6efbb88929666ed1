//! Durations as kubectl writes them: `90s`, `10m`, `1h30m`; a bare number is seconds.

use std::time::Duration;

/// Reads a duration. `0` means "no limit" to the flags that use it.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let help = || format!("`{text}` is not a duration: write 90s, 10m or 1h30m");
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Duration::from_secs(seconds.into()));
    }
    let mut total: u64 = 0;
    let mut number = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let unit = match c {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return Err(help()),
        };
        let value: u32 = number.parse().map_err(|_| help())?;
        total += u64::from(value) * unit;
        number.clear();
    }
    if !number.is_empty() || text.is_empty() {
        return Err(help());
    }
    Ok(Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_kubectl_reads() {
        for (text, seconds) in [
            ("0", 0),
            ("45", 45),
            ("90s", 90),
            ("10m", 600),
            ("1h30m", 5400),
            ("1h0m5s", 3605),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_and_shows_the_form() {
        for text in ["", "m", "10 m", "1d", "5m3", "-1s", "99999999999s"] {
            assert!(parse(text).unwrap_err().contains("write 90s"), "{text}");
        }
    }
}
