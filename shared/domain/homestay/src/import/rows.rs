//! The rows of a file, read from a window of its bytes.
//!
//! A step knows where a record begins, because the step before stopped there. So a newline within quotes is never taken for the
//! end of a record, and a file is read once, from front to back, in windows. The last record of a window that is not the end
//! of the file may be cut off: it is left to the next step.

use std::{collections::HashMap, str::FromStr};

use domain_coupon::{Violation, Violations};
use domain_ids::{HomestayId, HostId};
use domain_money::Fen;
use jiff::Timestamp;

use super::{ImportFailure, ImportFailureReason, ImportFormat, SourceName};
use crate::{Datum, Facilities, GeoPoint, Rating, RoomType, RowState};

/// Bytes of a record: the largest homestay is a third of it.
pub const MAX_LINE_BYTES: usize = 64 * 1024;

/// What spreadsheets put before the first line (U+FEFF).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Characters of an external id, or of a column, that a report repeats.
const MAX_SHOWN_CHARS: usize = 64;

/// Every column: the fields of JSON Lines, too. The first eight must be there.
pub const COLUMNS: [&str; 19] = [
    "externalId",
    "title",
    "lat",
    "lon",
    "city",
    "priceFen",
    "roomType",
    "capacity",
    "subtitle",
    "info",
    "district",
    "rating",
    "ratingCount",
    "sales",
    "facilities",
    "cover",
    "rowState",
    "createdAt",
    "hostId",
];

/// How many of [`COLUMNS`] a header must have.
const REQUIRED: usize = 8;

/// The texts of a row by their column.
type Fields = HashMap<&'static str, String>;

/// A row and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// Where it begins, in bytes of the file.
    pub(crate) at: u64,
    /// Where the one after it begins, at the earliest.
    pub(crate) end: u64,
    /// In which line it begins, from 1.
    pub(crate) line: u64,
    /// Lines before `end`.
    pub(crate) lines: u64,
    /// What the source calls the homestay, as it is shown.
    pub(crate) external_id: Option<String>,
    /// What the row says.
    pub(crate) said: Result<Said, Violations>,
}

/// What a row says of a homestay. What it does not say stays as it is, or is as it is for a new one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    pub(crate) id: HomestayId,
    pub(crate) host: Option<HostId>,
    pub(crate) title: String,
    pub(crate) subtitle: String,
    pub(crate) info: String,
    pub(crate) location: GeoPoint,
    pub(crate) city: String,
    pub(crate) district: String,
    pub(crate) price: Fen,
    pub(crate) room_type: RoomType,
    pub(crate) capacity: u16,
    pub(crate) facilities: Facilities,
    pub(crate) cover: String,
    pub(crate) rating: Option<Rating>,
    pub(crate) sales: Option<u32>,
    pub(crate) row_state: Option<RowState>,
    pub(crate) created_at: Option<Timestamp>,
}

/// Part of a file.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    /// How it is written.
    pub(crate) format: ImportFormat,
    /// Whose it is.
    pub(crate) source: &'a SourceName,
    /// In which datum it tells places.
    pub(crate) datum: Datum,
    /// Its bytes, from a record's beginning on.
    pub(crate) bytes: &'a [u8],
    /// Where they begin in the file.
    pub(crate) from: u64,
    /// Lines before them.
    pub(crate) lines: u64,
    /// Whether they go on to the end of the file.
    pub(crate) is_last: bool,
    /// The beginning of the file, where a CSV has its header; not needed where `from` is 0.
    pub(crate) head: &'a [u8],
}

/// What was read of a window.
#[derive(Debug)]
pub(crate) struct Read {
    /// Its rows, up to a number.
    pub(crate) rows: Vec<Row>,
    /// Where reading stopped: before a record, or at the end of the file.
    pub(crate) end: u64,
    /// Lines before that.
    pub(crate) lines: u64,
    /// Why the record there cannot be read, nor any behind it.
    pub(crate) failure: Option<ImportFailure>,
}

/// A record between two places of a window.
struct Record {
    start: usize,
    end: usize,
    fields: Option<csv::ByteRecord>,
}

