//! A table as kubectl prints it: columns as wide as they must be, three spaces between.

/// The table with a header. Rows have as many cells as the header.
pub(crate) fn render(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = header.iter().map(|h| h.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    line(&mut text, &widths, header.iter().copied());
    for row in rows {
        line(&mut text, &widths, row.iter().map(String::as_str));
    }
    text
}

fn line<'a>(text: &mut String, widths: &[usize], cells: impl Iterator<Item = &'a str>) {
    let start = text.len();
    for (cell, width) in cells.zip(widths) {
        text.push_str(cell);
        let pad = width - cell.chars().count() + 3;
        text.extend(std::iter::repeat_n(' ', pad));
    }
    let end = start + text[start..].trim_end().len();
    text.truncate(end);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_clean() {
        let rows = [
            vec!["a".into(), "Compressed".into(), String::new()],
            vec!["löng-name".into(), "Core".into(), "1/2".into()],
        ];
        assert_eq!(
            render(&["NAME", "MODE", "PROGRESS"], &rows),
            "NAME        MODE         PROGRESS\n\
             a           Compressed\n\
             löng-name   Core         1/2\n"
        );
    }

    #[test]
    fn no_rows_is_just_the_header() {
        assert_eq!(render(&["A", "B"], &[]), "A   B\n");
    }
}
