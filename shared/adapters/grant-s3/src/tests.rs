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

use super::*;

fn bucket(rule: &Rule) -> JobBucket {
    JobBucket::new(Bucket::new(mock_client!(aws_sdk_s3, RuleMode::MatchAny, [rule]), "jobs".into()))
}

fn grant() -> GrantId {
    GrantId::from_parts(1_794_326_400_000, 7)
}

fn guests(names: &[&str]) -> Vec<GuestId> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[tokio::test]
async fn an_upload_is_signed_for_one_file_of_one_length_for_a_quarter_of_an_hour() {
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(Credentials::for_tests()))
        .build();
    let bucket = JobBucket::new(Bucket::new(job_s3::client(&config), "jobs".into()));
    let at = "2026-11-10T16:00:00Z".parse().unwrap();
    let url = bucket.prepare(UploadId::from_parts(1_794_326_400_000, 7), 4_711, at).await.unwrap();
    assert!(url.starts_with("https://jobs.s3.us-east-1.amazonaws.com/uploads/"), "{url}");
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
                && (request.bucket(), request.key()) == (Some("jobs"), Some("uploads/x.csv"))
        })
        .then_output(|| GetObjectOutput::builder().body(ByteStream::from_static(b"0123456789")).build());
    let read = bucket(&rule).read("uploads/x.csv", Some("\"tag\""), 10..20).await.unwrap();
    assert_eq!(read, b"0123456789");
}

#[tokio::test]
async fn a_file_that_is_gone_or_replaced_is_told_from_an_outage() {
    let missing =
        mock!(Client::get_object).then_error(|| GetObjectError::NoSuchKey(NoSuchKey::builder().build()));
    assert!(matches!(bucket(&missing).read("k", None, 0..1).await, Err(FileError::Missing)));
    let failed = |code: &'static str| {
        let rule = mock!(Client::get_object).then_error(move || {
            GetObjectError::generic(aws_sdk_s3::error::ErrorMetadata::builder().code(code).build())
        });
        async move { bucket(&rule).read("k", None, 0..1).await.unwrap_err() }
    };
    assert!(matches!(failed("PreconditionFailed").await, FileError::Changed));
    assert!(matches!(failed("SlowDown").await, FileError::Store(StoreError::Throttled(_))));
    assert!(matches!(failed("AccessDenied").await, FileError::Store(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn an_upload_is_known_by_its_length_and_tag() {
    let there = mock!(Client::head_object)
        .then_output(|| HeadObjectOutput::builder().content_length(12).e_tag("\"t\"").build());
    let upload = UploadId::from_parts(1_794_326_400_000, 7);
    let list = bucket(&there).uploaded(upload).await.unwrap();
    assert_eq!((list.bytes, list.tag.as_str()), (12, "\"t\""));
    assert_eq!(list.key, format!("uploads/{upload}.csv"));
    let missing = mock!(Client::head_object)
        .then_error(|| HeadObjectError::NotFound(aws_sdk_s3::types::error::NotFound::builder().build()));
    assert!(matches!(bucket(&missing).uploaded(upload).await, Err(FileError::Missing)));
}

#[tokio::test]
async fn files_are_named_after_their_content() {
    let rule = mock!(Client::put_object).then_output(|| PutObjectOutput::builder().e_tag("\"t\"").build());
    let bucket = bucket(&rule);
    let list = bucket.write(grant(), &guests(&["ann", "bob"])).await.unwrap();
    assert_eq!(list, ListFile { key: format!("uploads/{}.csv", grant()), bytes: 8, tag: "\"t\"".into() });
    let write = async |names: &[&str]| bucket.write_part(grant(), 3, &guests(names)).await.unwrap();
    let part = write(&["ann", "bob"]).await;
    assert!(part.file.starts_with(&format!("grants/{}/part-000003-", grant())), "{}", part.file);
    assert_eq!(part.bytes, 8);
    assert_eq!(write(&["ann", "bob"]).await, part);
    assert_ne!(write(&["bob", "ann"]).await.file, part.file);
}

#[tokio::test]
async fn a_report_reads_back() {
    let refusals = vec![
        Refusal { line: 0, guest: None, reason: Reason::InvalidGuestId },
        Refusal { line: 7, guest: Some("ann".parse().unwrap()), reason: Reason::CouponSoldOut },
    ];
    let written = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = std::sync::Arc::clone(&written);
    let rule = mock!(Client::put_object)
        .match_requests(move |request| {
            *kept.lock().unwrap() = request.body().bytes().unwrap().to_vec();
            true
        })
        .then_output(|| PutObjectOutput::builder().e_tag("\"t\"").build());
    let file = bucket(&rule).write_report(grant(), 12, &refusals).await.unwrap();
    assert!(file.starts_with(&format!("grants/{}/chunk-000012-", grant())), "{file}");
    let content = written.lock().unwrap().clone();
    let rule = mock!(Client::get_object)
        .then_output(move || GetObjectOutput::builder().body(ByteStream::from(content.clone())).build());
    assert_eq!(bucket(&rule).read_report(&file).await.unwrap(), refusals);
    let garbled = mock!(Client::get_object)
        .then_output(|| GetObjectOutput::builder().body(ByteStream::from_static(b"{\"line\"")).build());
    let error = bucket(&garbled).read_report(&file).await.unwrap_err();
    assert!(matches!(error, FileError::Store(StoreError::Corrupt(_))), "{error:?}");
}
