//! The policy as operators write it: JSON, in which whatever is left out is off.

use std::{collections::BTreeSet, str::FromStr};

use jiff::SignedDuration;
use serde::Deserialize;

use crate::{
    Effect, LimitKind, LimitRule, MAX_LIMIT, MAX_LISTED, MAX_PERIOD_SECONDS, MAX_REFILL_PER_SECOND,
    MAX_WEIGHT, Mode, RiskPolicy, SubjectHash, policy::Limits,
};

const MICROS_PER_SECOND: u64 = 1_000_000;

/// The document is not a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the risk policy is not valid at `{field}`: {must}")]
pub struct InvalidPolicy {
    /// The field at fault; nested fields joined by `/`, the document itself is the empty text.
    pub field: String,
    /// What it must be, or what is wrong with it.
    pub must: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Document {
    challenge_at: u16,
    block_at: u16,
    limits: LimitsDocument,
    signals: SignalsDocument,
    allow_list: Vec<SubjectHash>,
    block_list: Vec<SubjectHash>,
}

impl Default for Document {
    fn default() -> Self {
        Self {
            challenge_at: 50,
            block_at: 100,
            limits: LimitsDocument::default(),
            signals: SignalsDocument::default(),
            allow_list: Vec::new(),
            block_list: Vec::new(),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct LimitsDocument {
    per_user: Option<LimitDocument>,
    per_ip: Option<LimitDocument>,
    per_device: Option<LimitDocument>,
    velocity: Option<LimitDocument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LimitDocument {
    kind: KindName,
    limit: u32,
    window_seconds: Option<u32>,
    refill_per_second: Option<u32>,
    mode: Mode,
    weight: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindName {
    FixedWindow,
    SlidingWindow,
    TokenBucket,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct SignalsDocument {
    new_account: Option<NewAccountDocument>,
    missing_device: Option<EffectDocument>,
    block_listed: Option<EffectDocument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewAccountDocument {
    younger_than_seconds: u32,
    mode: Mode,
    weight: u16,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct EffectDocument {
    mode: Mode,
    weight: u16,
}

impl Default for RiskPolicy {
    /// Every rule is off.
    fn default() -> Self {
        let Document { challenge_at, block_at, .. } = Document::default();
        Self {
            challenge_at,
            block_at,
            limits: Limits::default(),
            new_account: (SignedDuration::ZERO, Effect::default()),
            missing_device: Effect::default(),
            block_listed: LISTED_IS_BLOCKED,
            allow_list: BTreeSet::new(),
            block_list: BTreeSet::new(),
        }
    }
}

/// Unless the policy says otherwise, whoever is put on the block list is blocked.
const LISTED_IS_BLOCKED: Effect = Effect { mode: Mode::Block, weight: MAX_WEIGHT };

impl FromStr for RiskPolicy {
    type Err = InvalidPolicy;

    fn from_str(json: &str) -> Result<Self, InvalidPolicy> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let document: Document = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let path = error.path().to_string();
            let field = if path == "." { String::new() } else { path.replace('.', "/") };
            InvalidPolicy { field, must: error.inner().to_string() }
        })?;
        deserializer.end().map_err(|error| invalid("", error.to_string()))?;
        // serde takes the values of a struct in a row, too.
        if !json.trim_start().starts_with('{') {
            return Err(invalid("", "must be an object"));
        }
        document.parse()
    }
}

impl Document {
    fn parse(self) -> Result<RiskPolicy, InvalidPolicy> {
        let Self { challenge_at, block_at, limits, signals, allow_list, block_list } = self;
        within("challengeAt", challenge_at.into(), 1, MAX_WEIGHT.into())?;
        within("blockAt", block_at.into(), challenge_at.into(), MAX_WEIGHT.into())?;
        let new_account = match signals.new_account {
            None => (SignedDuration::ZERO, Effect::default()),
            Some(NewAccountDocument { younger_than_seconds, mode, weight }) => {
                let field = "signals/newAccount";
                within(&format!("{field}/youngerThanSeconds"), younger_than_seconds, 1, MAX_PERIOD_SECONDS)?;
                let age = SignedDuration::from_secs(younger_than_seconds.into());
                (age, effect(field, EffectDocument { mode, weight })?)
            }
        };
        let signal = |field, signal: Option<EffectDocument>, otherwise| {
            signal.map_or(Ok(otherwise), |signal| effect(field, signal))
        };
        Ok(RiskPolicy {
            challenge_at,
            block_at,
            limits: Limits {
                per_user: limit("limits/perUser", limits.per_user)?,
                per_ip: limit("limits/perIp", limits.per_ip)?,
                per_device: limit("limits/perDevice", limits.per_device)?,
                velocity: limit("limits/velocity", limits.velocity)?,
            },
            new_account,
            missing_device: signal("signals/missingDevice", signals.missing_device, Effect::default())?,
            block_listed: signal("signals/blockListed", signals.block_listed, LISTED_IS_BLOCKED)?,
            allow_list: list("allowList", allow_list)?,
            block_list: list("blockList", block_list)?,
        })
    }
}

fn limit(field: &str, document: Option<LimitDocument>) -> Result<Option<LimitRule>, InvalidPolicy> {
    let Some(document) = document else { return Ok(None) };
    let LimitDocument { kind, limit, window_seconds, refill_per_second, mode, weight } = document;
    let part = |name: &str| format!("{field}/{name}");
    within(&part("limit"), limit, 1, MAX_LIMIT)?;
    if let Some(seconds) = window_seconds {
        within(&part("windowSeconds"), seconds, 1, MAX_PERIOD_SECONDS)?;
    }
    if let Some(tokens) = refill_per_second {
        within(&part("refillPerSecond"), tokens, 1, MAX_REFILL_PER_SECOND)?;
    }
    let window = || match (window_seconds, refill_per_second) {
        (Some(seconds), None) => Ok(seconds),
        (None, _) => Err(invalid(part("windowSeconds"), "must be present")),
        (Some(_), Some(_)) => Err(invalid(part("refillPerSecond"), "must not be sent: it is a window")),
    };
    let kind = match kind {
        KindName::FixedWindow => LimitKind::FixedWindow { limit, window_seconds: window()? },
        KindName::SlidingWindow => LimitKind::SlidingWindow { limit, window_seconds: window()? },
        KindName::TokenBucket => {
            let every_micros = match (window_seconds, refill_per_second) {
                // Rounded up: a bucket never fills faster than it says.
                (None, Some(tokens)) => MICROS_PER_SECOND.div_ceil(tokens.into()),
                (Some(seconds), None) => (u64::from(seconds) * MICROS_PER_SECOND).div_ceil(limit.into()),
                (None, None) | (Some(_), Some(_)) => {
                    let must =
                        "either this or windowSeconds (in which an empty bucket fills) must be present";
                    return Err(invalid(part("refillPerSecond"), must));
                }
            };
            let fills_in = every_micros.saturating_mul(limit.into());
            let longest = (u64::from(MAX_PERIOD_SECONDS) + 1) * MICROS_PER_SECOND;
            if every_micros < MICROS_PER_SECOND / u64::from(MAX_REFILL_PER_SECOND) || fills_in > longest {
                let must = "must fill the bucket within 31 days, at 10,000 tokens a second at most";
                return Err(invalid(part("limit"), must));
            }
            LimitKind::TokenBucket { capacity: limit, every_micros }
        }
    };
    Ok(Some(LimitRule { kind, effect: effect(field, EffectDocument { mode, weight })? }))
}

fn effect(field: &str, EffectDocument { mode, weight }: EffectDocument) -> Result<Effect, InvalidPolicy> {
    within(&format!("{field}/weight"), weight.into(), 0, MAX_WEIGHT.into())?;
    Ok(Effect { mode, weight })
}

fn list(field: &str, subjects: Vec<SubjectHash>) -> Result<BTreeSet<SubjectHash>, InvalidPolicy> {
    if subjects.len() > MAX_LISTED {
        return Err(invalid(field, format!("must have at most {MAX_LISTED} subjects")));
    }
    Ok(subjects.into_iter().collect())
}

fn within(field: &str, value: u32, least: u32, most: u32) -> Result<(), InvalidPolicy> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(invalid(field, format!("must be {least} to {most}")))
    }
}

fn invalid(field: impl Into<String>, must: impl Into<String>) -> InvalidPolicy {
    InvalidPolicy { field: field.into(), must: must.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{LimitName, Rule};

    fn example() -> Value {
        json!({
            "challengeAt": 40,
            "blockAt": 80,
            "limits": {
                "perUser": { "kind": "fixed_window", "limit": 30, "windowSeconds": 60, "mode": "block", "weight": 80 },
                "perIp": { "kind": "sliding_window", "limit": 300, "windowSeconds": 60, "mode": "challenge", "weight": 40 },
                "perDevice": { "kind": "token_bucket", "limit": 10, "refillPerSecond": 3, "mode": "observe", "weight": 40 },
                "velocity": { "kind": "token_bucket", "limit": 7, "windowSeconds": 60, "mode": "off", "weight": 0 },
            },
            "signals": {
                "newAccount": { "youngerThanSeconds": 86_400, "mode": "challenge", "weight": 20 },
                "missingDevice": { "mode": "observe", "weight": 10 },
                "blockListed": { "mode": "challenge", "weight": 40 },
            },
            "allowList": ["fadc60fe27578c94ae3481d3cf8f232a"],
            "blockList": ["4a6f6708baf9c020d21839cfe634ec8d"],
        })
    }

    fn parse(document: &Value) -> Result<RiskPolicy, InvalidPolicy> {
        document.to_string().parse()
    }

    #[test]
    fn a_policy_is_read() {
        let policy = parse(&example()).unwrap();
        let kind = |name| policy.limit(name).unwrap().kind;
        assert_eq!(kind(LimitName::PerUser), LimitKind::FixedWindow { limit: 30, window_seconds: 60 });
        assert_eq!(kind(LimitName::PerIp), LimitKind::SlidingWindow { limit: 300, window_seconds: 60 });
        assert_eq!(
            kind(LimitName::PerDevice),
            LimitKind::TokenBucket { capacity: 10, every_micros: 333_334 }
        );
        assert_eq!(
            kind(LimitName::Velocity),
            LimitKind::TokenBucket { capacity: 7, every_micros: 8_571_429 }
        );
        assert_eq!(
            policy.effect(Rule::Limit(LimitName::PerIp)),
            Effect { mode: Mode::Challenge, weight: 40 }
        );
        assert_eq!((policy.challenge_at, policy.block_at), (40, 80));
        assert_eq!((policy.allow_list.len(), policy.block_list.len()), (1, 1));
    }

    #[test]
    fn what_is_left_out_is_off() {
        assert_eq!("{}".parse(), Ok(RiskPolicy::default()));
        assert!(RiskPolicy::default().is_off() && !parse(&example()).unwrap().is_off());
        for list in ["allowList", "blockList"] {
            assert!(!parse(&json!({ list: ["fadc60fe27578c94ae3481d3cf8f232a"] })).unwrap().is_off());
        }
        for rule in Rule::ALL {
            let mode = RiskPolicy::default().effect(rule).mode;
            assert_eq!(mode == Mode::Off, rule != Rule::BlockListed, "{rule:?}");
        }
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let hashes = |count| json!(vec!["fadc60fe27578c94ae3481d3cf8f232a"; count]);
        let table = [
            ("/challengeAt", json!(0), "challengeAt"),
            ("/challengeAt", json!("40"), "challengeAt"),
            ("/challengeAt", json!(81), "blockAt"),
            ("/blockAt", json!(1_001), "blockAt"),
            ("/limits/perUser/kind", json!("leaky_bucket"), "limits/perUser/kind"),
            ("/limits/perUser/limit", json!(0), "limits/perUser/limit"),
            ("/limits/perUser/limit", json!(1_000_001), "limits/perUser/limit"),
            ("/limits/perUser/limit", json!(1.5), "limits/perUser/limit"),
            ("/limits/perUser/windowSeconds", json!(0), "limits/perUser/windowSeconds"),
            ("/limits/perUser/windowSeconds", json!(null), "limits/perUser/windowSeconds"),
            ("/limits/perIp/windowSeconds", json!(2_678_401), "limits/perIp/windowSeconds"),
            ("/limits/perIp/mode", json!("deny"), "limits/perIp/mode"),
            ("/limits/perIp/weight", json!(1_001), "limits/perIp/weight"),
            ("/limits/perIp/weight", json!(-1), "limits/perIp/weight"),
            ("/limits/perDevice/refillPerSecond", json!(0), "limits/perDevice/refillPerSecond"),
            ("/limits/perDevice/refillPerSecond", json!(10_001), "limits/perDevice/refillPerSecond"),
            ("/limits/perDevice/refillPerSecond", json!(null), "limits/perDevice/refillPerSecond"),
            ("/limits/velocity/limit", json!(1_000_000), "limits/velocity/limit"),
            ("/limits/perDevice", json!({}), "limits/perDevice"),
            ("/limits", json!(1), "limits"),
            ("/signals/newAccount/youngerThanSeconds", json!(0), "signals/newAccount/youngerThanSeconds"),
            ("/signals/missingDevice/weight", json!(1_001), "signals/missingDevice/weight"),
            ("/allowList", hashes(1_001), "allowList"),
            ("/blockList/0", json!("192.0.2.1"), "blockList[0]"),
        ];
        for (pointer, value, field) in table {
            let mut document = example();
            *document.pointer_mut(pointer).unwrap() = value.clone();
            let error = parse(&document).unwrap_err();
            assert_eq!(error.field, field, "{pointer} = {value}: {error}");
        }
        let mut document = example();
        document["limits"]["perIp"]["refillPerSecond"] = json!(1);
        assert_eq!(parse(&document).unwrap_err().field, "limits/perIp/refillPerSecond");
        let mut document = example();
        document["limits"]["perHost"] = json!({});
        assert_eq!(parse(&document).unwrap_err().field, "limits/perHost");
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for text in ["", "null", "[]", "1", "{} {}", "{", "{\"challengeAt\": 1, \"challengeAt\": 2}"] {
            assert!(text.parse::<RiskPolicy>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_operators_page_shows_a_valid_policy() {
        let page = include_str!("../../../../docs/operations/anti-abuse.md");
        let example = page.split("```json").nth(1).unwrap().split("```").next().unwrap();
        assert!(!example.parse::<RiskPolicy>().unwrap().is_off());
    }

    /// The schema by which a policy is checked before it is deployed (AWS `AppConfig` takes draft 4) knows the same fields
    /// and the same bounds. What depends on two fields at once is checked here alone.
    #[test]
    fn the_schema_says_the_same() {
        let schema: Value = serde_json::from_str(include_str!("../policy.schema.json")).unwrap();
        let names =
            |value: &Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };
        let (mut example, limit) = (example(), &schema["definitions"]["limit"]["properties"]);
        for (pointer, properties) in [
            ("", &schema["properties"]),
            ("/limits", &schema["properties"]["limits"]["properties"]),
            ("/signals", &schema["properties"]["signals"]["properties"]),
            (
                "/signals/newAccount",
                &schema["properties"]["signals"]["properties"]["newAccount"]["properties"],
            ),
            ("/signals/missingDevice", &schema["definitions"]["effect"]["properties"]),
        ] {
            assert_eq!(names(example.pointer(pointer).unwrap()), names(properties), "{pointer}");
        }
        example["limits"]["perUser"]["refillPerSecond"] = json!(1);
        assert_eq!(names(&example["limits"]["perUser"]), names(limit));

        for (maximum, constant) in [
            (&limit["limit"]["maximum"], MAX_LIMIT),
            (&limit["windowSeconds"]["maximum"], MAX_PERIOD_SECONDS),
            (&limit["refillPerSecond"]["maximum"], MAX_REFILL_PER_SECOND),
            (&schema["definitions"]["weight"]["maximum"], MAX_WEIGHT.into()),
            (&schema["properties"]["challengeAt"]["maximum"], MAX_WEIGHT.into()),
            (&schema["properties"]["blockAt"]["maximum"], MAX_WEIGHT.into()),
            (&schema["definitions"]["subjects"]["maxItems"], u32::try_from(MAX_LISTED).unwrap()),
        ] {
            assert_eq!(maximum, constant);
        }
        for mode in schema["definitions"]["mode"]["enum"].as_array().unwrap() {
            assert!(Mode::deserialize(mode).is_ok(), "{mode}");
        }
        for kind in limit["kind"]["enum"].as_array().unwrap() {
            assert!(KindName::deserialize(kind).is_ok(), "{kind}");
        }
    }
}
