use super::{FileError, Import, ImportFiles, RefusedRow};

/// Files read for one page. Where refused rows are few and far between, a page is short and the next goes on.
const FILES_PER_PAGE: usize = 8;

/// Where a page of a report ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportReportPosition {
    /// The part it goes on in, from 0.
    pub part: u32,
    /// Rows of that part that were shown.
    pub shown: u32,
}

/// Part of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportReportPage {
    /// The refused rows, in the order of the file. May be fewer than asked for although more follow.
    pub items: Vec<RefusedRow>,
    /// Where the next page begins; `None` at the end of what is done so far.
    pub next: Option<ImportReportPosition>,
}

/// Up to `limit` refused rows of an import, from `after` on, as far as it is done.
pub async fn import_report(
    files: &impl ImportFiles,
    import: &Import,
    after: ImportReportPosition,
    limit: u16,
) -> Result<ImportReportPage, FileError> {
    let limit = usize::from(limit);
    let mut items = Vec::new();
    let mut files_read = 0;
    for (number, part) in (0..).zip(&import.parts).skip_while(|(number, _)| *number < after.part) {
        let shown = if number == after.part { after.shown } else { 0 };
        if shown >= part.rows {
            continue;
        }
        let next = |shown| Some(ImportReportPosition { part: number, shown });
        if files_read == FILES_PER_PAGE || items.len() == limit {
            return Ok(ImportReportPage { items, next: next(shown) });
        }
        files_read += 1;
        let rows = (0..).zip(files.read_part(import.id, *part).await?);
        for (place, row) in rows.skip_while(|(place, _)| *place < shown) {
            if items.len() == limit {
                return Ok(ImportReportPage { items, next: next(place) });
            }
            items.push(row);
        }
    }
    Ok(ImportReportPage { items, next: None })
}
