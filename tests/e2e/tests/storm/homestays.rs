//! Homestays under every kind of fault: what their hosts were told is so, in the table and in the index, and nothing is there
//! twice. The stream and the index have fair weather: what they do when they fail is tested where they are.

use std::collections::BTreeMap;

use e2e::{Answer, Person, aws, homestay, search, send, tick, until};
use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::join;
use xtask::Stack;

use crate::weather::{Fault, Weather, every_storm};

/// What is done to DynamoDB for hosts, imports and rebuilds.
const READING: [&str; 5] = ["GetItem", "BatchGetItem", "Query", "Scan", "DescribeTable"];
const WRITING: [&str; 3] = ["PutItem", "UpdateItem", "TransactWriteItems"];

/// How a homestay's life ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Published,
    Unpublished,
    Deleted,
}

/// Homestays by their ids: title and state.
type Shown = BTreeMap<String, (String, String)>;

/// Hosts and their city: homestays are there, and no others.
struct Town {
    city: &'static str,
    hosts: Vec<Person>,
    anybody: Person,
}

impl Town {
    async fn of(stack: &Stack, city: &'static str) -> Self {
        let mut hosts = Vec::new();
        for n in 0..2 {
            hosts.push(Person::host(stack.endpoints(), &format!("storm-host-{n}")).await);
        }
        Self { city, hosts, anybody: Person::anybody(stack.endpoints()) }
    }

    /// Each host has a homestay of each end, all at once; those that are left afterwards.
    async fn live(&self, name: &str) -> Shown {
        let ends = [End::Published, End::Unpublished, End::Deleted];
        let lives = self.hosts.iter().enumerate().flat_map(|(n, host)| {
            ends.map(|end| async move { life(host, self.city, &format!("{name} {n} {end:?}"), end).await })
        });
        join_all(lives).await.into_iter().flatten().collect()
    }

    /// Table, lists and index have exactly these homestays, once what was written so far has come to the index.
    async fn has(&self, stack: &Stack, name: &str, expected: &Shown) {
        let is_published = |(_, (_, state)): &(&String, &(String, String))| state == "published";
        // The stream has an order: who finds the last homestay has waited for all of them.
        let last = life(&self.hosts[0], self.city, &format!("{name} last"), End::Published).await.unwrap();
        let mut expected = expected.clone();
        until(async || self.found().await.get(&last.0) == Some(&last.1)).await;
        expected.extend([last]);

        assert_eq!(self.listed().await, expected, "{name}: the hosts' lists");
        assert_eq!(self.stored(stack).await, expected, "{name}: the table");
        let published = expected.iter().filter(is_published).map(|(id, it)| (id.clone(), it.clone()));
        assert_eq!(self.found().await, published.collect(), "{name}: the index");
    }

    async fn found(&self) -> Shown {
        let found = search(&self.anybody, &[("city", self.city), ("pageSize", "100")]).await;
        let items = found["items"].as_array().unwrap();
        assert_eq!(found["total"], items.len(), "all on one page");
        once(items.iter().map(|item| (text(&item["id"]), (text(&item["title"]), "published".to_owned()))))
    }

    async fn listed(&self) -> Shown {
        let mut listed = Vec::new();
        for host in &self.hosts {
            let mut path = "/v1/me/homestays?limit=50".to_owned();
            loop {
                let page = host.get(&path).await;
                assert_eq!(page.status, 200, "{page:?}");
                listed.extend(page.body["items"].as_array().unwrap().clone());
                let Some(cursor) = page.body["nextCursor"].as_str() else { break };
                path = format!("/v1/me/homestays?limit=50&cursor={cursor}");
            }
        }
        let here = listed.iter().filter(|item| item["city"] == self.city);
        once(here.map(|item| (text(&item["id"]), (text(&item["title"]), text(&item["rowState"])))))
    }

