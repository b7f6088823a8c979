//! Lets guests see and delete what they searched for.
