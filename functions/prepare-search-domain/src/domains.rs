//! The control plane of `OpenSearch` domains.

use std::{collections::BTreeMap, error::Error, time::Duration};

use aws_sdk_opensearch::{
    Client,
    config::timeout::TimeoutConfig,
    error::{ProvideErrorMetadata, SdkError},
    operation::{associate_package::AssociatePackageError, describe_domain::DescribeDomainError},
    types::{
        DescribePackagesFilter, DescribePackagesFilterName, DomainPackageStatus, DomainProcessingStatusType,
        DomainStatus, PackageDetails, PackageStatus,
    },
};

use crate::event::{DomainName, PackageName};

/// The control plane takes seconds where the data plane takes milliseconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);

/// Pages of packages that are read: 100 packages each, and a domain or a name has a handful.
const MAX_PAGES: usize = 10;

/// Domains, and the packages on them.
#[derive(Debug, Clone)]
pub struct Domains(Client);

/// How far a domain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It is there, with all its packages.
    Ready,
    /// It is being created or changed.
    Changing,
    /// A package is being put onto it.
    Associating,
}

/// A domain will not become ready by waiting.
#[derive(Debug, thiserror::Error)]
pub enum DomainError {
    /// There is none of that name, or it is being deleted.
    #[error("there is no such domain")]
    Missing,
    /// There is no package of that name for the version of the domain.
    #[error("there is no package {0} for the version of the domain")]
    NoPackage(String),
    /// The package was refused.
    #[error("package {0} could not be put onto the domain")]
    Refused(String),
    /// The control plane could not be asked.
    #[error("the service could not be asked: {code}")]
    Unavailable {
        /// What it said, in its words for programs.
        code: String,
        /// The whole story.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl Domains {
    /// Asked through a client of this configuration.
    pub fn new(config: &aws_sdk_opensearch::config::Builder) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        Self(Client::from_conf(config.clone().timeout_config(timeouts).build()))
    }

    /// Asked through `client`.
    pub fn with(client: Client) -> Self {
        Self(client)
    }

    /// Takes `domain` a step on: looks whether it is active, and puts the first of `packages` onto it that is not there yet, one at
    /// a time, as each of them changes the domain.
    pub async fn prepare(
        &self,
        domain: &DomainName,
        packages: &[PackageName],
    ) -> Result<Progress, DomainError> {
        let status = self.status(domain).await?;
        if !is_active(&status)? {
            return Ok(Progress::Changing);
        }
        if packages.is_empty() {
            return Ok(Progress::Ready);
        }
        let there = self.packages_of(domain).await?;
        for package in packages {
            match there.get(package.as_str()) {
                Some(DomainPackageStatus::Active) => {}
                Some(DomainPackageStatus::AssociationFailed | DomainPackageStatus::DissociationFailed) => {
                    return Err(DomainError::Refused(package.as_str().to_owned()));
                }
                Some(_) => return Ok(Progress::Associating),
                None => {
                    let id = self.find(package, status.engine_version()).await?;
                    return self.associate(domain, &id).await;
                }
            }
        }
        Ok(Progress::Ready)
    }

    async fn status(&self, domain: &DomainName) -> Result<DomainStatus, DomainError> {
        let answer = self.0.describe_domain().domain_name(domain.as_str()).send().await;
        let answer = answer.map_err(|error| {
            let is_missing =
                error.as_service_error().is_some_and(DescribeDomainError::is_resource_not_found_exception);
            if is_missing { DomainError::Missing } else { unavailable(error) }
        })?;
        answer.domain_status.ok_or(DomainError::Missing)
    }

    async fn packages_of(
        &self,
        domain: &DomainName,
    ) -> Result<BTreeMap<String, DomainPackageStatus>, DomainError> {
        let mut packages = BTreeMap::new();
        let mut token = None;
        for _ in 0..MAX_PAGES {
            let page = self.0.list_packages_for_domain().domain_name(domain.as_str()).max_results(100);
            let page = page.set_next_token(token).send().await.map_err(unavailable)?;
            for package in page.domain_package_details_list.unwrap_or_default() {
                if let (Some(name), Some(status)) = (package.package_name, package.domain_package_status) {
                    packages.insert(name, status);
                }
            }
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        Ok(packages)
    }

    /// The package of that name for that version; a plugin has one for each.
    async fn find(&self, package: &PackageName, engine_version: Option<&str>) -> Result<String, DomainError> {
        let filter = DescribePackagesFilter::builder()
            .name(DescribePackagesFilterName::PackageName)
            .value(package.as_str())
            .build();
        let fits = |details: &PackageDetails| {
            let for_version = details.engine_version().is_none_or(|version| Some(version) == engine_version);
            details.package_name() == Some(package.as_str())
                && details.package_status() == Some(&PackageStatus::Available)
                && for_version
        };
        let mut token = None;
        for _ in 0..MAX_PAGES {
            let page = self.0.describe_packages().filters(filter.clone()).max_results(100);
            let page = page.set_next_token(token).send().await.map_err(unavailable)?;
            let details = page.package_details_list.unwrap_or_default().into_iter();
            if let Some(id) = details.filter(&fits).find_map(|details| details.package_id) {
                return Ok(id);
            }
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        Err(DomainError::NoPackage(package.as_str().to_owned()))
    }

    async fn associate(&self, domain: &DomainName, package_id: &str) -> Result<Progress, DomainError> {
        let answer =
            self.0.associate_package().domain_name(domain.as_str()).package_id(package_id).send().await;
        match answer {
            Ok(_) => Ok(Progress::Associating),
            // It is being done already, or the domain is changed by somebody else.
            Err(error)
                if error.as_service_error().is_some_and(AssociatePackageError::is_conflict_exception) =>
            {
                Ok(Progress::Associating)
            }
            Err(error) => Err(unavailable(error)),
        }
    }
}

/// Whether nothing of the domain changes now.
fn is_active(status: &DomainStatus) -> Result<bool, DomainError> {
    if status.deleted() == Some(true) {
        return Err(DomainError::Missing);
    }
    let has_endpoint = status.endpoint().is_some() || status.endpoints().is_some_and(|all| !all.is_empty());
    let is_quiet = match status.domain_processing_status() {
        Some(processing) => *processing == DomainProcessingStatusType::Active,
        None => status.processing() != Some(true),
    };
    Ok(has_endpoint && is_quiet)
}

fn unavailable<E>(error: SdkError<E>) -> DomainError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let code = error.code().unwrap_or("no answer").to_owned();
    DomainError::Unavailable { code, source: error.into() }
}
