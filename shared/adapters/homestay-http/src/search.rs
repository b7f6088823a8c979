use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use domain_homestay::{
    Continuation, Datum, Document, Explanation, Facets, Filters, FindHomestays, FoundHomestays, GeoPoint,
    Highlights, Hit, IndexError, InvalidSearch, Match, MatchField, PRICE_STEPS, Page, Position,
    SearchRequest, Sort,
};
use domain_ids::{HomestayId, SearchId};
use domain_money::Fen;
use domain_text::{Part, TermKind};
use jiff::{Timestamp, civil::Date};
use platform_http::{MAX_PARAMETER_CHARS, Problem, Request, cursor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::parameters::{Parameters, senseless};

/// Homestays on a page, unless the caller wants another number.
const DEFAULT_PAGE_SIZE: u16 = 20;

/// The search that a request asks for at `now`. 400 `invalid-parameter` names every parameter at fault, 400 `invalid-cursor`
/// is for a cursor that is none, or is one of another search.
pub fn search_request(request: &Request, now: Timestamp) -> Result<FindHomestays, Problem> {
    let mut parameters = Parameters::of(request);
    let keyword = parameters.text("keyword")?.unwrap_or_default();
    let autocorrect = parameters.get("autocorrect", "must be true or false", parsed::<bool>)?;
    let filters = filters(&mut parameters)?;
    let point = point(&mut parameters)?;
    let radius_m = parameters.get("radiusKm", "must be more than 0 and at most 200", kilometres)?;
    let check_in = parameters.get("checkIn", DATE, date)?;
    let check_out = parameters.get("checkOut", DATE, date)?;
    let sort = parameters.get(
        "sort",
        "must be composite, price_asc, price_desc, distance, rating or newest",
        |text| Sort::ALL.into_iter().find(|sort| sort_name(*sort) == text),
    )?;
    let number = parameters.get("page", "must be a number from 1 on", parsed::<u32>)?;
    let page_size = parameters.get("pageSize", "must be 1 to 100", parsed::<u16>)?;
    let facets = parameters.get("facets", "must be true or false", parsed::<bool>)?;
    let after = parameters.text("cursor")?.map(|cursor| decode(&cursor).ok_or_else(cursor::invalid));
    if number.is_some() && after.is_some() {
        parameters.refuse("page", "must not come with cursor");
    }
    parameters.finish()?;
    let page = match after {
        Some(continuation) => Page::After(continuation?),
        None => Page::Number(number.unwrap_or(1)),
    };
    let request = SearchRequest {
        keyword,
        autocorrect: autocorrect.unwrap_or(true),
        filters,
        point,
        radius_m,
        check_in,
        check_out,
        sort: sort.unwrap_or(Sort::Composite),
        page,
        page_size: page_size.unwrap_or(DEFAULT_PAGE_SIZE),
        facets,
    };
    FindHomestays::new(request, now).map_err(|invalid| match invalid {
        InvalidSearch::Fields(violations) => senseless(&violations),
        InvalidSearch::Foreign => cursor::invalid(),
    })
}

/// Whether the caller wants each homestay explained.
pub fn explain_parameter(request: &Request) -> Result<bool, Problem> {
    let mut parameters = Parameters::of(request);
    let explain = parameters.get("explain", "must be true or false", parsed::<bool>)?;
    parameters.finish()?;
    Ok(explain.unwrap_or(false))
}

const DATE: &str = "must be a date, for example 2026-12-24";

fn filters(parameters: &mut Parameters<'_>) -> Result<Filters, Problem> {
    const FEN: &str = "must be a number of fen, 0 to 100000000";
    const STARS: &str = "must be 0 to 5 with at most two decimals";
    Ok(Filters {
        min_price: parameters.get("minPriceFen", FEN, parsed::<u64>)?.map(Fen::new),
        max_price: parameters.get("maxPriceFen", FEN, parsed::<u64>)?.map(Fen::new),
        min_rating: parameters.get("minRating", STARS, hundredths)?,
        max_rating: parameters.get("maxRating", STARS, hundredths)?,
        facilities: parameters
            .get("facilities", "must be names of facilities, joined by commas", list)?
            .unwrap_or_default()
            .into_iter()
            .collect(),
        room_types: parameters
            .get("roomType", "must be names of room types, joined by commas", list)?
            .unwrap_or_default(),
        city: parameters.text("city")?.map(|city| without_suffix(&city)),
        district: parameters.text("district")?,
        capacity: parameters.get("capacity", "must be 1 to 50", parsed::<u16>)?,
    })
}

fn point(parameters: &mut Parameters<'_>) -> Result<Option<GeoPoint>, Problem> {
    const LAT: &str = "must be -90 to 90 degrees";
    const LON: &str = "must be -180 to 180 degrees";
    // Not a number is within nothing, and neither is infinity.
    let within = |limit: f64| move |text: &str| parsed::<f64>(text).filter(|degrees| degrees.abs() <= limit);
    let lat = parameters.get("lat", LAT, within(90.0))?;
    let lon = parameters.get("lon", LON, within(180.0))?;
    let datum = parameters.get("datum", "must be gcj02 or wgs84", parsed::<Datum>)?;
    match (lat, lon) {
        (None, None) => Ok(None),
        (Some(lat), Some(lon)) => {
            let point = datum.unwrap_or_default().point(lat, lon).ok();
            if point.is_none() {
                parameters.refuse("lat", LAT);
            }
            Ok(point)
        }
        (Some(_), None) => {
            parameters.refuse("lon", "must come with lat, -180 to 180 degrees");
            Ok(None)
        }
        (None, Some(_)) => {
            parameters.refuse("lat", "must come with lon, -90 to 90 degrees");
            Ok(None)
        }
    }
}

fn parsed<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn date(text: &str) -> Option<Date> {
    // Nothing behind it: a time of day would be ignored.
    if text.len() == "2026-12-24".len() { text.parse().ok() } else { None }
}

#[expect(clippy::float_arithmetic, reason = "metres; no money")]
fn kilometres(text: &str) -> Option<f64> {
    parsed::<f64>(text).filter(|kilometres| *kilometres > 0.0 && *kilometres <= 200.0).map(|km| km * 1_000.0)
}

/// Hundredths of a star, read as digits: 4.35 is no number of binary digits.
fn hundredths(text: &str) -> Option<u16> {
    let (stars, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let plain =
        |digits: &str| (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(stars) || !plain(decimals) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<2}").parse().ok()?;
    let hundredths = stars.parse::<u16>().ok()? * 100 + decimals;
    (hundredths <= 500).then_some(hundredths)
}

/// Names joined by commas, each of them known; there are few, so that a list has a limit by itself.
fn list<T: FromStr + PartialEq>(text: &str) -> Option<Vec<T>> {
    let mut values = Vec::new();
    for name in text.split(',') {
        let value: T = name.trim().parse().ok()?;
        if !values.contains(&value) {
            values.push(value);
        }
    }
    Some(values)
}

/// Cities are kept without 市; people write it.
fn without_suffix(city: &str) -> String {
    match city.strip_suffix('市') {
        Some(name) if name.chars().count() >= 2 => name.to_owned(),
        _ => city.to_owned(),
    }
}

fn sort_name(sort: Sort) -> &'static str {
    match sort {
        Sort::Composite => "composite",
        Sort::PriceAsc => "price_asc",
        Sort::PriceDesc => "price_desc",
        Sort::Distance => "distance",
        Sort::Rating => "rating",
        Sort::Newest => "newest",
    }
}

/// A continuation as it is written into a cursor: the key by its bits, since it is compared with those of the index and no
/// decimal may come in between.
#[derive(Serialize, Deserialize)]
struct CursorText(u8, Match, i64, String, String, HomestayId, Option<String>, Option<String>);

/// Raised when cursors of before are no longer understood.
const CURSOR_VERSION: u8 = 1;

fn encode(continuation: &Continuation) -> Option<String> {
    let text = |snapshot: Option<String>| {
        let text = CursorText(
            CURSOR_VERSION,
            continuation.matching,
            continuation.as_of.as_millisecond(),
            format!("{:x}", continuation.of),
            format!("{:x}", continuation.position.key.to_bits()),
            continuation.position.id.clone(),
            snapshot,
            continuation.corrected.clone(),
        );
        Some(BASE64URL_NOPAD.encode(serde_json::to_string(&text).ok()?.as_bytes()))
    };
    let short = |cursor: &String| cursor.len() <= MAX_PARAMETER_CHARS;
    // The name of a snapshot may be long. Without it the next page is of the index as it is then.
    text(continuation.position.snapshot.clone()).filter(short).or_else(|| text(None).filter(short))
}

fn decode(cursor: &str) -> Option<Continuation> {
    let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?;
    let CursorText(version, matching, as_of, of, key, id, snapshot, corrected) =
        serde_json::from_slice(&bytes).ok()?;
    let number = |hex: &str| u64::from_str_radix(hex, 16).ok();
    let key = f64::from_bits(number(&key)?);
    (version == CURSOR_VERSION && key.is_finite()).then_some(())?;
    Some(Continuation {
        position: Position { key, id, snapshot },
        matching,
        corrected: corrected.filter(|keyword| keyword.len() <= MAX_PARAMETER_CHARS),
        as_of: Timestamp::from_millisecond(as_of).ok()?,
        of: number(&of)?,
    })
}

/// What a caller is told when an index fails; the cause goes to the log.
pub fn index_problem(error: &IndexError) -> Problem {
    match error {
        IndexError::Busy(_) => coupon_http::too_many_requests(),
        IndexError::Unavailable(_) | IndexError::Missing | IndexError::Corrupt(_) => coupon_http::try_again(),
    }
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchView {
    /// Names this search: a click on a result says which one it was.
    #[schema(value_type = String)]
    pub search_id: SearchId,
    /// What was searched for: the keyword as sent, or its correction (see `correctedFrom`).
    pub keyword: String,
    /// How many homestays there are in all.
    pub total: u64,
    /// Which page this is; absent behind a cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// How many homestays a page has.
    pub page_size: u16,
    /// How much of the keyword each homestay has: `all` of its words, `most`, or `any`.
    #[schema(value_type = String, example = "all")]
    pub matching: Match,
    /// A spelling that finds more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub did_you_mean: Option<String>,
    /// The keyword as sent, if it finds nothing or next to nothing and the results are those of `keyword`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrected_from: Option<String>,
    /// The day of arrival, as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub check_in: Option<Date>,
    /// The day of departure, as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub check_out: Option<Date>,
    /// `unchecked`, where dates were sent: whether the homestays are free then is not known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub availability: Option<&'static str>,
    /// The homestays of this page, in order.
    pub items: Vec<ResultView>,
    /// How many of all that was found are what, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facets: Option<FacetsView>,
    /// Pass it as `cursor`, with the other parameters unchanged, to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A homestay that was found.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResultView {
    /// Identity.
    #[schema(value_type = String)]
    pub id: HomestayId,
    /// Its title.
    pub title: String,
    /// Its subtitle; may be empty.
    pub subtitle: String,
    /// Its city, without 市.
    pub city: String,
    /// Its district; may be empty.
    pub district: String,
    /// Degrees north (GCJ-02).
    pub lat: f64,
    /// Degrees east (GCJ-02).
    pub lon: f64,
    /// For a night, in fen.
    #[schema(value_type = u64)]
    pub price_fen: Fen,
    /// The mean of the ratings, 0 to 5 stars; absent without ratings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 4.85)]
    pub rating: Option<f64>,
    /// How many ratings.
    pub rating_count: u32,
    /// Nights sold.
    pub sales: u32,
    /// What kind of room.
    #[schema(value_type = String, example = "double")]
    pub room_type: domain_homestay::RoomType,
    /// Guests it takes.
    pub capacity: u16,
    /// What it has.
    #[schema(value_type = Vec<String>, example = json!(["wifi", "kitchen"]))]
    pub facilities: domain_homestay::Facilities,
    /// Address of its picture; absent if it has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub cover: String,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Metres from where the guest wants to be; absent where nobody says where that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance_m: Option<u64>,
    /// What of it was asked for.
    pub highlights: HighlightsView,
    /// Why it stands where it does; for operators who ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<ExplanationView>,
}

/// What of a homestay was asked for, in pieces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HighlightsView {
    /// The title; absent if nothing of it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Vec<PartView>>,
    /// A stretch of the description; absent if nothing of it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<Vec<PartView>>,
}

/// A piece of a text. Text, not HTML: it is to be shown as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartView {
    /// The piece.
    pub text: String,
    /// Whether it is what was asked for.
    pub matched: bool,
}

