use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Where a deployment is found: written to `endpoints.json` for scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// The HTTP API; paths like `/v1/coupon-templates` are appended.
    pub api_url: String,
    /// The local AWS; absent for a real account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_endpoint: Option<String>,
    /// The region of the deployment.
    pub region: String,
    /// The Cognito user pool.
    pub user_pool_id: String,
    /// The client of the pool that signs in by password.
    pub user_pool_client_id: String,
    /// The DynamoDB table of templates, stock and coupons.
    pub coupon_table: String,
    /// The DynamoDB table of notifications.
    pub notification_table: String,
    /// Where the document about channels and providers is: `appconfig:<application>/<environment>/<profile>`.
    pub notification_channels: String,
    /// The DynamoDB table of homestays.
    pub homestay_table: String,
    /// The DynamoDB table of what people searched for.
    pub search_table: String,
    /// The search page.
    pub page_url: String,
    /// What stands in for the providers of notifications that are not AWS; absent for a real account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_stubs: Option<String>,
    /// The bus on which other services tell what happened.
    pub event_bus: String,
    /// The users made for trying things out.
    #[serde(default)]
    pub users: Vec<User>,
}

/// A user made for trying things out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The e-mail address, what the user signs in with.
    pub name: String,
    /// A password for development, worth nothing elsewhere.
    pub password: String,
    /// The group of the pool the user is in.
    pub group: String,
}

impl Endpoints {
    /// Reads them from a file that [`Endpoints::write`] wrote, or one made by hand for a real account.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read {}: start a stack with `make dev`", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not what it should be", path.display()))
    }

    /// Writes them to a file.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The user of that name, which may be given without the part from the `@` on.
    pub fn user(&self, name: &str) -> Result<&User> {
        let is_meant = |user: &&User| user.name == name || user.name.split('@').next() == Some(name);
        self.users.iter().find(is_meant).with_context(|| {
            let names: Vec<&str> = self.users.iter().map(|user| user.name.as_str()).collect();
            format!("there is no user {name}; there are {}", names.join(", "))
        })
    }

    /// A user of the group `admin`.
    pub fn admin(&self) -> Result<&User> {
        self.users.iter().find(|user| user.group == "admin").context("there is no user of the group admin")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints() -> Endpoints {
        let user = |name: &str, group: &str| User {
            name: format!("{name}@example.com"),
            password: "secret".into(),
            group: group.into(),
        };
        Endpoints {
            api_url: "http://127.0.0.1:1/api".into(),
            aws_endpoint: Some("http://127.0.0.1:1".into()),
            region: "us-east-1".into(),
            user_pool_id: "pool".into(),
            user_pool_client_id: "client".into(),
            coupon_table: "table".into(),
            notification_table: "notifications".into(),
            notification_channels: "appconfig:a/b/c".into(),
            homestay_table: "homestays".into(),
            search_table: "searches".into(),
            page_url: "http://127.0.0.1:3/".into(),
            provider_stubs: Some("http://127.0.0.1:2".into()),
            event_bus: "bus".into(),
            users: vec![user("guest", "guest"), user("guest-2", "guest"), user("admin", "admin")],
        }
    }

    #[test]
    fn a_user_is_found_by_address_and_by_its_first_part() {
        let endpoints = endpoints();
        assert_eq!(endpoints.user("guest").unwrap().name, "guest@example.com");
        assert_eq!(endpoints.user("guest-2@example.com").unwrap().name, "guest-2@example.com");
        assert_eq!(endpoints.admin().unwrap().name, "admin@example.com");
        let error = endpoints.user("gues").unwrap_err().to_string();
        assert!(error.starts_with("there is no user gues; there are guest@example.com, "), "{error}");
    }

    #[test]
    fn the_file_reads_back_and_is_camel_case() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("endpoints.json");
        endpoints().write(&path).unwrap();
        assert_eq!(Endpoints::read(&path).unwrap(), endpoints());
        let text = fs::read_to_string(&path).unwrap();
        for key in [
            "apiUrl",
            "awsEndpoint",
            "region",
            "userPoolId",
            "userPoolClientId",
            "couponTable",
            "notificationTable",
            "notificationChannels",
            "homestayTable",
            "searchTable",
            "pageUrl",
            "providerStubs",
            "eventBus",
            "users",
        ] {
            assert!(text.contains(&format!("\"{key}\": ")), "{key}");
        }
    }
}
