//! The types of values, and the table of functions: names, arguments, results.

use std::fmt;

/// The type of an expression's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// One number at each step.
    Scalar,
    /// A text.
    String,
    /// One sample of each series at each step.
    Vector,
    /// Samples over a range of each series at each step.
    Matrix,
}

impl fmt::Display for ValueType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Scalar => "scalar",
            Self::String => "string",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
        })
    }
}

/// What can be known of a function before it is called.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The types of its arguments; the last stands for all further ones.
    pub arguments: &'static [ValueType],
    /// How many arguments it needs at least …
    pub arguments_min: usize,
    /// … and at most.
    pub arguments_max: usize,
    /// The type of its result.
    pub returns: ValueType,
    /// Whether Prometheus calls it experimental.
    pub experimental: bool,
}

impl Function {
    /// The function of a name.
    pub fn find(name: &str) -> Option<&'static Self> {
        FUNCTIONS
            .binary_search_by(|function| function.name.cmp(name))
            .ok()
            .map(|index| &FUNCTIONS[index])
    }

    /// All functions of the language, sorted by name.
    pub fn all() -> &'static [Self] {
        FUNCTIONS
    }

    const fn new(name: &'static str, arguments: &'static [ValueType], returns: ValueType) -> Self {
        Self {
            name,
            arguments,
            arguments_min: arguments.len(),
            arguments_max: arguments.len(),
            returns,
            experimental: false,
        }
    }

    const fn arguments(mut self, min: usize, max: usize) -> Self {
        self.arguments_min = min;
        self.arguments_max = max;
        self
    }

    const fn experimental(mut self) -> Self {
        self.experimental = true;
        self
    }
}

/// Any number of arguments.
const ANY: usize = usize::MAX;

use ValueType::{Matrix as M, Scalar as S, String as T, Vector as V};

/// Sorted by name.
const FUNCTIONS: &[Function] = &[
    Function::new("abs", &[V], V),
    Function::new("absent", &[V], V),
    Function::new("absent_over_time", &[M], V),
    Function::new("acos", &[V], V),
    Function::new("acosh", &[V], V),
    Function::new("asin", &[V], V),
    Function::new("asinh", &[V], V),
    Function::new("atan", &[V], V),
    Function::new("atanh", &[V], V),
    Function::new("avg_over_time", &[M], V),
    Function::new("ceil", &[V], V),
    Function::new("changes", &[M], V),
    Function::new("clamp", &[V, S, S], V),
    Function::new("clamp_max", &[V, S], V),
    Function::new("clamp_min", &[V, S], V),
    Function::new("cos", &[V], V),
    Function::new("cosh", &[V], V),
    Function::new("count_over_time", &[M], V),
    Function::new("day_of_month", &[V], V).arguments(0, 1),
    Function::new("day_of_week", &[V], V).arguments(0, 1),
    Function::new("day_of_year", &[V], V).arguments(0, 1),
    Function::new("days_in_month", &[V], V).arguments(0, 1),
    Function::new("deg", &[V], V),
    Function::new("delta", &[M], V),
    Function::new("deriv", &[M], V),
    Function::new("double_exponential_smoothing", &[M, S, S], V).experimental(),
    Function::new("end", &[], S).experimental(),
    Function::new("exp", &[V], V),
    Function::new("first_over_time", &[M], V),
    Function::new("floor", &[V], V),
    Function::new("histogram_avg", &[V], V),
    Function::new("histogram_count", &[V], V),
    Function::new("histogram_fraction", &[S, S, V], V),
    Function::new("histogram_quantile", &[S, V], V),
    Function::new("histogram_quantiles", &[V, T, S], V)
        .arguments(3, 12)
        .experimental(),
    Function::new("histogram_stddev", &[V], V),
    Function::new("histogram_stdvar", &[V], V),
    Function::new("histogram_sum", &[V], V),
    Function::new("hour", &[V], V).arguments(0, 1),
    Function::new("idelta", &[M], V),
    Function::new("increase", &[M], V),
    Function::new("info", &[V, V], V)
        .arguments(1, 2)
        .experimental(),
    Function::new("irate", &[M], V),
    Function::new("label_join", &[V, T, T, T], V).arguments(3, ANY),
    Function::new("label_replace", &[V, T, T, T, T], V),
    Function::new("last_over_time", &[M], V),
    Function::new("ln", &[V], V),
    Function::new("log10", &[V], V),
    Function::new("log2", &[V], V),
    Function::new("mad_over_time", &[M], V).experimental(),
    Function::new("max_of", &[S, S], S).experimental(),
    Function::new("max_over_time", &[M], V),
    Function::new("min_of", &[S, S], S).experimental(),
    Function::new("min_over_time", &[M], V),
    Function::new("minute", &[V], V).arguments(0, 1),
    Function::new("month", &[V], V).arguments(0, 1),
    Function::new("pi", &[], S),
    Function::new("predict_linear", &[M, S], V),
    Function::new("present_over_time", &[M], V),
    Function::new("quantile_over_time", &[S, M], V),
    Function::new("rad", &[V], V),
    Function::new("range", &[], S).experimental(),
    Function::new("rate", &[M], V),
    Function::new("resets", &[M], V),
    Function::new("round", &[V, S], V).arguments(1, 2),
    Function::new("scalar", &[V], S),
    Function::new("sgn", &[V], V),
    Function::new("sin", &[V], V),
    Function::new("sinh", &[V], V),
    Function::new("sort", &[V], V),
    Function::new("sort_by_label", &[V, T], V)
        .arguments(1, ANY)
        .experimental(),
    Function::new("sort_by_label_desc", &[V, T], V)
        .arguments(1, ANY)
        .experimental(),
    Function::new("sort_desc", &[V], V),
    Function::new("sqrt", &[V], V),
    Function::new("start", &[], S).experimental(),
    Function::new("start_timestamp", &[V], V).experimental(),
    Function::new("stddev_over_time", &[M], V),
    Function::new("stdvar_over_time", &[M], V),
    Function::new("step", &[], S).experimental(),
    Function::new("sum_over_time", &[M], V),
    Function::new("tan", &[V], V),
    Function::new("tanh", &[V], V),
    Function::new("time", &[], S),
    Function::new("timestamp", &[V], V),
    Function::new("ts_of_first_over_time", &[M], V).experimental(),
    Function::new("ts_of_last_over_time", &[M], V).experimental(),
    Function::new("ts_of_max_over_time", &[M], V).experimental(),
    Function::new("ts_of_min_over_time", &[M], V).experimental(),
    Function::new("vector", &[S], V),
    Function::new("year", &[V], V).arguments(0, 1),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_every_function_is_found() {
        assert!(FUNCTIONS.is_sorted_by(|a, b| a.name < b.name));
        for function in FUNCTIONS {
            assert_eq!(Function::find(function.name), Some(function));
        }
        assert_eq!(Function::find("foo"), None);
    }
}
