//! From an expression to what is to be done: which series are selected, and at which steps each part is computed.
//!
//! A plan mirrors the tree of its expression. Every node knows its moments as numbers, so nothing below has to
//! follow `@`, `offset` and subqueries again. Equal selectors share one selection of series, and what is the same at
//! all steps is computed at one of them.

mod range;
mod selections;
mod steps;

use model::Selection;

use crate::ast::{Binary, Expr, ExprKind, TimeShift, VectorSelector};
use crate::evaluate::InfoMatchers;
use crate::function::ValueType;
use crate::{At, Extension, Limits, Span};
pub(crate) use range::{Window, Windows};
use selections::Selections;
pub(crate) use steps::{Steps, millis};

/// What is to be done for an expression.
#[derive(Debug)]
pub(crate) struct Plan<'e> {
    /// The whole expression.
    pub(crate) root: Node<'e>,
    /// What is selected from the source, each once.
    pub(crate) selections: Vec<Selection>,
    /// How many nodes there are.
    pub(crate) nodes: usize,
}

/// One part of an expression.
#[derive(Debug)]
pub(crate) struct Node<'e> {
    /// Its number; each is less than [`Plan::nodes`].
    pub(crate) id: usize,
    /// The part, without parentheses around it.
    pub(crate) expr: &'e Expr,
    /// The steps at which it is computed: those that are asked for, or the first if all have the same value.
    pub(crate) steps: Steps,
    /// How many steps are asked for.
    pub(crate) count: usize,
    /// The nodes right below, in the order of the text. Of a chain of vectors such as `a or b or c`, all operands.
    pub(crate) inputs: Vec<Self>,
    /// The ranges of a range vector, or how far an instant selector looks.
    pub(crate) windows: Option<Windows>,
    /// Which selection a selector reads.
    pub(crate) selection: Option<usize>,
    /// Whether nobody looks at the buckets of the histograms that it reads, only at their counts and sums.
    pub(crate) totals_only: bool,
}

impl<'e> Plan<'e> {
    /// The plan of an expression at the steps of a query, whose end may lie after the last of them; the expression's
    /// computed lengths of time are resolved.
    pub(crate) fn new(expr: &'e Expr, steps: Steps, end: i64, limits: &Limits) -> Self {
        let mut planner = Planner {
            limits,
            start: steps.start,
            end,
            selections: Selections::default(),
            nodes: 0,
            totals_only: false,
        };
        let root = planner.node(expr, steps);
        Self {
            root,
            selections: planner.selections.into_list(),
            nodes: planner.nodes,
        }
    }
}

impl Node<'_> {
    /// The type of its value.
    pub(crate) fn value_type(&self) -> ValueType {
        self.expr.value_type()
    }

    /// Where it stands.
    pub(crate) fn span(&self) -> Span {
        self.expr.span
    }

    /// Whether it is computed at one step for many.
    pub(crate) fn repeats(&self) -> bool {
        self.count != self.steps.count
    }
}

struct Planner<'l> {
    limits: &'l Limits,
    /// What `@ start()` and `@ end()` are.
    start: i64,
    end: i64,
    selections: Selections,
    nodes: usize,
    /// See [`Node::totals_only`], of the node that comes next.
    totals_only: bool,
}

