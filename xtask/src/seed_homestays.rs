//! The homestays of a fresh stack: made up, a few hundred, the same ones each time; and on a developer's the real listings, where
//! they are.
#![expect(clippy::float_arithmetic, reason = "coordinates and stars; no money")]

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::{
    Api, Endpoints, Identity,
    import::{self, Order, Upload},
    step::Progress,
    workspace,
};

/// Where they are: city, district, what people call the place, and its coordinates (GCJ-02).
const PLACES: [(&str, &str, &str, f64, f64); 32] = [
    ("北京", "朝阳区", "三里屯", 39.936, 116.4546),
    ("北京", "朝阳区", "望京", 39.997, 116.478),
    ("北京", "朝阳区", "国贸", 39.909, 116.459),
    ("北京", "朝阳区", "朝阳公园", 39.944, 116.479),
    ("北京", "东城区", "故宫", 39.918, 116.397),
    ("北京", "东城区", "南锣鼓巷", 39.937, 116.403),
    ("北京", "东城区", "雍和宫", 39.947, 116.417),
    ("北京", "东城区", "王府井", 39.914, 116.411),
    ("北京", "西城区", "什刹海", 39.942, 116.385),
    ("北京", "西城区", "西单", 39.913, 116.374),
    ("北京", "海淀区", "中关村", 39.983, 116.316),
    ("北京", "海淀区", "颐和园", 39.999, 116.275),
    ("北京", "海淀区", "五道口", 39.992, 116.338),
    ("北京", "丰台区", "北京南站", 39.865, 116.379),
    ("北京", "通州区", "环球影城", 39.853, 116.681),
    ("北京", "怀柔区", "慕田峪长城", 40.431, 116.57),
    ("北京", "延庆区", "八达岭", 40.356, 116.016),
    ("北京", "密云区", "古北水镇", 40.653, 117.264),
    ("上海", "黄浦区", "外滩", 31.24, 121.49),
    ("上海", "静安区", "静安寺", 31.224, 121.446),
    ("上海", "徐汇区", "武康路", 31.206, 121.436),
    ("上海", "浦东新区", "迪士尼", 31.144, 121.657),
    ("杭州", "西湖区", "西湖", 30.25, 120.143),
    ("成都", "锦江区", "春熙路", 30.657, 104.081),
    ("成都", "青羊区", "宽窄巷子", 30.668, 104.054),
    ("重庆", "渝中区", "解放碑", 29.557, 106.577),
    ("重庆", "渝中区", "洪崖洞", 29.562, 106.578),
    ("长沙", "天心区", "五一广场", 28.194, 112.977),
    ("长沙", "岳麓区", "岳麓山", 28.183, 112.938),
    ("厦门", "思明区", "鼓浪屿", 24.447, 118.067),
    ("厦门", "思明区", "曾厝垵", 24.434, 118.126),
    ("西安", "碑林区", "钟楼", 34.261, 108.942),
];

/// Kinds of rooms: name on the wire, words for the title, guests, and about what a night costs in yuan.
const ROOMS: [(&str, &str, u32, u64); 8] = [
    ("double", "阳光大床房", 2, 320),
    ("twin", "安静双床房", 2, 340),
    ("entire", "整租两居室", 4, 560),
    ("family", "亲子家庭房", 4, 480),
    ("single", "小而美单人间", 1, 180),
    ("entire", "复式Loft", 3, 620),
    ("entire", "独栋小院", 8, 1_580),
    ("private", "温馨次卧", 2, 220),
];

const STYLES: [&str; 8] =
    ["日式原木", "北欧风", "中式庭院", "工业风", "网红ins风", "复古老洋房", "极简", "星空影院"];

/// What a title boasts of, and the facility that goes with it.
const EXTRAS: [(&str, &str); 8] = [
    ("巨幕投影", "projector"),
    ("近地铁", "self_check_in"),
    ("免费停车", "parking"),
    ("可做饭", "kitchen"),
    ("含早餐", "breakfast"),
    ("浴缸", "bathtub"),
    ("可带宠物", "pets"),
    ("院子烧烤", "barbecue"),
];

