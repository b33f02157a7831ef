// What roles and scopes mean, in words for people.

import type { Role, Scope } from '../api/access';

export const ROLES: { value: Role; label: string; meaning: string }[] = [
  { value: 'viewer', label: 'Viewer', meaning: 'sees everything that is no secret' },
  { value: 'editor', label: 'Editor', meaning: 'also changes what is watched and who is told' },
  { value: 'admin', label: 'Admin', meaning: 'also decides about users, tokens and the store' },
];

export const SCOPES: { value: Scope; label: string; meaning: string }[] = [
  { value: 'ingest', label: 'Ingest', meaning: 'writes samples, and nothing else: for Prometheus and agents' },
  { value: 'query', label: 'Query', meaning: 'reads samples, and nothing else: for Grafana' },
  ...ROLES.map(({ value, label, meaning }) => ({ value, label, meaning: `${meaning}, as a person of this role` })),
];

/** `Admin` for `admin`; what is not known is shown as it is. */
export function labelOf(scope: string): string {
  return SCOPES.find(({ value }) => value === scope)?.label ?? scope;
}

/** Why a user or a team cannot be named so; null if they can. */
export function nameFault(name: string, taken: string[]): string | null {
  if (name === '') return 'The name is missing.';
  if (name.length > NAME_MAX) return `A name has at most ${NAME_MAX} characters.`;
  const odd = [...name].find((letter) => !/[\w.@+-]/.test(letter));
  if (odd !== undefined) return `A name has no “${odd}”: only letters a to z, digits and . _ - @ +`;
  return taken.includes(name) ? 'This name is taken.' : null;
}

/** Why a password cannot be taken; null if it can. */
export function faultOf(password: string, again: string): string | null {
  // As the server counts: by characters.
  const length = [...password].length;
  if (length < PASSWORD_MIN) return `A password has at least ${PASSWORD_MIN} characters; this one has ${length}.`;
  if (length > PASSWORD_MAX) return `A password has at most ${PASSWORD_MAX.toLocaleString('en-GB')} characters.`;
  return password === again ? null : 'The two are not the same.';
}

// As the server has it.
const NAME_MAX = 64;
export const PASSWORD_MIN = 8;
const PASSWORD_MAX = 1000;
