use domain_ids::GrantId;
use serde::{Deserialize, Serialize};

/// A part of a grant job, for `grant-coupons`: small enough for one invocation, and its own to repeat.
///
/// An empty part (`from` = `to`) means: plan the job from chunk `chunk` on. `manage-grants` sends the first one,
/// `grant-coupons` all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantChunk {
    /// The job.
    pub grant: GrantId,
    /// Which part of it, from 0.
    pub chunk: u32,
    /// Where the part begins in the job's list of guests: for an upload, a byte of the file.
    pub from: u64,
    /// Where it ends: the first that is not of the part.
    pub to: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn the_sample_is_read_and_written() {
        let grant = "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap();
        samples::assert_is("grant-chunk.json", &GrantChunk { grant, chunk: 2, from: 74_000, to: 111_000 });
    }
}
