//! The index of homestays embedded in the function, in a folder: EFS in AWS.
