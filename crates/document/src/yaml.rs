//! YAML text → tree, by the events of `granit-parser`; its errors become sentences in [`explanation`].

mod explanation;

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Tag};

use crate::problem::Problem;
use crate::source::{Source, Span};
use crate::tree::{Builder, NodeId, Style};

/// Parses the first document of a text; only emptiness may follow it.
pub(crate) fn parse(source: &Source, builder: &mut Builder<'_>) -> Result<(), Problem> {
    let options = granit_parser::options! {
        // One more than our own limit, so that our words are used.
        flow_nesting_limit: builder.depth_max() + 1,
        block_nesting_limit: builder.depth_max() + 1,
        emit_comments: false,
    };
    let mut anchors: HashMap<usize, NodeId> = HashMap::new();
    // The anchors of the open sections and lists; 0 is none.
    let mut open: Vec<usize> = Vec::new();
    let mut documents = 0;
    for next in Parser::new_from_str_with_options(source.text(), options) {
        let (event, span) = next.map_err(|error| explanation::explain(source, builder, &error))?;
        let tag_span = span.tag_span().and_then(|span| span.byte_range());
        let span = Span::from(span.byte_range().unwrap_or(0..0));
        let tag_span = tag_span.map_or(span, Span::from);
        if documents > 1 && is_content(&event) {
            let message = "a second document begins here (after ---); a file holds only one";
            return Err(builder.syntax_problem(span, message));
        }
        match event {
            Event::DocumentStart(..) => documents += 1,
            Event::Scalar(..) if documents > 1 => {}
            Event::Scalar(text, style, anchor, tag) => {
                let style = style_of(builder, tag_span, style, tag.as_deref());
                if let Some(id) = builder.scalar(span, &text, style, anchor != 0)? {
                    anchors.insert(anchor, id);
                }
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_own_tag(builder, tag_span, tag.as_deref());
                builder.begin_sequence(span.start)?;
                open.push(anchor);
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_own_tag(builder, tag_span, tag.as_deref());
                builder.begin_mapping(span.start)?;
                open.push(anchor);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let id = builder.end(span.end)?;
                anchors.insert(open.pop().unwrap_or_default(), id);
            }
            Event::Alias(anchor) => match anchors.get(&anchor) {
                Some(id) => builder.alias(*id)?,
                None => {
                    let name = source.slice(span);
                    let message = format!("{name} stands inside the value that it names");
                    return Err(builder.problem(span, message));
                }
            },
            _ => {}
        }
    }
    Ok(())
}

/// Whether an event of a later document says more than that the document is empty.
fn is_content(event: &Event<'_>) -> bool {
    match event {
        // The library reports a value that is left out as a plain tilde.
        Event::Scalar(text, style, ..) => {
            !matches!(&**text, "" | "~") || *style != ScalarStyle::Plain
        }
        Event::SequenceStart(..) | Event::MappingStart(..) | Event::Alias(_) => true,
        _ => false,
    }
}

fn style_of(builder: &mut Builder<'_>, span: Span, style: ScalarStyle, tag: Option<&Tag>) -> Style {
    match tag.and_then(Tag::core_suffix) {
        Some("str") => Style::Quoted,
        Some("int" | "float" | "bool" | "null") => Style::Plain,
        _ => {
            refuse_own_tag(builder, span, tag);
            match style {
                ScalarStyle::Plain => Style::Plain,
                _ => Style::Quoted,
            }
        }
    }
}

/// A tag such as `!secret` promises something that nobody here keeps; the standard ones for collections say nothing new.
fn refuse_own_tag(builder: &mut Builder<'_>, span: Span, tag: Option<&Tag>) {
    let Some(tag) = tag else { return };
    let is_known = matches!(tag.core_suffix(), Some("map" | "seq")) || tag.original() == "!";
    if !is_known {
        let message = format!(
            "the tag {} is not understood; a value that begins with ! must stand in quotes",
            tag.original()
        );
        builder.note(span, message);
    }
}