/// How many of what was found are what; most first, those that none is left out.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FacetsView {
    /// By city, the 50 with most.
    pub cities: Vec<CountView>,
    /// By district, the 50 with most.
    pub districts: Vec<CountView>,
    /// By kind of room.
    pub room_types: Vec<CountView>,
    /// By facility; a homestay counts for each that it has.
    pub facilities: Vec<CountView>,
    /// By price for a night.
    pub prices: Vec<PriceCountView>,
    /// By rating: so many stars or more.
    pub ratings: Vec<RatingCountView>,
    /// By guests: so many or more.
    pub capacities: Vec<CapacityCountView>,
}

/// How many have a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CountView {
    /// As the parameter takes it.
    pub value: String,
    /// How many.
    pub count: u64,
}

/// How many are in a range of prices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PriceCountView {
    /// From this price on.
    pub from_fen: u64,
    /// Up to this one, which is not in the range; absent for the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_fen: Option<u64>,
    /// How many.
    pub count: u64,
}

/// How many have so many stars or more.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RatingCountView {
    /// Stars.
    #[schema(example = 4.5)]
    pub from: f64,
    /// How many.
    pub count: u64,
}

/// How many take so many guests or more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityCountView {
    /// Guests.
    pub from: u64,
    /// How many.
    pub count: u64,
}

