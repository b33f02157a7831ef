// Who is here, and who may do what: `auth/…`, `api/v1/users`, `teams`, `tokens`, `audit`.

import { ApiError, fetchJson, get, send } from './api';

export type Role = 'viewer' | 'editor' | 'admin';
export type Scope = 'ingest' | 'query' | Role;

/** Who asks, as the server sees it. */
export interface Me {
  name: string;
  /** `anonymous` is let in without a name, `anybody` since access control is off. */
  kind: 'user' | 'token' | 'anonymous' | 'anybody';
  role: Scope;
  teams: string[];
  must_set_password: boolean;
}

/** How one may come in. */
export interface Ways {
  password: boolean;
  oidc: { name: string } | null;
  /** The role of those who do not log in; null if they see nothing. */
  anonymous: Role | null;
}

export interface User {
  name: string;
  role: Role;
  /** What their teams make of it. */
  effective_role: Role;
  teams: string[];
  is_disabled: boolean;
  has_password: boolean;
  /** As whom a provider knows them; null for who was made here. */
  identity: string | null;
  created: string;
}

export interface Team {
  name: string;
  role: Role | null;
  members: string[];
}

export interface Token {
  id: string;
  name: string;
  scope: Scope;
  created_by: string;
  created: string;
  expires: string | null;
}

export interface AuditEntry {
  id: string;
  at: string;
  who: string;
  address: string;
  action: string;
  object: string;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
}

export const fetchMe = (signal?: AbortSignal) => fetchJson('auth/me', {}, signal) as Promise<Me>;
export const fetchWays = (signal?: AbortSignal) => fetchJson('auth/ways', {}, signal) as Promise<Ways>;
export const login = (username: string, password: string) => send('POST', 'auth/session', { username, password });
export const changePassword = (change: { current_password?: string; new_password: string }) => send('PUT', 'auth/password', change);

/** Ends the session; that it had ended before is as good. */
export async function logout(): Promise<void> {
  try {
    await send('POST', 'auth/logout');
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw error;
  }
}

export const fetchUsers = (signal?: AbortSignal) => get<User[]>('users', {}, signal);
export const addUser = (user: { name: string; role: Role; password?: string }) => send('POST', 'api/v1/users', user);
export const changeUser = (name: string, change: { role?: Role; is_disabled?: boolean; password?: string }) => send('PATCH', one('users', name), change);
export const removeUser = (name: string) => send('DELETE', one('users', name));

export const fetchTeams = (signal?: AbortSignal) => get<Team[]>('teams', {}, signal);
export const addTeam = (team: Team) => send('POST', 'api/v1/teams', team);
export const changeTeam = (name: string, change: Partial<Omit<Team, 'name'>>) => send('PATCH', one('teams', name), change);
export const removeTeam = (name: string) => send('DELETE', one('teams', name));

export const fetchTokens = (signal?: AbortSignal) => get<Token[]>('tokens', {}, signal);
export const revokeToken = (id: string) => send('DELETE', one('tokens', id));

/** Makes a token; its secret is in this answer only. */
export async function createToken(wanted: { name: string; scope: Scope; expires_in?: string }): Promise<Token & { token: string }> {
  const answer = (await send('POST', 'api/v1/tokens', wanted)) as { data: Token & { token: string } };
  return answer.data;
}

/** The newest entries below `before`; fewer than `limit` if these are the first ones ever. */
export const fetchAudit = (page: { limit: number; before?: string }, signal?: AbortSignal) => get<AuditEntry[]>('audit', page, signal);

function one(list: string, name: string): string {
  return `api/v1/${list}/${encodeURIComponent(name)}`;
}