/// Reads up to `limit` rows of a window.
pub(crate) fn read(window: &Window<'_>, limit: usize) -> Read {
    let mut reading = Reading { window, at: 0, lines: window.lines, rows: Vec::new() };
    let failure = match window.format {
        ImportFormat::Csv => reading.csv(limit),
        ImportFormat::JsonLines => reading.json_lines(limit),
    };
    let Reading { at, lines, rows, .. } = reading;
    Read { rows, end: window.from + at as u64, lines, failure: failure.err() }
}

struct Reading<'a> {
    window: &'a Window<'a>,
    /// Where the next record begins, in bytes of the window.
    at: usize,
    /// Lines of the file before that.
    lines: u64,
    rows: Vec<Row>,
}

impl Reading<'_> {
    fn csv(&mut self, limit: usize) -> Result<(), ImportFailure> {
        let bytes = self.window.bytes;
        let mark = if self.window.from == 0 && bytes.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len()
        } else {
            0
        };
        let mut records = records(bytes.get(mark..).unwrap_or_default(), mark);
        let columns = if self.window.from == 0 {
            let Some(record) = records.next() else {
                self.pass(bytes.len());
                return Err(wrong_header(COLUMNS.first()));
            };
            let columns = self.check(&record)?;
            let columns = if columns { header(&record)? } else { return Ok(()) };
            self.pass(record.end);
            columns
        } else {
            let head = self.window.head;
            let head = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
            header(&self::records(head, 0).next().ok_or_else(|| wrong_header(COLUMNS.first()))?)?
        };
        for record in records {
            if self.rows.len() == limit {
                return Ok(());
            }
            if !self.check(&record)? {
                return Ok(());
            }
            let fields = record.fields.as_ref().map(|record| fields_of(record, &columns));
            self.add(record.start, record.end, fields.unwrap_or_else(|| Err(unreadable())));
        }
        // Nothing but empty lines is left.
        self.pass(bytes.len());
        Ok(())
    }

    fn json_lines(&mut self, limit: usize) -> Result<(), ImportFailure> {
        let bytes = self.window.bytes;
        let mut start = if self.window.from == 0 && bytes.starts_with(BYTE_ORDER_MARK) { 3 } else { 0 };
        while start < bytes.len() {
            if self.rows.len() == limit {
                return Ok(());
            }
            let rest = bytes.get(start..).unwrap_or_default();
            let end = rest.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |end| start + end + 1);
            let record = Record { start, end, fields: None };
            if !self.check(&record)? {
                return Ok(());
            }
            let line = bytes.get(start..end).unwrap_or_default();
            if line.trim_ascii().is_empty() {
                self.pass(end);
            } else {
                self.add(start, end, fields_of_json(line));
            }
            start = end;
        }
        Ok(())
    }

    /// Whether the record is whole, if it is one that can be read.
    fn check(&mut self, record: &Record) -> Result<bool, ImportFailure> {
        let bytes = self.window.bytes.get(record.start..record.end).unwrap_or_default();
        let failure = |reason, lines| ImportFailure { reason, line: Some(lines + 1), column: None };
        // Up to the record itself: it may have empty lines before it.
        self.pass(record.start);
        if bytes.len() > MAX_LINE_BYTES {
            return Err(failure(ImportFailureReason::LineTooLong, self.lines));
        }
        if record.end == self.window.bytes.len() && !self.window.is_last {
            return Ok(false);
        }
        if str::from_utf8(bytes).is_err() {
            return Err(failure(ImportFailureReason::NotUtf8, self.lines));
        }
        Ok(true)
    }

    fn add(&mut self, start: usize, end: usize, fields: Result<Fields, Violations>) {
        self.pass(start);
        let (at, line) = (self.window.from + start as u64, self.lines + 1);
        self.pass(end);
        let external_id = fields.as_ref().ok().and_then(|fields| fields.get("externalId"));
        let external_id = external_id.map(|id| id.chars().take(MAX_SHOWN_CHARS).collect());
        let said = fields.and_then(|fields| parse(&fields, self.window.source, self.window.datum));
        let end = self.window.from + end as u64;
        self.rows.push(Row { at, end, line, lines: self.lines, external_id, said });
    }

    /// Goes on to `at`, if it is not there yet.
    fn pass(&mut self, at: usize) {
        if let Some(passed) = self.window.bytes.get(self.at..at) {
            self.lines += passed.split(|&byte| byte == b'\n').skip(1).count() as u64;
            self.at = at;
        }
    }
}

