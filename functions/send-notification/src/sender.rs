//! Who asks: an operator or a service.

use lambda_http::RequestExt;
use platform_http::{Problem, Request, StatusCode, caller, require_signature};

/// The group of operators.
pub(crate) const ADMIN: &str = "admin";

/// The group of services that come with an access token.
const SERVICE: &str = "service";

/// Who asks, by the scope of its idempotency keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Sender {
    scope: String,
}

impl Sender {
    /// A member of the group `admin` or `service`; 401 or 403 for others.
    pub fn with_token(request: &Request) -> Result<Self, Problem> {
        let caller = caller(request)?;
        let holds = |group: &str| caller.groups.iter().any(|held| held == group);
        let kind = if holds(ADMIN) {
            ADMIN
        } else if holds(SERVICE) {
            SERVICE
        } else {
            return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "The caller may not do this"));
        };
        Ok(Self { scope: format!("{kind}:{}", caller.subject) })
    }

    /// A member of the group `admin`.
    pub fn operator(request: &Request) -> Result<Self, Problem> {
        let caller = caller(request)?;
        caller.require_group(ADMIN)?;
        Ok(Self { scope: format!("{ADMIN}:{}", caller.subject) })
    }

    /// A service of ours that has signed; 401 for others.
    pub fn with_signature(request: &Request) -> Result<Self, Problem> {
        require_signature(request)?;
        let arn = request
            .request_context_ref()
            .and_then(|context| context.authorizer())
            .and_then(|authorizer| authorizer.iam.as_ref())
            .and_then(|iam| iam.user_arn.as_deref())
            .unwrap_or_default();
        Ok(Self { scope: format!("{SERVICE}:{}", principal(arn)) })
    }

    /// Keys of different scopes do not meet.
    pub fn scope(&self) -> &str {
        &self.scope
    }
}

/// Who somebody is does not belong in a log.
impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sender(…)")
    }
}

/// The role's name, or the user's. A session of a role has a name of its own behind the role's, which changes from one
/// execution environment to the next, where a repeat may come from.
fn principal(arn: &str) -> &str {
    let resource = arn.rsplit(':').next().unwrap_or_default();
    let mut parts = resource.split('/');
    match (parts.next(), parts.next()) {
        (Some("assumed-role"), Some(role)) => role,
        _ => resource.rsplit('/').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_its_role_whatever_the_session() {
        for (arn, expected) in [
            ("arn:aws:sts::123456789012:assumed-role/order-service/i-0abc", "order-service"),
            ("arn:aws:sts::123456789012:assumed-role/order-service/i-0def", "order-service"),
            ("arn:aws:iam::123456789012:role/path/order-service", "order-service"),
            ("arn:aws:iam::123456789012:user/dev", "dev"),
            ("arn:aws:iam::123456789012:root", "root"),
            ("", ""),
        ] {
            assert_eq!(principal(arn), expected, "{arn}");
        }
    }
}
