//! Judged queries over real listings: how well they are found.
//!
//! **The judgements are synthetic**: nobody has read the listings. They are made by rule from the raw text, without the analysis
//! that is being judged ([`Query::grade`]): what was meant is written beside each query as the words that a title, a place or a
//! kind of room must have, and of two homestays that have them the better rated one is worth more.
//!
//! - `places.tsv`: what people call forty places; each is searched for by name, in pinyin, by initials and with a typing error;
//! - `queries.tsv`: what else people type.
#![expect(clippy::float_arithmetic, reason = "figures of merit; no money")]

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use domain_homestay::{Document, GeoPoint, Near};

/// Hits that are looked at.
pub const DEPTH: usize = 10;

/// A search and what was meant by it.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// What it is an example of, for example `pinyin`.
    pub kind: String,
    /// What is typed.
    pub keyword: String,
    /// Where the guest wants to be.
    pub near: Option<Near>,
    /// All of these, each in one of its spellings.
    meant: Vec<Vec<String>>,
}

/// How much a homestay is what was meant.
pub type Grade = u8;

/// The least grade that is what was meant.
pub const GOOD: Grade = 2;

impl Query {
    /// All judged queries.
    pub fn all() -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for line in lines(include_str!("../places.tsv")) {
            let [name, pinyin, initials, typo, other] = fields(line)?;
            for (kind, keyword) in
                [("keyword", name), ("pinyin", pinyin), ("initials", initials), ("typo", typo)]
            {
                if keyword.is_empty() {
                    continue;
                }
                let names =
                    if kind == "initials" { Self::with_initials(initials)? } else { vec![name.to_owned()] };
                let others = [pinyin, other].into_iter().filter(|name| !name.is_empty()).map(str::to_owned);
                let spellings = names.into_iter().chain(others).collect();
                let (kind, keyword) = (kind.to_owned(), keyword.to_owned());
                all.push(Self { kind, keyword, near: None, meant: vec![spellings] });
            }
        }
        for line in lines(include_str!("../queries.tsv")) {
            let [kind, keyword, wanted] = fields(line)?;
            let (words, place) =
                wanted.split_once('@').map_or((wanted, None), |(words, place)| (words, Some(place)));
            let meant = words.split('&').map(str::trim).filter(|words| !words.is_empty());
            let meant = meant.map(|words| words.split('|').map(|word| word.trim().to_lowercase()).collect());
            all.push(Self {
                kind: kind.to_owned(),
                keyword: keyword.to_owned(),
                near: place.map(near).transpose().with_context(|| line.to_owned())?,
                meant: meant.collect(),
            });
        }
        Ok(all)
    }

    /// Whoever types initials may mean any place that has them.
    fn with_initials(initials: &str) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for line in lines(include_str!("../places.tsv")) {
            let [name, _, others, ..] = fields::<5>(line)?;
            if others == initials {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// 3 for a homestay that has all that was meant and is well rated by some guests (or, where a point is given, is within a
    /// third of the radius), 2 for another one that has all, 1 for one that has some, 0 for one that has nothing or is too far.
    pub fn grade(&self, document: &Document) -> Grade {
        let text = [&document.title, &document.city, &document.district]
            .map(String::as_str)
            .join(" ")
            .to_lowercase();
        let has =
            |spellings: &&Vec<String>| spellings.iter().any(|spelling| text.contains(spelling.as_str()));
        let had = self.meant.iter().filter(has).count();
        let metres = self
            .near
            .map(|near| (near.point.distance_m(document.location), near.radius_m.unwrap_or(f64::MAX)));
        if metres.is_some_and(|(metres, radius)| metres > radius) || (had == 0 && !self.meant.is_empty()) {
            0
        } else if had < self.meant.len() {
            1
        } else {
            let rated = document.rating.hundredths >= 450 && document.rating.count >= 5;
            let close = metres.is_some_and(|(metres, radius)| metres <= radius / 3.0);
            if rated || close { 3 } else { GOOD }
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty())
}

fn fields<const N: usize>(line: &str) -> Result<[&str; N]> {
    let fields: Vec<&str> = line.split('\t').collect();
    fields.try_into().ok().with_context(|| format!("not {N} columns: {line}"))
}

fn near(text: &str) -> Result<Near> {
    let numbers: Vec<f64> = text.split(',').map(|number| number.trim().parse()).collect::<Result<_, _>>()?;
    ensure!(numbers.len() == 3, "not a point and a radius: {text}");
    let [lat, lon, km] = numbers.try_into().ok().context("three numbers")?;
    Ok(Near { point: GeoPoint::new(lat, lon)?, radius_m: Some(km * 1_000.0) })
}

/// How well queries were answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Merit {
    /// How many queries.
    pub queries: usize,
    ndcg: f64,
    reciprocal_rank: f64,
    nothing: usize,
}

impl Merit {
    /// Adds a query whose first hits have these grades, when these are the best that there are.
    pub fn add(&mut self, found: &[Grade], best: &[Grade]) {
        self.queries += 1;
        let ideal = gain(best);
        self.ndcg += if ideal > 0.0 { gain(found) / ideal } else { 1.0 };
        let first = found.iter().take(DEPTH).position(|&grade| grade >= GOOD);
        self.reciprocal_rank += first.map_or(0.0, |rank| 1.0 / count(rank + 1));
        self.nothing += usize::from(found.is_empty());
    }

    /// Normalized discounted cumulative gain of the first ten: 1 if they are the best that there are, in order.
    pub fn ndcg(&self) -> f64 {
        self.ndcg / count(self.queries)
    }

    /// Mean of one over the rank of the first hit that is what was meant.
    pub fn mean_reciprocal_rank(&self) -> f64 {
        self.reciprocal_rank / count(self.queries)
    }

    /// The share of queries that found nothing.
    pub fn zero_results(&self) -> f64 {
        count(self.nothing) / count(self.queries)
    }
}

/// Exponential gain, as is usual for graded judgements (Burges et al. 2005).
fn gain(grades: &[Grade]) -> f64 {
    let discounted =
        |(rank, &grade): (usize, &Grade)| (f64::from(grade).exp2() - 1.0) / count(rank + 2).log2();
    grades.iter().take(DEPTH).enumerate().map(discounted).sum()
}

#[expect(clippy::cast_precision_loss, reason = "hundreds")]
fn count(number: usize) -> f64 {
    number as f64
}

/// The best grades that any ten of `documents` have, best first.
pub fn best_of<'a>(query: &Query, documents: impl Iterator<Item = &'a Document>) -> Vec<Grade> {
    let mut grades: BTreeMap<Grade, usize> = BTreeMap::new();
    for document in documents {
        *grades.entry(query.grade(document)).or_default() += 1;
    }
    let best = grades.iter().rev().flat_map(|(&grade, &count)| std::iter::repeat_n(grade, count.min(DEPTH)));
    best.take(DEPTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_enough_queries_of_each_kind() {
        let all = Query::all().unwrap();
        assert!(all.len() >= 150, "{}", all.len());
        for kind in ["keyword", "pinyin", "initials", "typo", "synonym", "geo", "mixed"] {
            assert!(all.iter().filter(|query| query.kind == kind).count() >= 15, "{kind}");
        }
    }

    #[test]
    fn the_best_order_has_merit_one_and_a_worse_one_less() {
        let merit = |found: &[Grade]| {
            let mut merit = Merit::default();
            merit.add(found, &[3, 3, 2, 1]);
            merit
        };
        assert!((merit(&[3, 3, 2, 1]).ndcg() - 1.0).abs() < 1e-9);
        assert!(merit(&[3, 2, 3, 1]).ndcg() < 1.0);
        assert!((merit(&[1, 0, 2]).mean_reciprocal_rank() - 1.0 / 3.0).abs() < 1e-9);
        assert!((merit(&[]).zero_results() - 1.0).abs() < 1e-9);
    }
}
