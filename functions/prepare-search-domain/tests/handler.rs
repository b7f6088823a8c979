//! The handler, with a control plane that answers what a test says and an index in a folder.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

use aws_config::SdkConfig;
use aws_sdk_opensearch::{
    Client,
    operation::{
        associate_package::{AssociatePackageError, AssociatePackageOutput},
        describe_domain::{DescribeDomainError, DescribeDomainOutput},
        describe_packages::DescribePackagesOutput,
        list_packages_for_domain::ListPackagesForDomainOutput,
    },
    types::{
        DomainPackageDetails, DomainPackageStatus, DomainProcessingStatusType, DomainStatus, PackageDetails,
        PackageStatus,
        error::{ConflictException, ResourceNotFoundException},
    },
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use domain_homestay::{GenerationId, IndexAdmin};
use homestay_index::Index;
use platform_config::Env;
use prepare_search_domain::{
    domains::Domains,
    event::{Answer, Event},
    handler::{PrepareError, handle},
};
use serde_json::{Value, json};
use tempfile::TempDir;

async fn folder() -> (Index, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let location = format!("file:{}", folder.path().join("search").display());
    let env = Env::from_pairs([("SEARCH_INDEX", location.as_str())]);
    (Index::open(&env, &SdkConfig::builder().build()).await.unwrap(), folder)
}

fn first() -> GenerationId {
    "g-0".parse().unwrap()
}

fn on_domain() -> Value {
    testing::event("custom-resource/prepare-search-domain.json")
}

async fn ask(rules: &[&Rule], index: &Index, event: Value) -> Result<Answer, PrepareError> {
    let client = mock_client!(aws_sdk_opensearch, RuleMode::MatchAny, rules);
    let event: Event = serde_json::from_value(event).unwrap();
    handle(&Domains::with(client), index, &first(), event).await
}

fn domain(processing: DomainProcessingStatusType) -> Rule {
    mock!(Client::describe_domain).then_output(move || {
        let status = DomainStatus::builder()
            .domain_id("1/homestays")
            .domain_name("homestays")
            .arn("arn:aws:es:eu-central-1:123456789012:domain/homestays")
            .endpoint("search.example.com")
            .engine_version("OpenSearch_2.19")
            .cluster_config(aws_sdk_opensearch::types::ClusterConfig::builder().build())
            .domain_processing_status(processing.clone())
            .build()
            .unwrap();
        DescribeDomainOutput::builder().domain_status(status).build()
    })
}

fn on_it(status: Option<DomainPackageStatus>) -> Rule {
    mock!(Client::list_packages_for_domain).then_output(move || {
        let details = status.clone().map(|status| {
            DomainPackageDetails::builder()
                .package_name("analysis-pinyin")
                .domain_package_status(status)
                .build()
        });
        ListPackagesForDomainOutput::builder()
            .set_domain_package_details_list(Some(details.into_iter().collect()))
            .build()
    })
}

fn for_sale(version: &'static str) -> Rule {
    mock!(Client::describe_packages).then_output(move || {
        let details = PackageDetails::builder()
            .package_id("G1")
            .package_name("analysis-pinyin")
            .package_status(PackageStatus::Available)
            .engine_version(version)
            .build();
        DescribePackagesOutput::builder().package_details_list(details).build()
    })
}

#[tokio::test]
async fn a_folder_is_ready_at_once_and_stays_as_it_is() {
    let (index, _folder) = folder().await;
    let event = json!({ "RequestType": "Create", "ResourceProperties": { "index": "file:/mnt/search" } });
    let created = ask(&[], &index, event.clone()).await.unwrap();
    assert!(created.is_complete);
    assert_eq!(index.generations().await.unwrap().live, Some(first()));
    let again = ask(&[], &index, event).await.unwrap();
    assert_eq!(again, created, "the same name, or CloudFormation would replace it");
}

#[tokio::test]
async fn an_update_keeps_the_name_and_a_deletion_keeps_the_index() {
    let (index, _folder) = folder().await;
    let event =
        |kind: &str| json!({ "RequestType": kind, "PhysicalResourceId": "old", "ResourceProperties": {} });
    for kind in ["Update", "Delete"] {
        let answer = ask(&[], &index, event(kind)).await.unwrap();
        assert_eq!(answer, Answer { physical_resource_id: "old".to_owned(), is_complete: true });
        assert_eq!(index.generations().await.unwrap().live, Some(first()));
    }
}

#[tokio::test]
async fn a_domain_is_waited_for_before_anything_is_put_onto_it() {
    let (index, _folder) = folder().await;
    let answer = ask(&[&domain(DomainProcessingStatusType::Creating)], &index, on_domain()).await.unwrap();
    assert!(!answer.is_complete);
    assert_eq!(index.generations().await.unwrap().live, None);
}

#[tokio::test]
async fn a_package_is_put_onto_the_domain_once_and_waited_for() {
    let (index, _folder) = folder().await;
    let active = domain(DomainProcessingStatusType::Active);
    let associated = mock!(Client::associate_package)
        .match_requests(|request| {
            request.package_id() == Some("G1") && request.domain_name() == Some("homestays")
        })
        .then_output(|| AssociatePackageOutput::builder().build());
    let rules = [&active, &on_it(None), &for_sale("OpenSearch_2.19"), &associated];
    assert!(!ask(&rules, &index, on_domain()).await.unwrap().is_complete);
    assert_eq!(associated.num_calls(), 1);

    let rules = [&active, &on_it(Some(DomainPackageStatus::Associating)), &associated];
    assert!(!ask(&rules, &index, on_domain()).await.unwrap().is_complete);
    assert_eq!(associated.num_calls(), 1, "it is on its way");

    let rules = [&active, &on_it(Some(DomainPackageStatus::Active))];
    assert!(ask(&rules, &index, on_domain()).await.unwrap().is_complete);
    assert_eq!(index.generations().await.unwrap().live, Some(first()));
}

#[tokio::test]
async fn who_comes_second_waits_too() {
    let (index, _folder) = folder().await;
    let conflict = mock!(Client::associate_package)
        .then_error(|| AssociatePackageError::ConflictException(ConflictException::builder().build()));
    let rules =
        [&domain(DomainProcessingStatusType::Active), &on_it(None), &for_sale("OpenSearch_2.19"), &conflict];
    assert!(!ask(&rules, &index, on_domain()).await.unwrap().is_complete);
}

#[tokio::test]
async fn what_waiting_does_not_mend_is_a_reason() {
    let (index, _folder) = folder().await;
    let active = domain(DomainProcessingStatusType::Active);
    let missing = mock!(Client::describe_domain).then_error(|| {
        DescribeDomainError::ResourceNotFoundException(ResourceNotFoundException::builder().build())
    });
    for (rules, reason) in [
        (vec![&missing], "there is no such domain"),
        (
            vec![&active, &on_it(Some(DomainPackageStatus::AssociationFailed))],
            "package analysis-pinyin could not be put onto the domain",
        ),
        (
            vec![&active, &on_it(None), &for_sale("OpenSearch_1.3")],
            "there is no package analysis-pinyin for the version of the domain",
        ),
    ] {
        assert_eq!(ask(&rules, &index, on_domain()).await.unwrap_err().to_string(), reason);
    }
    let event = json!({ "RequestType": "Create", "ResourceProperties": { "domainArn": "homestays" } });
    assert_eq!(
        ask(&[], &index, event).await.unwrap_err().to_string(),
        "domainArn must be arn:…:domain/<name>"
    );
    assert_eq!(index.generations().await.unwrap().live, None);
}
