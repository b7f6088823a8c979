//! `import-homestays`: uploads a file, has it imported, and shows what became of it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Parser;
use comfy_table::{Table, presets};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{Api, Identity, dev, step::Progress};

/// Waiting for an import that does not move: longer than a message of the queue is hidden after a step was cut off.
const PATIENCE: Duration = Duration::from_mins(8);
const POLL_INTERVAL: Duration = Duration::from_millis(300);

/// Longer than the largest file takes over a slow line.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(15);

/// Refused rows that are shown; the report has them all.
const SHOWN: u16 = 20;

/// Uploads a file of homestays, imports it, and shows what became of it
#[derive(Debug, Clone, Parser)]
pub(crate) struct Arguments {
    /// CSV with our columns, JSON Lines with our fields, or a CSV of listings as Inside Airbnb has them
    file: PathBuf,
    /// The city of the listings, where the file does not say it
    #[arg(long, default_value = "北京")]
    city: String,
    /// Whose homestays these are, 1 to 20 of a-z 0-9: ids are <source>-<externalId>
    #[arg(long, default_value = "listings")]
    source: String,
    /// The host of rows that name none
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// In which datum the file tells places; listings are WGS-84 whatever is said here
    #[arg(long, default_value = "gcj02", value_parser = ["gcj02", "wgs84"])]
    datum: String,
    /// Only count
    #[arg(long)]
    dry_run: bool,
    /// Another deployment than the one `dev` started
    #[arg(long, value_name = "FILE")]
    endpoints: Option<PathBuf>,
}

/// A file as it is uploaded.
pub(crate) struct Upload {
    /// `csv` or `jsonl`.
    pub(crate) format: &'static str,
    /// Its bytes.
    pub(crate) content: Vec<u8>,
}

impl Upload {
    /// Rows of an import, one a line.
    pub(crate) fn of_rows(rows: impl IntoIterator<Item = Value>) -> Self {
        let content = rows.into_iter().fold(String::new(), |lines, row| lines + &row.to_string() + "\n");
        Self { format: "jsonl", content: content.into_bytes() }
    }

    /// A file of ours as it is, or a file of listings converted.
    pub(crate) fn read(file: &Path, city: &str) -> Result<Self> {
        let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let is_json = file.extension().is_some_and(|extension| extension == "jsonl" || extension == "ndjson");
        if is_json {
            return Ok(Self { format: "jsonl", content });
        }
        let header = content.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let header = String::from_utf8_lossy(header);
        if header.split(',').any(|column| column.trim() == "room_id") {
            let listings = testing::read_listings(content.as_slice(), city);
            let listings = listings.map_err(|error| anyhow!("{}: {error}", file.display()))?;
            return Ok(Self::of_rows(listings.iter().map(testing::Listing::import_row)));
        }
        Ok(Self { format: "csv", content })
    }
}

/// What is to be made of a file.
pub(crate) struct Order<'a> {
    pub(crate) source: &'a str,
    pub(crate) host: Option<&'a str>,
    pub(crate) datum: &'a str,
    pub(crate) dry_run: bool,
}

pub(crate) async fn command(arguments: Arguments) -> Result<ExitCode> {
    let upload = Upload::read(&arguments.file, &arguments.city)?;
    let endpoints = dev::read_endpoints(arguments.endpoints)?;
    let identity = Identity::new(&endpoints).await;
    let admin = endpoints.admin()?;
    let token = identity.token(&admin.name, &admin.password).await?.access_token;
    let api = Api::new(&endpoints.api_url)?;
    let order = Order {
        source: &arguments.source,
        host: arguments.host.as_deref(),
        datum: &arguments.datum,
        dry_run: arguments.dry_run,
    };
    let import = run(&api, &token, upload, &order, &Progress::default()).await?;
    report(&api, &token, &import).await
}

/// Uploads and starts: the import as it is at first.
pub(crate) async fn start(
    api: &Api,
    token: &str,
    upload: Upload,
    order: &Order<'_>,
    progress: &Progress,
) -> Result<Value> {
    let Upload { format, content } = upload;
    let step = progress.step("upload the file");
    let bytes = json!({ "bytes": content.len() });
    let prepared = api.send(Method::POST, "/v1/admin/homestay-uploads", Some(token), Some(&bytes)).await?;
    ensure!(prepared.status == StatusCode::CREATED, "cannot upload: {}", prepared.brief());
    self::upload(prepared.text("url").context("an upload without an address")?, content).await?;
    step.done();

    let body = json!({
        "uploadId": prepared.text("uploadId"), "format": format, "source": order.source, "datum": order.datum,
        "dryRun": order.dry_run, "host": order.host,
    });
    let started = api.send(Method::POST, "/v1/admin/homestay-imports", Some(token), Some(&body)).await?;
    ensure!(started.status == StatusCode::ACCEPTED, "the import is refused: {}", started.brief());
    Ok(started.body)
}