/// Why a homestay stands where it does: `score` = `text` × `rating` × `sales` × `distance` × `freshness` in the composite order.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplanationView {
    /// As the index computed it.
    pub score: f32,
    /// How well it matches the keyword; absent in other orders than the composite one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<f32>,
    /// The factor of the stars.
    pub rating: f32,
    /// The factor of the sales.
    pub sales: f32,
    /// The factor of the distance.
    pub distance: f32,
    /// The factor of being new.
    pub freshness: f32,
    /// Each thing that was asked for.
    pub clauses: Vec<ClauseView>,
}

/// One thing that was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClauseView {
    /// What was typed for it, folded.
    pub typed: String,
    /// How much it matters, 1 for an ordinary word.
    pub weight: f32,
    /// How the homestay has it; empty if it has not.
    pub matches: Vec<MatchView>,
}

/// One way in which a homestay has what was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MatchView {
    /// Where: `title`, `subtitle`, `facts` or `info`.
    #[schema(value_type = String, example = "title")]
    pub field: &'static str,
    /// What was found there.
    pub terms: String,
    /// As what: `word`, `word_prefix`, `pinyin`, `pinyin_prefix` or `initials`.
    #[schema(value_type = String, example = "word")]
    pub kind: TermKind,
    /// How well it says it, 1 for what was typed.
    pub weight: f32,
}

