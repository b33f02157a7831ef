// Light or dark: as the system says, unless someone chose; the choice is kept in this browser.

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'campanile.theme';

class ThemeChoice {
  choice = $state<Theme>('auto');
  /** Counts changes of what is seen, for those who draw with colours of their own. */
  version = $state(0);

  constructor() {
    this.choice = read();
    this.#show();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => (this.version += 1));
  }

  set(choice: Theme): void {
    this.choice = choice;
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // Without storage the choice holds until the page is left.
    }
    this.#show();
  }

  #show(): void {
    if (this.choice === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.choice;
    this.version += 1;
  }
}

export const theme = new ThemeChoice();

/** A colour of the style sheet as the browser computed it, for a canvas, which knows no variables. */
export function resolveColour(expression: string): string {
  const probe = document.createElement('span');
  probe.style.color = expression;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

function read(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return THEMES.find((theme) => theme === kept) ?? 'auto';
  } catch {
    return 'auto';
  }
}
