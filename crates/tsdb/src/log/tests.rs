//! The log as a whole: what goes in comes out, and nothing else.

mod commits;
mod crashes;
mod damage;
mod fixture;
mod round_trip;
