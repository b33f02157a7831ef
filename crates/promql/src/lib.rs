//! PromQL: parse, plan, evaluate. Pure: it knows no store, no clock and no network.
