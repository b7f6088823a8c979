//! The index of homestays on an OpenSearch domain.
