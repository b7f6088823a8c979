//! Deploy-time: makes an OpenSearch domain ready, or an index in a folder.
