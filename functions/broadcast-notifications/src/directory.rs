//! The segments of guests that grants go to, as the audiences of broadcasts.

use domain_coupon::StoreError;
use domain_grant::{GuestPage, ListError, Segment, Segments};
use domain_notification::{Audience, Directory, DirectoryError, GuestListing};

/// A directory of guests.
#[derive(Debug, Clone)]
pub struct Guests<S>(pub S);

impl<S: Segments> Directory for Guests<S> {
    async fn list(&self, audience: &Audience, token: Option<&str>) -> Result<GuestListing, DirectoryError> {
        let segment = match audience {
            Audience::All => Segment::All,
            Audience::Group(group) => {
                let name = group.as_str().parse();
                Segment::Group(name.map_err(|error| StoreError::Corrupt(Box::new(error)))?)
            }
        };
        match self.0.page(&segment, token).await {
            Ok(GuestPage { guests, next }) => Ok(GuestListing { guests, next }),
            Err(ListError::Refused(error)) => Err(DirectoryError::Refused(error)),
            Err(ListError::Store(error)) => Err(DirectoryError::Store(error)),
        }
    }
}
