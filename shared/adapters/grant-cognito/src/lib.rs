//! The user pool as the directory of guests.

use aws_sdk_cognitoidentityprovider::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::UserType,
};
use domain_coupon::StoreError;
use domain_grant::{GroupName, GuestPage, ListError, Segment, Segments};
use domain_ids::GuestId;

/// Users of a page: what Cognito gives.
const USERS_PER_PAGE: i32 = 60;

/// The attribute that names a guest; no other is asked for where Cognito lets us choose.
const SUBJECT: &str = "sub";

/// The user pool of the guests.
#[derive(Debug, Clone)]
pub struct UserPool {
    client: Client,
    id: String,
}

impl UserPool {
    /// The pool `id`, reached through `client`.
    pub fn new(client: Client, id: String) -> Self {
        Self { client, id }
    }

    async fn all(&self, token: Option<String>) -> Result<GuestPage, ListError> {
        let list = self
            .client
            .list_users()
            .user_pool_id(&self.id)
            .attributes_to_get(SUBJECT)
            .limit(USERS_PER_PAGE)
            .set_pagination_token(token);
        let output = list.send().await.map_err(list_error)?;
        Ok(GuestPage { guests: guests(output.users())?, next: output.pagination_token })
    }

    async fn group(&self, name: &GroupName, token: Option<String>) -> Result<GuestPage, ListError> {
        let list = self
            .client
            .list_users_in_group()
            .user_pool_id(&self.id)
            .group_name(name.as_str())
            .limit(USERS_PER_PAGE)
            .set_next_token(token);
        let output = list.send().await.map_err(list_error)?;
        Ok(GuestPage { guests: guests(output.users())?, next: output.next_token })
    }
}

impl Segments for UserPool {
    async fn page(&self, segment: &Segment, token: Option<&str>) -> Result<GuestPage, ListError> {
        let token = token.map(Into::into);
        match segment {
            Segment::All => self.all(token).await,
            Segment::Group(name) => self.group(name, token).await,
        }
    }
}

/// Those who can sign in.
fn guests(users: &[UserType]) -> Result<Vec<GuestId>, StoreError> {
    users.iter().filter(|user| user.enabled).map(guest).collect()
}

fn guest(user: &UserType) -> Result<GuestId, StoreError> {
    let subject = user.attributes().iter().find(|attribute| attribute.name() == SUBJECT);
    subject
        .and_then(|subject| subject.value()?.parse().ok())
        .ok_or_else(|| StoreError::Corrupt("a user without a sub that names a guest".into()))
}

fn list_error<E>(error: SdkError<E>) -> ListError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    match error.code() {
        // No such group; or a token that is too old.
        Some("ResourceNotFoundException" | "InvalidParameterException") => {
            ListError::Refused(Box::new(error))
        }
        Some("TooManyRequestsException") => StoreError::Throttled(Box::new(error)).into(),
        _ => StoreError::Unavailable(Box::new(error)).into(),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cognitoidentityprovider::{
        error::ErrorMetadata,
        operation::{
            list_users::{ListUsersError, ListUsersOutput},
            list_users_in_group::ListUsersInGroupOutput,
        },
        types::AttributeType,
    };
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

    use super::*;

    fn pool(rule: &Rule) -> UserPool {
        let client = mock_client!(aws_sdk_cognitoidentityprovider, RuleMode::MatchAny, [rule]);
        UserPool::new(client, "pool".into())
    }

    fn user(subject: &str, enabled: bool) -> UserType {
        let attribute =
            |name: &str, value: &str| AttributeType::builder().name(name).value(value).build().unwrap();
        let user = UserType::builder().attributes(attribute("email", "x@example.com"));
        user.attributes(attribute("sub", subject)).enabled(enabled).build()
    }

    #[tokio::test]
    async fn a_page_of_all_guests_asks_for_their_ids_alone_and_leaves_out_who_cannot_sign_in() {
        let rule = mock!(Client::list_users)
            .match_requests(|list| {
                list.attributes_to_get() == ["sub"]
                    && list.pagination_token() == Some("t-1")
                    && (list.user_pool_id(), list.limit()) == (Some("pool"), Some(60))
            })
            .then_output(|| {
                let users = [user("ann", true), user("eve", false), user("bob", true)];
                ListUsersOutput::builder().set_users(Some(users.into())).pagination_token("t-2").build()
            });
        let page = pool(&rule).page(&Segment::All, Some("t-1")).await.unwrap();
        let guests = ["ann", "bob"].map(|guest| guest.parse().unwrap()).to_vec();
        assert_eq!(page, GuestPage { guests, next: Some("t-2".into()) });
    }

    #[tokio::test]
    async fn a_page_of_a_group_is_the_group_s() {
        let rule = mock!(Client::list_users_in_group)
            .match_requests(|list| list.group_name() == Some("vip") && list.next_token().is_none())
            .then_output(|| ListUsersInGroupOutput::builder().users(user("ann", true)).build());
        let group = Segment::Group("vip".parse().unwrap());
        let page = pool(&rule).page(&group, None).await.unwrap();
        assert_eq!(page, GuestPage { guests: vec!["ann".parse().unwrap()], next: None });
    }

    #[tokio::test]
    async fn errors_are_told_apart() {
        let page = async |code: &'static str| {
            let rule = mock!(Client::list_users)
                .then_error(move || ListUsersError::generic(ErrorMetadata::builder().code(code).build()));
            pool(&rule).page(&Segment::All, None).await.unwrap_err()
        };
        assert!(matches!(page("ResourceNotFoundException").await, ListError::Refused(_)));
        assert!(matches!(page("InvalidParameterException").await, ListError::Refused(_)));
        assert!(matches!(page("TooManyRequestsException").await, ListError::Store(StoreError::Throttled(_))));
        assert!(matches!(page("InternalErrorException").await, ListError::Store(StoreError::Unavailable(_))));
        let rule = mock!(Client::list_users)
            .then_output(|| ListUsersOutput::builder().users(user("#", true)).build());
        let error = pool(&rule).page(&Segment::All, None).await.unwrap_err();
        assert!(matches!(error, ListError::Store(StoreError::Corrupt(_))));
    }
}
