#![expect(clippy::float_arithmetic, reason = "takes a score apart; no money")]

use domain_text::{Alternative, Analysed, Analyzer, Clause, TermKind};

use crate::{Document, FindHomestays, FoundHomestays, Hit, Quality, Ranking, Sort};

/// Why a homestay stands where it does: the factors of [`Ranking`], and what of the keyword it has.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// As the index computed it.
    pub score: f32,
    /// What the text contributed to it; `None` where the order is not that of [`Ranking`].
    pub text: Option<f32>,
    /// The factor of the stars.
    pub rating: f32,
    /// The factor of the sales.
    pub sales: f32,
    /// The factor of the distance; 1 where nobody says from where.
    pub distance: f32,
    /// The factor of being new.
    pub freshness: f32,
    /// Each thing that was asked for.
    pub clauses: Vec<ExplainedClause>,
}

/// One thing that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedClause {
    /// What was typed for it, folded.
    pub typed: String,
    /// How much it matters.
    pub weight: f32,
    /// The ways in which the homestay has it; none if it has not.
    pub matches: Vec<ExplainedMatch>,
}

/// One way to say it, and where the homestay says it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedMatch {
    /// In which field.
    pub field: MatchField,
    /// What was found there, joined by spaces.
    pub terms: String,
    /// As what: a word, pinyin, initials.
    pub kind: TermKind,
    /// How well it says it, 1 for what was typed.
    pub weight: f32,
}

/// Where a match is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchField {
    /// The title.
    Title,
    /// The subtitle.
    Subtitle,
    /// City, district, kind of room, facilities; see [`Document::facts`].
    Facts,
    /// The description.
    Info,
}

impl Explanation {
    /// Why `hit` of `found` stands where it does.
    ///
    /// What it has of the keyword is told by the analysis, not by the index: on an index in step with its table, the two agree.
    pub fn of(
        analyzer: &Analyzer,
        ranking: &Ranking,
        command: &FindHomestays,
        found: &FoundHomestays,
        hit: &Hit,
    ) -> Self {
        let document = &hit.document;
        let quality = Quality::of(document);
        let metres = command.near().map(|near| near.point.distance_m(document.location));
        let factor = ranking.factor(document, command.near(), found.as_of);
        let fields = Fields::of(*analyzer, document);
        Self {
            score: hit.score,
            text: (command.sort() == Sort::Composite && factor > 0.0).then(|| hit.score / factor),
            rating: ranking.rating_factor(quality),
            sales: ranking.sales_factor(quality),
            distance: metres.map_or(1.0, |metres| ranking.distance_factor(metres)),
            freshness: ranking.freshness_factor(document.created_at, found.as_of),
            clauses: found.query.clauses.iter().map(|clause| fields.explain(clause)).collect(),
        }
    }
}

struct Fields([(MatchField, Analysed); 4]);

impl Fields {
    fn of(analyzer: Analyzer, document: &Document) -> Self {
        Self([
            (MatchField::Title, analyzer.document(&document.title)),
            (MatchField::Subtitle, analyzer.document(&document.subtitle)),
            (MatchField::Facts, analyzer.document(&document.facts())),
            (MatchField::Info, analyzer.document(&document.info)),
        ])
    }

    fn explain(&self, clause: &Clause) -> ExplainedClause {
        let found = clause.alternatives.iter().flat_map(|alternative| self.matches(alternative)).collect();
        ExplainedClause { typed: clause.typed.clone(), weight: clause.weight, matches: found }
    }

    fn matches<'a>(&'a self, alternative: &'a Alternative) -> impl Iterator<Item = ExplainedMatch> + 'a {
        let has_all = |(field, analysed): &&(MatchField, Analysed)| {
            !alternative.terms.is_empty()
                && alternative.terms.iter().all(|term| has(*field, analysed, term.kind, &term.text))
        };
        self.0.iter().filter(has_all).filter_map(|(field, _)| {
            let terms: Vec<&str> = alternative.terms.iter().map(|term| term.text.as_str()).collect();
            let kind = alternative.terms.first()?.kind;
            Some(ExplainedMatch { field: *field, terms: terms.join(" "), kind, weight: alternative.weight })
        })
    }
}

/// An index holds no pinyin of the description: who types pinyin means a name.
fn has(field: MatchField, analysed: &Analysed, kind: TermKind, text: &str) -> bool {
    let sounds = field != MatchField::Info;
    match kind {
        TermKind::Word => analysed.words.iter().any(|word| word.text == text),
        TermKind::WordPrefix => analysed.words.iter().any(|word| word.text.starts_with(text)),
        TermKind::Pinyin => sounds && analysed.pinyin.iter().any(|pinyin| pinyin == text),
        TermKind::PinyinPrefix => sounds && analysed.pinyin.iter().any(|pinyin| pinyin.starts_with(text)),
        TermKind::Initials => sounds && analysed.initials.iter().any(|initials| initials == text),
    }
}
