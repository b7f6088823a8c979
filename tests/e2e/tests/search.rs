//! From a homestay's table to what a guest finds, over HTTP, the real stream and queues; and the search page in a browser.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{path::Path, process::Stdio};

use e2e::{Answer, Person, homestay, search, send, tick, until};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;
use xtask::Stack;

fn deployed<F: Future<Output = ()>>(test: impl FnOnce(&'static Stack) -> F) {
    e2e::deployed("search", false, test);
}

async fn create(host: &Person, homestay: &Value) -> String {
    let answer = send(host.request(Method::POST, "/v1/homestays").json(homestay)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.text("id").to_owned()
}

async fn change(host: &Person, id: &str, method: Method, body: &Value) -> Answer {
    let tag = host.get(&format!("/v1/me/homestays/{id}")).await.header("etag").unwrap().to_owned();
    let request = host.request(method, &format!("/v1/homestays/{id}")).header("If-Match", tag);
    send(if body.is_null() { request } else { request.json(body) }).await
}

async fn finds(person: &Person, keyword: &str, id: &str) -> bool {
    let found = search(person, &[("keyword", keyword), ("pageSize", "100")]).await;
    found["items"].as_array().unwrap().iter().any(|item| item["id"] == id)
}

async fn host(stack: &Stack) -> Person {
    Person::host(stack.endpoints(), "search-host").await
}

#[test]
fn a_homestay_is_found_once_it_is_published_and_not_once_it_is_gone() {
    deployed(async |stack| {
        let (host, anybody) = (host(stack).await, Person::anybody(stack.endpoints()));
        let id = create(&host, &homestay("麒麟阁静谧大床房")).await;
        until(async || finds(&anybody, "麒麟阁", &id).await).await;
        assert!(finds(&anybody, "qilinge", &id).await, "by pinyin");

        let shown = anybody.get(&format!("/v1/homestays/{id}")).await;
        assert_eq!((shown.status, shown.text("title")), (200, "麒麟阁静谧大床房"), "{shown:?}");

        let renamed = change(&host, &id, Method::PATCH, &json!({"title": "凤凰台静谧大床房"})).await;
        assert_eq!(renamed.status, 200, "{renamed:?}");
        until(async || finds(&anybody, "凤凰台", &id).await && !finds(&anybody, "麒麟阁", &id).await).await;

        change(&host, &id, Method::PATCH, &json!({"rowState": "unpublished"})).await;
        until(async || !finds(&anybody, "凤凰台", &id).await).await;
        change(&host, &id, Method::PATCH, &json!({"rowState": "published"})).await;
        until(async || finds(&anybody, "凤凰台", &id).await).await;

        let deleted = change(&host, &id, Method::DELETE, &Value::Null).await;
        assert_eq!(deleted.status, 204, "{deleted:?}");
        until(async || !finds(&anybody, "凤凰台", &id).await).await;
        assert_eq!(anybody.get(&format!("/v1/homestays/{id}")).await.status, 404);
    });
}

#[test]
fn a_host_changes_only_what_is_theirs() {
    deployed(async |stack| {
        let (host, guest) = (host(stack).await, Person::guest(stack.endpoints(), "search-guest").await);
        let id = create(&host, &homestay("白鹭洲大床房")).await;
        let path = format!("/v1/homestays/{id}");
        let stolen =
            guest.request(Method::PATCH, &path).header("If-Match", "\"1\"").json(&json!({"title": "我的"}));
        assert!([403, 404].contains(&send(stolen).await.status));
        let foreign = guest.request(Method::POST, "/v1/homestays").json(&homestay("我的"));
        assert_eq!(send(foreign).await.status, 403);
        let outdated =
            host.request(Method::PATCH, &path).header("If-Match", "\"99\"").json(&json!({"title": "新"}));
        assert_eq!(send(outdated).await.status, 412);
    });
}

#[test]
fn bad_parameters_are_named() {
    deployed(async |stack| {
        let anybody = Person::anybody(stack.endpoints());
        let long = "床".repeat(10_000 / 3);
        for (name, value) in [
            ("lat", "NaN"),
            ("radiusKm", "0"),
            ("sort", "best"),
            ("facilities", "wifi,sauna"),
            ("pageSize", "0"),
            ("minRating", "6"),
            ("cursor", "forged"),
            ("keyword", long.as_str()),
        ] {
            let request = anybody.request(Method::GET, "/v1/homestays/search").query(&[(name, value)]);
            let answer = send(request).await;
            assert_eq!(answer.status, 400, "{name}: {answer:?}");
            assert!(answer.body.to_string().contains(name), "{name}: {answer:?}");
        }
        for keyword in ["\" OR 1=1 --", "title:*", "{\"match_all\":{}}", "+-&|!(){}[]^~*?:\\/", "😀\u{0}"] {
            search(&anybody, &[("keyword", keyword)]).await;
        }
    });
}

#[test]
fn pages_are_one_list_and_filters_hold() {
    deployed(async |stack| {
        let anybody = Person::anybody(stack.endpoints());
        let query = [("city", "厦门"), ("sort", "price_asc"), ("pageSize", "7")];
        let first = search(&anybody, &query).await;
        let total = first["total"].as_u64().unwrap();
        assert!(total > 7, "the seeded homestays: {first}");
        let mut prices: Vec<u64> = Vec::new();
        let mut page = first;
        loop {
            prices.extend(
                page["items"].as_array().unwrap().iter().map(|item| item["priceFen"].as_u64().unwrap()),
            );
            let Some(cursor) = page["nextCursor"].as_str() else { break };
            page = search(&anybody, &[&query[..], &[("cursor", cursor)]].concat()).await;
        }
        assert_eq!(prices.len() as u64, total);
        assert!(prices.is_sorted());
        let near = [("lat", "24.447"), ("lon", "118.067"), ("radiusKm", "3"), ("sort", "distance")];
        let found = search(&anybody, &near).await;
        let metres: Vec<u64> = found["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["distanceM"].as_u64().unwrap())
            .collect();
        assert!(!metres.is_empty() && metres.is_sorted() && metres.iter().all(|metres| *metres <= 3_000));
    });
}

#[test]
fn what_is_searched_and_clicked_is_counted_and_a_history_is_ones_own() {
    deployed(async |stack| {
        let operator = Person::operator(stack.endpoints()).await;
        let guest = Person::guest(stack.endpoints(), "search-counted").await;
        let found = search(&guest, &[("keyword", "鼓浪屿")]).await;
        let click = json!({
            "searchId": found["searchId"], "homestayId": found["items"][1]["id"], "position": 2, "keyword": "鼓浪屿",
        });
        assert_eq!(send(guest.request(Method::POST, "/v1/search-clicks").json(&click)).await.status, 202);
        until(async || {
            // Counts are made of what was noted, as often as one likes.
            tick(stack, "RankHotSearches").await;
            let report = operator.get("/v1/admin/search-report").await;
            assert_eq!(report.status, 200, "{report:?}");
            report.body.to_string().contains("鼓浪屿") && report.body["totals"]["clicks"].as_u64() >= Some(1)
        })
        .await;
        assert_eq!(guest.get("/v1/homestays/hot-searches").await.status, 200);

        let path = "/v1/me/search-history";
        let noted = send(guest.request(Method::POST, path).json(&json!({"keyword": "鼓浪屿"}))).await;
        assert!(noted.status < 300, "{noted:?}");
        assert_eq!(guest.get(path).await.body["items"][0]["keyword"], "鼓浪屿");
        let other = Person::guest(stack.endpoints(), "search-other").await;
        assert_eq!(other.get(path).await.body["items"], json!([]));
        assert_eq!(send(guest.request(Method::DELETE, path)).await.status, 204);
        assert_eq!(guest.get(path).await.body["items"], json!([]));
    });
}

#[test]
fn an_index_is_rebuilt_while_homestays_come_and_go_and_rolled_back() {
    deployed(async |stack| {
        let (host, operator) = (host(stack).await, Person::operator(stack.endpoints()).await);
        let anybody = Person::anybody(stack.endpoints());
        let rebuilds = "/v1/admin/search-index/rebuilds";
        let before = create(&host, &homestay("青鸾居大床房")).await;
        let started = operator.request(Method::POST, rebuilds).header("Idempotency-Key", "e2e-rebuild");
        let started = send(started.json(&json!({}))).await;
        assert!([201, 202].contains(&started.status), "{started:?}");
        let rebuild = format!("{rebuilds}/{}", started.text("id"));
        let during = create(&host, &homestay("青鸾居双床房")).await;
        until(async || operator.get(&rebuild).await.text("status") == "done").await;
        for id in [&before, &during] {
            until(async || finds(&anybody, "青鸾居", id).await).await;
        }
        let back = send(operator.request(Method::POST, &format!("{rebuild}/roll-back"))).await;
        assert!(back.status < 300, "{back:?}");
        for id in [&before, &during] {
            until(async || finds(&anybody, "青鸾居", id).await).await;
        }
        tick(stack, "ReindexHomestays").await;
    });
}

#[test]
fn the_search_page_works_in_a_browser() {
    deployed(async |stack| {
        let anybody = Person::anybody(stack.endpoints());
        until(async || search(&anybody, &[]).await["total"].as_u64() >= Some(300)).await;
        let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
        let test = Command::new("npm")
            .current_dir(web)
            .args(["test", "--silent"])
            .env("PAGE_URL", &stack.endpoints().page_url)
            .env("CHROMIUM", xtask::chromium().unwrap())
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&test.stdout);
        assert!(test.status.success(), "{said}\n{}", String::from_utf8_lossy(&test.stderr));
    });
}