/// How many there are of each place.
const PER_PLACE: usize = 10;

/// Real listings beside the checkout, and their city. They are no part of the project.
const LISTINGS: (&str, &str) = ("../shared/data/listings/beijing.csv", "北京");

/// Starts the import of the real listings, where they are; whether there are any. It goes on by itself for about half a minute.
pub(crate) async fn start_listings(endpoints: &Endpoints, progress: &Progress) -> Result<bool> {
    let (file, city) = LISTINGS;
    let file = workspace::root().join(file);
    if !file.exists() {
        return Ok(false);
    }
    let (api, token) = operator(endpoints).await?;
    let order = Order { source: "listings", host: None, datum: "gcj02", dry_run: false };
    import::start(&api, &token, Upload::read(&file, city)?, &order, progress).await?;
    Ok(true)
}

async fn operator(endpoints: &Endpoints) -> Result<(Api, String)> {
    let admin = endpoints.admin()?;
    let token = Identity::new(endpoints).await.token(&admin.name, &admin.password).await?.access_token;
    Ok((Api::new(&endpoints.api_url)?, token))
}

/// Imports them; what is there already stays as it is.
pub(crate) async fn seed(endpoints: &Endpoints, progress: &Progress) -> Result<()> {
    let (api, token) = operator(endpoints).await?;
    let order = Order { source: "demo", host: None, datum: "gcj02", dry_run: false };
    let import = import::run(&api, &token, Upload::of_rows(homestays()), &order, progress).await?;
    let is_done = import.get("status").is_some_and(|status| status == "done");
    let is_whole = import.pointer("/progress/refused").is_some_and(|refused| *refused == 0);
    ensure!(is_done && is_whole, "the import went wrong: {import}");
    Ok(())
}

/// One line of an import for each.
fn homestays() -> Vec<Value> {
    let mut random = fastrand::Rng::with_seed(20_240_601);
    let mut all = Vec::with_capacity(PLACES.len() * PER_PLACE);
    for (city, district, place, lat, lon) in PLACES {
        for _ in 0..PER_PLACE {
            let (Some((room, words, guests, yuan)), Some(style), Some((boast, facility))) =
                (random.choice(ROOMS), random.choice(STYLES), random.choice(EXTRAS))
            else {
                continue;
            };
            let number = all.len() + 1;
            let host = number % 40 + 1;
            let ratings = random.u32(0..240);
            let mut facilities = vec!["wifi", facility];
            facilities.extend(
                ["air_conditioning", "washer", "elevator", "heating", "desk"]
                    .iter()
                    .filter(|_| random.bool()),
            );
            all.push(json!({
                "externalId": number.to_string(),
                "hostId": format!("host-{host}"),
                "title": format!("{place}{style}{words}·{boast}"),
                "subtitle": format!("{city}{district}，步行可达{place}"),
                "info": format!("位于{city}{district}的{style}{words}，最多入住{guests}人。{boast}，拎包入住，随时可订。"),
                "city": city, "district": district,
                "lat": near(lat, &mut random), "lon": near(lon, &mut random),
                "priceFen": yuan * 100 * random.u64(70..150) / 100,
                "rating": (ratings > 0).then(|| f64::from(random.u32(380..=500)) / 100.0), "ratingCount": ratings,
                "sales": ratings * random.u32(1..6),
                "roomType": room, "capacity": guests, "facilities": facilities,
                "rowState": "published",
            }));
        }
    }
    all
}

/// Within about a kilometre.
fn near(degrees: f64, random: &mut fastrand::Rng) -> f64 {
    ((degrees + (random.f64() - 0.5) / 50.0) * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_a_few_hundred_and_they_are_the_same_each_time() {
        let all = homestays();
        assert_eq!(all.len(), PLACES.len() * PER_PLACE);
        assert_eq!(all, homestays());
        let ids: BTreeSet<_> = all.iter().map(|homestay| homestay["externalId"].to_string()).collect();
        assert_eq!(ids.len(), all.len());
    }
}
