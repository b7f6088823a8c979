use domain_ids::CodeBatchId;
use serde::{Deserialize, Serialize};

/// A batch of exchange codes to be written to a file, for `export-exchange-codes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeExport {
    /// The batch.
    pub batch: CodeBatchId,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn the_sample_is_read_and_written() {
        let batch = "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap();
        samples::assert_is("code-export.json", &CodeExport { batch });
    }
}
