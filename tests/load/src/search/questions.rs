//! What guests ask.

use lambda_http::Request;
use testing::ApiRequest;

/// Kinds of questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    Keyword,
    Filter,
    Geo,
    Distance,
    Composite,
    Pinyin,
    Suggest,
}

/// A question: its parameters, and which kind it is.
#[derive(Debug, Clone)]
pub struct Question {
    pub kind: Kind,
    pub parameters: Vec<(&'static str, &'static str)>,
}

/// Where homestays are searched for.
pub const SEARCH: &str = "/v1/homestays/search";
/// Where what is being typed is completed.
pub const SUGGEST: &str = "/v1/homestays/suggest";

/// Points that guests want to be at.
const POINTS: [(&str, &str); 6] = [
    ("39.936", "116.4546"),
    ("39.909", "116.459"),
    ("39.918", "116.397"),
    ("39.997", "116.478"),
    ("39.983", "116.316"),
    ("40.431", "116.57"),
];

const KEYWORDS: [&str; 10] = [
    "三里屯大床房",
    "国贸 loft",
    "故宫四合院",
    "望京",
    "慕田峪长城小院",
    "古北水镇亲子",
    "天安门地铁",
    "中关村清华",
    "投影北欧",
    "环球影城",
];

const PINYIN: [&str; 8] = [
    "sanlitun",
    "guomao",
    "wangjing loft",
    "gugong",
    "zhongguancun",
    "slt",
    "sanlitundachuangfang",
    "gubeishuizhen",
];

const TYPED: [&str; 14] =
    ["s", "san", "sanl", "sanli", "slt", "g", "gm", "三", "三里", "大ch", "bj", "wangj", "国", "loft"];

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::Keyword,
        Self::Filter,
        Self::Geo,
        Self::Distance,
        Self::Composite,
        Self::Pinyin,
        Self::Suggest,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Keyword => "keyword",
            Self::Filter => "filter",
            Self::Geo => "geo 5 km",
            Self::Distance => "distance sort",
            Self::Composite => "composite",
            Self::Pinyin => "pinyin",
            Self::Suggest => "suggest",
        }
    }
}

/// The questions of a kind.
pub fn of(kind: Kind) -> Vec<Question> {
    let questions: Vec<Vec<(&str, &str)>> = match kind {
        Kind::Keyword => KEYWORDS.iter().map(|keyword| vec![("keyword", *keyword)]).collect(),
        Kind::Pinyin => PINYIN.iter().map(|keyword| vec![("keyword", *keyword)]).collect(),
        Kind::Suggest => TYPED.iter().map(|typed| vec![("q", *typed)]).collect(),
        Kind::Filter => {
            [("20000", "60000", "2"), ("0", "30000", "1"), ("100000", "300000", "4"), ("30000", "90000", "6")]
                .iter()
                .map(|(min, max, guests)| {
                    vec![
                        ("minPriceFen", *min),
                        ("maxPriceFen", *max),
                        ("capacity", *guests),
                        ("minRating", "4.5"),
                        ("sort", "price_asc"),
                    ]
                })
                .collect()
        }
        Kind::Geo => at_points(&[("radiusKm", "5"), ("sort", "rating")]),
        Kind::Distance => at_points(&[("sort", "distance")]),
        Kind::Composite => at_points(&[("radiusKm", "10"), ("keyword", "大床房")])
            .into_iter()
            .chain(at_points(&[("keyword", "地铁")]))
            .collect(),
    };
    questions.into_iter().map(|parameters| Question { kind, parameters }).collect()
}

fn at_points(with: &[(&'static str, &'static str)]) -> Vec<Vec<(&'static str, &'static str)>> {
    POINTS.iter().map(|(lat, lon)| [&[("lat", *lat), ("lon", *lon)], with].concat()).collect()
}

impl Question {
    /// Whom it goes to.
    pub fn route(&self) -> &'static str {
        if self.kind == Kind::Suggest { SUGGEST } else { SEARCH }
    }

    /// Its parameters as they are sent. Facets are left out: the bare engine does not count any.
    pub fn query(&self) -> Vec<(&'static str, &'static str)> {
        let facets = (self.kind != Kind::Suggest).then_some(("facets", "false"));
        facets.into_iter().chain(self.parameters.iter().copied()).collect()
    }

    /// As API Gateway passes it on.
    pub fn request(&self) -> Request {
        let request = ApiRequest::new("GET", self.route());
        self.query().into_iter().fold(request, |request, (name, value)| request.query(name, value)).build()
    }

    /// A parameter, if it is given.
    pub fn parameter(&self, name: &str) -> Option<&'static str> {
        self.parameters.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
    }

    /// A number, if it is given.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.parameter(name)?.parse().ok()
    }
}