impl Planner<'_> {
    fn node<'e>(&mut self, expr: &'e Expr, asked: Steps) -> Node<'e> {
        let expr = expr.unwrapped();
        let vector_or_scalar = matches!(expr.value_type(), ValueType::Vector | ValueType::Scalar);
        let steps = match expr.derived.step_invariant && vector_or_scalar && asked.count > 1 {
            true => asked.first_only(),
            false => asked,
        };
        let id = self.nodes;
        self.nodes += 1;
        let totals_only = self.totals_only;
        let mut node = Node {
            id,
            expr,
            steps,
            count: asked.count,
            inputs: Vec::new(),
            windows: None,
            selection: None,
            totals_only: self.totals_only,
        };
        match &expr.kind {
            ExprKind::Number(_) | ExprKind::String(_) => {}
            ExprKind::Paren(inner) => return self.node(inner, asked),
            ExprKind::VectorSelector(selector) => {
                let windows = Windows {
                    moments: self.moments(selector.time, steps),
                    length: millis(self.limits.lookback_delta),
                };
                node.windows = Some(windows);
                node.selection = Some(self.select(selector, windows));
            }
            ExprKind::MatrixSelector {
                selector, range, ..
            } => {
                let windows = Windows {
                    moments: self.moments(selector.time, steps),
                    length: millis(*range),
                };
                node.windows = Some(windows);
                node.selection = Some(self.select(selector, windows));
            }
            ExprKind::Subquery(subquery) => {
                let windows = Windows {
                    moments: self.moments(subquery.time, steps),
                    length: millis(subquery.range),
                };
                node.windows = Some(windows);
                let step = millis(subquery.step.unwrap_or(self.limits.subquery_step)).max(1);
                let inner = windows.multiples(step);
                node.inputs.push(self.node(&subquery.expr, inner));
            }
            ExprKind::Unary { operand, .. } => node.inputs.push(self.node(operand, steps)),
            ExprKind::Binary(binary) => {
                self.totals_only = false;
                self.operands(binary, steps, &mut node.inputs);
            }
            ExprKind::Aggregate(_) => {
                for child in expr.kind.children() {
                    node.inputs.push(self.node(child, steps));
                }
            }
            ExprKind::Call(call) => {
                // The second argument of info() is no vector: it says which series may tell more.
                let read = match call.function.name {
                    "info" => {
                        let windows = Windows {
                            moments: self.looked_at(&call.arguments[0], steps),
                            length: millis(self.limits.lookback_delta),
                        };
                        let matchers = InfoMatchers::of(call).selection();
                        node.windows = Some(windows);
                        node.selection = Some(self.selections.add(matchers, windows.bounds(0, 0)));
                        1
                    }
                    _ => call.arguments.len(),
                };
                match call.function.name {
                    "histogram_count" | "histogram_sum" | "histogram_avg" => {
                        self.totals_only = true;
                    }
                    name if name.starts_with("histogram_") => self.totals_only = false,
                    _ => {}
                }
                for argument in &call.arguments[..read] {
                    node.inputs.push(self.node(argument, steps));
                }
            }
        }
        self.totals_only = totals_only;
        node
    }

    fn operands<'e>(&mut self, binary: &'e Binary, steps: Steps, inputs: &mut Vec<Node<'e>>) {
        if !binary.has_two_vectors() {
            inputs.push(self.node(&binary.left, steps));
            inputs.push(self.node(&binary.right, steps));
            return;
        }
        let chain = binary.chain();
        let last = chain[chain.len() - 1];
        inputs.push(self.node(&last.left, steps));
        for binary in chain.into_iter().rev() {
            inputs.push(self.node(&binary.right, steps));
        }
    }

    fn select(&mut self, selector: &VectorSelector, windows: Windows) -> usize {
        let around = millis(self.limits.lookback_delta);
        let (before, after) = match selector.extension {
            None => (0, 0),
            Some(Extension::Anchored) => (around, 0),
            Some(Extension::Smoothed) => (around, around),
        };
        let matchers = selector.matchers.clone();
        self.selections.add(matchers, windows.bounds(before, after))
    }

    /// The moments that the first selector in an expression looks at.
    fn looked_at(&self, expr: &Expr, steps: Steps) -> Steps {
        match &expr.unwrapped().kind {
            ExprKind::VectorSelector(selector) | ExprKind::MatrixSelector { selector, .. } => {
                self.moments(selector.time, steps)
            }
            ExprKind::Subquery(subquery) => {
                self.looked_at(&subquery.expr, self.moments(subquery.time, steps))
            }
            kind => {
                let mut children = kind.children().into_iter();
                let child = children.find(|child| !child.selectors().is_empty());
                child.map_or(steps, |child| self.looked_at(child, steps))
            }
        }
    }

    /// The moments that an expression with these modifiers looks at, one for each step.
    fn moments(&self, time: TimeShift, steps: Steps) -> Steps {
        let fixed = |at: i64| Steps {
            start: at,
            step: 0,
            count: steps.count,
        };
        let moments = match time.at {
            None => steps,
            Some(At::Timestamp(at)) => fixed(at.as_millis()),
            Some(At::Start) => fixed(self.start),
            Some(At::End) => fixed(self.end),
        };
        Steps {
            start: moments.start.saturating_sub(time.offset_ms),
            ..moments
        }
    }
}

#[cfg(test)]
mod tests;
