//! The rules of the house: imports only go down, what the manifest and the documentation promise is true.

mod costs;
mod dependencies;
mod floors;
mod links;
mod modules;