/// Uploads, starts, and waits until it is over: the import as it is then.
pub(crate) async fn run(
    api: &Api,
    token: &str,
    upload: Upload,
    order: &Order<'_>,
    progress: &Progress,
) -> Result<Value> {
    let mut import = start(api, token, upload, order, progress).await?;
    let id = import.get("id").and_then(Value::as_str).context("an import without an id")?.to_owned();
    let step = progress.counted("import", 100);
    let mut percent = 0;
    let mut moved = Instant::now();
    while status(&import) == Some("running") {
        tokio::time::sleep(POLL_INTERVAL).await;
        let answer =
            api.send(Method::GET, &format!("/v1/admin/homestay-imports/{id}"), Some(token), None).await?;
        ensure!(answer.status == StatusCode::OK, "cannot read the import: {}", answer.brief());
        if answer.body.get("progress") != import.get("progress") {
            moved = Instant::now();
        }
        ensure!(moved.elapsed() < PATIENCE, "the import {id} does not move: {}", answer.brief());
        import = answer.body;
        let now = figure(&import, "percent");
        (percent..now).for_each(|_| step.advance());
        percent = percent.max(now);
        step.say(figures(&import));
    }
    step.done_as(&figures(&import));
    Ok(import)
}

/// Sends a file to where it was prepared for: past the API, to the store. The address says who may.
pub async fn upload(url: &str, content: Vec<u8>) -> Result<()> {
    let mut http = reqwest::Client::builder().timeout(UPLOAD_TIMEOUT);
    if ["http://127.0.0.1:", "http://localhost:"].iter().any(|local| url.starts_with(local)) {
        http = http.no_proxy();
    }
    let answer = http.build()?.put(url).body(content).send().await.map_err(reqwest::Error::without_url)?;
    ensure!(answer.status().is_success(), "the upload is refused: {}", answer.status());
    Ok(())
}

fn status(import: &Value) -> Option<&str> {
    import.get("status").and_then(Value::as_str)
}

fn figure(import: &Value, name: &str) -> u64 {
    import.get("progress").and_then(|progress| progress.get(name)).and_then(Value::as_u64).unwrap_or(0)
}

fn figures(import: &Value) -> String {
    let figure = |name| figure(import, name);
    format!(
        "{} rows: {} created, {} changed, {} unchanged, {} refused",
        figure("rows"),
        figure("created"),
        figure("changed"),
        figure("unchanged"),
        figure("refused"),
    )
}

/// Says what became of an import, with the first refused rows.
async fn report(api: &Api, token: &str, import: &Value) -> Result<ExitCode> {
    let id = import.get("id").and_then(Value::as_str).context("an import without an id")?;
    let path = format!("/v1/admin/homestay-imports/{id}/report");
    if figure(import, "refused") > 0 {
        let answer = api.send(Method::GET, &format!("{path}?limit={SHOWN}"), Some(token), None).await?;
        ensure!(answer.status == StatusCode::OK, "cannot read the report: {}", answer.brief());
        println!("\n{}", table(&answer.body));
        if answer.text("nextCursor").is_some() {
            println!("All refused rows: GET {path}");
        }
    }
    match status(import) {
        Some("done") => Ok(ExitCode::SUCCESS),
        Some(status) => {
            let failure = import.get("failure").map(Value::to_string).unwrap_or_default();
            eprintln!("The import {id} is {status}: {failure}");
            Ok(ExitCode::FAILURE)
        }
        None => bail!("an import without a status"),
    }
}

fn table(report: &Value) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_header(["line", "homestay", "what is wrong"]);
    for row in report.get("items").and_then(Value::as_array).into_iter().flatten() {
        let errors = row.get("errors").and_then(Value::as_array).into_iter().flatten();
        let errors = errors.map(|error| {
            let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            format!("{} {}", text("field"), text("must")).trim().to_owned()
        });
        let homestay = row.get("externalId").and_then(Value::as_str).unwrap_or_default().to_owned();
        let line = row.get("line").map(Value::to_string).unwrap_or_default();
        table.add_row([line, homestay, errors.collect::<Vec<_>>().join("; ")]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_ours_goes_as_it_is_and_listings_are_converted() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, content: &str| {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            Upload::read(&path, "上海")
                .map(|upload| (upload.format, String::from_utf8(upload.content).unwrap()))
        };
        assert_eq!(read("a.jsonl", "{}\n").unwrap(), ("jsonl", "{}\n".to_owned()));
        assert_eq!(read("a.csv", "externalId,title\n").unwrap(), ("csv", "externalId,title\n".to_owned()));
        let listings = "room_id,host_id,neighbourhood,name,latitude,longitude,room_type,accommodates,price,first_review,\
            number_of_reviews,review_scores_rating\n7,9,静安区,小院,31.2,121.4,Private room,2,100.5,2020-01-01,3,100\n";
        let (format, content) = read("l.csv", listings).unwrap();
        let row: Value = serde_json::from_str(&content).unwrap();
        assert_eq!((format, &row["city"], &row["priceFen"]), ("jsonl", &json!("上海"), &json!(10_050)));
        assert!(read("l.csv", &listings.replace("31.2", "north")).is_err());
    }

    #[test]
    fn refused_rows_are_a_table() {
        let report = json!({ "items": [{ "line": 7, "externalId": "a-1", "errors": [
            { "field": "title", "must": "must be 1 to 200 characters" }, { "field": "", "must": "must be a JSON object" }] }] });
        let text = table(&report).to_string();
        assert!(
            text.contains("a-1") && text.contains("title must be 1 to 200 characters; must be a JSON object"),
            "{text}"
        );
    }
}
