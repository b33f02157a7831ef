//! Makes a parsed template mean what it means in Go, and finds the names that Go refuses when it parses.
//!
//! 1. A field or method (`.a`, `$x.a`, `(…).a`) becomes a call of [`GET`], to which the arguments behind it go.
//! 2. What an action shows passes through [`SHOW`], what it keeps through [`KEEP`] or [`ASSIGN`].
//! 3. What Go's own functions write passes through [`PLAIN`], since the library would write a record's kind as well.
//! 4. Functions and variables must exist.

use gotmpl::parse::{BranchNode, CommandNode, Expr, ListNode, Node, PipeNode, Pos, SmolStr};

use crate::language::Language;
use crate::parsed::Broken;

/// The function that reads a field or calls a method.
pub(crate) const GET: &str = "__get";
/// The function that makes a text of what an action shows.
pub(crate) const SHOW: &str = "__show";
/// The function that refuses a text that is too long for a variable.
pub(crate) const KEEP: &str = "__keep";
/// The function that also refuses a value that nests too deep; only what is assigned can grow with each turn of a loop.
pub(crate) const ASSIGN: &str = "__assign";
/// The function that makes a text of a record.
pub(crate) const PLAIN: &str = "__plain";

/// Those of which people who write templates know nothing.
pub(crate) const INTERNAL: [&str; 5] = [GET, SHOW, KEEP, ASSIGN, PLAIN];

/// Functions that escape at the end of an action; the library must see them there.
const ESCAPERS: [&str; 3] = ["html", "js", "urlquery"];

/// Functions of the library that write any value.
const WRITERS: [&str; 4] = ["printf", "html", "js", "urlquery"];

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
                    let name = match is_shown {
                        true => SHOW,
                        false if action.pipe.is_assign => ASSIGN,
                        false => KEEP,
                    };
                    let command = call(name, Vec::new(), action.pos);
                    action.pipe.commands.push(command);
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
        for mut command in std::mem::take(&mut pipe.commands) {
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
            if writes(&command) {
                for expr in &mut command.args[1..] {
                    plain(expr, command.pos);
                }
                if !pipe.commands.is_empty() {
                    pipe.commands.push(call(PLAIN, Vec::new(), command.pos));
                }
            }
            pipe.commands.push(command);
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

fn writes(command: &CommandNode) -> bool {
    matches!(command.args.first(), Some(Expr::Identifier(_, name)) if WRITERS.contains(&&**name))
}

/// `argument` as `(__plain argument)`.
fn plain(argument: &mut Expr, pos: Pos) {
    let is_literal = matches!(argument, Expr::String(..) | Expr::Number(..));
    if !is_literal {
        let inner = std::mem::replace(argument, Expr::Dot(pos));
        *argument = pipe_of(call(PLAIN, vec![inner], pos));
    }
}

/// `receiver.a.b` as `(__get (__get receiver "a") "b")`.
fn fields(receiver: Expr, names: &[SmolStr], pos: Pos) -> Expr {
    let mut expr = receiver;
    for name in names {
        let name = Expr::String(pos, name.as_str().into());
        expr = pipe_of(call(GET, vec![expr, name], pos));
    }
    expr
}

fn call(name: &str, mut given: Vec<Expr>, pos: Pos) -> CommandNode {
    given.insert(0, Expr::Identifier(pos, name.into()));
    CommandNode { pos, args: given }
}

fn pipe_of(command: CommandNode) -> Expr {
    let pos = command.pos;
    let pipe = PipeNode {
        pos,
        decl: Vec::new(),
        commands: vec![command],
        is_assign: false,
    };
    Expr::Pipe(pos, pipe)
}
