//! Makes a parsed template mean what it means in Go, and finds the names that Go refuses when it parses.
//!
//! 1. A field or method (`.a`, `$x.a`, `(…).a`) becomes a call of [`GET`], to which the arguments behind it go.
//! 2. What an action shows passes through [`SHOW`], what it keeps through [`KEEP`].
//! 3. Functions and variables must exist.

use gotmpl::parse::{BranchNode, CommandNode, Expr, ListNode, Node, PipeNode, Pos, SmolStr};

use crate::language::Language;
use crate::parsed::Broken;

/// The function that reads a field or calls a method.
pub(crate) const GET: &str = "__get";
/// The function that makes a text of what an action shows.
pub(crate) const SHOW: &str = "__show";
/// The function that refuses a text that is too long for a variable.
pub(crate) const KEEP: &str = "__keep";

/// Those of which people who write templates know nothing.
pub(crate) const INTERNAL: [&str; 3] = [GET, SHOW, KEEP];

/// Functions that escape at the end of an action; the library must see them there.
const ESCAPERS: [&str; 3] = ["html", "js", "urlquery"];

/// Rewrites one tree, in which only `$` is known at first, and notes the templates that it calls.
pub(crate) fn rewrite(
    language: &Language,
    tree: &mut ListNode,
    calls: &mut Vec<String>,
) -> Result<(), Broken> {
    let mut walk = Walk {
        language,
        variables: vec!["$".into()],
        calls,
    };
    walk.list(tree)
}

struct Walk<'a> {
    language: &'a Language,
    variables: Vec<SmolStr>,
    calls: &'a mut Vec<String>,
}

impl Walk<'_> {
    fn list(&mut self, list: &mut ListNode) -> Result<(), Broken> {
        for node in &mut list.nodes {
            match node {
                Node::List(list) => self.list(list)?,
                Node::Action(action) => {
                    let is_shown = action.pipe.decl.is_empty();
                    let last = action.pipe.commands.last();
                    let escapes = last.is_some_and(is_escaper);
                    self.pipe(&mut action.pipe)?;
                    if is_shown && escapes {
                        continue;
                    }
                    let name = if is_shown { SHOW } else { KEEP };
                    let pos = action.pos;
                    let args = vec![Expr::Identifier(pos, name.into())];
                    action.pipe.commands.push(CommandNode { pos, args });
                }
                Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                    self.branch(branch)?;
                }
                Node::Template(call) => {
                    self.calls.push(call.name.to_string());
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
    fn branch(&mut self, branch: &mut BranchNode) -> Result<(), Broken> {
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

    fn pipe(&mut self, pipe: &mut PipeNode) -> Result<(), Broken> {
        for command in &mut pipe.commands {
            for expr in &mut command.args {
                self.expr(expr)?;
            }
            // `.StartsAt.Format "…"`: what is called comes first, and its arguments follow.
            if let Some(Expr::Pipe(_, inner)) = command.args.first()
                && is_get(inner)
            {
                let mut args = inner.commands[0].args.clone();
                args.extend(command.args.drain(1..));
                command.args = args;
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

    fn expr(&mut self, expr: &mut Expr) -> Result<(), Broken> {
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
            Expr::Identifier(pos, name) if !self.language.has(name) => {
                return Err(self.broken(format!("function {name:?} not defined"), *pos));
            }
            _ => {}
        }
        Ok(())
    }

    fn must_know(&self, name: &SmolStr, pos: Pos) -> Result<(), Broken> {
        let bare = |name: &SmolStr| name.trim_start_matches('$').to_owned();
        if self.variables.iter().any(|known| bare(known) == bare(name)) {
            return Ok(());
        }
        Err(self.broken(format!("undefined variable \"${}\"", bare(name)), pos))
    }

    fn broken(&self, message: String, pos: Pos) -> Broken {
        let offset = pos.offset.saturating_sub(self.language.prelude.len());
        Broken { message, offset }
    }
}

fn is_escaper(command: &CommandNode) -> bool {
    matches!(&command.args[..], [Expr::Identifier(_, name)] if ESCAPERS.contains(&&**name))
}

fn is_get(pipe: &PipeNode) -> bool {
    let [command] = &pipe.commands[..] else {
        return false;
    };
    matches!(command.args.first(), Some(Expr::Identifier(_, name)) if *name == GET)
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
