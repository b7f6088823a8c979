//! The index of homestays, wherever it is: on a domain or in a folder.
