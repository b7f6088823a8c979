//! A list of guests as lines of a file, cut by bytes: nobody has to read a file to know its chunks.
//!
//! A chunk owns the lines that begin in its range. Whoever works on it reads a little more at both ends: the byte
//! before, to see whether a line begins right at the start, and as much as one line may have after the end.

use std::ops::Range;

use domain_ids::GuestId;

/// Bytes of a chunk: about 1,700 guests with Cognito's ids, which take a few seconds and one small read.
pub const CHUNK_BYTES: u64 = 64 * 1024;

/// Bytes of a line, its end not counted: a guest id has at most 64, and there is room for columns that nobody reads.
pub const MAX_LINE_BYTES: usize = 1_024;

/// Bytes of a list: 1,024 chunks, about 1,800,000 guests.
pub const MAX_LIST_BYTES: u64 = 64 * 1024 * 1024;

/// What a first line begins with if it is no guest but a header.
const HEADERS: [&str; 4] = ["guest", "guestid", "guest_id", "guest-id"];

/// What spreadsheets put before the first line (U+FEFF).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The ranges of a file's chunks, in order: each byte is in exactly one.
pub fn chunks_of(bytes: u64) -> impl Iterator<Item = Range<u64>> {
    (0..bytes.div_ceil(CHUNK_BYTES)).map(move |n| n * CHUNK_BYTES..bytes.min((n + 1) * CHUNK_BYTES))
}

/// The bytes to read for the chunk `range`.
pub fn window_of(range: &Range<u64>) -> Range<u64> {
    // A line, and CR LF.
    range.start.saturating_sub(1)..range.end.saturating_add(MAX_LINE_BYTES as u64 + 2)
}

/// The lines of a chunk that say something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// Lines that begin in the chunk, blank ones and the header included.
    pub lines: u32,
    /// One for each line that is neither.
    pub rows: Vec<Row>,
}

/// A line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which of the chunk, from 0.
    pub line: u32,
    /// Who gets a coupon.
    pub guest: Result<GuestId, BadRow>,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadRow {
    /// Its first column is not a guest id.
    NoGuest,
    /// It is longer than [`MAX_LINE_BYTES`].
    TooLong,
}

/// The rows of the chunk `range`, out of the bytes of its window ([`window_of`]).
pub fn rows(window: &[u8], range: &Range<u64>) -> Rows {
    let begins_at = window_of(range).start;
    let mut at = if range.start == 0 { 0 } else { next_line(window, 0) };
    let mut found = Rows { lines: 0, rows: Vec::new() };
    while at < window.len() && begins_at + (at as u64) < range.end {
        let end = next_line(window, at);
        let line = window.get(at..end).unwrap_or_default();
        let guest = if begins_at + (at as u64) == 0 { parse_first(line) } else { parse(line) };
        found.rows.extend(guest.map(|guest| Row { line: found.lines, guest }));
        found.lines += 1;
        at = end;
    }
    found
}

/// Where the line after the one at `from` begins; the end of the bytes where there is none.
fn next_line(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |end| from + end + 1)
}

/// The first line of a file may be a header.
fn parse_first(line: &[u8]) -> Option<Result<GuestId, BadRow>> {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    let is_header =
        |guest: &GuestId| HEADERS.iter().any(|header| guest.as_str().eq_ignore_ascii_case(header));
    parse(line).filter(|guest| !guest.as_ref().is_ok_and(is_header))
}

/// `None` for a blank line.
fn parse(line: &[u8]) -> Option<Result<GuestId, BadRow>> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > MAX_LINE_BYTES {
        return Some(Err(BadRow::TooLong));
    }
    if line.trim_ascii().is_empty() {
        return None;
    }
    Some(first_column(line).and_then(|guest| guest.parse().ok()).ok_or(BadRow::NoGuest))
}

