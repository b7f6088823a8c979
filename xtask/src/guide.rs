//! What a developer wants to know once the stack runs.

use std::io::Write;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{Api, Endpoints, Identity, User, workspace};

/// Prints addresses, credentials, logs and a curl for each route.
pub(crate) async fn print(endpoints: &Endpoints) -> Result<()> {
    let admin = endpoints.admin()?;
    let token = Identity::new(endpoints).await.token(&admin.name, &admin.password).await?.access_token;
    let api = Api::new(&endpoints.api_url)?;
    let examples = Examples::among(&api.templates(&token).await?, &api.campaigns(&token).await?);
    let examples = examples.context("there is no template to show examples with")?;
    // Whoever reads only its beginning is content.
    let _ = std::io::stdout().write_all(text(endpoints, &examples).as_bytes());
    Ok(())
}

/// What the examples are shown with, by its id.
#[derive(Debug, PartialEq, Eq)]
struct Examples {
    sale: String,
    queued: String,
    exchange: String,
    campaign: String,
}

impl Examples {
    /// The seeded ones, whatever was created since: the last of a list that begins with the newest.
    fn among(templates: &[Value], campaigns: &[Value]) -> Option<Self> {
        let is = |it: &Value, name: &str, value: &str| it.get(name).is_some_and(|member| member == value);
        let id = |it: Option<&Value>| Some(it?.get("id")?.as_str()?.to_owned());
        let found =
            |fits: &dyn Fn(&Value) -> bool| id(templates.iter().rfind(|it| fits(it)).or(templates.last()));
        Some(Self {
            sale: found(&|it| is(it, "type", "full_reduction") && !is(it, "issueMode", "queued"))?,
            queued: found(&|it| is(it, "issueMode", "queued"))?,
            exchange: found(&|it| is(it, "issueType", "exchange"))?,
            campaign: id(campaigns.last()).unwrap_or_default(),
        })
    }
}

