//! An expression as PromQL text; parsing it gives the same expression.

use std::fmt::{self, Display, Formatter, Write as _};

use model::{MatchKind, NAME, duration, is_plain_label_name, quoted};

use crate::ast::{
    Aggregate, At, Binary, Cardinality, Expr, ExprKind, Subquery, TimeShift, UnaryOperator,
    VectorMatching, VectorSelector,
};

impl Display for Expr {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            // A sign would be an operator of its own.
            ExprKind::Number(number) => {
                formatter.write_str(format_float(number.0).trim_start_matches('+'))
            }
            ExprKind::String(text) => write!(formatter, "{}", quoted(text)),
            ExprKind::Paren(inner) => write!(formatter, "({inner})"),
            ExprKind::Unary { operator, operand } => {
                let sign = match operator {
                    UnaryOperator::Plus => '+',
                    UnaryOperator::Minus => '-',
                };
                write!(formatter, "{sign}{operand}")
            }
            ExprKind::Binary(binary) => write_binary(formatter, binary),
            ExprKind::Aggregate(aggregate) => write_aggregate(formatter, aggregate),
            ExprKind::Call(call) => {
                write!(formatter, "{}(", call.function.name)?;
                write_list(formatter, &call.arguments)?;
                formatter.write_char(')')
            }
            ExprKind::VectorSelector(selector) => {
                write_selector(formatter, selector)?;
                write_time(formatter, selector.time)
            }
            ExprKind::MatrixSelector { selector, range } => {
                write_selector(formatter, selector)?;
                write!(formatter, "[{}]", duration::format(*range))?;
                write_time(formatter, selector.time)
            }
            ExprKind::Subquery(subquery) => write_subquery(formatter, subquery),
        }
    }
}

/// A number without an exponent and with as many digits as it needs, as Go's `%f` with precision -1 writes it.
pub(crate) fn format_float(value: f64) -> String {
    if value == f64::INFINITY {
        return "+Inf".to_owned();
    }
    if value == f64::NEG_INFINITY {
        return "-Inf".to_owned();
    }
    value.to_string()
}

fn write_list<T: Display>(formatter: &mut Formatter<'_>, items: &[T]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            formatter.write_str(", ")?;
        }
        write!(formatter, "{item}")?;
    }
    Ok(())
}

fn write_labels(formatter: &mut Formatter<'_>, labels: &[String]) -> fmt::Result {
    let shown: Vec<String> = labels
        .iter()
        .map(|label| {
            if is_plain_label_name(label) {
                label.clone()
            } else {
                quoted(label).to_string()
            }
        })
        .collect();
    formatter.write_char('(')?;
    write_list(formatter, &shown)?;
    formatter.write_char(')')
}

fn write_binary(formatter: &mut Formatter<'_>, binary: &Binary) -> fmt::Result {
    let chain = binary.chain();
    write!(formatter, "{}", chain[chain.len() - 1].left)?;
    for binary in chain.into_iter().rev() {
        write!(formatter, " {}", binary.operator.as_str())?;
        if binary.return_bool {
            formatter.write_str(" bool")?;
        }
        write_matching(formatter, &binary.matching)?;
        write!(formatter, " {}", binary.right)?;
    }
    Ok(())
}

fn write_matching(formatter: &mut Formatter<'_>, matching: &VectorMatching) -> fmt::Result {
    let one_to_one = matching.cardinality == Cardinality::OneToOne;
    if matching.on || !matching.labels.is_empty() || !one_to_one {
        formatter.write_str(if matching.on { " on " } else { " ignoring " })?;
        write_labels(formatter, &matching.labels)?;
    }
    match matching.cardinality {
        Cardinality::OneToOne => return Ok(()),
        Cardinality::ManyToOne => formatter.write_str(" group_left ")?,
        Cardinality::OneToMany => formatter.write_str(" group_right ")?,
    }
    write_labels(formatter, &matching.include)
}

fn write_aggregate(formatter: &mut Formatter<'_>, aggregate: &Aggregate) -> fmt::Result {
    formatter.write_str(aggregate.operator.as_str())?;
    let grouping = &aggregate.grouping;
    if grouping.without || !grouping.labels.is_empty() {
        formatter.write_str(if grouping.without {
            " without "
        } else {
            " by "
        })?;
        write_labels(formatter, &grouping.labels)?;
        formatter.write_char(' ')?;
    }
    formatter.write_char('(')?;
    if let Some(parameter) = &aggregate.parameter {
        write!(formatter, "{parameter}, ")?;
    }
    write!(formatter, "{})", aggregate.expr)
}

fn write_selector(formatter: &mut Formatter<'_>, selector: &VectorSelector) -> fmt::Result {
    let mut matchers = &selector.matchers[..];
    if let Some(name) = &selector.name {
        formatter.write_str(name)?;
        matchers = &matchers[1..];
        if matchers.is_empty() {
            return Ok(());
        }
    }
    let shown: Vec<String> = matchers
        .iter()
        .map(|matcher| {
            let names_metric = matcher.name() == NAME && matcher.kind() == MatchKind::Equal;
            if names_metric && selector.name.is_none() {
                quoted(matcher.value()).to_string()
            } else {
                matcher.to_string()
            }
        })
        .collect();
    write!(formatter, "{{{}}}", shown.join(","))
}

fn write_time(formatter: &mut Formatter<'_>, time: TimeShift) -> fmt::Result {
    match time.at {
        None => {}
        Some(At::Start) => formatter.write_str(" @ start()")?,
        Some(At::End) => formatter.write_str(" @ end()")?,
        Some(At::Timestamp(timestamp)) => {
            let millis = timestamp.as_millis();
            let sign = if millis < 0 { "-" } else { "" };
            let (seconds, rest) = (millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
            write!(formatter, " @ {sign}{seconds}.{rest:03}")?;
        }
    }
    if time.offset_ms != 0 {
        let sign = if time.offset_ms < 0 { "-" } else { "" };
        let length = std::time::Duration::from_millis(time.offset_ms.unsigned_abs());
        write!(formatter, " offset {sign}{}", duration::format(length))?;
    }
    Ok(())
}

fn write_subquery(formatter: &mut Formatter<'_>, subquery: &Subquery) -> fmt::Result {
    write!(
        formatter,
        "{}[{}:",
        subquery.expr,
        duration::format(subquery.range)
    )?;
    if let Some(step) = subquery.step {
        write!(formatter, "{}", duration::format(step))?;
    }
    formatter.write_char(']')?;
    write_time(formatter, subquery.time)
}
