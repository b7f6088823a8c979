use std::sync::{Arc, OnceLock};

use domain_homestay::{Held, IndexError, Version};
use domain_ids::HomestayId;
use tantivy::columnar::Column;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocSet as _, Searcher, SegmentReader, TERMINATED, Term};

use crate::columns::Columns;
use crate::error::{self, Cause};
use crate::schema::column;

/// A state of a generation: it stays as it is while others write.
pub(crate) struct View {
    pub searcher: Searcher,
    /// As the searcher numbers them.
    pub segments: Vec<Segment>,
}

/// A part of a generation.
pub(crate) struct Segment {
    pub reader: SegmentReader,
    /// Shared with later states that have the same segment. Generations that are only written to never load them.
    columns: Arc<OnceLock<Columns>>,
}

impl View {
    /// What `searcher` sees; what `before` knows already is kept.
    pub fn new(searcher: Searcher, before: Option<&Self>) -> Self {
        let known = |reader: &SegmentReader| {
            let same = |segment: &&Segment| segment.reader.segment_id() == reader.segment_id();
            before.and_then(|before| before.segments.iter().find(same)).map(|it| Arc::clone(&it.columns))
        };
        let segments = searcher
            .segment_readers()
            .iter()
            .map(|reader| Segment { reader: reader.clone(), columns: known(reader).unwrap_or_default() })
            .collect();
        Self { searcher, segments }
    }

    /// Whether any homestay has something in `field`.
    pub fn has_terms(&self, field: Field) -> tantivy::Result<bool> {
        for segment in &self.segments {
            if segment.reader.inverted_index(field)?.terms().num_terms() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub fn id(&self, segment: u32, doc: u32) -> Result<HomestayId, IndexError> {
        let id = || {
            let columns = self.segments.get(segment as usize)?.columns().ok()?;
            let mut id = String::new();
            let ord = u64::from(*columns.id.get(doc as usize)?);
            columns.ids.as_ref()?.ord_to_str(ord, &mut id).ok()?.then(|| id.parse().ok())?
        };
        id().ok_or_else(|| error::corrupt(Cause::Id))
    }

    /// The ids at these places of a segment, which are in ascending order.
    pub fn ids(&self, segment: u32, ords: impl Iterator<Item = u32>) -> Result<Vec<String>, IndexError> {
        let ords: Vec<u64> = ords.map(u64::from).collect();
        let columns =
            self.segments.get(segment as usize).map(Segment::columns).transpose().map_err(error::engine)?;
        let ids =
            columns.and_then(|columns| columns.ids.as_ref()).ok_or_else(|| error::corrupt(Cause::Id))?;
        let mut all = Vec::with_capacity(ords.len());
        let found = ids.dictionary().sorted_ords_to_term_cb(&ords, |id| {
            all.push(String::from_utf8_lossy(id).into_owned());
        });
        if found.map_err(error::file)? { Ok(all) } else { Err(error::corrupt(Cause::Id)) }
    }

    /// What is held of each of `ids`.
    pub fn held<'a>(
        &self,
        field: Field,
        ids: impl IntoIterator<Item = &'a HomestayId>,
    ) -> Result<Vec<Option<Held>>, IndexError> {
        let versions = self.segments.iter().map(Versions::of).collect::<tantivy::Result<Vec<_>>>();
        let versions = versions.map_err(error::engine)?;
        let mut all = Vec::new();
        for id in ids {
            let term = Term::from_field_text(field, id.as_str());
            let mut held = None;
            for (segment, versions) in self.segments.iter().zip(&versions) {
                if let Some(doc) = segment.find(&term).map_err(error::engine)? {
                    held = versions.of_doc(doc);
                    break;
                }
            }
            all.push(held);
        }
        Ok(all)
    }

    /// What is held of up to `limit` homestays behind `after`, in the order of their ids.
    pub fn scan(
        &self,
        field: Field,
        after: Option<&HomestayId>,
        limit: usize,
    ) -> Result<Vec<(HomestayId, Held)>, IndexError> {
        let mut all = Vec::new();
        for segment in &self.segments {
            segment.scan(field, after, limit, &mut all).map_err(error::engine)?;
        }
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all.truncate(limit);
        let parsed = |(id, held): (String, Held)| match id.parse() {
            Ok(id) => Ok((id, held)),
            Err(_) => Err(error::corrupt(Cause::Id)),
        };
        all.into_iter().map(parsed).collect()
    }
}

impl Segment {
    pub fn columns(&self) -> tantivy::Result<&Columns> {
        if let Some(columns) = self.columns.get() {
            return Ok(columns);
        }
        // Two that load them at once waste some work; that is rare.
        let columns = Columns::load(&self.reader)?;
        Ok(self.columns.get_or_init(|| columns))
    }

    /// The homestay that has `term` and was not replaced since.
    fn find(&self, term: &Term) -> tantivy::Result<Option<u32>> {
        let index = self.reader.inverted_index(term.field())?;
        let Some(mut postings) = index.read_postings(term, IndexRecordOption::Basic)? else {
            return Ok(None);
        };
        let mut doc = postings.doc();
        while doc != TERMINATED {
            if !self.reader.is_deleted(doc) {
                return Ok(Some(doc));
            }
            doc = postings.advance();
        }
        Ok(None)
    }

    fn scan(
        &self,
        field: Field,
        after: Option<&HomestayId>,
        limit: usize,
        all: &mut Vec<(String, Held)>,
    ) -> tantivy::Result<()> {
        let versions = Versions::of(self)?;
        let index = self.reader.inverted_index(field)?;
        let range = index.terms().range();
        let range = match after {
            Some(after) => range.gt(after.as_str()),
            None => range,
        };
        let mut terms = range.into_stream()?;
        let mut found = 0;
        while found < limit
            && let Some((id, info)) = terms.next()
        {
            let mut postings = index.read_postings_from_terminfo(info, IndexRecordOption::Basic)?;
            let mut doc = postings.doc();
            while doc != TERMINATED {
                if !self.reader.is_deleted(doc)
                    && let Some(held) = versions.of_doc(doc)
                {
                    all.push((String::from_utf8_lossy(id).into_owned(), held));
                    found += 1;
                }
                doc = postings.advance();
            }
        }
        Ok(())
    }
}

/// Which version of each homestay a segment has.
struct Versions {
    version: Option<Column<u64>>,
    visible: Option<Column<u64>>,
}

impl Versions {
    fn of(segment: &Segment) -> tantivy::Result<Self> {
        let fast = segment.reader.fast_fields();
        Ok(Self { version: fast.column_opt(column::VERSION)?, visible: fast.column_opt(column::VISIBLE)? })
    }

    fn of_doc(&self, doc: u32) -> Option<Held> {
        let version = self.version.as_ref()?.first(doc)?;
        let visible = self.visible.as_ref()?.first(doc)? == 1;
        Some(Held { version: Version::from_stored(version), visible })
    }
}
