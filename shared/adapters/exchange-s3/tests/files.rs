//! What is asked of S3 for a file, and what is left when it fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_s3::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
    operation::{
        abort_multipart_upload::AbortMultipartUploadOutput,
        complete_multipart_upload::CompleteMultipartUploadOutput,
        create_multipart_upload::CreateMultipartUploadOutput,
        upload_part::{UploadPartError, UploadPartOutput},
    },
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use domain_coupon::StoreError;
use domain_exchange::{BatchSeed, CodeBatch, CodeCount, CodeDownloads, CodeFiles, Label};
use domain_ids::CodeBatchId;
use exchange_s3::CodeBucket;
use jiff::Timestamp;

const FILE: &str = "codes/01KA3Z5QJ8M4T2R7V9X1C6B0NG/01M6SBQ5000000000000000001.csv";

fn batch() -> CodeBatch {
    CodeBatch {
        id: CodeBatchId::from_parts(1_794_000_000_000, 1),
        template: "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap(),
        count: CodeCount::new(1).unwrap(),
        label: Label::new("双十一".into()).unwrap(),
        seed: BatchSeed::from_random(1),
        created_at: Timestamp::UNIX_EPOCH,
        exported_at: None,
        disabled_at: None,
    }
}

fn bucket(rules: &[&Rule]) -> CodeBucket {
    CodeBucket::with_client(mock_client!(aws_sdk_s3, RuleMode::Sequential, rules), "jobs".into())
}

fn created() -> Rule {
    mock!(Client::create_multipart_upload)
        .match_requests(|request| request.bucket() == Some("jobs") && request.key() == Some(FILE))
        .then_output(|| CreateMultipartUploadOutput::builder().upload_id("u-1").build())
}

#[tokio::test]
async fn a_file_is_written_part_by_part_and_put_in_its_place() {
    let part = |number: i32| {
        mock!(Client::upload_part)
            .match_requests(move |request| {
                (request.upload_id(), request.part_number()) == (Some("u-1"), Some(number))
            })
            .then_output(move || UploadPartOutput::builder().e_tag(format!("e-{number}")).build())
    };
    let completed = mock!(Client::complete_multipart_upload)
        .match_requests(|request| {
            let parts = request.multipart_upload().unwrap().parts();
            let tags: Vec<_> = parts.iter().map(|part| (part.part_number(), part.e_tag())).collect();
            tags == [(Some(1), Some("e-1")), (Some(2), Some("e-2"))]
        })
        .then_output(|| CompleteMultipartUploadOutput::builder().build());
    let (created, first, second) = (created(), part(1), part(2));
    let bucket = bucket(&[&created, &first, &second, &completed]);
    let mut upload = bucket.begin(&batch()).await.unwrap();
    bucket.append(&mut upload, b"code\r\n".to_vec()).await.unwrap();
    bucket.append(&mut upload, b"0\r\n".to_vec()).await.unwrap();
    bucket.finish(&mut upload).await.unwrap();
    assert_eq!(completed.num_calls(), 1);
}

#[tokio::test]
async fn what_was_begun_is_aborted() {
    let refused = mock!(Client::upload_part).then_error(|| UploadPartError::unhandled("gone"));
    let aborted = mock!(Client::abort_multipart_upload)
        .match_requests(|request| (request.key(), request.upload_id()) == (Some(FILE), Some("u-1")))
        .then_output(|| AbortMultipartUploadOutput::builder().build());
    let created = created();
    let bucket = bucket(&[&created, &refused, &aborted]);
    let mut upload = bucket.begin(&batch()).await.unwrap();
    let failed = bucket.append(&mut upload, Vec::new()).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    bucket.abandon(upload).await;
    assert_eq!(aborted.num_calls(), 1);
}

#[tokio::test]
async fn a_download_is_a_signed_url_for_a_quarter_of_an_hour() {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::for_tests())
        .build();
    let bucket = CodeBucket::with_client(Client::from_conf(config), "jobs".into());
    let url = bucket.download_url(&batch()).await.unwrap();
    assert!(url.contains(FILE), "{url}");
    // A browser sends no header of its own: one that is signed would make the URL useless.
    let parameters = [
        "X-Amz-Expires=900",
        "X-Amz-SignedHeaders=host&",
        "X-Amz-Signature=",
        "response-content-disposition=attachment",
    ];
    for parameter in parameters {
        assert!(url.contains(parameter), "{url}");
    }
}