impl SearchView {
    /// What `command` found, its hits as `result` shows them.
    pub fn new(
        search_id: SearchId,
        command: &FindHomestays,
        found: &FoundHomestays,
        result: impl Fn(&Hit) -> ResultView,
    ) -> Self {
        let stay = command.stay();
        Self {
            search_id,
            keyword: found.keyword.clone(),
            total: found.total,
            page: match command.page() {
                Page::Number(number) => Some(*number),
                Page::After(_) => None,
            },
            page_size: command.page_size(),
            matching: found.matching,
            did_you_mean: found.did_you_mean.clone(),
            corrected_from: found.corrected_from.clone(),
            check_in: stay.map(|stay| stay.check_in),
            check_out: stay.map(|stay| stay.check_out),
            availability: stay.map(|_| "unchecked"),
            items: found.hits.iter().map(result).collect(),
            facets: found.facets.as_ref().map(FacetsView::new),
            next_cursor: found.next.as_ref().and_then(encode),
        }
    }
}

impl ResultView {
    /// One hit.
    pub fn new(hit: &Hit, highlights: Highlights, explanation: Option<Explanation>) -> Self {
        let Document {
            id,
            host: _,
            title,
            subtitle,
            info: _,
            location,
            city,
            district,
            price,
            rating,
            sales,
            room_type,
            capacity,
            facilities,
            cover,
            created_at,
        } = hit.document.clone();
        Self {
            id,
            title,
            subtitle,
            city,
            district,
            lat: location.lat(),
            lon: location.lon(),
            price_fen: price,
            rating: (rating.count > 0).then(|| stars(rating.hundredths.into())),
            rating_count: rating.count,
            sales,
            room_type,
            capacity,
            facilities,
            cover,
            created_at,
            distance_m: hit.distance_m.map(whole),
            highlights: HighlightsView {
                title: highlights.title.map(parts_view),
                info: highlights.info.map(parts_view),
            },
            explanation: explanation.map(ExplanationView::new),
        }
    }
}

