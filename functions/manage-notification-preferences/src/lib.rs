//! Lets guests say how they want to be told things and on which devices, and the user service where they are reached.

pub mod handler;
pub mod push;
