// Where a login leads to. The address may come from anyone, so nothing of it but the name of a page of ours and its
// parameters is taken over: whatever it says, it leads nowhere else.

import { PAGES } from '../router.svelte';

// What the server shows besides the pages, and where links of others lead.
const OTHERS = ['graph', 'docs'];

// Who has just logged in does not want to do so again.
const NOT = ['login', ''];

/** The relative address of the page that `next` means; the overview, if it is none of ours. */
export function destination(next: string): string {
  let url: URL;
  try {
    url = new URL(next, 'http://campanile.invalid/');
  } catch {
    return './';
  }
  const name = url.pathname.slice(url.pathname.lastIndexOf('/') + 1);
  const ours = [...PAGES, ...OTHERS].find((page) => page === name && !NOT.includes(page));
  return ours && url.hostname === 'campanile.invalid' ? `./${ours}${url.search}${url.hash}` : './';
}
