use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, ReturnConsumedCapacity},
};
use domain_coupon::StoreError;

use crate::{Consumed, error::condition_held, keys::Key};

/// Brings the state of an item to `state`, if its `rev` is `before`; says whether it was. One `UpdateItem`, 1 write unit and
/// those of the indexes that it changes.
///
/// `attributes` are all that a state may have, `rev` among them: those that `state` has not are removed.
pub async fn replace_state(
    client: &Client,
    table: &str,
    key: Key,
    attributes: &[&str],
    state: Key,
    before: u64,
    consumed: &Consumed,
) -> Result<bool, StoreError> {
    let (set, removed): (Vec<&str>, Vec<&str>) =
        attributes.iter().partition(|&&name| state.contains_key(name));
    let set: Vec<String> = set.iter().map(|name| format!("#{name} = :{name}")).collect();
    let removed: Vec<String> = removed.iter().map(|name| format!("#{name}")).collect();
    let mut update = client
        .update_item()
        .table_name(table)
        .set_key(Some(key))
        .update_expression(match removed.as_slice() {
            [] => format!("SET {}", set.join(", ")),
            removed => format!("SET {} REMOVE {}", set.join(", "), removed.join(", ")),
        })
        .condition_expression("#rev = :before")
        .expression_attribute_values(":before", AttributeValue::N(before.to_string()))
        .return_consumed_capacity(ReturnConsumedCapacity::Total);
    for &name in attributes {
        update = update.expression_attribute_names(format!("#{name}"), name);
    }
    for (name, value) in state {
        update = update.expression_attribute_values(format!(":{name}"), value);
    }
    let written = condition_held(update.send().await)?;
    if let Some(output) = &written {
        consumed.write(output.consumed_capacity());
    }
    Ok(written.is_some())
}