/// The records of bytes that begin at `offset`, without empty lines.
fn records(bytes: &[u8], offset: usize) -> impl Iterator<Item = Record> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut before = 0;
    std::iter::from_fn(move || {
        let mut record = csv::ByteRecord::new();
        // Bytes in memory can be read, and of whatever number of columns.
        let is_record = reader.read_byte_record(&mut record).unwrap_or(false);
        let end = usize::try_from(reader.position().byte()).unwrap_or(bytes.len());
        // The reader takes LF after CR, and empty lines, for the beginning of what follows.
        let newlines = bytes.get(before..end).unwrap_or_default();
        let newlines = newlines.iter().take_while(|&&byte| matches!(byte, b'\r' | b'\n')).count();
        let start = before + newlines;
        before = end;
        is_record.then(|| Record { start: offset + start, end: offset + end, fields: Some(record) })
    })
}

/// The columns of a header in its order.
fn header(record: &Record) -> Result<Vec<&'static str>, ImportFailure> {
    let mut columns: Vec<&'static str> = Vec::new();
    for name in record.fields.iter().flatten() {
        let name = str::from_utf8(name).unwrap_or_default().trim();
        let known = COLUMNS.into_iter().find(|&column| column == name);
        match known.filter(|column| !columns.contains(column)) {
            Some(column) => columns.push(column),
            None => return Err(wrong_header(Some(&name))),
        }
    }
    match COLUMNS.iter().take(REQUIRED).find(|column| !columns.contains(column)) {
        Some(missing) => Err(wrong_header(Some(missing))),
        None => Ok(columns),
    }
}

fn wrong_header(column: Option<&&str>) -> ImportFailure {
    let column = column.map(|column| column.chars().take(MAX_SHOWN_CHARS).collect());
    ImportFailure { reason: ImportFailureReason::WrongHeader, line: Some(1), column }
}

fn unreadable() -> Violations {
    one("", "must be a record with as many columns as the header")
}

fn one(field: &'static str, must: &'static str) -> Violations {
    let mut violations = Violations::default();
    violations.check(false, Violation::new(field, must));
    violations
}

fn fields_of(record: &csv::ByteRecord, columns: &[&'static str]) -> Result<Fields, Violations> {
    if record.len() != columns.len() {
        return Err(unreadable());
    }
    let text = |bytes: &[u8]| str::from_utf8(bytes).map(|text| text.trim().to_owned()).unwrap_or_default();
    let fields = columns.iter().zip(record).map(|(&column, bytes)| (column, text(bytes)));
    Ok(fields.filter(|(_, text)| !text.is_empty()).collect())
}

fn fields_of_json(line: &[u8]) -> Result<Fields, Violations> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(line).map_err(|_| one("", "must be a JSON object"))?;
    let mut fields = Fields::new();
    for (name, value) in object {
        let Some(column) = COLUMNS.into_iter().find(|&column| column == name) else {
            return Err(one("", "must have no other fields than those of an import"));
        };
        let text = match value {
            serde_json::Value::Null => continue,
            serde_json::Value::String(text) => text.trim().to_owned(),
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Array(names) if column == "facilities" => {
                let names: Option<Vec<&str>> = names.iter().map(serde_json::Value::as_str).collect();
                names.ok_or_else(|| one(column, "must be a list of names"))?.join("|")
            }
            serde_json::Value::Bool(_) | serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
                return Err(one(column, "must be a text or a number"));
            }
        };
        if !text.is_empty() {
            fields.insert(column, text);
        }
    }
    Ok(fields)
}

/// The fields of a row that are read so far, and what is wrong with them.
struct Parsing<'a> {
    fields: &'a Fields,
    wrong: Violations,
}