fn text(endpoints: &Endpoints, examples: &Examples) -> String {
    let Endpoints { api_url, aws_endpoint, users, event_bus, page_url, .. } = endpoints;
    let Examples { sale, queued, exchange, campaign } = examples;
    let aws = aws_endpoint.as_deref().unwrap_or("a real account");
    let logs = workspace::local().join("logs");
    let logs = workspace::display(&logs);
    let sent = crate::notify::where_to_look(endpoints);
    let users =
        lines(users, |User { name, password, group }| format!("{group:<11} {name}  password {password}\n"));
    let curls = lines(CURLS, |(title, command)| format!("\n# {title}\n{command}\n"));
    format!(
        "
Search      {page_url}
API         {api_url}
AWS         {aws}
addresses   .local/endpoints.json
{sent}
logs        {logs}/ministack.log; each function's own, once it has run: {logs}/<function>.log

{users}
Paste this once, at the root of the repository. The tokens are good for an hour.

api={api_url} aws={aws} bus={event_bus}
guest=\"Authorization: Bearer $(cargo xtask token --user guest)\"
admin=\"Authorization: Bearer $(cargo xtask token --user admin)\"
json='Content-Type: application/json'
sale={sale} queued={queued} exchange={exchange} campaign={campaign}
first() {{ grep -o '\"'$1'\": *\"[^\"]*' | head -n 1 | cut -d '\"' -f 4; }}
sub=$(cut -d . -f 2 <<< \"$guest\" | tr _- /+ | base64 -d 2> /dev/null | first sub)

Then each of these works as it stands.
{curls}"
    )
}

fn lines<T>(items: &[T], text: impl FnMut(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().concat()
}

/// One for each route, in the order in which one would try them.
const CURLS: &[(&str, &str)] = &[
    ("what is on sale", r#"curl "$api/v1/coupon-templates""#),
    ("one sale", r#"curl "$api/v1/coupon-templates/$sale""#),
    (
        "claim a coupon; again with the same key gives the same coupon",
        r#"curl -i -X POST "$api/v1/coupon-templates/$sale/claims" -H "$guest" -H 'Idempotency-Key: first-try'"#,
    ),
    ("my coupons", r#"curl "$api/v1/me/coupons?status=unused&limit=10" -H "$guest""#),
    (
        "one of my coupons, once there is one",
        r#"coupon=$(curl -s "$api/v1/me/coupons?status=unused&limit=1" -H "$guest" | first id)
curl "$api/v1/me/coupons/$coupon" -H "$guest""#,
    ),
    (
        "what my coupons save on an order",
        r#"draft='{"lines":[{"homestayId":"h-1","hostId":"host-1","city":"北京","checkIn":"2026-12-24","checkOut":"2026-12-26","amountFen":30000}],"firstOrder":true}'
curl -X POST "$api/v1/me/coupon-quotes" -H "$guest" -H "$json" -d "$draft""#,
    ),
    (
        "hold a coupon for an order",
        r#"curl -X POST "$api/v1/me/coupons/$coupon/lock" -H "$guest" -H "$json" -d "{\"orderId\":\"order-1\",\"draft\":$draft}""#,
    ),
    (
        "give it back",
        r#"curl -X POST "$api/v1/me/coupons/$coupon/release" -H "$guest" -H "$json" -d '{"orderId":"order-1"}'"#,
    ),
    (
        "the order service does the same in the guest's name, signed with IAM credentials",
        r#"sign='--aws-sigv4 aws:amz:us-east-1:execute-api --user test:test'
curl $sign -X POST "$api/v1/internal/guests/$sub/coupons/$coupon/lock" -H "$json" -d "{\"orderId\":\"order-1\",\"draft\":$draft}"
curl $sign -X POST "$api/v1/internal/guests/$sub/coupons/$coupon/release" -H "$json" -d '{"orderId":"order-1"}'
curl $sign -X POST "$api/v1/internal/guests/$sub/coupons/$coupon/lock" -H "$json" -d "{\"orderId\":\"order-1\",\"draft\":$draft}""#,
    ),
    (
        "spend it; told twice, it is spent once",
        r#"curl -X POST "$api/v1/me/coupons/$coupon/redeem" -H "$guest" -H "$json" -d '{"orderId":"order-1"}'
curl $sign -X POST "$api/v1/internal/guests/$sub/coupons/$coupon/redeem" -H "$json" -d '{"orderId":"order-1"}'"#,
    ),
    (
        "the order was cancelled",
        r#"curl $sign -X POST "$api/v1/internal/guests/$sub/coupons/$coupon/refund" -H "$json" -d '{"orderId":"order-1"}'"#,
    ),
    (
        "claim through the queue, then ask what came of it",
        r#"claim=$(curl -si -X POST "$api/v1/coupon-templates/$queued/queued-claims" -H "$guest" -H 'Idempotency-Key: first-try' | grep -i '^location:' | tr -d '\r' | cut -d ' ' -f 2)
curl "$api$claim" -H "$guest" # GET /v1/claims/$request"#,
    ),
    ("campaigns", r#"curl "$api/v1/campaigns""#),
    ("one campaign", r#"curl "$api/v1/campaigns/$campaign""#),
    (
        "claim in a campaign, which chooses the coupon",
        r#"curl -i -X POST "$api/v1/campaigns/$campaign/claims" -H "$guest" -H 'Idempotency-Key: first-try'"#,
    ),
    (
        "exchange codes: order ten, wait for the file, exchange the first",
        r#"batch=$(curl -s -X POST "$api/v1/admin/coupon-templates/$exchange/code-batches" -H "$admin" -H "$json" -d '{"count":10,"label":"demo"}' | first id)
sleep 2; curl "$api/v1/admin/coupon-templates/$exchange/code-batches/$batch" -H "$admin"
code=$(curl -s "$(curl -s "$api/v1/admin/coupon-templates/$exchange/code-batches/$batch" -H "$admin" | first downloadUrl)" | sed -n 2p | tr -d '\r')
curl -X POST "$api/v1/me/coupon-exchanges" -H "$guest" -H "$json" -d "{\"code\":\"$code\"}""#,
    ),
    (
        "all batches of a template",
        r#"curl "$api/v1/admin/coupon-templates/$exchange/code-batches" -H "$admin""#,
    ),
    (
        "revoke a batch",
        r#"curl -X PATCH "$api/v1/admin/coupon-templates/$exchange/code-batches/$batch" -H "$admin" -H "$json" -d '{"disabled":true}'"#,
    ),
    (
        "publish a template",
        r#"curl -X POST "$api/v1/admin/coupon-templates" -H "$admin" -H "$json" -d '{"name":"满50减5","type":"full_reduction","amountFen":500,"threshold":{"type":"amount","amountFen":5000},"totalCount":100,"perUserLimit":1,"validDays":7,"startTime":"2026-01-01T00:00:00+08:00","endTime":"2036-01-01T00:00:00+08:00","issueType":"manual","expectedClaimsPerSecond":100}'"#,
    ),
    ("all templates", r#"curl "$api/v1/admin/coupon-templates?limit=10" -H "$admin""#),
    ("one template, with its version", r#"curl -i "$api/v1/admin/coupon-templates/$sale" -H "$admin""#),
    (
        "pause the sale; If-Match is the version, as the ETag of the last answer has it",
        r#"curl -X PATCH "$api/v1/admin/coupon-templates/$sale" -H "$admin" -H 'If-Match: "1"' -H "$json" -d '{"status":"paused"}'"#,
    ),
    ("what became of its coupons", r#"curl "$api/v1/admin/coupon-templates/$sale/report" -H "$admin""#),
    (
        "grant a coupon to a guest",
        r#"grant=$(curl -s -X POST "$api/v1/admin/grants" -H "$admin" -H "$json" -H "Idempotency-Key: $RANDOM" -d "{\"templateId\":\"$queued\",\"recipients\":{\"guests\":[\"$sub\"]}}" | first id)
curl "$api/v1/admin/grants/$grant" -H "$admin""#,
    ),
    ("who got nothing, and why", r#"curl "$api/v1/admin/grants/$grant/report" -H "$admin""#),
    (
        "pause a grant",
        r#"curl -X PATCH "$api/v1/admin/grants/$grant" -H "$admin" -H "$json" -d '{"status":"paused"}'"#,
    ),
    ("all grants", r#"curl "$api/v1/admin/grants" -H "$admin""#),
    (
        "where to upload a longer list of guests",
        r#"curl -X POST "$api/v1/admin/grant-uploads" -H "$admin" -H "$json" -d '{"bytes":37}'"#,
    ),
    (
        "publish a campaign",
        r#"new=$(curl -s -X POST "$api/v1/admin/campaigns" -H "$admin" -H "$json" -d '{"name":"春节","startTime":"2026-01-01T00:00:00+08:00","endTime":"2036-01-01T00:00:00+08:00","budgetFen":10000000}' | first id)"#,
    ),
    (
        "offer a template in it; only while it is a draft can it be taken out again",
        r#"curl -X PUT "$api/v1/admin/campaigns/$new/templates/$sale" -H "$admin" -H 'If-Match: "1"' -H "$json" -d '{}'
curl -X DELETE "$api/v1/admin/campaigns/$new/templates/$sale" -H "$admin" -H 'If-Match: "2"'"#,
    ),
    ("all campaigns", r#"curl "$api/v1/admin/campaigns" -H "$admin""#),
    ("one campaign, with its version", r#"curl -i "$api/v1/admin/campaigns/$campaign" -H "$admin""#),
    (
        "pause it",
        r#"curl -X PATCH "$api/v1/admin/campaigns/$campaign" -H "$admin" -H 'If-Match: "4"' -H "$json" -d '{"status":"paused"}'"#,
    ),
    ("what became of its coupons", r#"curl "$api/v1/admin/campaigns/$campaign/report" -H "$admin""#),
    (
        "tell the bus that a guest has signed up, for which there is a coupon",
        r#"curl -X POST "$aws" -H 'X-Amz-Target: AWSEvents.PutEvents' -H 'Content-Type: application/x-amz-json-1.1' -d "{\"Entries\":[{\"Source\":\"users\",\"DetailType\":\"guest.signed_up\",\"Detail\":\"{\\\"guestId\\\":\\\"$sub\\\",\\\"at\\\":\\\"2026-11-11T00:00:00Z\\\"}\",\"EventBusName\":\"$bus\"}]}""#,
    ),
    (
        "tell a guest something; again with the same key is the same message",
        r#"message=$(curl -s -X POST "$api/v1/notifications" -H "$admin" -H "$json" -d "{\"type\":\"sms\",\"priority\":\"high\",\"template\":\"order_confirmed\",\"params\":{\"orderId\":\"O-1\",\"amount\":58800},\"to\":[\"$sub\"],\"idempotencyKey\":\"try-1\"}" | first id)
curl "$api/v1/notifications/$message" -H "$admin"
curl "$api/v1/notifications?receiver=$sub" -H "$admin""#,
    ),
    (
        "tell it later, and think better of it",
        r#"later=$(curl -s -X POST "$api/v1/notifications" -H "$admin" -H "$json" -d "{\"type\":\"internal\",\"template\":\"coupon_expiring\",\"params\":{\"couponName\":\"满100减20\",\"days\":3,\"expireTime\":\"2026-12-10T16:00:00Z\"},\"to\":[\"$sub\"],\"scheduledAt\":\"$(date -u -d '+2 days' +%FT%TZ)\",\"idempotencyKey\":\"try-2\"}" | first id)
curl -X POST "$api/v1/notifications/$later/cancel" -H "$admin""#,
    ),
    (
        "the order service does the same, signed with IAM credentials",
        r#"curl $sign -X POST "$api/v1/internal/notifications" -H "$json" -d "{\"type\":\"internal\",\"template\":\"coupon_expiring\",\"params\":{\"couponName\":\"满100减20\",\"days\":3,\"expireTime\":\"2026-12-10T16:00:00Z\"},\"to\":[\"$sub\"],\"idempotencyKey\":\"try-3\"}"
curl $sign "$api/v1/internal/notifications?receiver=$sub"
own=$(curl -s $sign "$api/v1/internal/notifications?receiver=$sub" | first id)
curl $sign "$api/v1/internal/notifications/$own"
curl $sign -X POST "$api/v1/internal/notifications/$own/cancel" # 409 once it was sent"#,
    ),
    (
        "my inbox",
        r#"curl "$api/v1/me/inbox" -H "$guest"
curl "$api/v1/me/inbox/unread-count" -H "$guest""#,
    ),
    (
        "read one, all, and throw one away",
        r#"entry=$(curl -s "$api/v1/me/inbox?limit=1" -H "$guest" | first id)
curl -i -X POST "$api/v1/me/inbox/$entry/read" -H "$guest"
curl -i -X POST "$api/v1/me/inbox/read-all" -H "$guest" -H "$json" -d '{}'
curl -i -X DELETE "$api/v1/me/inbox/$entry" -H "$guest""#,
    ),
    (
        "what I want to be told, and how",
        r#"curl -i "$api/v1/me/notification-preferences" -H "$guest"
version=$(curl -si "$api/v1/me/notification-preferences" -H "$guest" | grep -i '^etag:' | tr -d '\r' | cut -d ' ' -f 2)
curl -X PUT "$api/v1/me/notification-preferences" -H "$guest" -H "$json" -H "If-Match: $version" -d '{"optOuts":[{"channel":"sms","category":"marketing"}],"quietHours":{"from":"22:00","to":"08:00"}}'"#,
    ),
    (
        "a phone of mine, and a phone no more",
        r#"device=old-phone
curl -i -X PUT "$api/v1/me/devices/$device" -H "$guest" -H "$json" -d '{"platform":"fcm","token":"token-of-an-old-phone"}'
curl -i -X DELETE "$api/v1/me/devices/$device" -H "$guest""#,
    ),
    (
        "where a guest is reached, told by the user service",
        r#"curl -i $sign "$api/v1/internal/guests/$sub/contacts"
version=$(curl -si $sign "$api/v1/internal/guests/$sub/contacts" | grep -i '^etag:' | tr -d '\r' | cut -d ' ' -f 2)
curl $sign -X PUT "$api/v1/internal/guests/$sub/contacts" -H "$json" -H "If-Match: $version" -d '{"phone":"+8613800138000","email":"guest@example.com","wechatOfficial":"oOfficial-1","wechatMini":"oMini-1"}'"#,
    ),
    (
        "what messages say",
        r#"curl "$api/v1/admin/notification-templates" -H "$admin"
code=order_confirmed
curl -i "$api/v1/admin/notification-templates/$code" -H "$admin"
curl "$api/v1/admin/notification-templates/$code/versions/$((1))" -H "$admin"
curl -X POST "$api/v1/admin/notification-templates/$code/preview" -H "$admin" -H "$json" -d '{"language":"en","params":{"orderId":"O-1","amount":12800}}'
curl -X POST "$api/v1/admin/notification-templates/$code/test-sends" -H "$admin" -H "$json" -H 'Idempotency-Key: test-1' -d '{"to":"tel:+8613800138000"}'"#,
    ),
    (
        "a template of one's own: made, given a second version, put out of use",
        r#"text='"variables":[{"name":"guest","kind":"text","example":"安"}],"texts":{"zh-CN":{"content":"您好，{{ guest }}！"}},"defaultLanguage":"zh-CN"'
curl -X POST "$api/v1/admin/notification-templates" -H "$admin" -H "$json" -d "{\"code\":\"hello\",\"name\":\"问候\",\"type\":\"sms\",\"category\":\"marketing\",$text}"
code=hello
curl -X POST "$api/v1/admin/notification-templates/$code/versions" -H "$admin" -H "$json" -H 'If-Match: "1"' -d "{$text}"
curl -X PATCH "$api/v1/admin/notification-templates/$code" -H "$admin" -H "$json" -H 'If-Match: "2"' -d '{"enabled":false}'"#,
    ),
    (
        "which events become messages",
        r#"curl "$api/v1/admin/notification-rules" -H "$admin"
rule=order-confirmed-sms-of-mine
curl -X PUT "$api/v1/admin/notification-rules/$rule" -H "$admin" -H "$json" -H 'If-None-Match: *' -d '{"name":"我的规则","enabled":false,"event":"order.created","key":["/orderId"],"receiver":"/guestId","action":{"type":"send","channel":"sms","template":"order_confirmed","params":{"orderId":"/orderId","amount":"/amountFen"}}}'
curl -i "$api/v1/admin/notification-rules/$rule" -H "$admin"
curl -X POST "$api/v1/admin/notification-rules/$rule/try" -H "$admin" -H "$json" -d "{\"detail\":{\"orderId\":\"O-1\",\"guestId\":\"$sub\",\"amountFen\":58800}}"
curl -i -X DELETE "$api/v1/admin/notification-rules/$rule" -H "$admin" -H 'If-Match: "1"'"#,
    ),
    (
        "tell every guest",
        r#"broadcast=$(curl -s -X POST "$api/v1/admin/broadcasts" -H "$admin" -H "$json" -d '{"type":"internal","priority":"low","template":"coupon_expiring","params":{"couponName":"群发券","days":1,"expireTime":"2026-12-10T16:00:00Z"},"to":{"segment":"all"},"idempotencyKey":"try-all"}' | first id)
curl "$api/v1/admin/broadcasts" -H "$admin"
curl "$api/v1/admin/broadcasts/$broadcast" -H "$admin"
curl -X POST "$api/v1/admin/broadcasts/$broadcast/cancel" -H "$admin""#,
    ),
    (
        "dead letters: how many, and which would go back",
        r#"curl "$api/v1/admin/notification-redrives" -H "$admin"
curl -X POST "$api/v1/admin/notification-redrives" -H "$admin" -H "$json" -d '{"priority":"high"}'"#,
    ),
    (
        "what a provider reports; the token is the one of this machine",
        r#"provider=aliyun
curl -X POST "$api/v1/delivery-reports/$provider?token=local-callback-token-0123456789abcdef" -H "$json" -d "[{\"phone_number\":\"13800138000\",\"success\":true,\"report_time\":\"2026-11-24 18:00:01\",\"send_time\":\"2026-11-24 18:00:00\",\"err_code\":\"DELIVERED\",\"err_msg\":\"\",\"sms_size\":\"1\",\"biz_id\":\"1\",\"out_id\":\"$message\"}]"
provider=wechat_official
curl -i "$api/v1/delivery-reports/$provider?signature=forged&timestamp=1&nonce=1&echostr=hello" # 401"#,
    ),
    (
        "tell the bus that an order was made, which a rule turns into messages",
        r#"curl -X POST "$aws" -H 'X-Amz-Target: AWSEvents.PutEvents' -H 'Content-Type: application/x-amz-json-1.1' -d "{\"Entries\":[{\"Source\":\"orders\",\"DetailType\":\"order.created\",\"Detail\":\"{\\\"orderId\\\":\\\"O-2\\\",\\\"guestId\\\":\\\"$sub\\\",\\\"homestayName\\\":\\\"听雨轩\\\",\\\"checkIn\\\":\\\"2027-06-01\\\",\\\"checkOut\\\":\\\"2027-06-03\\\",\\\"amountFen\\\":58800,\\\"at\\\":\\\"2026-11-24T10:00:00Z\\\"}\",\"EventBusName\":\"$bus\"}]}""#,
    ),
    (
        "what homestays there are: in hanzi, pinyin, initials, near a place",
        r#"curl "$api/v1/homestays/search?keyword=slt&sort=composite&pageSize=3"
curl -G "$api/v1/homestays/search" --data-urlencode 'keyword=故宫附近的四合院' -d lat=39.918 -d lon=116.397 -d radiusKm=5 -d sort=distance
curl -G "$api/v1/homestays/suggest" --data-urlencode 'q=san里t'
curl "$api/v1/homestays/hot-searches""#,
    ),
    (
        "one of them; that it was opened",
        r#"found=$(curl -s "$api/v1/homestays/search?keyword=sanlitun&pageSize=1&facets=false")
homestay=$(first id <<< "$found") search=$(first searchId <<< "$found")
curl "$api/v1/homestays/$homestay"
curl -i -X POST "$api/v1/search-clicks" -H "$json" -d "{\"searchId\":\"$search\",\"homestayId\":\"$homestay\",\"position\":1,\"keyword\":\"sanlitun\"}""#,
    ),
    (
        "a homestay of one's own: created, changed, taken off the market, deleted",
        r#"host="Authorization: Bearer $(cargo xtask token --user host)"
homestay=$(curl -s -X POST "$api/v1/homestays" -H "$host" -H "$json" -H "Idempotency-Key: $RANDOM" -d '{"title":"后海听雨大床房","subtitle":"胡同里的小院","info":"推门就是后海。","lat":39.942,"lon":116.385,"city":"北京","district":"西城区","priceFen":45800,"roomType":"double","capacity":2,"facilities":["wifi","garden"],"rowState":"published"}' | first id)
curl "$api/v1/me/homestays?limit=10" -H "$host"
curl -i "$api/v1/me/homestays/$homestay" -H "$host"
curl -X PATCH "$api/v1/homestays/$homestay" -H "$host" -H "$json" -H 'If-Match: "1"' -d '{"priceFen":39800,"rowState":"unpublished"}'
curl -i -X DELETE "$api/v1/homestays/$homestay" -H "$host" -H 'If-Match: "2"'"#,
    ),
    (
        "what I searched for: noted, shown, forgotten",
        r#"curl -X POST "$api/v1/me/search-history" -H "$guest" -H "$json" -d '{"keyword":"三里屯大床房"}'
curl "$api/v1/me/search-history" -H "$guest"
entry=$(curl -s "$api/v1/me/search-history" -H "$guest" | first id)
curl -i -X DELETE "$api/v1/me/search-history/$entry" -H "$guest"
curl -i -X DELETE "$api/v1/me/search-history" -H "$guest""#,
    ),
    (
        "what is searched for, not found, clicked; and why a homestay stands where it stands",
        r#"curl "$api/v1/admin/search-report" -H "$admin"
curl "$api/v1/admin/homestays/search?keyword=slt&pageSize=1&explain=true" -H "$admin""#,
    ),
    (
        "rebuild the index while searches go on, go back to the one before, compare it with the table",
        r#"curl "$api/v1/admin/search-index" -H "$admin"
rebuild=$(curl -s -X POST "$api/v1/admin/search-index/rebuilds" -H "$admin" -H "$json" -H "Idempotency-Key: $RANDOM" -d '{}' | first id)
sleep 3; curl "$api/v1/admin/search-index/rebuilds/$rebuild" -H "$admin"
curl "$api/v1/admin/search-index/rebuilds" -H "$admin"
curl -X POST "$api/v1/admin/search-index/rebuilds/$rebuild/roll-back" -H "$admin"
curl -X POST "$api/v1/admin/search-index/rebuilds/$rebuild/cancel" -H "$admin" # 409: it is over
curl -X POST "$api/v1/admin/search-index/reconciliations" -H "$admin" # 409 while the one that the roll-back ordered goes on"#,
    ),
    (
        "import many; `cargo xtask import-homestays` does it with a progress bar",
        r#"rows='{"externalId":"1","title":"样例民宿","lat":39.9,"lon":116.4,"city":"北京","priceFen":20000,"roomType":"double","capacity":2}'
upload=$(curl -s -X POST "$api/v1/admin/homestay-uploads" -H "$admin" -H "$json" -d "{\"bytes\":$(printf %s "$rows" | wc -c)}")
curl -X PUT "$(first url <<< "$upload")" --data-binary "$rows"
import=$(curl -s -X POST "$api/v1/admin/homestay-imports" -H "$admin" -H "$json" -H "Idempotency-Key: $RANDOM" -d "{\"uploadId\":\"$(first uploadId <<< "$upload")\",\"format\":\"jsonl\",\"source\":\"demo\",\"host\":\"host-1\"}" | first id)
curl "$api/v1/admin/homestay-imports/$import" -H "$admin"
curl "$api/v1/admin/homestay-imports/$import/report" -H "$admin"
curl "$api/v1/admin/homestay-imports" -H "$admin"
curl -X POST "$api/v1/admin/homestay-imports/$import/cancel" -H "$admin" # 409: it is over"#,
    ),
];

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::json;

    use super::*;

    /// Whether a command sends `method` to `path`, where a variable of the shell stands for a parameter.
    fn calls(command: &str, method: &str, path: &str) -> bool {
        let wanted: Vec<&str> = path.split('/').collect();
        let named = format!("-X {method} ");
        command.lines().flat_map(|line| line.split("curl ")).any(|call| {
            let is_method = if method == "GET" { !call.contains("-X ") } else { call.contains(&named) };
            let urls = call.split("$api").skip(1).chain(call.split("GET ").skip(1));
            is_method
                && urls.map(|url| url.split(['"', '?', ' ']).next().unwrap_or_default()).any(|url| {
                    let given: Vec<&str> = url.split('/').collect();
                    let fits = |(given, wanted): (&&str, &&str)| {
                        given == wanted || wanted.starts_with('{') && given.starts_with('$')
                    };
                    given.len() == wanted.len() && given.iter().zip(&wanted).all(fits)
                })
        })
    }

    #[test]
    fn there_is_a_curl_for_each_route() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
        let document: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
                assert!(CURLS.iter().any(|(_, curl)| calls(curl, &method, path)), "{method} {path}");
            }
        }
    }

    #[test]
    fn the_examples_are_the_templates_that_were_seeded() {
        let template = |id: &str, kind: &str, mode: &str, issue: &str| json!({ "id": id, "type": kind, "issueMode": mode, "issueType": issue });
        let templates = [
            template("5", "full_reduction", "direct", "manual"),
            template("4", "cash", "direct", "exchange"),
            template("3", "cash", "queued", "manual"),
            template("1", "full_reduction", "direct", "manual"),
            template("2", "cash", "direct", "manual"),
        ];
        let examples = Examples::among(&templates, &[json!({ "id": "C" })]).unwrap();
        let Examples { sale, queued, exchange, campaign } = &examples;
        assert_eq!([sale, queued, exchange, campaign], ["1", "3", "4", "C"]);
        assert_eq!(Examples::among(&templates[4..], &[]).unwrap().sale, "2");
        assert_eq!(Examples::among(&[], &[]), None);
    }
}
