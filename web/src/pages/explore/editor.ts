// The editor of PromQL: CodeMirror with Prometheus' own language support. Heavy, so only Explore loads it, and late.
//
// It lives in a shadow root, where its styles are sheets adopted by script: the content policy forbids style elements.

import { acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { lintKeymap } from '@codemirror/lint';
import { EditorState, Prec } from '@codemirror/state';
import { EditorView, keymap, placeholder } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { PromQLExtension } from '@prometheus-io/codemirror-promql';

export interface Editor {
  set(text: string): void;
  focus(): void;
  destroy(): void;
}

interface Options {
  text: string;
  label: string;
  placeholder: string;
  onchange: (text: string) => void;
  onrun: () => void;
}

// Names and values that were seen this long ago are offered.
const LOOKBACK_MS = 12 * 3_600_000;

export function createEditor(parent: HTMLElement, options: Options): Editor {
  const root = parent.shadowRoot ?? parent.attachShadow({ mode: 'open' });
  const language = new PromQLExtension().setComplete({
    remote: { apiPrefix: './api/v1', httpMethod: 'GET', lookbackInterval: LOOKBACK_MS },
  });
  const run = () => {
    options.onrun();
    return true;
  };
  const view = new EditorView({
    root,
    parent: root as unknown as Element,
    state: EditorState.create({
      doc: options.text,
      extensions: [
        history(),
        bracketMatching(),
        closeBrackets(),
        autocompletion({ icons: false }),
        language.asExtension(),
        syntaxHighlighting(COLOURS),
        look,
        placeholder(options.placeholder),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-label': options.label }),
        // The keys of an open list of completions come before these.
        Prec.high(
          keymap.of([
            { key: 'Mod-Enter', run },
            { key: 'Tab', run: acceptCompletion },
          ]),
        ),
        keymap.of([
          ...completionKeymap,
          { key: 'Enter', run, shift: insertNewlineAndIndent },
          ...closeBracketsKeymap,
          ...defaultKeymap,
          ...historyKeymap,
          ...lintKeymap,
        ]),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) options.onchange(update.state.doc.toString());
        }),
      ],
    }),
  });
  return {
    set(text) {
      if (text === view.state.doc.toString()) return;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
    },
    focus: () => view.focus(),
    destroy() {
      view.destroy();
      language.destroy();
    },
  };
}

const COLOURS = HighlightStyle.define([
  { tag: tags.string, color: 'var(--series-5)' },
  { tag: tags.number, color: 'var(--series-4)' },
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: 'var(--series-6)' },
  { tag: tags.function(tags.variableName), color: 'var(--accent)' },
  { tag: tags.labelName, color: 'var(--series-3)' },
  { tag: tags.comment, color: 'var(--ink-soft)', fontStyle: 'italic' },
  { tag: tags.invalid, color: 'var(--down)' },
]);

const look = EditorView.theme({
  '&': { color: 'var(--ink)', backgroundColor: 'transparent', fontSize: '13px' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '20px' },
  '.cm-content': { padding: '9px 0', caretColor: 'var(--ink)' },
  '.cm-line': { padding: '0 12px' },
  '.cm-placeholder': { color: 'var(--ink-soft)' },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--accent-soft)', outline: '1px solid var(--accent)' },
  '.cm-selectionBackground, ::selection': { backgroundColor: 'var(--accent-soft)' },
  '.cm-tooltip': {
    border: '1px solid var(--line)',
    borderRadius: '5px',
    backgroundColor: 'var(--raised)',
    color: 'var(--ink)',
    boxShadow: 'var(--shadow-high)',
    overflow: 'hidden',
  },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { maxHeight: '280px', fontFamily: 'var(--mono)', fontSize: '12.5px' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '3px 12px', lineHeight: '20px' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]': {
    backgroundColor: 'var(--accent-soft)',
    color: 'var(--ink)',
  },
  '.cm-completionMatchedText': { textDecoration: 'none', fontWeight: '700', color: 'var(--accent)' },
  '.cm-completionDetail': { marginInlineStart: '16px', color: 'var(--ink-soft)', fontStyle: 'normal' },
  '.cm-tooltip.cm-completionInfo': { padding: '8px 12px', maxWidth: '320px', fontFamily: 'var(--sans)' },
  '.cm-tooltip-lint': { fontFamily: 'var(--sans)', fontSize: '13px' },
  '.cm-diagnostic-error': { borderInlineStart: '3px solid var(--down)' },
});
