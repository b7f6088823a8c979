use lambda_http::{Request, RequestExt, http::StatusCode};

use crate::Problem;

/// The claim of Cognito's access tokens that lists a user's groups.
const GROUPS_CLAIM: &str = "cognito:groups";

/// Who sent a request, as API Gateway's JWT authorizer established it from the access token.
#[derive(Clone, PartialEq, Eq)]
pub struct Caller {
    /// The claim `sub`: identifies the user. Not empty.
    pub subject: String,
    /// The claim `cognito:groups`: what the user may do.
    pub groups: Vec<String>,
}

/// The caller, or 401 `unauthenticated` for a request that carries no identity.
///
/// API Gateway refuses an absent, expired or foreign token by itself, before any function runs; this answers for a
/// route that was deployed without its authorizer.
pub fn caller(request: &Request) -> Result<Caller, Problem> {
    let claims = request
        .request_context_ref()
        .and_then(|context| context.authorizer())
        .and_then(|authorizer| authorizer.jwt.as_ref())
        .map(|jwt| &jwt.claims);
    match claims.and_then(|claims| Some((claims, claims.get("sub")?))) {
        Some((claims, subject)) if !subject.is_empty() => Ok(Caller {
            subject: subject.clone(),
            groups: claims.get(GROUPS_CLAIM).map(|text| groups(text)).unwrap_or_default(),
        }),
        _ => Err(unauthenticated()),
    }
}

/// 401 `unauthenticated`, for a request whose caller is not known.
pub fn unauthenticated() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Authentication is required")
        .detail("Send an access token as Authorization: Bearer <token>.")
        .bearer_challenge()
}

/// 401 `unauthenticated` unless a role of ours signed the request, as API Gateway's IAM authorizer established. Who may
/// sign for a route is decided by IAM policies; an access token does not count.
pub fn require_signature(request: &Request) -> Result<(), Problem> {
    let signed = request
        .request_context_ref()
        .and_then(|context| context.authorizer())
        .and_then(|authorizer| authorizer.iam.as_ref())
        .and_then(|iam| iam.user_arn.as_deref());
    match signed {
        Some(arn) if !arn.is_empty() => Ok(()),
        _ => Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Authentication is required")
            .detail("Sign the request (AWS Signature Version 4).")),
    }
}

impl Caller {
    /// 403 `forbidden` unless the caller is in `group`.
    pub fn require_group(&self, group: &str) -> Result<(), Problem> {
        if self.groups.iter().any(|held| held == group) {
            Ok(())
        } else {
            Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "The caller may not do this"))
        }
    }
}

/// An HTTP API flattens the claim, a list, into the text `[admin guest]`. Emulators send JSON or a comma between
/// the names; a name has neither white space nor a comma.
fn groups(claim: &str) -> Vec<String> {
    if let Ok(names) = serde_json::from_str(claim) {
        return names;
    }
    let names = claim.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(claim);
    names
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|name| !name.is_empty())
        .map(Into::into)
        .collect()
}

/// Groups only: whom a request came from does not belong in a log.
impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("groups", &self.groups).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::fixtures::{self, slug};

    fn from(claims: &serde_json::Value) -> Result<Caller, Problem> {
        caller(&fixtures::request(|event| {
            event["requestContext"]["authorizer"] = json!({ "jwt": { "claims": claims, "scopes": null } });
        }))
    }

    #[test]
    fn a_caller_is_known_by_the_claims_of_the_token() {
        let caller = from(&json!({ "sub": "ann", "cognito:groups": "[admin guest]" })).unwrap();
        assert_eq!(caller.subject, "ann");
        assert_eq!(slug(caller.require_group("admin")), Ok(()));
        assert_eq!(slug(caller.require_group("owner")), Err("forbidden"));
        assert_eq!(from(&json!({ "sub": "ann" })).unwrap().groups, Vec::<String>::new());
    }

    #[test]
    fn groups_are_read_in_every_form_they_come_in() {
        for claim in
            ["[admin guest]", "[admin, guest]", r#"["admin","guest"]"#, "admin,guest", " admin  guest "]
        {
            assert_eq!(groups(claim), ["admin", "guest"], "{claim}");
        }
        for none in ["", "[]", " "] {
            assert!(groups(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn a_part_of_a_name_is_not_the_group() {
        let caller = from(&json!({ "sub": "ann", "cognito:groups": "[administrators admin2]" })).unwrap();
        assert_eq!(slug(caller.require_group("admin")), Err("forbidden"));
        assert_eq!(slug(caller.require_group("")), Err("forbidden"));
    }

    #[test]
    fn a_request_without_identity_is_challenged() {
        let anonymous = [
            caller(&Request::default()),
            caller(&fixtures::get("")),
            from(&json!({})),
            from(&json!({ "sub": "" })),
        ];
        for refused in anonymous {
            let response = refused.unwrap_err().into_response();
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
        }
    }

    #[test]
    fn a_service_is_known_by_its_signature_alone() {
        let authorized = |authorizer: serde_json::Value| {
            let request =
                fixtures::request(|event| event["requestContext"]["authorizer"] = authorizer.clone());
            slug(require_signature(&request))
        };
        let role = "arn:aws:sts::123456789012:assumed-role/order-service/session";
        assert_eq!(authorized(json!({ "iam": { "userArn": role } })), Ok(()));
        for other in [
            json!({}),
            json!({ "iam": {} }),
            json!({ "iam": { "userArn": "" } }),
            json!({ "jwt": { "claims": { "sub": "ann" }, "scopes": null } }),
        ] {
            assert_eq!(authorized(other), Err("unauthenticated"));
        }
        assert_eq!(slug(require_signature(&Request::default())), Err("unauthenticated"));
    }

    #[test]
    fn a_caller_is_not_logged() {
        let caller = from(&json!({ "sub": "ann", "cognito:groups": "[guest]" })).unwrap();
        assert_eq!(format!("{caller:?}"), r#"Caller { groups: ["guest"], .. }"#);
    }

    proptest! {
        #[test]
        fn no_claim_panics(claim in ".{0,80}") {
            prop_assert!(groups(&claim).iter().all(|name| !name.contains('\n') || claim.contains('"')));
        }
    }
}
