//! The rules of the house: imports only go down, what the manifest and the README promise is true.

mod costs;
mod dependencies;
mod floors;
mod modules;
mod paths;