    async fn stored(&self, stack: &Stack) -> Shown {
        let items = scan(stack, &stack.endpoints().homestay_table).await;
        let here = items.iter().filter(|item| item["city"]["S"] == self.city);
        let id = |item: &Value| text(&item["pk"]["S"]).trim_start_matches("HOMESTAY#").to_owned();
        once(here.map(|item| (id(item), (text(&item["title"]["S"]), text(&item["rowState"]["S"])))))
    }
}

/// Creates, renames, hides and shows a homestay, and brings it to its end; what it is then, if it is still there.
async fn life(host: &Person, city: &str, name: &str, end: End) -> Option<(String, (String, String))> {
    let mut new = homestay(&format!("初名 {name}"));
    new["city"] = city.into();
    let mut id = String::new();
    until(async || {
        let create = host.request(Method::POST, "/v1/homestays").header("Idempotency-Key", key(city, name));
        let answer = send(create.json(&new)).await;
        let created = is(201, &answer);
        if created {
            assert!(id.is_empty() || id == answer.text("id"), "two homestays of one request");
            answer.text("id").clone_into(&mut id);
        }
        created
    })
    .await;
    let title = format!("末名 {name}");
    change(host, &id, json!({"title": format!("次名 {name}")})).await;
    change(host, &id, json!({"rowState": "unpublished"})).await;
    change(host, &id, json!({"title": title})).await;
    change(host, &id, json!({"rowState": "published"})).await;
    match end {
        End::Published => Some((id, (title, "published".to_owned()))),
        End::Unpublished => {
            change(host, &id, json!({"rowState": "unpublished"})).await;
            Some((id, (title, "unpublished".to_owned())))
        }
        End::Deleted => {
            delete(host, &id).await;
            None
        }
    }
}

fn key(city: &str, name: &str) -> String {
    let visible = |byte: u8| format!("{byte:02x}");
    format!("{city}/{name}").bytes().map(visible).collect()
}

/// Changes a homestay, looking again after each answer that leaves open what it is now.
async fn change(host: &Person, id: &str, wanted: Value) {
    until(async || {
        let now = host.get(&format!("/v1/me/homestays/{id}")).await;
        if !is(200, &now) {
            return false;
        }
        if wanted.as_object().unwrap().iter().all(|(field, value)| now.body[field] == *value) {
            return true;
        }
        let request = host.request(Method::PATCH, &format!("/v1/homestays/{id}"));
        is(200, &send(request.header("If-Match", now.header("etag").unwrap()).json(&wanted)).await)
    })
    .await;
}

async fn delete(host: &Person, id: &str) {
    until(async || {
        let now = host.get(&format!("/v1/me/homestays/{id}")).await;
        if now.status == 404 {
            return true;
        }
        if !is(200, &now) {
            return false;
        }
        let request = host.request(Method::DELETE, &format!("/v1/homestays/{id}"));
        is(204, &send(request.header("If-Match", now.header("etag").unwrap())).await)
    })
    .await;
}

/// What is answered in the end to a request that is repeated until it is known to be done.
async fn insist(status: u16, request: impl Fn() -> RequestBuilder) -> Value {
    let mut done = Value::Null;
    until(async || {
        let answer = send(request()).await;
        done = answer.body.clone();
        is(status, &answer)
    })
    .await;
    done
}

/// Whether it was done. Otherwise it may have been: by one whose answer came too late, somebody has changed it meanwhile.
fn is(status: u16, answer: &Answer) -> bool {
    let open = matches!(answer.status, 412 | 429 | 503);
    assert!(answer.status == status || open, "{answer:?}");
    answer.status == status
}