impl FacetsView {
    fn new(facets: &Facets) -> Self {
        let named = |counts: &[(String, u64)]| {
            counts.iter().map(|(value, count)| CountView { value: value.clone(), count: *count }).collect()
        };
        let next_price = |from: u64| PRICE_STEPS.into_iter().find(|step| *step > from);
        Self {
            cities: named(&facets.cities),
            districts: named(&facets.districts),
            room_types: facets
                .room_types
                .iter()
                .map(|(kind, count)| CountView { value: kind.name().to_owned(), count: *count })
                .collect(),
            facilities: facets
                .facilities
                .iter()
                .map(|(facility, count)| CountView { value: facility.name().to_owned(), count: *count })
                .collect(),
            prices: facets
                .prices
                .iter()
                .map(|bucket| PriceCountView {
                    from_fen: bucket.from,
                    to_fen: next_price(bucket.from),
                    count: bucket.count,
                })
                .collect(),
            ratings: facets
                .ratings
                .iter()
                .map(|bucket| RatingCountView {
                    from: stars(u32::try_from(bucket.from).unwrap_or_default()),
                    count: bucket.count,
                })
                .collect(),
            capacities: facets
                .capacities
                .iter()
                .map(|bucket| CapacityCountView { from: bucket.from, count: bucket.count })
                .collect(),
        }
    }
}

impl ExplanationView {
    fn new(explanation: Explanation) -> Self {
        let clauses = explanation.clauses.into_iter().map(|clause| ClauseView {
            typed: clause.typed,
            weight: clause.weight,
            matches: clause
                .matches
                .into_iter()
                .map(|found| MatchView {
                    field: match found.field {
                        MatchField::Title => "title",
                        MatchField::Subtitle => "subtitle",
                        MatchField::Facts => "facts",
                        MatchField::Info => "info",
                    },
                    terms: found.terms,
                    kind: found.kind,
                    weight: found.weight,
                })
                .collect(),
        });
        Self {
            score: explanation.score,
            text: explanation.text,
            rating: explanation.rating,
            sales: explanation.sales,
            distance: explanation.distance,
            freshness: explanation.freshness,
            clauses: clauses.collect(),
        }
    }
}

pub(crate) fn parts_view(parts: Vec<Part>) -> Vec<PartView> {
    parts.into_iter().map(|Part { text, matched }| PartView { text, matched }).collect()
}

