//! What a query does: its plan, with the series and samples that each part has seen.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use model::{SelectedSeries, SeriesSource, Timestamp};

use super::{Query, run};
use crate::ast::{Expr, ExprKind};
use crate::plan::{Node, Plan};
use crate::{EvalError, Interrupt, Limits, Window};

/// The plan of a query and what became of it. `Display` shows it as a tree, one line for each part.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The parts, each before those that it is made of.
    pub nodes: Vec<ExplainedNode>,
}

/// A part of a query.
#[derive(Clone, Debug)]
pub struct ExplainedNode {
    /// How deep it lies; 0 is the whole expression.
    pub depth: usize,
    /// What it is, in PromQL.
    pub text: String,
    /// At how many steps it was computed.
    pub steps: usize,
    /// Which selection of series it reads, and how many series that has.
    pub selection: Option<(usize, usize)>,
    /// Series that it gave.
    pub series: u64,
    /// Samples that it gave, or that a range selector read.
    pub samples: u64,
}

/// Evaluates an expression and tells what each part of it did: at one moment if start and end of the window are one.
///
/// Errors: as [`crate::evaluate_range`].
pub fn explain(
    source: &dyn SeriesSource,
    expr: &Expr,
    window: &Window,
    limits: &Limits,
    interrupt: &Interrupt,
) -> Result<Explained, EvalError> {
    let query = match window.start == window.end {
        true => Query::instant(Timestamp::from_millis(window.start.as_millis())),
        false => Query::range(expr, window)?,
    };
    let (_, explained) = run(source, expr, query, limits, interrupt, true)?;
    Ok(explained.unwrap_or(Explained { nodes: Vec::new() }))
}

/// Series and samples by node.
#[derive(Debug)]
pub(super) struct Counts(Vec<[AtomicU64; 2]>);

impl Counts {
    pub(super) fn new(nodes: usize) -> Self {
        let zero = |_| [AtomicU64::new(0), AtomicU64::new(0)];
        Self((0..nodes).map(zero).collect())
    }

    pub(super) fn add(&self, node: usize, series: usize, samples: usize) {
        if let Some([all_series, all_samples]) = self.0.get(node) {
            all_series.fetch_add(series as u64, Relaxed);
            all_samples.fetch_add(samples as u64, Relaxed);
        }
    }
}

impl Explained {
    pub(super) fn new(
        plan: &Plan<'_>,
        counts: &Counts,
        selected: &[Box<dyn SelectedSeries>],
    ) -> Self {
        let mut nodes = Vec::with_capacity(plan.nodes);
        add(&plan.root, 0, counts, selected, &mut nodes);
        Self { nodes }
    }
}

fn add(
    node: &Node<'_>,
    depth: usize,
    counts: &Counts,
    selected: &[Box<dyn SelectedSeries>],
    nodes: &mut Vec<ExplainedNode>,
) {
    let [series, samples] = &counts.0[node.id];
    nodes.push(ExplainedNode {
        depth,
        text: node.expr.to_string(),
        steps: node.steps.count,
        selection: node.selection.map(|index| (index, selected[index].len())),
        series: series.load(Relaxed),
        samples: samples.load(Relaxed),
    });
    for input in &node.inputs {
        let literal = matches!(input.expr.kind, ExprKind::Number(_) | ExprKind::String(_));
        if !literal {
            add(input, depth + 1, counts, selected, nodes);
        }
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for node in &self.nodes {
            let indent = node.depth * 2;
            write!(formatter, "{:indent$}{}  [", "", node.text)?;
            if let Some((selection, series)) = node.selection {
                write!(
                    formatter,
                    "selection {} of {series} series, ",
                    selection + 1
                )?;
            }
            let (steps, series, samples) = (node.steps, node.series, node.samples);
            writeln!(
                formatter,
                "{steps} steps, {series} series, {samples} samples]"
            )?;
        }
        Ok(())
    }
}