impl Parsing<'_> {
    fn text(&self, column: &'static str) -> String {
        self.fields.get(column).cloned().unwrap_or_default()
    }

    fn optional<T>(
        &mut self,
        column: &'static str,
        must: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.fields.get(column)?;
        let parsed = parse(text);
        self.wrong.check(parsed.is_some(), Violation::new(column, must));
        parsed
    }

    fn required<T>(
        &mut self,
        column: &'static str,
        must: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.wrong.check(self.fields.contains_key(column), Violation::new(column, must));
        self.optional(column, must, parse)
    }
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// Limits of texts and numbers are the homestay's own and checked there.
fn parse(fields: &Fields, source: &SourceName, datum: Datum) -> Result<Said, Violations> {
    let mut row = Parsing { fields, wrong: Violations::default() };
    let id = row.required(
        "externalId",
        "must be `A-Z a-z 0-9 - _`, with the source up to 64 characters",
        |text| source.homestay(text).ok(),
    );
    let lat =
        row.required("lat", "must be -90 to 90", |text| number::<f64>(text).filter(|lat| lat.abs() <= 90.0));
    let lon = row
        .required("lon", "must be -180 to 180", |text| number::<f64>(text).filter(|lon| lon.abs() <= 180.0));
    let price = row.required("priceFen", "must be a whole number of fen", number);
    let room_type = row.required("roomType", "must be a type of room", number);
    let capacity = row.required("capacity", "must be 1 to 50", number);
    let facilities = row.optional("facilities", "must be known facilities, parted by `|`", |text| {
        text.split('|').map(str::trim).filter(|name| !name.is_empty()).map(|name| name.parse().ok()).collect()
    });
    let row_state = row.optional("rowState", "must be published or unpublished", row_state);
    let sales = row.optional("sales", "must be 0 to 4,294,967,295", number);
    let created_at = row.optional("createdAt", "must be a time (RFC 3339) since 1970", created_at);
    let host = row.optional("hostId", "must be the id of a host", number);
    let stars = row.optional("rating", "must be 0 to 5, with at most two decimals", hundredths);
    let count: Option<u32> = row.optional("ratingCount", "must be 0 to 4,294,967,295", number);
    let both = fields.contains_key("rating") || count.unwrap_or(0) == 0;
    row.wrong.check(both, Violation::new("rating", "must be there with ratingCount"));
    let both = fields.contains_key("ratingCount") || !fields.contains_key("rating");
    row.wrong.check(both, Violation::new("ratingCount", "must be there with rating"));
    let location = lat.zip(lon).and_then(|(lat, lon)| datum.point(lat, lon).ok());

    let texts = ["title", "subtitle", "info", "city", "district", "cover"].map(|column| row.text(column));
    let [title, subtitle, info, city, district, cover] = texts;
    row.wrong.into_result()?;
    let (Some(id), Some(location), Some(price), Some(room_type), Some(capacity)) =
        (id, location, price, room_type, capacity)
    else {
        // Each was checked above.
        return Err(unreadable());
    };
    let rating = count.map(|count| Rating { hundredths: stars.unwrap_or(0), count });
    Ok(Said {
        id,
        host,
        title,
        subtitle,
        info,
        location,
        city,
        district,
        price: Fen::new(price),
        room_type,
        capacity,
        facilities: facilities.unwrap_or_default(),
        cover,
        rating,
        sales,
        row_state,
        created_at,
    })
}

fn row_state(text: &str) -> Option<RowState> {
    match text {
        "published" => Some(RowState::Published),
        "unpublished" => Some(RowState::Unpublished),
        _ => None,
    }
}

/// In whole milliseconds, as it is stored.
fn created_at(text: &str) -> Option<Timestamp> {
    let ms = text.parse::<Timestamp>().ok()?.as_millisecond();
    Timestamp::from_millisecond(ms).ok().filter(|&at| at >= Timestamp::UNIX_EPOCH)
}