#[expect(clippy::float_arithmetic, reason = "stars; no money")]
fn stars(hundredths: u32) -> f64 {
    f64::from(hundredths) / 100.0
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "metres on Earth")]
fn whole(metres: f64) -> u64 {
    metres.max(0.0).round() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use testing::ApiRequest;

    use super::*;

    #[test]
    fn another_spelling_may_be_taken_unless_it_is_said_not() {
        let now = Timestamp::constant(1_794_326_400, 0);
        let search = |value: Option<&str>| {
            let request = ApiRequest::new("GET", "/v1/homestays/search").query("keyword", "三里囤");
            let request =
                value.into_iter().fold(request, |request, value| request.query("autocorrect", value));
            search_request(&request.build(), now)
        };
        let corrected = search(None).unwrap();
        for value in ["true", ""] {
            assert_eq!(search(Some(value)).unwrap(), corrected, "{value:?}");
        }
        let insisting = search(Some("false")).unwrap();
        assert_ne!(insisting, corrected);
        assert_ne!(insisting.fingerprint(), corrected.fingerprint());
        for value in ["0", "no", "False"] {
            assert!(search(Some(value)).is_err(), "{value:?}");
        }
    }

    fn continuation(key: f64, snapshot: Option<String>, corrected: Option<String>) -> Continuation {
        Continuation {
            position: Position { key, id: "h-1".parse().unwrap(), snapshot },
            matching: Match::Most,
            corrected,
            as_of: Timestamp::constant(1_794_326_400, 0),
            of: u64::MAX,
        }
    }

    #[test]
    fn a_cursor_that_would_be_too_long_goes_on_without_its_snapshot() {
        let long = continuation(1.5, Some("s".repeat(800)), Some("三".repeat(100)));
        let read = decode(&encode(&long).unwrap()).unwrap();
        assert_eq!(read, continuation(1.5, None, long.corrected));
    }

    #[test]
    fn a_cursor_of_another_version_or_with_a_key_that_orders_nothing_is_none() {
        let good = encode(&continuation(1.5, None, None)).unwrap();
        assert!(decode(&good).is_some());
        let text = String::from_utf8(BASE64URL_NOPAD.decode(good.as_bytes()).unwrap()).unwrap();
        let key = format!("{:x}", 1.5_f64.to_bits());
        for (from, to) in [
            ("[1,", "[2,"),
            ("most", "half"),
            ("h-1", "h#1"),
            (key.as_str(), &format!("{:x}", f64::NAN.to_bits())),
            (key.as_str(), &format!("{:x}", f64::INFINITY.to_bits())),
            (key.as_str(), "x"),
        ] {
            let bad = BASE64URL_NOPAD.encode(text.replace(from, to).as_bytes());
            assert!(bad != good && decode(&bad).is_none(), "{to}");
        }
    }

    #[test]
    fn stars_are_read_as_they_are_written() {
        for (text, stars) in [("0", 0), ("4", 400), ("4.5", 450), ("4.05", 405), ("4.35", 435), ("5.00", 500)]
        {
            assert_eq!(hundredths(text), Some(stars), "{text}");
        }
        for text in ["", ".", "4.", ".5", "-1", "+4", "4.355", "5.01", "1e0", "NaN", "4,5", "999"] {
            assert_eq!(hundredths(text), None, "{text}");
        }
    }

    #[test]
    fn cities_are_asked_for_by_their_name() {
        for (city, name) in [("北京市", "北京"), ("北京", "北京"), ("沙市", "沙市"), ("市", "市")]
        {
            assert_eq!(without_suffix(city), name);
        }
    }

    proptest! {
        #[test]
        fn a_continuation_reads_back_to_the_last_bit(
            key in any::<f64>().prop_filter("an order has a number", |key| key.is_finite()),
            snapshot in prop::option::of("[a-zA-Z0-9+/=_-]{0,200}"),
            corrected in prop::option::of("\\PC{0,30}"),
        ) {
            let continuation = continuation(key, snapshot, corrected);
            let read = decode(&encode(&continuation).unwrap()).unwrap();
            prop_assert_eq!(read.position.key.to_bits(), key.to_bits());
            prop_assert_eq!(read, continuation);
        }

        #[test]
        fn no_cursor_panics(text in "\\PC{0,100}|[A-Za-z0-9_-]{0,200}") {
            let _ = decode(&text);
        }
    }
}
