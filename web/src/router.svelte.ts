// Which page is shown, and the parameters in its address.
//
// Pages lie one level deep, so `./monitors` leads to the same place from each of them, also below a path of a proxy.

export const PAGES = [
  '',
  'monitors',
  'monitor',
  'alerts',
  'notifications',
  'explore',
  'login',
  'password',
  'users',
  'teams',
  'tokens',
  'audit',
] as const;
export type Page = (typeof PAGES)[number];

type Patch = Record<string, string | null>;

class Router {
  /** Null is an address that no page has. */
  page = $state<Page | null>('');
  parameters = $state.raw(new URLSearchParams());
  /** Fetches what a page is made of. Until it is here the page before stays, and with it the parameters that it knows. */
  prepare: (page: Page) => Promise<unknown> = () => Promise.resolve();
  #readings = 0;

  constructor() {
    void this.#read();
    addEventListener('popstate', () => void this.#read());
    document.addEventListener('click', (event) => this.#follow(event));
  }

  get(name: string): string {
    return this.parameters.get(name) ?? '';
  }

  /** Leads to another page; the way back leads here. */
  go(href: string): void {
    history.pushState(null, '', href);
    void this.#read().then(() => scrollTo(0, 0));
  }

  /** Changes parameters of this page; null takes one away. What is typed replaces, what is chosen can be taken back. */
  set(patch: Patch, how: 'push' | 'replace' = 'push'): void {
    const next = new URLSearchParams(this.parameters);
    for (const [name, value] of Object.entries(patch)) {
      if (value === null || value === '') next.delete(name);
      else next.set(name, value);
    }
    const text = next.toString();
    if (text === this.parameters.toString()) return;
    const href = `./${this.page ?? ''}${text && `?${text}`}`;
    if (how === 'push') history.pushState(null, '', href);
    else history.replaceState(null, '', href);
    void this.#read();
  }

  async #read(): Promise<void> {
    const name = location.pathname.slice(location.pathname.lastIndexOf('/') + 1);
    const page = PAGES.find((page) => page === name) ?? (name === 'index.html' ? '' : null);
    const parameters = new URLSearchParams(location.search);
    const reading = ++this.#readings;
    // Before the first page there is none that could stay.
    if (reading > 1 && page !== null && page !== this.page) {
      // If it cannot be fetched, the frame says so in its place.
      await this.prepare(page).catch(() => {});
      if (reading !== this.#readings) return;
    }
    this.page = page;
    this.parameters = parameters;
  }

  /** Takes a click on a link to a page of ours, unless it asks for another tab. */
  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.('a');
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    const here = location.pathname.slice(0, location.pathname.lastIndexOf('/') + 1);
    const name = link.pathname.slice(here.length);
    if (!link.pathname.startsWith(here) || !PAGES.some((page) => page === name)) return;
    // A link to a place of this page is the browser's.
    if (link.hash && link.pathname === location.pathname && link.search === location.search) return;
    event.preventDefault();
    this.go(link.href);
  }
}

export const router = new Router();

/** The address of a page with parameters; empty ones are left out. */
export function href(page: Page, parameters: Record<string, string> = {}): string {
  const pairs = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== ''));
  const text = pairs.toString();
  return `./${page}${text && `?${text}`}`;
}
