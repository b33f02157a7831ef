//! Makes a parsed template mean what it means in Go, and finds the names that Go refuses when it parses.
//!
//! 1. A field (`.a`, `$x.a`, `(…).a`) becomes a call of [`GET`], by which a label that is not there is an empty text.
//! 2. What an action shows passes through [`SHOW`], which writes numbers as Go does. 3. Functions and variables must exist.

use gotmpl::parse::{BranchNode, CommandNode, Expr, ListNode, Node, PipeNode, Pos, SmolStr};

use super::functions;

/// The function that reads a field.
pub(crate) const GET: &str = "__get";
/// The function that makes a text of what an action shows.
pub(crate) const SHOW: &str = "__show";

/// The function that refuses a text that is too long for a variable.
pub(crate) const BOUND_TEXT: &str = "__bound";

/// A name that does not exist.
pub(crate) struct Unknown {
    pub(crate) message: String,
    pub(crate) offset: usize,
}

/// Rewrites one tree, in which only `$` is known at first.
pub(crate) fn rewrite(tree: &mut ListNode) -> Result<(), Unknown> {
    let mut walk = Walk {
        variables: vec!["$".into()],
    };
    walk.list(tree)
}

struct Walk {
    variables: Vec<SmolStr>,
}

impl Walk {
    fn list(&mut self, list: &mut ListNode) -> Result<(), Unknown> {
        for node in &mut list.nodes {
            match node {
                Node::List(list) => self.list(list)?,
                Node::Action(action) => {
                    self.pipe(&mut action.pipe)?;
                    let is_shown = action.pipe.decl.is_empty();
                    let name = if is_shown { SHOW } else { BOUND_TEXT };
                    let pos = action.pos;
                    let args = vec![Expr::Identifier(pos, name.into())];
                    action.pipe.commands.push(CommandNode { pos, args });
                }
                Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                    self.branch(branch)?
                }
                Node::Template(call) => {
                    if let Some(pipe) = &mut call.pipe {
                        self.pipe(pipe)?;
                    }
                }
                Node::Text(_) | Node::Define(_) | Node::Break(_) | Node::Continue(_) => {}
            }
        }
        Ok(())
    }

    /// What a branch declares ends with it.
    fn branch(&mut self, branch: &mut BranchNode) -> Result<(), Unknown> {
        let outer = self.variables.len();
        self.pipe(&mut branch.pipe)?;
        let inner = self.variables.len();
        self.list(&mut branch.body)?;
        self.variables.truncate(inner);
        if let Some(other) = &mut branch.else_body {
            self.list(other)?;
        }
        self.variables.truncate(outer);
        Ok(())
    }

    fn pipe(&mut self, pipe: &mut PipeNode) -> Result<(), Unknown> {
        for command in &mut pipe.commands {
            for expr in &mut command.args {
                self.expr(expr)?;
            }
        }
        for name in &pipe.decl {
            if pipe.is_assign {
                self.must_know(name, pipe.pos)?;
            } else {
                self.variables.push(name.clone());
            }
        }
        Ok(())
    }

    fn expr(&mut self, expr: &mut Expr) -> Result<(), Unknown> {
        match expr {
            Expr::Field(pos, names) => *expr = fields(Expr::Dot(*pos), names, *pos),
            Expr::Variable(pos, name, names) => {
                self.must_know(name, *pos)?;
                if !names.is_empty() {
                    let variable = Expr::Variable(*pos, name.clone(), Vec::new());
                    *expr = fields(variable, names, *pos);
                }
            }
            Expr::Chain(pos, inner, names) => {
                self.expr(inner)?;
                *expr = fields((**inner).clone(), names, *pos);
            }
            Expr::Pipe(_, pipe) => self.pipe(pipe)?,
            Expr::Identifier(pos, name) if !functions::is_known(name) => {
                let message = format!("function {name:?} not defined");
                return Err(Unknown {
                    message,
                    offset: pos.offset,
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn must_know(&self, name: &SmolStr, pos: Pos) -> Result<(), Unknown> {
        let bare = |name: &SmolStr| name.trim_start_matches('$').to_owned();
        if self.variables.iter().any(|known| bare(known) == bare(name)) {
            return Ok(());
        }
        let message = format!("undefined variable \"${}\"", bare(name));
        Err(Unknown {
            message,
            offset: pos.offset,
        })
    }
}

/// `receiver.a.b` as `(__get (__get receiver "a") "b")`.
fn fields(receiver: Expr, names: &[SmolStr], pos: Pos) -> Expr {
    let mut expr = receiver;
    for name in names {
        let args = vec![
            Expr::Identifier(pos, GET.into()),
            expr,
            Expr::String(pos, name.as_str().into()),
        ];
        let pipe = PipeNode {
            pos,
            decl: Vec::new(),
            commands: vec![CommandNode { pos, args }],
            is_assign: false,
        };
        expr = Expr::Pipe(pos, pipe);
    }
    expr
}