/// Nothing may be there twice.
fn once<T: std::fmt::Debug>(all: impl Iterator<Item = (String, T)>) -> BTreeMap<String, T> {
    let mut found = BTreeMap::new();
    for (id, it) in all {
        let before = found.insert(id, it);
        assert!(before.is_none(), "twice: {before:?}");
    }
    found
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

async fn scan(stack: &Stack, table: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut request = json!({"TableName": table, "ConsistentRead": true});
    loop {
        let page = aws(stack, "DynamoDB_20120810.Scan", &request).await;
        items.extend(page["Items"].as_array().unwrap().clone());
        if page["LastEvaluatedKey"].is_null() {
            return items;
        }
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"].clone();
    }
}

/// What failed comes again soon, and not after the minutes in which somebody might still be working on it: so it may also be
/// worked on twice at once. And as often as it takes: faults that strike by chance may strike five times in a row.
async fn redeliver_soon(stack: &Stack, queue: &str) {
    let url = queue_url(stack, queue).await;
    let attributes = json!({"QueueUrl": url, "Attributes": {"VisibilityTimeout": "3", "RedrivePolicy": ""}});
    aws(stack, "AmazonSQS.SetQueueAttributes", &attributes).await;
}

async fn queue_url(stack: &Stack, queue: &str) -> String {
    let queues = aws(stack, "AmazonSQS.ListQueues", &json!({})).await;
    let urls = queues["QueueUrls"].as_array().unwrap().iter().map(text);
    let mut urls = urls.filter(|url| url.contains(queue) && !url.contains("DeadLetters"));
    urls.next().unwrap_or_else(|| panic!("no {queue} in {queues}"))
}

#[test]
fn homestays_survive_every_storm() {
    e2e::deployed("storm", true, async |stack| {
        let weather = Weather::over(stack).await;
        let town = Town::of(stack, "风暴镇").await;
        let all = [&READING[..], &WRITING].concat();
        let conflict = Fault::conflict_with_a_transaction().on(&WRITING, 0.3);
        let mut expected = Shown::new();
        for (name, rules) in every_storm((&all, &WRITING), conflict, 0.5) {
            weather.storm(&rules).await;
            let left = town.live(name).await;
            weather.clear(name).await;
            expected.extend(left);
        }
        town.has(stack, "every storm", &expected).await;
    });
}

#[test]
fn an_index_is_rebuilt_in_a_storm_while_hosts_go_on() {
    e2e::deployed("storm", true, async |stack| {
        let weather = Weather::over(stack).await;
        let town = Town::of(stack, "重建镇").await;
        let operator = Person::operator(stack.endpoints()).await;
        redeliver_soon(stack, "ReindexQueue").await;
        let mut expected = town.live("before").await;
        let all = [&READING[..], &WRITING].concat();
        let storm = [
            // How far the rebuild is: whoever tries again finds that it has moved.
            Fault::answer_lost().on_every_other("PutItem", "REBUILD#"),
            Fault::conflict_with_a_transaction().on(&WRITING, 0.1),
            Fault::answer_lost().on(&WRITING, 0.3),
            Fault::answer_lost().on_queues(0.3),
            Fault::outage().on_queues(0.1),
            Fault::throttled().on(&all, 0.1),
            Fault::outage().on(&all, 0.1),
            Fault::reset().on(&all, 0.1),
        ];
        weather.storm(&storm.concat()).await;
        let rebuilds = "/v1/admin/search-index/rebuilds";
        let order = || operator.request(Method::POST, rebuilds).header("Idempotency-Key", "storm-rebuild");
        let mut rebuild = insist(202, order).await;
        let path = format!("{rebuilds}/{}", text(&rebuild["id"]));
        let done = until(async || {
            let now = operator.get(&path).await;
            if !is(200, &now) {
                return false;
            }
            assert!(now.body["failure"].is_null(), "{now:?}");
            rebuild = now.body;
            rebuild["status"] == "done"
        });
        let (during, ()) = join!(town.live("during"), done);
        expected.extend(during);
        weather.clear("a rebuild").await;

        let index = operator.get("/v1/admin/search-index").await.body;
        assert_eq!(index["generations"]["live"], rebuild["generation"], "{index}");
        assert_eq!(index["generations"]["previous"], rebuild["replaced"], "{index}");
        assert!(index["generations"]["building"].is_null(), "{index}");
        town.has(stack, "a rebuild", &expected).await;

        let stored = scan(stack, &stack.endpoints().homestay_table).await;
        let published = stored.iter().filter(|item| item["rowState"]["S"] == "published").count();
        let index = operator.get("/v1/admin/search-index").await.body;
        assert_eq!(index["visible"], published, "{index}");
        assert_eq!(repaired(&operator).await, 0, "either generation is as the table is");
    });
}

/// How many homestays of both generations are not as the table has them, by the app's own comparison.
async fn repaired(operator: &Person) -> u64 {
    let mut ordered = Value::Null;
    until(async || {
        let order = operator.request(Method::POST, "/v1/admin/search-index/reconciliations");
        let answer = send(order.header("Idempotency-Key", "storm-comparison")).await;
        assert!(matches!(answer.status, 202 | 409), "{answer:?}");
        ordered = answer.body;
        answer.status == 202
    })
    .await;
    let mut now = Value::Null;
    until(async || {
        now = operator.get("/v1/admin/search-index").await.body["reconciliation"].clone();
        now["id"] == ordered["id"] && now["status"] == "done"
    })
    .await;
    assert!(now["figures"]["checked"].as_u64() > Some(0), "{now}");
    now["figures"]["repaired"].as_u64().unwrap()
}

#[test]
fn an_import_takes_each_row_once_in_a_storm() {
    e2e::deployed("storm", true, async |stack| {
        let weather = Weather::over(stack).await;
        let town = Town::of(stack, "导入镇").await;
        let operator = Person::operator(stack.endpoints()).await;
        redeliver_soon(stack, "HomestayImportQueue").await;
        let (content, expected, refused) = file(town.city);
        let rows = expected.len() + refused.len();
        let all = [&READING[..], &WRITING].concat();
        let storm = [
            // How far the import is: whoever tries again finds that it has moved.
            Fault::answer_lost().on_every_other("UpdateItem", "IMPORT#"),
            // A row in a hundred fails with all its attempts: most steps pass, some come again.
            Fault::answer_lost().on(&["PutItem"], 0.15),
            Fault::answer_lost().on_queues(0.3),
            Fault::outage().on_queues(0.1),
            Fault::throttled().on(&all, 0.03),
            Fault::outage().on(&all, 0.03),
            Fault::reset().on(&all, 0.03),
        ];
        weather.storm(&storm.concat()).await;
        let upload = || operator.request(Method::POST, "/v1/admin/homestay-uploads");
        let prepared = insist(201, || upload().json(&json!({"bytes": content.len()}))).await;
        xtask::upload(&text(&prepared["url"]), content).await.unwrap();
        let order = json!({
            "uploadId": prepared["uploadId"], "format": "jsonl", "source": "storm",
            "host": town.hosts[0].subject(), "datum": "gcj02", "dryRun": false,
        });
        let start = || operator.request(Method::POST, "/v1/admin/homestay-imports").json(&order);
        let mut import = insist(202, || start().header("Idempotency-Key", "storm-import")).await;
        let path = format!("/v1/admin/homestay-imports/{}", text(&import["id"]));
        until(async || {
            let now = operator.get(&path).await;
            if !is(200, &now) {
                return false;
            }
            import = now.body;
            import["status"] != "running"
        })
        .await;
        weather.clear("an import").await;

        assert_eq!(import["status"], "done", "{import}");
        let progress = &import["progress"];
        assert_eq!(
            (&progress["rows"], &progress["created"]),
            (&rows.into(), &expected.len().into()),
            "{import}"
        );
        assert_eq!(
            (&progress["refused"], &progress["reported"]),
            (&refused.len().into(), &refused.len().into())
        );
        assert_eq!((&progress["changed"], &progress["unchanged"]), (&0.into(), &0.into()), "{import}");
        let report = operator.get(&format!("{path}/report")).await;
        let items = report.body["items"].as_array().unwrap();
        let reported =
            items.iter().map(|row| (row["line"].as_u64().unwrap(), text(&row["errors"][0]["field"])));
        assert_eq!(reported.collect::<Vec<_>>(), refused, "each once, in the order of the file");
        town.has(stack, "an import", &expected).await;
    });
}

/// A file of several steps, what it comes to, and which of its rows are refused, for which field.
fn file(city: &str) -> (Vec<u8>, Shown, Vec<(u64, String)>) {
    let (mut lines, mut expected, mut refused) = (Vec::new(), Shown::new(), Vec::new());
    for line in 1..=60_u64 {
        let mut row = homestay(&format!("导入 {line}"));
        row["city"] = city.into();
        row["externalId"] = line.to_string().into();
        match line % 10 {
            3 => {
                row["title"] = "".into();
                refused.push((line, "title".to_owned()));
            }
            7 => {
                row["externalId"] = (line - 1).to_string().into();
                refused.push((line, "externalId".to_owned()));
            }
            _ => {
                let shown = (text(&row["title"]), "published".to_owned());
                expected.insert(format!("storm-{line}"), shown);
            }
        }
        // Nearly as long as a row may be, so that a step takes a few.
        lines.push(format!("{:<60000}\n", row.to_string()));
    }
    (lines.concat().into_bytes(), expected, refused)
}

#[test]
fn guests_find_what_nobody_can_count_and_nothing_counts_twice() {
    const SEARCHES: u64 = 12;
    e2e::deployed("storm", true, async |stack| {
        let weather = Weather::over(stack).await;
        let (guest, operator) =
            (Person::anybody(stack.endpoints()), Person::operator(stack.endpoints()).await);
        weather.storm(&Fault::outage().on_queues(1.0)).await;
        assert!(search(&guest, &[("keyword", "外滩")]).await["total"].as_u64() > Some(0));
        weather.clear("searches that nobody counts").await;

        redeliver_soon(stack, "SearchEventQueue").await;
        let storm = [
            Fault::answer_lost().on_queues(0.5),
            Fault::answer_lost().on(&["BatchWriteItem"], 0.4),
            Fault::throttled().on(&["BatchWriteItem", "GetItem", "PutItem"], 0.1),
            Fault::reset().on(&["BatchWriteItem", "GetItem", "PutItem"], 0.1),
        ];
        weather.storm(&storm.concat()).await;
        for _ in 0..SEARCHES {
            let found = search(&guest, &[("keyword", "鼓浪屿")]).await;
            let click = json!({
                "searchId": found["searchId"], "homestayId": found["items"][0]["id"], "position": 1, "keyword": "鼓浪屿",
            });
            // Clicks as an impatient guest does.
            for _ in 0..2 {
                insist(202, || guest.request(Method::POST, "/v1/search-clicks").json(&click)).await;
            }
        }
        let url = queue_url(stack, "SearchEventQueue").await;
        let attributes = json!({"QueueUrl": url, "AttributeNames": ["All"]});
        until(async || {
            let waiting = aws(stack, "AmazonSQS.GetQueueAttributes", &attributes).await["Attributes"].clone();
            waiting["ApproximateNumberOfMessages"] == "0"
                && waiting["ApproximateNumberOfMessagesNotVisible"] == "0"
        })
        .await;
        weather.clear("counting").await;

        tick(stack, "RankHotSearches").await;
        let report = operator.get("/v1/admin/search-report").await.body;
        let keywords = report["topKeywords"].as_array().unwrap();
        let counted = keywords.iter().find(|counted| counted["keyword"] == "鼓浪屿").unwrap();
        // A search that the queue does not take within a tenth of a second is not counted.
        for figure in ["searches", "clicks"] {
            assert!((1..=SEARCHES).contains(&counted[figure].as_u64().unwrap()), "{figure}: {counted}");
        }
        assert!(keywords.iter().all(|counted| counted["keyword"] != "外滩"), "{report}");
    });
}