/// Line by line, so that a quote that is never closed spoils one row and not all that follow.
fn first_column(line: &[u8]) -> Option<String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(line.len())
        .from_reader(line);
    let mut columns = csv::StringRecord::new();
    let is_row = reader.read_record(&mut columns).ok()?;
    columns.get(0).filter(|_| is_row).map(|column| column.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(byte: u64) -> usize {
        byte.try_into().unwrap()
    }

    /// The rows of a file read in chunks of `size` bytes, with line numbers counted over all of them.
    fn in_chunks(file: &[u8], size: u64) -> Vec<(u32, Result<GuestId, BadRow>)> {
        let bytes = file.len() as u64;
        let (mut before, mut all) = (0, Vec::new());
        for from in (0..bytes).step_by(usize::try_from(size).unwrap()) {
            let range = from..bytes.min(from + size);
            let window = window_of(&range);
            let (start, end) = (place(window.start), place(bytes.min(window.end)));
            let found = rows(&file[start..end], &range);
            all.extend(found.rows.into_iter().map(|row| (before + row.line, row.guest)));
            before += found.lines;
        }
        assert_eq!(before as usize, file.split_inclusive(|&byte| byte == b'\n').count());
        all
    }

    fn guests(file: &str) -> Vec<Result<String, BadRow>> {
        let rows = in_chunks(file.as_bytes(), CHUNK_BYTES);
        rows.into_iter().map(|(_, guest)| guest.map(|guest| guest.to_string())).collect()
    }

    fn ok(names: &[&str]) -> Vec<Result<String, BadRow>> {
        names.iter().map(|name| Ok((*name).to_owned())).collect()
    }

    #[test]
    fn the_chunks_of_a_file_are_all_of_it() {
        assert_eq!(chunks_of(0).count(), 0);
        assert!(chunks_of(1).eq([Range { start: 0, end: 1 }]));
        assert_eq!(chunks_of(CHUNK_BYTES).count(), 1);
        assert_eq!(chunks_of(CHUNK_BYTES + 1).last(), Some(CHUNK_BYTES..CHUNK_BYTES + 1));
        assert_eq!(chunks_of(MAX_LIST_BYTES).count(), 1_024);
    }

    #[test]
    fn a_header_a_mark_blank_lines_and_further_columns_are_no_rows() {
        assert_eq!(guests("\u{feff}guestId,note\r\nann,x\r\n\r\n \n\"bob\",\"a,b\"\n"), ok(&["ann", "bob"]));
        assert_eq!(guests("GUEST_ID\nann"), ok(&["ann"]));
        assert_eq!(guests("ann\nguest\n"), ok(&["ann", "guest"]), "a header is first or none");
        assert_eq!(guests(" ann ;x"), [Err(BadRow::NoGuest)], "columns are parted by a comma");
        assert_eq!(guests(""), []);
    }

    #[test]
    fn a_bad_row_spoils_no_other() {
        let file = "a#b\n\"never closed\nann\n,bob\n13800138000 \n\u{ff}\u{fe}\n满\n";
        let bad = || Err(BadRow::NoGuest);
        let ok = |name: &str| Ok(name.to_owned());
        assert_eq!(guests(file), [bad(), bad(), ok("ann"), bad(), ok("13800138000"), bad(), bad()]);
        assert_eq!(in_chunks(b"\xff\xfe\nann", 2).last().unwrap().1, Ok("ann".parse().unwrap()));
    }

    #[test]
    fn a_long_line_is_one_bad_row_however_long() {
        for length in [MAX_LINE_BYTES + 1, 3 * place(CHUNK_BYTES)] {
            let file = format!("ann\n{}\nbob\n", "x".repeat(length));
            let rows = in_chunks(file.as_bytes(), CHUNK_BYTES);
            let expected =
                [(0, Ok("ann".parse().unwrap())), (1, Err(BadRow::TooLong)), (2, Ok("bob".parse().unwrap()))];
            assert_eq!(rows, expected, "{length}");
        }
        let longest = format!("ann,{}\r\nbob", "x".repeat(MAX_LINE_BYTES - 4));
        assert_eq!(guests(&longest), ok(&["ann", "bob"]));
    }

    proptest! {
        /// However a file is cut, every line is in exactly one chunk, and means the same.
        #[test]
        fn every_line_is_in_exactly_one_chunk(
            lines in prop::collection::vec(("[a-z,\"# ]{0,8}|[a-z]{1,5}|x{1020,1030}|x{4000}", prop::bool::ANY), 0..40),
            ends_open: bool,
            size in 1_u64..3_000,
        ) {
            let mut file = String::new();
            for (line, dos) in &lines {
                file += line;
                file += if *dos { "\r\n" } else { "\n" };
            }
            if ends_open {
                file.truncate(file.trim_end().len());
            }
            let whole = file.len() as u64 + 1;
            prop_assert_eq!(in_chunks(file.as_bytes(), size), in_chunks(file.as_bytes(), whole));
        }

        #[test]
        fn no_bytes_panic(file in prop::collection::vec(any::<u8>(), 0..300), size in 1_u64..50) {
            in_chunks(&file, size);
        }
    }
}
