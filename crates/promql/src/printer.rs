//! An expression as PromQL text; parsing it gives the same expression.

use std::fmt::{self, Display, Formatter, Write as _};
use std::time::Duration;

use model::{duration, is_plain_label_name, quoted};

use crate::ast::{
    Aggregate, At, Binary, BinaryOperator, Cardinality, DurationExpr, DurationKind, Expr, ExprKind,
    Extension, Fill, Notation, Number, Subquery, TimeShift, UnaryOperator, VectorMatching,
    VectorSelector,
};
use crate::resolve::SECONDS_MAX;

impl Display for Expr {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Number(number) => write!(formatter, "{number}"),
            ExprKind::String(text) => write!(formatter, "{}", quoted(text)),
            ExprKind::Paren(inner) => write!(formatter, "({inner})"),
            ExprKind::Unary { operator, operand } => {
                write!(formatter, "{}{operand}", sign(*operator))
            }
            ExprKind::Binary(binary) => write_binary(formatter, binary),
            ExprKind::Aggregate(aggregate) => {
                write!(formatter, "{}(", aggregate_head(aggregate))?;
                if let Some(parameter) = &aggregate.parameter {
                    write!(formatter, "{parameter}, ")?;
                }
                write!(formatter, "{})", aggregate.expr)
            }
            ExprKind::Call(call) => {
                write!(formatter, "{}(", call.function.name)?;
                write_list(formatter, &call.arguments)?;
                formatter.write_char(')')
            }
            ExprKind::VectorSelector(selector) => {
                write_selector(formatter, selector)?;
                write_at(formatter, selector.time)?;
                write_extension(formatter, selector.extension)?;
                write_offset(formatter, selector.time, selector.offset_expr.as_deref())
            }
            ExprKind::MatrixSelector {
                selector,
                range,
                range_expr,
            } => {
                write_selector(formatter, selector)?;
                formatter.write_char('[')?;
                write_length(formatter, *range, range_expr.as_deref())?;
                formatter.write_char(']')?;
                write_extension(formatter, selector.extension)?;
                write_at(formatter, selector.time)?;
                write_offset(formatter, selector.time, selector.offset_expr.as_deref())
            }
            ExprKind::Subquery(subquery) => {
                write!(formatter, "{}", subquery.expr)?;
                write_steps(formatter, subquery)
            }
        }
    }
}

/// As it was written: a number without an exponent, or a duration.
impl Display for Number {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let millis = self.0.abs() * 1000.0;
        // Only what a duration can say is written as one: a number may have been computed since.
        if self.1 == Notation::Plain || millis.fract() != 0.0 || millis > SECONDS_MAX * 1000.0 {
            return formatter.write_str(&format_float(self.0));
        }
        let sign = if self.0 < 0.0 { "-" } else { "" };
        let length = Duration::from_millis(millis as u64);
        write!(formatter, "{sign}{}", duration::format(length))
    }
}

impl Display for DurationExpr {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            DurationKind::Number(number) => write!(formatter, "{number}"),
            DurationKind::Step => formatter.write_str("step()"),
            DurationKind::Range => formatter.write_str("range()"),
            DurationKind::Paren(inner) => write!(formatter, "({inner})"),
            DurationKind::Negative(operand) => write!(formatter, "-{operand}"),
            DurationKind::Binary {
                operator,
                left,
                right,
            } => write!(formatter, "{left} {} {right}", operator.as_str()),
            DurationKind::MinOf(left, right) => write!(formatter, "min_of({left}, {right})"),
            DurationKind::MaxOf(left, right) => write!(formatter, "max_of({left}, {right})"),
        }
    }
}

