//! The selectors of an expression, for questions about the series that it reads.

use crate::ast::{Expr, ExprKind, VectorSelector};

impl Expr {
    /// All selectors of series in the expression, in the order of the text.
    pub fn selectors(&self) -> Vec<&VectorSelector> {
        let mut selectors = Vec::new();
        // A list and no recursion: a chain of operators may be long.
        let mut waiting = vec![self];
        while let Some(expr) = waiting.pop() {
            match &expr.kind {
                ExprKind::VectorSelector(selector) | ExprKind::MatrixSelector { selector, .. } => {
                    selectors.push(selector);
                }
                kind => waiting.extend(kind.children().into_iter().rev()),
            }
        }
        selectors
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn selectors_are_found_wherever_they_stand() {
        let text = "topk(scalar(a), -rate(b{x=\"y\"}[5m])) + on() ((c @ 5)) > bool max_over_time(d[1h:5m]) or vector(1)";
        let expression = crate::parse(text).unwrap();
        let names = expression
            .selectors()
            .into_iter()
            .map(|selector| selector.name.clone());
        let names: Vec<_> = names.flatten().collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        assert!(crate::parse("1 + 1").unwrap().selectors().is_empty());
        let long = vec!["a"; 1000].join(" or ");
        let expression = crate::parse(&long).unwrap();
        assert_eq!(expression.selectors().len(), 1000);
    }
}
