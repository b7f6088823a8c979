use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    operation::{
        get_object::{GetObjectError, GetObjectOutput},
        head_object::{HeadObjectError, HeadObjectOutput},
        put_object::PutObjectOutput,
    },
    primitives::ByteStream,
    types::error::NoSuchKey,
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use domain_homestay::RowError;

use super::*;

const AT_MS: u64 = 1_794_326_400_000;

fn bucket(rule: &Rule) -> ImportBucket {
    ImportBucket::new(Bucket::new(mock_client!(aws_sdk_s3, RuleMode::MatchAny, [rule]), "jobs".into()))
}

fn file() -> ImportFile {
    ImportFile { key: "imports/uploads/x".into(), bytes: 20, tag: "\"tag\"".into() }
}

const PART: ReportPart = ReportPart { from: 100, to: 200, rows: 2 };

#[tokio::test]
async fn an_upload_is_signed_for_one_file_of_one_length_for_a_quarter_of_an_hour() {
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(Credentials::for_tests()))
        .build();
    let bucket = ImportBucket::new(Bucket::new(job_s3::client(&config), "jobs".into()));
    let at = "2026-11-10T16:00:00Z".parse().unwrap();
    let url = bucket.prepare(ImportUploadId::from_parts(AT_MS, 7), 4_711, at).await.unwrap();
    assert!(url.starts_with("https://jobs.s3.us-east-1.amazonaws.com/imports/uploads/"), "{url}");
    for part in
        ["X-Amz-Date=20261110T160000Z", "X-Amz-Expires=900", "X-Amz-SignedHeaders=content-length%3Bhost"]
    {
        assert!(url.contains(part), "{part} in {url}");
    }
    assert!(!url.contains("checksum"), "{url}");
}

#[tokio::test]
async fn a_range_of_a_file_is_read_if_it_is_the_one_asked_for() {
    let rule = mock!(Client::get_object)
        .match_requests(|request| {
            (request.range(), request.if_match()) == (Some("bytes=10-19"), Some("\"tag\""))
                && (request.bucket(), request.key()) == (Some("jobs"), Some("imports/uploads/x"))
        })
        .then_output(|| GetObjectOutput::builder().body(ByteStream::from_static(b"0123456789")).build());
    assert_eq!(bucket(&rule).read(&file(), 10..20).await.unwrap(), b"0123456789");
}

#[tokio::test]
async fn a_file_that_is_gone_or_replaced_is_told_from_an_outage() {
    let missing =
        mock!(Client::get_object).then_error(|| GetObjectError::NoSuchKey(NoSuchKey::builder().build()));
    assert!(matches!(bucket(&missing).read(&file(), 0..1).await, Err(FileError::Missing)));
    let failed = |code: &'static str| {
        let rule = mock!(Client::get_object).then_error(move || {
            GetObjectError::generic(aws_sdk_s3::error::ErrorMetadata::builder().code(code).build())
        });
        async move { bucket(&rule).read(&file(), 0..1).await.unwrap_err() }
    };
    assert!(matches!(failed("PreconditionFailed").await, FileError::Changed));
    assert!(matches!(failed("SlowDown").await, FileError::Store(StoreError::Throttled(_))));
    assert!(matches!(failed("AccessDenied").await, FileError::Store(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn an_upload_is_known_by_its_length_and_tag() {
    let there = mock!(Client::head_object)
        .then_output(|| HeadObjectOutput::builder().content_length(12).e_tag("\"t\"").build());
    let upload = ImportUploadId::from_parts(AT_MS, 7);
    let found = bucket(&there).uploaded(upload).await.unwrap();
    let expected = ImportFile { key: format!("imports/uploads/{upload}"), bytes: 12, tag: "\"t\"".into() };
    assert_eq!(found, expected);
    let missing = mock!(Client::head_object)
        .then_error(|| HeadObjectError::NotFound(aws_sdk_s3::types::error::NotFound::builder().build()));
    assert!(matches!(bucket(&missing).uploaded(upload).await, Err(FileError::Missing)));
}

#[tokio::test]
async fn a_report_reads_back() {
    let error = |field: &str| RowError { field: field.into(), must: "must be 1 to 50".into() };
    let rows = vec![
        RefusedRow {
            line: 7,
            external_id: Some("a-1".into()),
            errors: vec![error("capacity"), error("title")],
        },
        RefusedRow { line: 9, external_id: None, errors: vec![error("")] },
    ];
    let id = ImportId::from_parts(AT_MS, 7);
    let written = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&written);
    let rule = mock!(Client::put_object)
        .match_requests(move |request| {
            *kept.lock().unwrap() = request.body().bytes().unwrap().to_vec();
            request.key() == Some(format!("imports/{id}/refused-100-200.jsonl").as_str())
        })
        .then_output(|| PutObjectOutput::builder().e_tag("\"t\"").build());
    bucket(&rule).write_part(id, PART, &rows).await.unwrap();
    let content = written.lock().unwrap().clone();
    let rule = mock!(Client::get_object)
        .then_output(move || GetObjectOutput::builder().body(ByteStream::from(content.clone())).build());
    assert_eq!(bucket(&rule).read_part(id, PART).await.unwrap(), rows);
    let garbled = mock!(Client::get_object)
        .then_output(|| GetObjectOutput::builder().body(ByteStream::from_static(b"{\"line\"")).build());
    let error = bucket(&garbled).read_part(id, PART).await.unwrap_err();
    assert!(matches!(error, FileError::Store(StoreError::Corrupt(_))), "{error:?}");
}