pub(crate) fn sign(operator: UnaryOperator) -> char {
    match operator {
        UnaryOperator::Plus => '+',
        UnaryOperator::Minus => '-',
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
    let first = chain[chain.len() - 1];
    match &first.left.kind {
        // A power would be taken away from the sign.
        ExprKind::Number(number) if first.operator == BinaryOperator::Power => {
            formatter.write_str(number.to_string().trim_start_matches('+'))?;
        }
        _ => write_operand(formatter, &first.left, Some(first.operator))?,
    }
    let next = chain.iter().map(|binary| Some(binary.operator));
    let next: Vec<_> = std::iter::once(None).chain(next).collect();
    for (binary, next) in chain.iter().zip(next).rev() {
        write!(formatter, " {} ", operator_head(binary))?;
        write_operand(formatter, &binary.right, next)?;
    }
    Ok(())
}

fn write_operand(
    formatter: &mut Formatter<'_>,
    expr: &Expr,
    next: Option<BinaryOperator>,
) -> fmt::Result {
    if next.is_none_or(|next| !goes_on(expr, next)) {
        return write!(formatter, "{expr}");
    }
    let mut text = expr.to_string();
    end_offset(&mut text);
    formatter.write_str(&text)
}

/// Whether an expression would take the operator after it into its offset, as `a offset (5m)` does with a `*`.
pub(crate) fn goes_on(expr: &Expr, next: BinaryOperator) -> bool {
    use BinaryOperator::{Add, Divide, Modulo, Multiply, Power, Subtract};
    if !matches!(next, Add | Subtract | Multiply | Divide | Modulo | Power) {
        return false;
    }
    let mut expr = expr;
    let mut offset = loop {
        match &expr.kind {
            ExprKind::Unary { operand, .. } => expr = operand,
            ExprKind::Binary(binary) => expr = &binary.right,
            ExprKind::VectorSelector(selector) | ExprKind::MatrixSelector { selector, .. } => {
                break selector.offset_expr.as_deref();
            }
            ExprKind::Subquery(subquery) => break subquery.offset_expr.as_deref(),
            _ => return false,
        }
    };
    while let Some(DurationExpr {
        kind: DurationKind::Binary { left, .. },
        ..
    }) = offset
    {
        offset = Some(left);
    }
    offset.is_some_and(|offset| matches!(offset.kind, DurationKind::Paren(_)))
}

/// Gives the offset at the end of a text a sign that says nothing, after which a parenthesis ends it.
pub(crate) fn end_offset(text: &mut String) {
    const OFFSET: &str = " offset (";
    if let Some(at) = text.rfind(OFFSET) {
        text.insert(at + OFFSET.len() - 1, '+');
    }
}

/// The operator with all that stands before its right operand.
pub(crate) fn operator_head(binary: &Binary) -> impl Display {
    fmt::from_fn(|formatter| {
        formatter.write_str(binary.operator.as_str())?;
        if binary.return_bool {
            formatter.write_str(" bool")?;
        }
        write_matching(formatter, &binary.matching)
    })
}

fn write_matching(formatter: &mut Formatter<'_>, matching: &VectorMatching) -> fmt::Result {
    let one_to_one = matching.cardinality == Cardinality::OneToOne;
    if matching.on || !matching.labels.is_empty() || !one_to_one {
        formatter.write_str(if matching.on { " on " } else { " ignoring " })?;
        write_labels(formatter, &matching.labels)?;
    }
    let group = match matching.cardinality {
        Cardinality::OneToOne => None,
        Cardinality::ManyToOne => Some(" group_left "),
        Cardinality::OneToMany => Some(" group_right "),
    };
    if let Some(group) = group {
        formatter.write_str(group)?;
        write_labels(formatter, &matching.include)?;
    }
    let Fill { left, right } = matching.fill;
    if left == right {
        return left.map_or(Ok(()), |value| write_fill(formatter, "fill", value));
    }
    left.map_or(Ok(()), |value| write_fill(formatter, "fill_left", value))?;
    right.map_or(Ok(()), |value| write_fill(formatter, "fill_right", value))
}

fn write_fill(formatter: &mut Formatter<'_>, name: &str, Number(value, _): Number) -> fmt::Result {
    let size = value.abs();
    // Very large and very small ones with an exponent, as Go writes values of unknown type.
    if size.is_finite() && size != 0.0 && !(1e-4..1e21).contains(&size) {
        let shown = format!("{value:e}");
        let (digits, exponent) = shown.split_once('e').unwrap_or((&shown, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        return write!(formatter, " {name} ({digits}e{sign}{exponent:0>2})");
    }
    write!(formatter, " {name} ({})", format_float(value))
}

/// The operator of an aggregation with its grouping.
pub(crate) fn aggregate_head(aggregate: &Aggregate) -> impl Display {
    fmt::from_fn(|formatter| {
        formatter.write_str(aggregate.operator.as_str())?;
        let grouping = &aggregate.grouping;
        if !grouping.without && grouping.labels.is_empty() {
            return Ok(());
        }
        let word = if grouping.without { "without" } else { "by" };
        write!(formatter, " {word} ")?;
        write_labels(formatter, &grouping.labels)?;
        formatter.write_char(' ')
    })
}

/// The name and the matchers, sorted as text.
fn write_selector(formatter: &mut Formatter<'_>, selector: &VectorSelector) -> fmt::Result {
    let mut matchers = &selector.matchers[..];
    if let Some(name) = &selector.name {
        formatter.write_str(name)?;
        matchers = &matchers[1..];
        if matchers.is_empty() {
            return Ok(());
        }
    }
    let mut shown: Vec<String> = matchers.iter().map(ToString::to_string).collect();
    shown.sort_unstable();
    write!(formatter, "{{{}}}", shown.join(","))
}

fn write_extension(formatter: &mut Formatter<'_>, extension: Option<Extension>) -> fmt::Result {
    match extension {
        None => Ok(()),
        Some(Extension::Anchored) => formatter.write_str(" anchored"),
        Some(Extension::Smoothed) => formatter.write_str(" smoothed"),
    }
}

fn write_at(formatter: &mut Formatter<'_>, time: TimeShift) -> fmt::Result {
    match time.at {
        None => Ok(()),
        Some(At::Start) => formatter.write_str(" @ start()"),
        Some(At::End) => formatter.write_str(" @ end()"),
        Some(At::Timestamp(timestamp)) => {
            let millis = timestamp.as_millis();
            let sign = if millis < 0 { "-" } else { "" };
            let (seconds, rest) = (millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
            write!(formatter, " @ {sign}{seconds}.{rest:03}")
        }
    }
}

fn write_offset(
    formatter: &mut Formatter<'_>,
    time: TimeShift,
    expr: Option<&DurationExpr>,
) -> fmt::Result {
    if let Some(expr) = expr {
        return write!(formatter, " offset {expr}");
    }
    if time.offset_ms == 0 {
        return Ok(());
    }
    let sign = if time.offset_ms < 0 { "-" } else { "" };
    let length = Duration::from_millis(time.offset_ms.unsigned_abs());
    write!(formatter, " offset {sign}{}", duration::format(length))
}

fn write_length(
    formatter: &mut Formatter<'_>,
    length: Duration,
    expr: Option<&DurationExpr>,
) -> fmt::Result {
    match expr {
        Some(expr) => write!(formatter, "{expr}"),
        None => write!(formatter, "{}", duration::format(length)),
    }
}

/// All of a subquery that stands behind its expression.
pub(crate) fn write_steps(formatter: &mut dyn fmt::Write, subquery: &Subquery) -> fmt::Result {
    let shown = fmt::from_fn(|formatter| {
        formatter.write_char('[')?;
        write_length(formatter, subquery.range, subquery.range_expr.as_deref())?;
        formatter.write_char(':')?;
        if subquery.step.is_some() || subquery.step_expr.is_some() {
            let step = subquery.step.unwrap_or_default();
            write_length(formatter, step, subquery.step_expr.as_deref())?;
        }
        formatter.write_char(']')?;
        write_at(formatter, subquery.time)?;
        write_offset(formatter, subquery.time, subquery.offset_expr.as_deref())
    });
    write!(formatter, "{shown}")
}