/// Hundredths of a decimal number, without a detour over floats.
fn hundredths(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let valid =
        digits(whole) && digits(part) && (1..=2).contains(&part.len()) && (1..=3).contains(&whole.len());
    let part: u16 = if valid { format!("{part:0<2}").parse().ok()? } else { return None };
    whole.parse::<u16>().ok()?.checked_mul(100)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source() -> SourceName {
        "demo".parse().unwrap()
    }

    const HEADER: &str = "externalId,title,lat,lon,city,priceFen,roomType,capacity";

    fn window<'a>(source: &'a SourceName, format: ImportFormat, bytes: &'a [u8]) -> Window<'a> {
        Window { format, source, datum: Datum::Gcj02, bytes, from: 0, lines: 0, is_last: true, head: &[] }
    }

    fn whole(format: ImportFormat, file: &[u8]) -> Read {
        read(&window(&source(), format, file), usize::MAX)
    }

    /// The rows of a file read in windows of `size` bytes and up to `limit` rows.
    fn in_windows(
        format: ImportFormat,
        file: &[u8],
        size: usize,
        limit: usize,
    ) -> (Vec<Row>, u64, Option<ImportFailure>) {
        let source = source();
        let (mut rows, mut from, mut lines) = (Vec::new(), 0, 0);
        loop {
            let to = file.len().min(from + size);
            let window = Window {
                from: from as u64,
                lines,
                is_last: to == file.len(),
                head: &file[..file.len().min(size)],
                ..window(&source, format, &file[from..to])
            };
            let read = read(&window, limit);
            rows.extend(read.rows);
            let end = usize::try_from(read.end).unwrap();
            if read.failure.is_some() || end == file.len() {
                return (rows, read.lines, read.failure);
            }
            assert!(end > from, "a step that does not move");
            (from, lines) = (end, read.lines);
        }
    }

    fn refused(row: &Row) -> Vec<&'static str> {
        row.said.as_ref().unwrap_err().iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn a_row_is_read_with_its_place() {
        let file = format!(
            "\u{feff}{HEADER},facilities,rating,ratingCount\r\n\r\na-1,\"两\n行\",39.9,116.4,北京,100,double,2,wifi|parking,4.8,7\r\n"
        );
        let read = whole(ImportFormat::Csv, file.as_bytes());
        assert_eq!((read.end, read.lines, read.failure), (file.len() as u64, 4, None));
        let [row] = read.rows.as_slice() else { panic!("{:?}", read.rows) };
        assert_eq!((row.line, row.external_id.as_deref()), (3, Some("a-1")));
        assert!(file[usize::try_from(row.at).unwrap()..].starts_with("a-1,"));
        let said = row.said.as_ref().unwrap();
        assert_eq!((said.id.as_str(), said.title.as_str()), ("demo-a-1", "两\n行"));
        assert_eq!(said.rating, Some(Rating { hundredths: 480, count: 7 }));
        assert_eq!(said.facilities.len(), 2);
        assert_eq!((said.sales, said.row_state, said.created_at), (None, None, None));
    }

    #[test]
    fn json_lines_say_the_same() {
        let line = r#"{"externalId": 7, "title": "院子", "lat": 39.9, "lon": 116.4, "city": "北京", "priceFen": 100, "roomType": "double",
            "capacity": 2, "facilities": ["wifi"], "rating": 4.85, "ratingCount": 3, "createdAt": "2026-01-05T08:00:00Z", "info": null}"#
            .replace('\n', " ");
        let read = whole(ImportFormat::JsonLines, format!("\n{line}\n[]\n{{\"x\": 1}}\n{{").as_bytes());
        let said = read.rows[0].said.as_ref().unwrap();
        assert_eq!((said.id.as_str(), said.rating), ("demo-7", Some(Rating { hundredths: 485, count: 3 })));
        assert_eq!(said.created_at, Some("2026-01-05T08:00:00Z".parse().unwrap()));
        assert_eq!(read.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3, 4, 5]);
        assert!(read.rows[1..].iter().all(|row| refused(row) == [""]));
        assert_eq!(read.lines, 4, "the last line has no end");
    }

    #[test]
    fn what_is_wrong_is_named_by_its_column() {
        let columns = "externalId,title,lat,lon,city,priceFen,roomType,capacity,facilities,rating,ratingCount,sales,rowState,createdAt,hostId";
        let file = format!("{columns}\na b,t,91,x,c,1.5,tent,-1,moat,4.855,,-1,2,yesterday,#\n");
        let read = whole(ImportFormat::Csv, file.as_bytes());
        let expected = "externalId lat lon priceFen roomType capacity facilities rowState sales createdAt hostId rating ratingCount";
        assert_eq!(refused(&read.rows[0]).join(" "), expected);
        let read = whole(ImportFormat::Csv, format!("{HEADER}\na,t\n,,,,,,,\n").as_bytes());
        assert_eq!(refused(&read.rows[0]), [""]);
        assert_eq!(refused(&read.rows[1]), ["externalId", "lat", "lon", "priceFen", "roomType", "capacity"]);
    }

    #[test]
    fn a_header_has_the_columns_that_are_needed_once_and_no_others() {
        for (header, column) in [
            ("externalId,title", "lat"),
            ("externalId,externalId", "externalId"),
            ("price", "price"),
            ("", "externalId"),
            ("\n\n", "externalId"),
        ] {
            let read = whole(ImportFormat::Csv, header.as_bytes());
            let failure = read.failure.unwrap();
            assert_eq!(failure.reason, ImportFailureReason::WrongHeader);
            assert_eq!(failure.column.as_deref(), Some(column), "{header:?}");
            assert!(read.rows.is_empty());
        }
    }

    #[test]
    fn a_poisoned_file_stops_at_the_line_and_keeps_what_is_before_it() {
        let good = format!("{HEADER}\na,t,39.9,116.4,c,1,double,1\n");
        let long = format!("{good}b,\"{}\n", "x\n".repeat(MAX_LINE_BYTES));
        let mut garbled = good.clone().into_bytes();
        garbled.extend(b"c,\xff\xfe,39.9,116.4,c,1,double,1\nd,t,39.9,116.4,c,1,double,1\n");
        for (file, reason) in [
            (long.as_bytes(), ImportFailureReason::LineTooLong),
            (garbled.as_slice(), ImportFailureReason::NotUtf8),
        ] {
            for size in [MAX_LINE_BYTES + 1, usize::MAX / 2] {
                let (rows, lines, failure) = in_windows(ImportFormat::Csv, file, size, usize::MAX);
                let failure = failure.unwrap();
                assert_eq!((failure.reason, failure.line), (reason, Some(3)));
                assert_eq!((rows.len(), lines), (1, 2));
            }
        }
    }

    #[test]
    fn stars_are_read_exactly() {
        for (text, read) in
            [("5", Some(500)), ("4.8", Some(480)), ("4.85", Some(485)), ("0.05", Some(5)), ("9", Some(900))]
        {
            assert_eq!(hundredths(text), read, "{text}");
        }
        for text in ["", ".5", "4.", "4.855", "-1", "+4", "1e1", "4.8.5", "1000", "NaN"] {
            assert_eq!(hundredths(text), None, "{text}");
        }
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => ("[a-z]{1,3}", "[a-z ]{1,9}").prop_map(|(id, title)| format!("{id},{title},39.9,116.4,c,1,double,1")),
            2 => "[a-z]{1,3}".prop_map(|id| format!("{id},\"q\n\r\n,\"\"x\"\"\n\",39.9,116.4,c,1,double,1")),
            1 => Just(String::new()),
            1 => "[a-z,\" ]{0,20}",
        ]
    }

    proptest! {
        /// However a file is cut, every row is read once, with the same place and meaning.
        #[test]
        fn windows_do_not_matter(
            lines in prop::collection::vec((line(), any::<bool>()), 0..30), size in 300_usize..900, limit in 1_usize..9, json: bool,
        ) {
            let mut file = if json { String::new() } else { format!("{HEADER}\n") };
            for (line, dos) in &lines {
                file += line;
                file += if *dos { "\r\n" } else { "\n" };
            }
            // A quote that is never closed makes a record that no small window holds; there are no small windows in life.
            prop_assume!(json || whole(ImportFormat::Csv, file.as_bytes()).rows.iter().all(|row| row.end - row.at < 280));
            let format = if json { ImportFormat::JsonLines } else { ImportFormat::Csv };
            let all = whole(format, file.as_bytes());
            let (rows, lines, failure) = in_windows(format, file.as_bytes(), size, limit);
            prop_assert_eq!((rows, lines, failure), (all.rows, all.lines, all.failure));
        }

        #[test]
        fn no_bytes_panic(file in prop::collection::vec(any::<u8>(), 0..300), json: bool) {
            whole(if json { ImportFormat::JsonLines } else { ImportFormat::Csv }, &file);
        }
    }
}
