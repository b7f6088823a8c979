//! What every index of homestays must do, run on each.
