//! What a custom resource is asked, and what it answers, in the words of the CDK's provider framework. One function serves both
//! `onEvent` and `isComplete`: it does what can be done now, and says whether that is all.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Packages at most: a domain has few, and each takes minutes.
pub const MAX_PACKAGES: usize = 10;

/// What `CloudFormation` wants.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Event {
    /// What happens to the resource.
    pub request_type: RequestType,
    /// What it has been called since it was created.
    #[serde(default)]
    pub physical_resource_id: Option<String>,
    /// What the template says of it.
    #[serde(default)]
    pub resource_properties: Value,
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum RequestType {
    /// It is new.
    Create,
    /// Its properties have changed.
    Update,
    /// It is taken out of the template.
    Delete,
}

/// What has become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Answer {
    /// What it is called: another name would make `CloudFormation` delete the old one.
    pub physical_resource_id: String,
    /// Whether nothing is left to do.
    pub is_complete: bool,
}

/// What the template says, as it may say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Properties {
    /// The domain; none where the index is in a folder.
    pub domain: Option<DomainName>,
    /// Packages that the domain is to have, by name.
    pub packages: Vec<PackageName>,
}

/// The properties cannot be used. It names the one at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProperties {
    /// One of them is not known, or of the wrong kind.
    #[error("the properties are index, domainArn (texts) and packages (a list of texts)")]
    Shape,
    /// See [`DomainName`].
    #[error("domainArn must be arn:…:domain/<name>")]
    Domain,
    /// See [`PackageName`] and [`MAX_PACKAGES`].
    #[error("packages must be at most 10 names of 3 to 32 characters of a-z, 0-9 and -")]
    Packages,
    /// Packages are for a domain.
    #[error("packages need a domainArn")]
    PackagesWithoutDomain,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawProperties {
    /// Of `CloudFormation`.
    #[serde(rename = "ServiceToken", default)]
    _service_token: Option<String>,
    #[serde(rename = "ServiceTimeout", default)]
    _service_timeout: Option<Value>,
    /// Where the index is; the function has that in its environment, but another value must make it run again.
    #[serde(rename = "index", default)]
    _index: Option<String>,
    /// The version of the settings, for the same reason.
    #[serde(rename = "settings", default)]
    _settings: Option<Value>,
    #[serde(default)]
    domain_arn: Option<String>,
    #[serde(default)]
    packages: Vec<String>,
}

impl Properties {
    /// Reads them.
    pub fn parse(json: &Value) -> Result<Self, InvalidProperties> {
        let raw = RawProperties::deserialize(json).map_err(|_| InvalidProperties::Shape)?;
        let domain = raw.domain_arn.as_deref().map(DomainName::of_arn).transpose()?;
        if raw.packages.len() > MAX_PACKAGES {
            return Err(InvalidProperties::Packages);
        }
        let packages = raw.packages.iter().map(|name| name.parse()).collect::<Result<Vec<_>, _>>()?;
        if domain.is_none() && !packages.is_empty() {
            return Err(InvalidProperties::PackagesWithoutDomain);
        }
        Ok(Self { domain, packages })
    }
}

/// The name of a domain: 3 to 28 characters of `a-z 0-9 -`, the first a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainName(String);

impl DomainName {
    /// The one in its ARN.
    pub fn of_arn(arn: &str) -> Result<Self, InvalidProperties> {
        let name = arn.strip_prefix("arn:").and_then(|arn| arn.split_once(":domain/")).map(|(_, name)| name);
        let name = name.filter(|name| is_name(name, 28)).ok_or(InvalidProperties::Domain)?;
        Ok(Self(name.to_owned()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a package: 3 to 32 characters of `a-z 0-9 -`, the first a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageName(String);

impl PackageName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PackageName {
    type Err = InvalidProperties;

    fn from_str(text: &str) -> Result<Self, InvalidProperties> {
        if is_name(text, 32) { Ok(Self(text.to_owned())) } else { Err(InvalidProperties::Packages) }
    }
}

fn is_name(text: &str, longest: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (3..=longest).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:es:eu-central-1:123456789012:domain/homestays";

    #[test]
    fn what_a_template_says_is_read() {
        let properties = json!({
            "ServiceToken": "arn:…", "index": "https://search.example.com", "settings": "1",
            "domainArn": ARN, "packages": ["analysis-pinyin"],
        });
        let properties = Properties::parse(&properties).unwrap();
        assert_eq!(properties.domain.unwrap().as_str(), "homestays");
        assert_eq!(properties.packages, ["analysis-pinyin".parse().unwrap()]);
        let folder = Properties::parse(&json!({ "index": "file:/mnt/search" })).unwrap();
        assert_eq!(folder, Properties { domain: None, packages: Vec::new() });
    }

    #[test]
    fn what_is_wrong_is_named() {
        let many: Vec<String> = (0..=MAX_PACKAGES).map(|number| format!("package-{number}")).collect();
        for (properties, expected) in [
            (json!(null), InvalidProperties::Shape),
            (json!({ "package": ["a"] }), InvalidProperties::Shape),
            (json!({ "packages": "analysis-pinyin" }), InvalidProperties::Shape),
            (json!({ "domainArn": "homestays" }), InvalidProperties::Domain),
            (json!({ "domainArn": "arn:aws:es:r:1:domain/../x" }), InvalidProperties::Domain),
            (json!({ "domainArn": ARN, "packages": ["A"] }), InvalidProperties::Packages),
            (json!({ "domainArn": ARN, "packages": many }), InvalidProperties::Packages),
            (json!({ "packages": ["analysis-pinyin"] }), InvalidProperties::PackagesWithoutDomain),
        ] {
            assert_eq!(Properties::parse(&properties), Err(expected), "{properties}");
        }
    }
}
